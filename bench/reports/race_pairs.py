"""A reference searcher against every other: paired differences, and where others catch up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bench.base import Floats, Record
from bench.metrics.compare import holm
from bench.metrics.intervals import mean_interval
from bench.metrics.ranking import signed_rank
from bench.reports.race_groups import Group, by_task, most_scored, parse_family
from bench.reports.race_traces import Entry

DIGITS = 9
"""Differences are rounded to so many digits: what is left of a rounding is no difference."""


def pairs(entries: Sequence[Entry], group: Group, marks: Sequence[int]) -> Iterator[Record]:
    """Compare the group's reference with its other members, on every task after every mark.

    Yields:
        Records of group, task, queries, reference, searcher, seeds (that both have), difference
        (mean regret of the searcher less that of the reference: above zero, the reference is
        ahead) with `low` and `high`, on how many seeds the reference is better, tied and worse,
        p (Wilcoxon's signed-rank test) and p_holm, corrected over the searchers of the task,
        mark and group.
    """
    for mark in marks:
        for task, here in by_task(entries, mark).items():
            if group.reference is None or group.reference not in here:
                continue
            found = []
            for name in group.searchers:
                if name != group.reference and name in here:
                    facts: Record = {"group": group.label, "task": task, "queries": mark}
                    facts |= {"reference": group.reference, "searcher": name}
                    values = _differences(here[name], here[group.reference], mark)
                    found.append(facts | compared(values))
            for record, p in zip(found, holm([r["p"] for r in found]), strict=True):
                yield record | {"p_holm": float(p)}


def compared(values: Floats) -> Record:
    """What paired differences over seeds say: their mean, interval, signs and signed-rank test.

    Above zero, the reference is better.
    """
    low, high = _ends(values)
    return {
        "seeds": values.size,
        "difference": float(values.mean()) if values.size else np.nan,
        "low": low,
        "high": high,
        "better": int((values > 0).sum()),
        "tied": int((values == 0).sum()),
        "worse": int((values < 0).sum()),
        "p": signed_rank(values),
    }


def _differences(entry: Entry, reference: Entry, mark: int) -> Floats:
    """The entry's regret less the reference's, on the seeds both have."""
    _, one, two = np.intersect1d(entry.seeds, reference.seeds, return_indices=True)
    found = (entry.at(mark)[one] - reference.at(mark)[two]).round(DIGITS)
    known: Floats = found[np.isfinite(found)]
    return known


def _ends(values: Floats) -> tuple[float, float]:
    low, high = mean_interval(values[:, None])
    return float(low[0]), float(high[0])


def catch_up(entries: Sequence[Entry], reference: str, marks: Sequence[int]) -> Iterator[Record]:
    """From how many scored architectures on other families are as good as the reference's.

    Yields:
        Records of task, queries, reference (a searcher of the reference's family), its
        reference_scored, family, caught_up_at (the least number of scored architectures with
        which the family's mean regret on shared seeds is not above the reference's; undefined
        where no variant reaches it), behind_at (the largest with which it is clearly above: the
        paired interval excludes zero) and most_scored (the largest that was tried). Families that
        score nothing are left out, and so is a reference that scores nothing.
    """
    own = parse_family(reference)[0]
    for mark in marks:
        for task, here in by_task(entries, mark).items():
            families: dict[str, list[Entry]] = {}
            for entry in here.values():
                families.setdefault(parse_family(entry.searcher)[0], []).append(entry)
            rivals = {name: each for name, each in families.items() if name != own}
            for ours in (entry for entry in families.get(own, []) if scored_at(entry, mark) > 0):
                for name, theirs in rivals.items():
                    if most_scored(theirs) > 0 and len(ours.seeds):
                        facts: Record = {"task": task, "queries": mark, "reference": ours.searcher}
                        facts |= {"reference_scored": scored_at(ours, mark), "family": name}
                        yield facts | _caught(ours, theirs, mark)


def scored_at(entry: Entry, mark: int) -> float:
    """The mean number of architectures scored by a mark; NaN without a seed."""
    values = entry.scored[:, np.searchsorted(entry.marks, mark)]
    return float(values.mean()) if values.size else float("nan")


def _caught(ours: Entry, theirs: Sequence[Entry], mark: int) -> Record:
    reached, behind, tried = [], [], []
    for entry in theirs:
        values = _differences(entry, ours, mark)
        if values.size:
            scored = scored_at(entry, mark)
            tried.append(scored)
            if values.mean() <= 0:
                reached.append(scored)
            if _ends(values)[0] > 0:
                behind.append(scored)
    return {
        "caught_up_at": min(reached, default=np.nan),
        "behind_at": max(behind, default=np.nan),
        "most_scored": max(tried, default=np.nan),
    }
