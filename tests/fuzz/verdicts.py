"""Judges each computed proxy of each network of the zoo, and prints the table of the counts.

`python tests/fuzz/verdicts.py` prints what differs and the tables; with `--write` it puts the
tables into docs/recognition.md.
"""

from __future__ import annotations

import random
import sys
from time import perf_counter
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[1])] if __name__ == "__main__" else []

from fuzz.reference import Judge, Unknown
from fuzz.zoo import OWN as ZOO
from fuzz.zoo import Entry

from bench.proxies import COMPUTED
from bench.proxies.live import Batch, Result, score
from bench.runs.live import minibatches

NAMES = tuple(proxy.name for proxy in COMPUTED)
TOLERANCE = 1e-6
INTERNAL = (
    "AssertionError", "AttributeError", "IndexError", "KeyError", "NameError", "StopIteration",
    "TypeError", "UnboundLocalError", "ZeroDivisionError",
)  # fmt: skip
"""What an error of the bench's own looks like; no reason of a network's."""
EQUAL, UNDEFINED, REFUSED, DRAW, WRONG, INTERNAL_ERROR = (
    "equal", "undefined", "refused", "one draw", "WRONG", "INTERNAL",
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """How one proxy of one network stands."""

    entry: Entry
    proxy: str
    kind: str
    """`equal`, `undefined` (there is no value, and none is given), `refused` (there is one),
    `one draw`, `WRONG` or `INTERNAL`."""
    given: str
    """The bench's value or reason."""
    wanted: str
    """The values by the reference, or why there is none."""


@cache
def batches() -> list[Batch]:
    """Two minibatches of 8 images of noise, 3 x 16 x 16, of 4 classes; float64."""
    drawn = minibatches("noise,size=16,classes=4", 16, 0)
    return [Batch(batch.images.double(), batch.labels) for batch in drawn]


def given(entry: Entry, proxies: Iterable[Any] = COMPUTED) -> dict[str, Result]:
    """What the bench says of a network in float64."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return score(entry.make(), batches(), tuple(proxies))


class Wanted:
    """What the reference says of a network: for each proxy the right values, or why none."""

    def __init__(self, entry: Entry) -> None:
        pairs = [(batch.images, batch.labels) for batch in batches()]
        self._entry = entry
        self._judges = [Judge(entry.plain, pairs)]
        self._own = Judge(entry.make, pairs)

    def values(self, proxy: str) -> tuple[list[float], str]:
        """The right values, and why there is none."""
        found, reason = [], ""
        for judge in [self._own] if proxy == "params" else self._judges:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found += judge.readings(proxy)
            except Unknown as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001 - a network may raise anything
                reason = f"{type(error).__name__}: {error}"
        return found, reason

    def slack(self, proxy: str) -> float:
        """How far rounding may move a sum that cancels."""
        if proxy in ("plain", "grasp"):
            try:
                return 1e-11 * self._judges[0].readings("snip")[0]
            except Exception:  # noqa: BLE001
                return 0.0
        return 1e-9 if proxy.startswith("epsilon") else 0.0


def _same(value: float, wanted: float, slack: float) -> bool:
    return abs(value - wanted) <= TOLERANCE * abs(wanted) + slack


def judged(entry: Entry) -> list[Verdict]:
    """The verdict on each proxy of a network."""
    results = given(entry)
    wanted = Wanted(entry)
    verdicts = []
    for proxy in NAMES:
        result = results[proxy]
        if result.error is not None and result.error.split(":")[0] in INTERNAL:
            verdicts.append(Verdict(entry, proxy, INTERNAL_ERROR, result.error, ""))
            continue
        values, reason = wanted.values(proxy)
        if result.value is None:
            kind = REFUSED if values else UNDEFINED
        else:
            slack = wanted.slack(proxy)
            close = any(_same(result.value, value, slack) for value in values)
            kind = EQUAL if close else WRONG
        told = ", ".join(f"{value:.10g}" for value in dict.fromkeys(values)) or f"none: {reason}"
        shown = str(result.error) if result.value is None else f"{result.value:.10g}"
        verdicts.append(Verdict(entry, proxy, kind, shown, told))
    return verdicts


def everyone(entries: Iterable[Entry] = ZOO) -> list[Verdict]:
    """The verdicts on networks."""
    return [verdict for entry in entries for verdict in judged(entry)]


def counts(verdicts: Iterable[Verdict], by: str) -> str:
    """A table in Markdown: how many verdicts of each kind, by `proxy` or by `family`."""
    table: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        key = verdict.proxy if by == "proxy" else verdict.entry.family
        table.setdefault(key, Counter())[verdict.kind] += 1
    kinds = [EQUAL, UNDEFINED, REFUSED, DRAW]
    kinds += [kind for kind in (WRONG, INTERNAL_ERROR) if any(row[kind] for row in table.values())]
    lines = [f"| {by} | {' | '.join(kinds)} |", f"|---|{'---:|' * len(kinds)}"]
    total: Counter[str] = Counter()
    for key, row in table.items():
        total += row
        lines.append(f"| {key} | {' | '.join(str(row[kind]) for kind in kinds)} |")
    lines.append(f"| all | {' | '.join(str(total[kind]) for kind in kinds)} |")
    return "\n".join(lines)


def main() -> None:
    """Print what differs, and the tables."""
    names = [name for name in sys.argv[1:] if not name.startswith("--")]
    chosen = [entry for entry in ZOO if not names or any(n in entry.name or n == entry.family for n in names)]
    verdicts = []
    for entry in chosen:
        start = perf_counter()
        try:
            found = judged(entry)
        except Exception as error:
            import traceback; traceback.print_exc()
            print("ZOO", entry.family, entry.name, repr(error)[:300]); continue
        spent = perf_counter() - start
        if spent > 1: print("SLOW", entry.name, spent)
        verdicts += found
        for verdict in found:
            bad = verdict.kind in (WRONG, INTERNAL_ERROR)
            if bad or "--all" in sys.argv or (verdict.kind == REFUSED and "--refused" in sys.argv):
                print(f"| {entry.name} | {verdict.proxy} | {verdict.kind} | {verdict.given} | {verdict.wanted} |", flush=True)  # noqa: T201
    for by in ("proxy", "family"):
        print("\n" + counts(verdicts, by))  # noqa: T201


if __name__ == "__main__":
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - the global generator is what networks draw from
    torch.set_num_threads(1)
    main()
