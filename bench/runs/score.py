"""Do one score run: gather what a task records, and compute what was asked besides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from bench.base import Arch, Bools, Floats, GraphProxy, Ints, OptionError, Record
from bench.proxies.computed import Computed
from bench.proxies.scorer import Scored, oriented, score_graphs
from bench.runs.parquet import to_bytes
from bench.runs.row import Attachment, Outcome, ScoreRun, file_name
from bench.runs.tasks import Task, load_task


def run_score(run: ScoreRun) -> Outcome:
    """Gather one task's scores: one row, and a Parquet file of `n` architectures."""
    task = load_task(run.task)
    rows = with_something(task)
    scored = scores_of(task, [*task.table.scores, *run.proxies], rows)
    return task_outcome(
        run.key,
        task,
        rows,
        {name: result.values for name, result in scored.items()},
        {name: seconds[rows] for name, seconds in task.table.score_seconds.items()},
        errors={name: result.reasons for name, result in scored.items() if result.errors},
        groups=None if task.table.groups is None else task.table.groups[rows],
    )


def task_outcome(
    key: str,
    task: Task,
    rows: Ints,
    scores: Mapping[str, Floats],
    seconds: Mapping[str, Floats],
    *,
    errors: Mapping[str, Mapping[str, int]],
    seed: int = 0,
    groups: Ints | None = None,
    **more: Any,
) -> Outcome:
    """The row of a task's scores, and their Parquet file, as reports read them.

    Args:
        key: Names the file.
        task: The task.
        rows: `n` rows of its table.
        scores: `n` oriented values by proxy, failures as -inf.
        seconds: `n` by proxy, for any of those.
        errors: How many failed for each reason, by proxy.
        seed: What scores were drawn with.
        groups: `n` numbers, equal in rows that share their scores, if some do.
        more: Further fields of the row; `by_class`, how many rows have the score of another
            architecture of the same function, if the groups do not tell.
    """
    columns: dict[str, pa.Array] = {"arch": pa.array([task.table.archs[i] for i in rows.tolist()])}
    for split in ("validation", "test"):
        if split in task.table.accuracy:
            columns[split] = pa.array(task.table.accuracy[split][rows])
    for name, values in task.table.targets.items():
        columns[f"target:{name}"] = pa.array(values[rows])
    for name, values in task.table.repeats.items():
        columns[f"repeat:{name}"] = pa.array(values[rows])
    for name, values in scores.items():
        columns[f"score:{name}"] = pa.array(values)
        if name in seconds:
            columns[f"seconds:{name}"] = pa.array(seconds[name])
    if groups is not None:
        columns["group"] = pa.array(groups)
    truth, _ = task.truth()
    row: Record = {
        "kind": "score",
        "task": task.name,
        "seed": seed,
        "status": "ok",
        "error": None,
        "space": task.space.name,
        "dataset": task.table.dataset,
        "metric": task.table.metric,
        "maximise": task.table.maximise,
        "truth": truth,
        "n": len(rows),
        "proxies": list(scores),
        "errors": errors,
        "by_class": borrowers(groups),
        **more,
    }
    return Outcome(
        [row], Attachment(f"scores/{file_name(key)}.parquet", to_bytes(pa.table(columns)))
    )


def borrowers(groups: Ints | None) -> int:
    """How many of `n` rows have the score of another one, by the groups that share their scores."""
    return 0 if groups is None else len(groups) - len(np.unique(groups))


def told_by_class(by_class: int, n: int) -> str:
    """What it means that so many of `n` architectures have another's score, in a sentence."""
    return (
        f"{by_class:,} of {n:,} architectures have the score of another of the same function, "
        "which may differ in operations that lead nowhere; a proxy that reads these ranks "
        "otherwise where each is scored as written"
    )


def with_something(task: Task) -> Ints:
    """The rows worth keeping: the truth is known, and so is something to compare it with.

    That is another accuracy, or the score of a proxy that only some rows have: NAS-Bench-101 has
    test accuracy and parameters of 423,624 cells, validation of 30,001, and other proxies of 500.
    Tables that know everything of every row keep every row, and so do those whose proxies are all
    recorded for every row, such as one that borrows its scores.
    """
    table = task.table
    accuracies = [~np.isnan(values) for values in table.accuracy.values()]
    scored = [~np.isnan(values) for values in table.scores.values()]
    some: list[Bools] = [known for known in scored if not known.all()] or scored
    _, truth = task.truth()
    worth = np.logical_or.reduce([np.logical_and.reduce(accuracies), *some])
    return np.flatnonzero(worth & ~np.isnan(truth))


def scores_of(task: Task, proxies: list[str], rows: Ints) -> dict[str, Scored]:
    """The `n` scores of each proxy on some rows of a task: recorded, or else computed.

    Larger is better, by what the proxy says of itself; NaN where not recorded, -inf where failed.
    Raises UnknownNameError, or OptionError for a proxy that the task does not record and that
    needs more than the graph.
    """
    archs: list[Arch] | None = None
    result: dict[str, Scored] = {}
    for name in dict.fromkeys(proxies):
        proxy = task.proxy(name)
        if name in task.table.scores:
            reasons = task.table.failures.get(name, {})
            errors = Counter(reasons[row] for row in rows.tolist() if row in reasons)
            result[name] = Scored(oriented(task.table.scores[name][rows], proxy), errors)
            continue
        if not isinstance(proxy, GraphProxy):
            live = "; ipl-bench score computes it" if isinstance(proxy, Computed) else ""
            raise OptionError(
                f"the task {task.name} does not record the proxy {name}{live}; it records "
                f"{', '.join(task.table.scores) or 'none'}"
            )
        if archs is None:
            archs = [task.space.parse(task.table.archs[row]) for row in rows.tolist()]
        found = score_graphs(proxy, task.space, archs)
        result[name] = replace(found, values=oriented(found.values, proxy))
    return result
