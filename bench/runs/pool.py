"""Doing many runs: in order, with as many processes as asked, the same bytes for any number."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.connection import wait
from typing import TypeVar

from bench.base import BenchError, Record
from bench.runs.row import Outcome, PredictRun, Run, ScoreRun, budget_text
from bench.runs.store import Store

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4
"""How many items a worker may be ahead of the one that is waited for."""


def execute(
    runs: Sequence[Run],
    store: Store,
    *,
    workers: int = 1,
    progress: Callable[[Run], None] | None = None,
) -> None:
    """Do the runs that the store does not hold yet, and append each in the plan's order.

    `progress` is told every run, those that were there already too. A run that fails is a row with
    its error; the rest go on. Whatever ends the process early leaves finished runs in the store.
    """
    keys = Counter(run.key for run in runs)
    if len(keys) < len(runs):
        raise BenchError(f"expected every run of a plan once, got {keys.most_common(1)[0]}")
    tell = progress or _tell_nobody
    waiting = []
    for run in runs:
        if run.key in store.done:
            tell(run)
        else:
            waiting.append(run)
    for run, outcome in in_order(do, waiting, workers):
        store.append(run.key, outcome)
        store.log({"run": run.key, "wall_seconds": outcome.wall_seconds})
        tell(run)


def _tell_nobody(run: Run) -> None:
    """The progress of whoever does not ask for any."""


def do(run: Run) -> Outcome:
    """Do one run; an error becomes a failed row."""
    started = time.perf_counter()
    try:
        outcome = _done(run)
    except Exception as error:  # noqa: BLE001 - a failure is a row, and the study goes on
        outcome = Outcome(_failed(run, error))
    return replace(outcome, wall_seconds=time.perf_counter() - started)


def _done(run: Run) -> Outcome:
    # Imported here: the parent of worker processes need not load what only they use.
    if isinstance(run, ScoreRun):
        from bench.runs.score import run_score

        return run_score(run)
    if isinstance(run, PredictRun):
        from bench.runs.predict import run_predict

        return run_predict(run)
    from bench.runs.search import run_search

    return run_search(run)


def _failed(run: Run, error: Exception) -> list[Record]:
    """The rows of a run that failed as a whole: one for every seed it stood for."""
    why = {"status": "failed", "error": f"{type(error).__name__}: {error}"}
    if isinstance(run, ScoreRun):
        return [{"kind": "score", "task": run.task, "seed": 0, **why}]
    what: Record = (
        {"kind": "predict", "task": run.task, "predictor": run.predictor}
        if isinstance(run, PredictRun)
        else {"kind": "search", "task": run.task, "searcher": run.searcher}
    )
    what["budget"] = budget_text(run.budget)
    return [
        {**what, "seed": seed, **why} for seed in range(run.first_seed, run.first_seed + run.seeds)
    ]


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[tuple[Item, Result]]:
    """Each item with the function's result of it, in order, by as many processes as asked.

    With one, all is done here. Raises BenchError where a worker process is killed.
    """
    if workers == 1:
        yield from ((item, function(item)) for item in items)
        return
    # Spawned, not forked: a forked copy of Arrow's threads can hang.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)
    try:
        window: deque[tuple[Item, Future[Result]]] = deque()
        for item in items:
            window.append((item, executor.submit(function, item)))
            if len(window) >= workers * _AHEAD:
                first, future = window.popleft()
                yield first, future.result()
        while window:
            first, future = window.popleft()
            yield first, future.result()
    except BrokenProcessPool:
        raise BenchError(
            "a worker process ended unexpectedly (killed, or out of memory); what was finished is "
            "kept, and the same command goes on from it (run: with --resume)"
        ) from None
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """In a worker: leave Ctrl-C to the parent, and end when it does, even if it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
