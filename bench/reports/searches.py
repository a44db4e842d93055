"""Searches put together over seeds: what was found at the end, and the best so far on the way.

Intervals are of the mean over seeds (`bench.metrics.intervals.mean_interval`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from bench.base import BudgetError, Floats, Record
from bench.metrics.intervals import mean_interval
from bench.metrics.regret import anytime_regret
from bench.reports.load import Search

_REGRETS = ("test_regret", "regret")


@dataclass(frozen=True, eq=False)
class Curve:
    """The mean regret so far of one searcher on one task, with its 95 % band over seeds.

    The band has no width where there is no interval.
    """

    task: str
    searcher: str
    unit: str
    """`queries` or `seconds`: what `at` counts."""
    at: Floats
    mean: Floats
    low: Floats
    high: Floats
    seeds: int


def parse_budget(text: str) -> tuple[str, float]:
    """Split a budget's text into its unit and amount.

    >>> parse_budget("queries=100")
    ('queries', 100.0)
    """
    unit, equals, amount = text.partition("=")
    try:
        number = float(amount)
    except ValueError:
        number = float("nan")
    if unit not in ("queries", "seconds") or not equals or not number > 0:
        raise BudgetError(f"expected a budget such as queries=100 or seconds=12000; got {text!r}")
    return unit, number


def _by_group(
    searches: Iterable[Search], key: Callable[[Search], tuple[str, ...]]
) -> list[tuple[tuple[str, ...], list[Search]]]:
    ordered = sorted(searches, key=lambda search: (key(search), search.seed))
    return [(name, list(group)) for name, group in groupby(ordered, key)]


def summarise(searches: Sequence[Search]) -> list[Record]:
    """Mean, deviation and interval of the final regrets, by task, budget and searcher.

    Returns:
        Records of task, budget, searcher, seeds, mean queries, then for `test_regret` and
        `regret` (validation): seeds with a value (`_n`), mean, `_sd` (over n - 1), `_low`,
        `_high`, and `_best`: whether it is the smallest mean of its task and budget and the
        paired interval against the runner-up excludes zero. None where undefined.
    """
    records = []
    for (task, unit, _, budget), group in _by_group(searches, _task_and_budget):
        rows = []
        for (searcher,), runs in _by_group(group, lambda search: (search.searcher,)):
            row: Record = {"task": task, "budget": budget, "searcher": searcher}
            row |= {"unit": unit, "seeds": len(runs)}
            row["queries"] = float(np.mean([run.queries for run in runs]))
            for name in _REGRETS:
                row |= _moments(name, runs)
            rows.append(row)
        for name in _REGRETS:
            best = _clear_best(name, group, rows)
            for row in rows:
                row[f"{name}_best"] = row["searcher"] == best
        records += rows
    return records


def _task_and_budget(search: Search) -> tuple[str, ...]:
    unit, amount = parse_budget(search.budget)
    return search.task, unit, f"{amount:020.3f}", search.budget


def _moments(name: str, runs: Sequence[Search]) -> Record:
    values = np.array([getattr(run, name) for run in runs])
    values = values[np.isfinite(values)]
    n = values.size
    low, high = (float(max(end[0], 0.0)) for end in mean_interval(values[:, None]))
    return {
        f"{name}_n": n,
        name: float(values.mean()) if n else None,
        f"{name}_sd": float(values.std(ddof=1)) if n > 1 else None,
        f"{name}_low": None if np.isnan(low) else low,
        f"{name}_high": None if np.isnan(high) else high,
    }


def _clear_best(name: str, group: Sequence[Search], rows: Sequence[Record]) -> str | None:
    """The searcher of smallest mean, if it beats the runner-up on the seeds both have."""
    ranked = sorted((row for row in rows if row[name] is not None), key=lambda row: row[name])
    if len(ranked) < 2:
        return None
    first, second = (
        {run.seed: getattr(run, name) for run in group if run.searcher == row["searcher"]}
        for row in ranked[:2]
    )
    shared = sorted(first.keys() & second.keys())
    differences = np.array([first[seed] - second[seed] for seed in shared])
    differences = differences[np.isfinite(differences)]
    _, high = mean_interval(differences[:, None])
    return str(ranked[0]["searcher"]) if high[0] < 0 else None


def curves(searches: Sequence[Search], unit: str) -> list[Curve]:
    """Mean regret so far against queries or seconds, at each searcher's largest such budget.

    A search that stopped early keeps its last regret; a curve begins where every seed has made
    its first query.
    """
    found = []
    usable = [
        search
        for search in searches
        if search.trace is not None
        and parse_budget(search.budget)[0] == unit
        and (unit == "queries" or search.trace.seconds is not None)
    ]
    for (task, searcher), group in _by_group(usable, lambda s: (s.task, s.searcher)):
        largest = max(parse_budget(run.budget)[1] for run in group)
        runs = [run for run in group if parse_budget(run.budget)[1] == largest]
        curve = _curve(runs, unit)
        if curve is not None:
            found.append(Curve(task, searcher, unit, *curve, seeds=len(runs)))
    return found


def _curve(runs: Sequence[Search], unit: str) -> tuple[Floats, Floats, Floats, Floats] | None:
    positions = [_positions(run, unit) for run in runs]
    if any(not len(at) for at in positions):
        return None
    start = max(float(at[0]) for at in positions)
    stop = max(float(at[-1]) for at in positions)
    grid = (
        np.arange(start, stop + 1)
        if unit == "queries"
        else np.unique(np.linspace(start, stop, 200))
    )
    matrix = np.stack(
        [
            regret_so_far(run)[np.searchsorted(at, grid, side="right") - 1]
            for run, at in zip(runs, positions, strict=True)
        ]
    )
    mean = matrix.mean(axis=0)
    return grid, mean, *band(mean, *mean_interval(matrix))


def band(mean: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The ends of an interval of a mean regret, never below 0, as a band that is known throughout.

    Where there is no interval it has no width.
    """
    nothing = np.isnan(low)
    return np.where(nothing, mean, np.maximum(low, 0.0)), np.where(nothing, mean, high)


def _positions(run: Search, unit: str) -> Floats:
    if run.trace is None:
        return np.empty(0)
    at = run.trace.queries if unit == "queries" else run.trace.seconds
    return np.empty(0) if at is None else np.asarray(at, dtype=np.float64)


def regret_so_far(search: Search) -> Floats:
    """How far the best validation value so far lies from the optimum, after every query.

    The pick is the best value seen, so a pick that is not the largest tells that smaller is
    better; the optimum is what the row implies, the pick's value and its regret.
    """
    if search.trace is None:
        return np.empty(0)
    seen = search.trace.validation
    sign = 1.0 if search.validation >= np.nanmax(seen) else -1.0
    optimum = sign * search.validation + search.regret
    # The sum above may miss the optimum by one rounding; regret is never negative.
    return np.maximum(anytime_regret(sign * seen, optimum), 0.0)
