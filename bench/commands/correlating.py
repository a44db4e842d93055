"""`ipl-bench correlate`: the proxies of one task against its accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.base import OptionError, Record
from bench.reports.correlations import correlate
from bench.runs.score import scores_of, with_something
from bench.runs.tasks import Task

SHOWN = (
    "task",
    "proxy",
    "n",
    "n_failed",
    "kendall",
    "kendall_low",
    "kendall_high",
    "spearman",
    "spearman_top10",
    "partial_spearman",
    "best_of_10",
    "kendall_common",
    "truth",
)


def rows(
    task: Task, proxies: Sequence[str], truth: str | None, resamples: int, seed: int
) -> list[Record]:
    """Correlate the named proxies (by default all that the task records), one record each.

    `truth` is an accuracy or target by name; targets such as a latency keep their direction.
    Without it, the rows are those that a study compares. Raises DataError or OptionError for what
    the task does not have.
    """
    name, values = task.truth(truth)
    known = with_something(task) if truth is None else np.flatnonzero(~np.isnan(values))
    wanted = list(proxies) or list(task.table.scores)
    if not wanted:
        raise OptionError(f"the task {task.name} records no proxy; name one by --proxy")
    scored = scores_of(task, wanted, known)
    params = task.table.scores.get("params")
    records = correlate(
        task.name,
        values[known],
        {proxy: result.values for proxy, result in scored.items()},
        params=None if params is None else params[known],
        maximise=task.table.maximise or name in task.table.targets,
        resamples=resamples,
        groups=None if task.table.groups is None else task.table.groups[known],
        rng=np.random.default_rng(seed),
    )
    for record in records:
        record |= {"truth": name, "errors": dict(scored[record["proxy"]].errors)}
    return records
