"""A small part of the regression check, to be done by another process on another processor.

`python tests/regression_part.py FOLDER` compares it with the baseline in FOLDER, once as the code
is and once with a fault in it, and writes what came of both to stdout, as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.base import Budget
from bench.commands import comparing, measuring
from bench.commands.measuring import Plan
from bench.reports import baseline
from bench.runs import members
from bench.runs.live import digest
from bench.runs.row import Run
from bench.studies import regression
from bench.studies.regression import LivePlan
from bench.studies.smoke import EMBEDDED
from bench.studies.study import Study, searches

KINDS = ("search", "live")
PROXIES = ("snip", "grasp", "zico", "ntk", "jacov", "naswot", "swap", "plain", "flops")
"""Among them those that rounding moves most, and counts."""


def runs() -> Iterator[Run]:
    """A search that compares recorded numbers, and one that trains a model."""
    names = ("regularised-evolution", "gaussian-process,scored=50")
    yield from searches([EMBEDDED], names, Budget(queries=15), 5, 5)


def live_runs() -> Iterator[LivePlan]:
    """One small cell by a few proxies."""
    small, _ = regression.live_runs()
    archs = small.archs[1:2]
    chosen = digest(members.space(regression.SPACE), archs)
    run = replace(small.run, archs=1, archs_sha256=chosen, proxies=PROXIES)
    yield replace(small, run=run, archs=archs)


PLAN = Plan(Study("regression", "a part", runs), live_runs)


def freeze(folder: Path) -> None:
    """Write the part's baseline."""
    found = measuring.measure(PLAN, KINDS, ["part"], freeze=False, advance=lambda: None)
    baseline.write(folder, found)


def compared(folder: Path) -> dict[str, Any]:
    """What a comparison comes to."""
    found = comparing.compare(folder, ["part"], kinds=KINDS, plan=PLAN)
    return {
        "environment": found.now.provenance.environment,
        "values": len(found.now.values),
        "failing": [change.sentence for change in found.failing],
        "told": [change.sentence for change in found.changes if not change.fails],
        "notes": found.notes,
    }


def without_absolute_values(gradients: Any) -> float:
    """What snip would be if its terms could cancel out."""
    return float(sum((it.weight * it.gradient).sum() for it in gradients.layers))


if __name__ == "__main__":
    told = [compared(Path(sys.argv[1]))]
    snip: Any = members.proxy("snip")
    members._BUILT_IN["proxies"]["snip"] = replace(snip, function=without_absolute_values)
    told.append(compared(Path(sys.argv[1])))
    sys.stdout.write(json.dumps(told))
