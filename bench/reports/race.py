"""A race: many searchers on many tasks, compared after equal numbers of queries.

Everything is read from one trace a seed: the regret after 10, 25, ... queries is that of the best
so far by validation. What happens to incomplete results:

- A search that gave back the rest of its budget keeps its last regret; `stopped` counts these.
- A failed search has no regret. It is counted, ranks last in its task and seed, and is no part of
  means and paired differences.
- A seed before a searcher's last that others ran and it did not is counted as `missing`; a block
  of ranks needs every searcher.
- A searcher that was not run on every task has no average rank; it is listed with a dash.

Intervals are 95 % percentile bootstraps over seeds, those over tasks stratified: the seeds of each
task are resampled by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.base import Floats, Ints, Record
from bench.metrics.ranking import trimmed_means
from bench.reports.load import Study
from bench.reports.race_aggregates import Runs
from bench.reports.race_draws import Draws, interval
from bench.reports.race_groups import Group, by_task, group_searchers, parse_family
from bench.reports.race_pairs import catch_up, pairs
from bench.reports.race_ranks import rank
from bench.reports.race_traces import MARKS, Entry, read_entries
from bench.reports.sample import defined
from bench.reports.searches import Curve

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
    """By mark and searcher: `4 x t` thresholds, shares, and the ends of their intervals."""

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
    rng: np.random.Generator,
    resamples: int = 1000,
    reference: str | None = None,
    marks: Sequence[int] = MARKS,
) -> Race | None:
    """Compute a study's race.

    Args:
        study: The study, as loaded from `results`.
        results: The folder that runs wrote to.
        rng: What resamples are drawn from; it is copied, not advanced.
        resamples: How many.
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
    draws = Draws(rng, resamples)
    groups = group_searchers(entries, reference)
    regrets, curves = _regrets(entries, draws)
    ranked = [rank(entries, group, mark, draws) for group in groups for mark in shown]
    runs = Runs.of(entries, shown[0])
    return Race(
        reference=reference,
        groups=groups,
        marks=shown,
        regrets=regrets,
        ranks=[defined(record) for records, _ in ranked for record in records],
        tests=[defined(record) for _, record in ranked if record],
        pairs=[defined(r) for g in groups for r in pairs(entries, g, shown, draws)],
        catch_up=[defined(r) for r in catch_up(entries, reference, shown, draws)],
        aggregates=[defined(r) for mark in shown for r in runs.aggregates(mark, draws)],
        curves=curves,
        profiles={mark: runs.profiles(mark, draws) for mark in shown},
    )


def _first(entries: Sequence[Entry]) -> str:
    return min(entries, key=lambda entry: entry.place).searcher


def _summary(values: Floats, draws: Draws, names: Sequence[str] = STATISTICS) -> dict[str, Floats]:
    """By statistic `3 x c`: value, low and high of the columns of `n x c` values.

    A column in which a seed has no value yet has none; one seed has no interval.
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
    if n > 1:
        for name, drawn in zip(names, trimmed_means(values[:, known], draws(n), of), strict=True):
            found[name][1:, known] = interval(drawn)
    return found


def _regrets(entries: Sequence[Entry], draws: Draws) -> tuple[list[Record], dict[str, list[Curve]]]:
    """What every searcher reached at the marks, and its curves."""
    records: list[Record] = []
    curves: dict[str, list[Curve]] = {"mean": [], "iqm": []}
    seeds: dict[str, set[int]] = {}
    for entry in entries:
        seeds.setdefault(entry.task, set()).update(entry.seeds.tolist(), entry.failed)
    for entry in entries:
        at_marks = _summary(entry.regret[:, entry.marks - 1], draws)
        tests = _summary(entry.test_regret, draws)
        for place, mark in enumerate(entry.marks.tolist()):
            row = _facts(entry, place, mark, seeds[entry.task])
            for prefix, statistics in (("regret", at_marks), ("test_regret", tests)):
                for name, values in statistics.items():
                    for ending, value in zip(("", "_low", "_high"), values[:, place], strict=True):
                        row[f"{prefix}_{name}{ending}"] = float(value)
            records.append(defined(row))
        grid = np.unique(np.geomspace(1, entry.budget, _POINTS).round().astype(np.int64))
        for name, found in _summary(entry.regret[:, grid - 1], draws, list(curves)).items():
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
    """The curve where it is known; a single seed's band has no width."""
    value, low, high = found
    known = np.isfinite(value)
    if known.any():
        low, high = (np.where(np.isnan(end), value, end)[known] for end in (low, high))
        at = grid[known].astype(np.float64)
        count = len(entry.seeds)
        yield Curve(entry.task, entry.searcher, "queries", at, value[known], low, high, count)
