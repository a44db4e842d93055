"""Average ranks of searchers over tasks, and whether they differ.

Ranks are taken within a task and seed, where all searchers drew from equal streams; ties are
averaged. The test takes tasks, not seeds, as independent: within each task the mean ranks are
ranked again, and Friedman's test and Nemenyi's critical difference are of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.base import Floats, Record
from bench.metrics.intervals import stratified_interval
from bench.metrics.ranking import average_ranks, critical_difference, friedman
from bench.reports.race_groups import Group, by_task
from bench.reports.race_traces import Entry

_DIGITS = 9
"""Mean ranks are rounded to so many digits, so that equal ones tie whatever the order of sums."""


def rank(entries: Sequence[Entry], group: Group, mark: int) -> tuple[list[Record], Record]:
    """Average ranks of a group's searchers at a mark, best first, and the test of them.

    Only searchers that ran on every task of the group are ranked; the others come last, without
    a rank. A failed search ranks last in its block; a block that lacks a search is left out, and
    counted as incomplete.

    Returns:
        Records of group, queries, searcher, tasks, blocks (tasks times seeds), incomplete, rank
        with `_low` and `_high`, and task_rank (of tasks' means); and one record of the test,
        empty where nothing was ranked.
    """
    tasks = {}
    for task, here in by_task(entries, mark).items():
        kept = {name: here[name] for name in group.searchers if name in here}
        if len(kept) > 1:
            tasks[task] = kept
    counts = {name: sum(name in here for here in tasks.values()) for name in group.searchers}
    names = [name for name, count in counts.items() if tasks and count == len(tasks)]
    facts: Record = {"group": group.label, "queries": mark}
    unranked: Record = {"blocks": 0, "incomplete": 0}
    unranked |= dict.fromkeys(("rank", "rank_low", "rank_high", "task_rank"), np.nan)
    partial = [
        facts | {"searcher": name, "tasks": counts[name]} | unranked
        for name in group.searchers
        if 0 < counts[name] < len(tasks)
    ]
    blocks, incomplete = _all_blocks(tasks, names, mark)
    if not blocks:
        return partial, {}
    means = np.array([ranks.mean(axis=0) for ranks in blocks])
    task_ranks = average_ranks(means.round(_DIGITS)).mean(axis=0)
    low, high = stratified_interval(blocks)
    facts |= {"tasks": len(blocks)}
    shared = {"blocks": sum(map(len, blocks)), "incomplete": incomplete}
    records = [
        facts
        | {"searcher": name}
        | shared
        | {"rank": float(means[:, i].mean()), "rank_low": float(low[i])}
        | {"rank_high": float(high[i]), "task_rank": float(task_ranks[i])}
        for i, name in enumerate(names)
    ]
    records.sort(key=lambda record: (round(record["rank"], _DIGITS), record["searcher"]))
    return records + partial, facts | {"searchers": len(names)} | _test(means)


def _all_blocks(
    tasks: Mapping[str, Mapping[str, Entry]], names: Sequence[str], mark: int
) -> tuple[list[Floats], int]:
    """By task `s x m` ranks, where there is a complete block; and how many were not complete."""
    blocks, incomplete = [], 0
    for here in tasks.values() if len(names) > 1 else ():
        values = regret_blocks([here[name] for name in names], mark)
        complete = ~np.isnan(values).any(axis=1)
        incomplete += int((~complete).sum())
        if complete.any():
            blocks.append(average_ranks(values[complete]))
    return blocks, incomplete


def regret_blocks(entries: Sequence[Entry], mark: int) -> Floats:
    """`s x m` regrets of every seed that any entry has: infinite if failed, NaN if not run."""
    seeds = sorted({seed for e in entries for seed in (*e.seeds.tolist(), *e.failed)})
    values = np.full((len(seeds), len(entries)), np.nan)
    for column, entry in enumerate(entries):
        values[np.searchsorted(seeds, entry.seeds), column] = entry.at(mark)
        values[np.searchsorted(seeds, sorted(entry.failed)), column] = np.inf
    return values


def _test(means: Floats) -> Record:
    """Friedman's test over `n x m` mean ranks of tasks; undefined for one task."""
    tasks, searchers = means.shape
    if tasks < 2:
        return dict.fromkeys(("friedman", "p", "critical_difference"), np.nan)
    found = friedman(means.round(_DIGITS))
    difference = critical_difference(searchers, tasks)
    return {"friedman": found.statistic, "p": found.p_value, "critical_difference": difference}
