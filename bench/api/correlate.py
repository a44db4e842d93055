"""Correlate proxies with accuracy, on some tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.api.arguments import whole
from bench.api.say import quietly, tell
from bench.api.tasks import as_tasks
from bench.base import BenchError, Ints, OptionError, Record, UnknownNameError
from bench.proxies.scorer import Scored
from bench.reports.correlations import ALL_EQUAL
from bench.reports.correlations import correlate as measure
from bench.reports.targets import smaller_is_better
from bench.runs import members
from bench.runs.row import in_words
from bench.runs.score import borrowers, scores_of, told_by_class, with_something
from bench.runs.tasks import Task

if TYPE_CHECKING:
    import pandas as pd

SHOWN = (
    "task",
    "proxy",
    "n",
    "n_failed",
    "kendall",
    "kendall_low",
    "kendall_high",
    "error",
    "spearman",
    "spearman_top10",
    "partial_spearman",
    "best_of_10",
    "kendall_common",
    "truth",
)
SHOWN_HEADS = ("spearman_top10", "best_of_10")
"""Those of the head of the ranking."""


def correlate(
    tasks: str | Task | Sequence[str | Task],
    proxies: Any = (),
    *,
    truth: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
    quiet: bool = False,
) -> pd.DataFrame:
    """Correlate proxies with accuracy, each with a 95 % interval.

    Args:
        tasks: Tasks, or their names.
        proxies: Those that each task records, if none is given. A name, a proxy, a function of a
            graph, a pair (name, object), or a sequence of them.
        truth: `validation`, `test`, or a target such as a latency; else what studies compare.
        resamples: Of the bootstrap, 100 at least.
        seed: Of the bootstrap.
        quiet: Say nothing on stderr.

    Returns:
        A frame, with a row a task and proxy. Its columns are `task`, `proxy`, `truth`, `n`
        (architectures for which the proxy is recorded), `n_failed`, `n_common`, `errors` (how many
        failed, by reason), `error` (why there is no score at all: "not recorded", or that all
        failed), `undefined` (which metrics have no value, and why), and every metric of
        docs/metrics.md, with its `_low` and `_high` where it has an interval; NaN where undefined.
        A failure ranks last.

    Raises:
        BenchError: A task cannot be loaded, or a proxy is that of no task at all.
    """
    import pandas as pd

    resamples, seed = whole("resamples", resamples, 100, 100_000), whole("seed", seed)
    found: list[Record] = []
    wanted = members.listed(proxies)
    with quietly(quiet), members.lent("proxies", wanted) as names:
        known = as_tasks(tasks)
        for task in known:
            _check_names(task, wanted, names)
        correlate_tasks(known, names, truth, resamples, seed, found.append)
    return numbers(pd.DataFrame.from_records(found))


def numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame, with NaN in place of None wherever a column has no text and nothing nested."""
    import pandas as pd

    for name in frame.columns:
        of_objects = name not in TEXTS and pd.api.types.is_object_dtype(frame[name])
        if of_objects and all(isinstance(each, float | int) for each in frame[name].dropna()):
            frame[name] = pd.to_numeric(frame[name]).astype(float)
    return frame


TEXTS = frozenset({"task", "proxy", "truth", "error", "errors", "undefined", "seeds"})
"""Columns that stay as they are where nothing is known."""


def _check_names(task: Task, given: Sequence[Any], names: Sequence[str]) -> None:
    for each, name in zip(given, names, strict=True):
        if not isinstance(each, str) and name in task.table.scores:
            raise OptionError(
                f"expected a name for your proxy that {task.name} records no scores by, got "
                f"{name!r}; a pair (name, object) gives another"
            )


def correlate_tasks(
    tasks: Iterable[Task],
    proxies: Sequence[str],
    truth: str | None,
    resamples: int,
    seed: int,
    add: Callable[[Record], None],
) -> None:
    """Correlate the proxies of some tasks; `add` is given each record.

    A proxy that one task lacks is a record with that `error`, and does not end the others.

    Raises:
        BenchError: In the end, if no proxy has a score of any architecture, or a name is that of
            no proxy at all.
    """
    waiting: list[Record] = []
    seen: list[Record] = []
    lacking: dict[str, BenchError] = {}
    for task in tasks:
        found, absent = _rows(task, proxies, truth, resamples, seed)
        lacking |= absent
        seen += [record for record in found if record["proxy"] not in absent]
        waiting += found
        # Rows of what is absent alone are no answer: they are shown beside others.
        if seen:
            for record in waiting:
                add(record)
            waiting = []
    _end(seen, lacking)


def _end(seen: Sequence[Record], lacking: Mapping[str, BenchError]) -> None:
    """Raise what is wrong with all that was shown, by the records and by what tasks lacked."""
    had = {record["proxy"] for record in seen}
    for name, error in lacking.items():
        if not seen or (isinstance(error, UnknownNameError) and name not in had):
            raise error
    if all(record["error"] for record in seen):
        first = seen[0]
        raise BenchError(f"no score to show: {first['proxy']} on {first['task']}: {first['error']}")


def rows(
    task: Task, proxies: Sequence[str], truth: str | None, resamples: int, seed: int
) -> list[Record]:
    """Correlate as `correlate_tasks` does, for one task that must have every proxy.

    Raises DataError, OptionError or UnknownNameError for what the task does not have.
    """
    found, absent = _rows(task, proxies, truth, resamples, seed)
    for error in absent.values():
        raise error
    return found


def _rows(
    task: Task, proxies: Sequence[str], truth: str | None, resamples: int, seed: int
) -> tuple[list[Record], dict[str, BenchError]]:
    """Correlate the named proxies (by default all that the task records), one record each.

    `truth` is an accuracy or target by name. A cost, such as a latency, is turned round as in
    reports: a positive correlation finds what is cheap. Without `truth`, the rows are those that a
    study compares. `error` says why a proxy has no score
    at all; for those that the task does not have, the errors come by name, too.

    Raises:
        DataError: The task has no such truth.
        OptionError: It records no proxy, and none is named.
    """
    name, values = task.truth(truth)
    known = with_something(task) if truth is None else np.flatnonzero(~np.isnan(values))
    if truth is None:
        _tell_of_truth(task, name)
    elif name in task.table.targets:
        better = "smaller" if smaller_is_better(name) else "larger"
        tell(f"{task.name}: {better} values of {name} are better, by its name")
    wanted = list(dict.fromkeys(proxies)) or list(task.table.scores)
    if not wanted:
        raise OptionError(f"the task {task.name} records no proxy; name one by --proxy")
    scored: dict[str, Scored] = {}
    absent: dict[str, BenchError] = {}
    for proxy in wanted:
        try:
            scored |= scores_of(task, [proxy], known)
        except (OptionError, UnknownNameError) as error:
            absent[proxy] = error
    records = _measured(task, name, known, scored, resamples, seed) if scored else []
    measured = {record["proxy"]: record for record in records}
    return [
        measured[it] if it in measured else _lacking(task, it, absent[it]) for it in wanted
    ], absent


def _measured(
    task: Task, truth: str, known: Ints, scored: dict[str, Scored], resamples: int, seed: int
) -> list[Record]:
    params = task.table.scores.get("params")
    groups = None if task.table.groups is None else task.table.groups[known]
    by_class = borrowers(groups)
    if by_class:
        tell(f"{task.name}: {told_by_class(by_class, len(known))}")
    records = measure(
        task.name,
        task.truth(truth)[1][known],
        {proxy: result.values for proxy, result in scored.items()},
        params=None if params is None else params[known],
        maximise=_larger_is_better(task, truth),
        resamples=resamples,
        groups=groups,
        rng=np.random.default_rng(seed),
    )
    for record in records:
        result = scored[record["proxy"]]
        record |= {"truth": truth, "errors": result.reasons, "error": _why(record, result)}
        record["by_class"] = by_class
        if record["undefined"] and not record["error"]:
            why = in_words(result.reasons)
            record["undefined"] += f" ({why})" if why else ""
            if any(record[name] is None for name in SHOWN_HEADS):
                tell(f"{task.name}: {record['proxy']} has no {record['undefined']}")
    return records


def _larger_is_better(task: Task, truth: str) -> bool:
    """The direction of an accuracy is the table's, that of a target is told by its name."""
    if truth in task.table.targets:
        return not smaller_is_better(truth)
    return task.table.maximise


def _why(record: Record, result: Scored) -> str | None:
    """Why a proxy scored no architecture at all; None where it scored some."""
    if record["n"] == 0:
        return "recorded for none of the architectures"
    if record["n_failed"] < record["n"]:
        return _unranked(record)
    why = in_words(result.reasons)
    return f"all {record['n']:,} failed" + (why and f", {why}")


def _unranked(record: Record) -> str | None:
    """Why scores, or what they are compared with, rank nothing; None where they do."""
    if record["n"] == 1:
        return "one architecture has nothing to be ranked with"
    if record["undefined"] == ALL_EQUAL:
        return ALL_EQUAL
    return None if record["kendall"] is not None else "what scores are compared with is all equal"


def _lacking(task: Task, proxy: str, error: BenchError) -> Record:
    reason = "no such proxy" if isinstance(error, UnknownNameError) else "not recorded"
    return {"task": task.name, "proxy": proxy, "n": 0, "n_failed": 0, "error": reason}


def _tell_of_truth(task: Task, name: str) -> None:
    """Say so where test stands in for a validation accuracy that some architectures lack."""
    validation = task.table.accuracy.get("validation")
    if task.table.directions and name != "validation" and validation is not None:
        tell(
            f"{task.name}: compared with {name}, as {int(np.isnan(validation).sum())} "
            "architectures have no validation accuracy; --truth validation leaves these out"
        )
