"""A race: many searchers on many tasks, compared after equal numbers of queries.

Everything is read from one trace a seed: the regret after 10, 25, ... queries is that of the best
so far by validation. What happens to incomplete results:

- A search that gave back the rest of its budget keeps its last regret; `stopped` counts these.
- A failed search has no regret. It is counted, ranks last in its task and seed, and is no part of
  means and paired differences.
- A seed before a searcher's last that others ran and it did not is counted as `missing`; a block
  of ranks needs every searcher.
- A searcher that was not run on every task has no average rank; it is listed with a dash.

Intervals are 95 %, over seeds (`bench.metrics.intervals`): of means, of paired differences and of
average ranks. Medians, interquartile means and shares of runs have none: where many seeds agree, as
they do in a task that is nearly solved, no interval of these covers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.base import Floats, Ints, Record
from bench.metrics.intervals import mean_interval
from bench.metrics.ranking import trimmed_means
from bench.reports.load import Study
from bench.reports.race_aggregates import Runs
from bench.reports.race_groups import Group, by_task, group_searchers, parse_family
from bench.reports.race_pairs import catch_up, pairs
from bench.reports.race_ranks import rank
from bench.reports.race_traces import MARKS, Entry, read_entries
from bench.reports.sample import defined
from bench.reports.searches import Curve, band

STATISTICS = ("mean", "median", "iqm")
_POINTS = 30
"""The most places that a curve is computed at."""


@dataclass(frozen=True, eq=False)
class Race:
    """All records of a race; each list has one shape of record."""

    reference: str
    groups: Sequence[Group]
    marks: Sequence[int]
    regrets: Sequence[Record]
    """By task, mark and searcher."""
    ranks: Sequence[Record]
    """By group, mark and rank."""
    tests: Sequence[Record]
    """By group and mark: whether ranks differ, and by how much they must."""
    pairs: Sequence[Record]
    catch_up: Sequence[Record]
    aggregates: Sequence[Record]
    """By mark and searcher, over tasks."""
    curves: Mapping[str, Sequence[Curve]]
    """By statistic, `mean` or `iqm`: regret against queries."""
    profiles: Mapping[int, Mapping[str, Floats]]
    """By mark and searcher: `2 x t` thresholds and shares."""

    def records(self) -> dict[str, Sequence[Record]]:
        """All records by the name of the file they are written to."""
        return {
            "race": self.regrets,
            "race-ranks": self.ranks,
            "race-tests": self.tests,
            "race-pairs": self.pairs,
            "race-catch-up": self.catch_up,
            "race-aggregates": self.aggregates,
        }


def measure_race(
    study: Study,
    results: Path,
    *,
    reference: str | None = None,
    marks: Sequence[int] = MARKS,
) -> Race | None:
    """Compute a study's race.

    Args:
        study: The study, as loaded from `results`.
        results: The folder that runs wrote to.
        reference: The searcher that others are compared with; that of the first row if None.
        marks: The numbers of queries to compare at.

    Returns:
        The race; None unless two searchers ran on one task with a budget in queries.
    """
    entries = read_entries(results, study, marks)
    shown = sorted({int(mark) for entry in entries for mark in entry.marks})
    if not any(by_task(entries, mark) for mark in shown):
        return None
    reference = reference or _first(entries)
    groups = group_searchers(entries, reference)
    regrets, curves = _regrets(entries)
    ranked = [rank(entries, group, mark) for group in groups for mark in shown]
    runs = Runs.of(entries, shown[0])
    return Race(
        reference=reference,
        groups=groups,
        marks=shown,
        regrets=regrets,
        ranks=[defined(record) for records, _ in ranked for record in records],
        tests=[defined(record) for _, record in ranked if record],
        pairs=[defined(r) for g in groups for r in pairs(entries, g, shown)],
        catch_up=[defined(r) for r in catch_up(entries, reference, shown)],
        aggregates=[defined(r) for mark in shown for r in runs.aggregates(mark)],
        curves=curves,
        profiles={mark: runs.profiles(mark) for mark in shown},
    )


def _first(entries: Sequence[Entry]) -> str:
    return min(entries, key=lambda entry: entry.place).searcher


def _summary(values: Floats, names: Sequence[str] = STATISTICS) -> dict[str, Floats]:
    """By statistic `3 x c`: value, low and high of the columns of `n x c` values.

    A column in which a seed has no value yet has none; only the mean has intervals.
    """
    n, columns = values.shape
    found = {name: np.full((3, columns), np.nan) for name in names}
    known = np.isfinite(values).all(axis=0)
    if n == 0 or not known.any():
        return found
    cuts = {"mean": 0, "median": (n - 1) // 2, "iqm": n // 4}
    of = [cuts[name] for name in names]
    once = np.ones((1, n), dtype=np.int64)
    for place, name in enumerate(names):
        found[name][0, known] = trimmed_means(values[:, known], once, of)[place, 0]
    low, high = mean_interval(values[:, known])
    found["mean"][1:, known] = np.maximum(low, 0.0), high
    return found


def _regrets(entries: Sequence[Entry]) -> tuple[list[Record], dict[str, list[Curve]]]:
    """What every searcher reached at the marks, and its curves."""
    records: list[Record] = []
    curves: dict[str, list[Curve]] = {"mean": [], "iqm": []}
    seeds: dict[str, set[int]] = {}
    for entry in entries:
        seeds.setdefault(entry.task, set()).update(entry.seeds.tolist(), entry.failed)
    for entry in entries:
        at_marks = _summary(entry.regret[:, entry.marks - 1])
        tests = _summary(entry.test_regret)
        for place, mark in enumerate(entry.marks.tolist()):
            row = _facts(entry, place, mark, seeds[entry.task])
            for prefix, statistics in (("regret", at_marks), ("test_regret", tests)):
                for name, values in statistics.items():
                    endings = ("", "_low", "_high") if name == "mean" else ("",)
                    for ending, value in zip(endings, values[:, place], strict=False):
                        row[f"{prefix}_{name}{ending}"] = float(value)
            records.append(defined(row))
        grid = np.unique(np.geomspace(1, entry.budget, _POINTS).round().astype(np.int64))
        for name, found in _summary(entry.regret[:, grid - 1], list(curves)).items():
            curves[name].extend(_curve(entry, grid, found))
    records.sort(key=lambda record: (record["task"], record["queries"]))
    return records, curves


def _facts(entry: Entry, place: int, mark: int, seeds: set[int]) -> Record:
    family, option = parse_family(entry.searcher)
    run = {*entry.seeds.tolist(), *entry.failed}
    return {
        "task": entry.task,
        "queries": mark,
        "searcher": entry.searcher,
        "family": family,
        "scored_option": option,
        "scored": _mean(entry.scored[:, place]),
        "seconds": _mean(entry.seconds[:, place]),
        "seeds": len(entry.seeds),
        "failed": len(entry.failed),
        # One that was given fewer seeds than another misses none of them.
        "missing": len({seed for seed in seeds if seed < max(run, default=0)} - run),
        "stopped": int((entry.queries < mark).sum()),
    }


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")


def _curve(entry: Entry, grid: Ints, found: Floats) -> Iterator[Curve]:
    """The curve where it is known; its band has no width where there is no interval."""
    value, low, high = found
    known = np.isfinite(value)
    if known.any():
        low, high = (end[known] for end in band(value, low, high))
        at = grid[known].astype(np.float64)
        count = len(entry.seeds)
        yield Curve(entry.task, entry.searcher, "queries", at, value[known], low, high, count)
