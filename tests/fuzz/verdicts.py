"""Judges each computed proxy of each network of the zoo, and makes the table of the counts.

`PYTHONPATH=tests python -m fuzz.verdicts` prints what is wrong and the tables; `NAME...` chooses
networks or families, `--refused` prints what is refused too, and `--write` puts the tables into
docs/recognition.md.
"""

from __future__ import annotations

import math
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from fuzz import hazards, tokens, zoo
from fuzz.features import PROXIES
from fuzz.libraries import LIBRARIES, library
from fuzz.reference import Judge, Unknown
from fuzz.zoo import Entry

from bench.proxies import COMPUTED
from bench.proxies.live import Batch, Result, score
from bench.runs.live import minibatches

NAMES = tuple(proxy.name for proxy in COMPUTED)
TOLERANCE = 1e-6
NUDGE = 1e-13
"""A share of all values that rounding may move them by, on the way through a network."""
EQUAL, UNDEFINED, REFUSED, ROUNDING, WRONG, TRACEBACK = (
    "equal", "undefined", "refused", "rounding", "WRONG", "TRACEBACK",
)  # fmt: skip
KINDS = (EQUAL, REFUSED, UNDEFINED, ROUNDING, WRONG, TRACEBACK)
ERRORS = (
    "AssertionError", "AttributeError", "IndexError", "KeyError", "NameError", "StopIteration",
    "TypeError", "UnboundLocalError", "ZeroDivisionError",
)  # fmt: skip
"""What an error of the bench's own looks like; no reason of a network's."""
PAGE = Path(__file__).resolve().parents[2] / "docs" / "recognition.md"


@dataclass(frozen=True)
class Verdict:
    """How one proxy of one network stands."""

    entry: Entry
    proxy: str
    kind: str
    """`equal`; `refused`: there is a value, and a reason in its place; `undefined`: neither has
    one; `rounding`: the reference's own value does not hold where rounding moves it; `WRONG`: the
    bench gives another value, or one where there is none; `TRACEBACK`: an error of its own."""
    given: str
    """The bench's value or reason."""
    wanted: str
    """The reference's value, or why there is none."""

    def __str__(self) -> str:
        place = f"{self.entry.family}, {self.entry.name}: {self.proxy}"
        return f"{place} is {self.kind}: {self.given}, where the reference has {self.wanted}"


@cache
def batches() -> tuple[Batch, ...]:
    """Two minibatches of 16 images of noise, 3 x 16 x 16, of 4 classes; float64."""
    drawn = minibatches("noise,size=16,classes=4", 16, 0)
    return tuple(Batch(batch.images.double(), batch.labels) for batch in drawn)


def given(entry: Entry) -> dict[str, Result]:
    """What the bench says of a network in float64."""
    return score(entry.make(), batches(), COMPUTED)


class Wanted:
    """What the reference says of a network."""

    def __init__(self, entry: Entry) -> None:
        pairs = [(batch.images, batch.labels) for batch in batches()]
        self._own = Judge(entry.make, pairs)
        self._judge = Judge(entry.plain, pairs)
        self._nudged = [Judge(entry.plain, pairs, nudge=NUDGE * k) for k in (1, 2, 3)]

    def value(self, proxy: str) -> float | str:
        """The right value, or why there is none."""
        # What counts parameters and costs is of the network as it is written.
        return self._said(self._own if proxy in ("params", "flops") else self._judge, proxy)

    def is_steady(self, proxy: str, value: float | str) -> bool:
        """Whether the value, or that there is none, holds when all that goes in moves a little."""
        for judge in self._nudged:
            moved = self._said(judge, proxy)
            if isinstance(value, float) and isinstance(moved, float):
                if not math.isclose(moved, value, rel_tol=TOLERANCE):
                    return False
            elif isinstance(moved, str) != isinstance(value, str):
                return False
        return True

    @staticmethod
    def _said(judge: Judge, proxy: str) -> float | str:
        try:
            return judge.value(proxy, PROXIES)
        except Unknown as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - a network may raise anything
            return f"{type(error).__name__}: {error}"

    def slack(self, proxy: str) -> float:
        """How far rounding may move a sum that cancels, or a difference that is 0."""
        if proxy in ("plain", "grasp"):
            snip = self.value("snip")
            return 1e-11 * snip if isinstance(snip, float) else 0.0
        return 1e-9 if proxy.startswith("epsilon") else 1e-12


@cache
def judged(entry: Entry) -> tuple[Verdict, ...]:
    """The verdict on each proxy of a network."""
    with warnings.catch_warnings():
        # Networks may call what a torch deprecates.
        warnings.simplefilter("ignore")
        results, wanted = given(entry), Wanted(entry)
        return tuple(_verdict(entry, proxy, results[proxy], wanted) for proxy in NAMES)


def _verdict(entry: Entry, proxy: str, result: Result, wanted: Wanted) -> Verdict:
    value = wanted.value(proxy)
    told = f"{value:.10g}" if isinstance(value, float) else f"none: {' '.join(value.split())}"
    if result.value is None:
        error = str(result.error)
        kind = REFUSED if isinstance(value, float) else UNDEFINED
        name = error.split(":", maxsplit=1)[0]
        # The network itself may raise one, and then does so in the reference.
        kind = TRACEBACK if name in ERRORS and not str(value).startswith(name) else kind
        return Verdict(entry, proxy, kind, error, told)
    near = isinstance(value, float) and math.isclose(
        result.value, value, rel_tol=TOLERANCE, abs_tol=wanted.slack(proxy)
    )
    kind = EQUAL if near else WRONG if wanted.is_steady(proxy, value) else ROUNDING
    return Verdict(entry, proxy, kind, f"{result.value:.10g}", told)


OWN = (
    *(zoo.PLAIN, zoo.CONVOLUTIONS, zoo.ACTIVATIONS, zoo.NORMS, zoo.COMPUTED_WEIGHTS, zoo.TIED),
    *(zoo.WRAPPED, zoo.OUTPUTS, tokens.ATTENTION, tokens.RECURRENT, tokens.GATES),
    *(hazards.DRAWS, hazards.BRANCHES, hazards.CHECKPOINTS, hazards.HIDDEN, hazards.NUMBERS),
)
"""The families that need torch alone."""


def installed() -> list[Entry]:
    """The zoo, with the libraries that are installed."""
    found = [entry for family in OWN for entry in family]
    for name, models in LIBRARIES.items():
        try:
            library(name)
        except ImportError:
            continue
        found += models
    return found


def counts(verdicts: Iterable[Verdict], by: str) -> str:
    """A table in Markdown: how many verdicts of each kind, by `proxy` or by `family`."""
    table: dict[str, Counter[str]] = {}
    networks: dict[str, set[str]] = {}
    for verdict in verdicts:
        for key in (verdict.proxy if by == "proxy" else verdict.entry.family, "all"):
            table.setdefault(key, Counter())[verdict.kind] += 1
            networks.setdefault(key, set()).add(f"{verdict.entry.family} {verdict.entry.name}")
    rows = sorted(table.items(), key=lambda item: item[0] == "all")
    lines = [f"| {by} | networks | {' | '.join(KINDS)} |", f"|---|{'---:|' * (1 + len(KINDS))}"]
    lines += [
        f"| {key} | {len(networks[key])} | {' | '.join(str(row[kind]) for kind in KINDS)} |"
        for key, row in rows
    ]
    return "\n".join(lines)


def reasons(verdicts: Iterable[Verdict]) -> str:
    """A table in Markdown: what is said in place of a value, most frequent first."""
    found: Counter[str] = Counter()
    networks: dict[str, set[str]] = {}
    for verdict in verdicts:
        if verdict.kind in (REFUSED, UNDEFINED):
            # Names, numbers and shapes differ from network to network.
            text = re.sub(r"\([\d, x]*\)|\d+( x \d+)+|\b\d[\d.]*\b", "…", verdict.given)
            text = re.sub(r"\b[\w.]+\.[\w.]+\b", "NAME", text)[:110]
            found[text] += 1
            networks.setdefault(text, set()).add(f"{verdict.entry.family}: {verdict.entry.name}")
    lines = ["| said | scores | networks |", "|---|---:|---|"]
    for text, number in sorted(found.items(), key=lambda item: (-item[1], item[0])):
        names = sorted(networks[text])
        shown = "; ".join(names[:3]) + (f"; and {len(names) - 3} more" if len(names) > 3 else "")
        lines.append(f"| `{text.replace('|', '/')}` | {number} | {shown} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Print what differs, and the tables."""
    names = [name for name in arguments if not name.startswith("--")]
    shown = {WRONG, TRACEBACK, ROUNDING} | ({REFUSED} if "--refused" in arguments else set())
    verdicts: list[Verdict] = []
    for entry in installed():
        if names and not any(name in entry.name or name == entry.family for name in names):
            continue
        found = judged(entry)
        verdicts += found
        for verdict in found:
            if verdict.kind in shown:
                print(verdict, flush=True)  # noqa: T201
    tables = {"family": counts(verdicts, "family"), "proxy": counts(verdicts, "proxy")}
    tables["reasons"] = reasons(verdicts)
    for name, table in tables.items():
        print(f"\n{table}")  # noqa: T201
        if "--write" in arguments:
            text = PAGE.read_text()
            start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
            before, after = text[: text.index(start)], text[text.index(end) :]
            PAGE.write_text(f"{before}{start}\n\n{table}\n\n{after}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
