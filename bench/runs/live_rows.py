"""The rows of a live run: networks scored one by one or several at once, in one process or more."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import lru_cache
from itertools import accumulate, islice
from typing import TYPE_CHECKING, TypeAlias

from bench.base import Arch, BenchError, GraphProxy, OptionError, Record
from bench.proxies.computed import Computed
from bench.proxies.scorer import score_graphs
from bench.runs import members
from bench.runs.live import (
    LiveRun,
    classes,
    in_space,
    minibatches_of,
    require_torch,
    scorable,
)
from bench.runs.memory import keep_freed
from bench.runs.pool import in_order

if TYPE_CHECKING:
    from torch import nn

    from bench.networks import Stack, Weights
    from bench.proxies.live import Batch, Result
    from bench.proxies.stacked import StackScorer

_Result: TypeAlias = tuple[float | None, str | None, float]
"""A value or None, why there is none, and seconds."""
_Found: TypeAlias = "dict[str, Result]"
_Live: TypeAlias = "dict[str, Result] | str"
"""A network's results by proxy, or why it failed as a whole."""


class Scorer:
    """Score one run's architectures in one process; what a seed gives is kept until the next.

    Raises what is wrong with the run: UnknownNameError, OptionError, DataError.
    """

    def __init__(self, run: LiveRun) -> None:
        self._run = run
        self._space = members.space(run.space)
        self._proxies = {name: in_space(scorable(name), run.space) for name in run.proxies}
        # Those that need the network; all others are of its graph.
        self.computed = [each for each in self._proxies.values() if isinstance(each, Computed)]
        self._shape = {"classes": classes(run), **dict(run.shape)}
        self._batches: list[Batch] = []
        self._weights: Weights | None = None
        self._stack: tuple[Stack, StackScorer] | None = None
        if self.computed:
            require_torch()

    def check(self, arch: Arch) -> None:
        """Raise what a user can mend before anything is scored: too few images, a wrong shape."""
        if not self.computed:
            return
        _, weights = self._seeded(self._run.seeds[0])
        try:
            if self._run.stack > 1:
                self._stacked(self._run.seeds[0], [arch])
            else:
                self._network(arch, weights)
        except BenchError:
            raise
        except Exception:  # noqa: BLE001 - it comes again, and is told by the architecture's row
            return

    def __call__(self, seed: int, arch: Arch) -> Record:
        """One row: the values of an architecture, why others failed, and the seconds of each.

        `status` is failed where the network as a whole was; then that is every proxy's reason.
        """
        started = time.perf_counter()
        live = self._attempted(lambda: [self._live(seed, arch)], [arch])
        return self._row(seed, arch, live[0], started)

    def group(self, seed: int, archs: Sequence[Arch]) -> list[Record]:
        """The rows of some architectures, their networks run at once where the run says so."""
        if self._run.stack == 1 or not self.computed:
            return [self(seed, arch) for arch in archs]
        started = time.perf_counter()
        live = self._attempted(lambda: self._stacked(seed, archs).score(), archs)
        share = (time.perf_counter() - started) / len(archs)
        return [
            self._row(seed, arch, found, time.perf_counter() - share)
            for arch, found in zip(archs, live, strict=True)
        ]

    def _row(self, seed: int, arch: Arch, live: _Live, started: float) -> Record:
        row: Record = {"arch": self._space.text(arch), "seed": seed}
        row["status"] = "failed" if isinstance(live, str) else "ok"
        results = [
            _result(live, name) if isinstance(proxy, Computed) else self._graph(proxy, arch)
            for name, proxy in self._proxies.items()
        ]
        named = list(zip(self._proxies, results, strict=True))
        row["values"] = {name: value for name, (value, _, _) in named}
        row["errors"] = {name: error for name, (_, error, _) in named if error is not None}
        row["seconds"] = {name: seconds for name, (_, _, seconds) in named}
        row["total_seconds"] = time.perf_counter() - started
        return row

    def _seeded(self, seed: int) -> tuple[list[Batch], Weights]:
        from bench.networks import Weights

        if self._weights is None or self._weights.seed != seed:
            self._batches = minibatches_of(self._run, seed)
            self._weights = Weights(seed)
        return self._batches, self._weights

    def _network(self, arch: Arch, weights: Weights) -> nn.Module:
        from bench.networks import network

        known = members.network(self._run.space)
        return network(known, arch, weights, **self._shape).to(self._run.device)

    def _attempted(self, run: Callable[[], list[_Found]], archs: Sequence[Arch]) -> list[_Live]:
        """What each architecture's networks gave, or the reason why they failed as a whole."""
        if not self.computed:
            return [{} for _ in archs]
        from bench.proxies.live import reason

        try:
            return [*run()]
        except Exception as error:  # noqa: BLE001 - a failure is a row with its reason
            return [reason(error) for _ in archs]

    def _live(self, seed: int, arch: Arch) -> _Found:
        """The results of the computed proxies by name."""
        from bench.proxies.live import score

        batches, weights = self._seeded(seed)
        return score(self._network(arch, weights), batches, self.computed, seed=seed)

    def _stacked(self, seed: int, archs: Sequence[Arch]) -> StackScorer:
        """A scorer with these architectures in it; the last one is filled anew if it can be."""
        from bench.networks import Stack
        from bench.proxies.stacked import StackScorer

        fresh = self._weights is None or self._weights.seed != seed
        batches, weights = self._seeded(seed)
        if self._stack is not None and not fresh:
            with suppress(OptionError):
                self._stack[0].refill(archs)
                return self._stack[1]
        stack = Stack(archs, weights, **self._shape)
        stack.module.to(self._run.device)
        scorer = StackScorer(stack, batches, self.computed, seed=seed, graphs=True)
        self._stack = stack, scorer
        return scorer

    def _graph(self, proxy: GraphProxy, arch: Arch) -> _Result:
        started = time.perf_counter()
        scored = score_graphs(proxy, self._space, [arch])
        reason = next(iter(scored.reasons), None)
        value = float(scored.values[0]) if reason is None else None
        return value, reason, time.perf_counter() - started


def _result(live: _Live, name: str) -> _Result:
    """One proxy's value, reason and seconds, of a network that may have failed as a whole."""
    if isinstance(live, str):
        return None, live, 0.0
    return live[name].value, live[name].error, live[name].seconds


@contextmanager
def threaded(count: int) -> Iterator[None]:
    """Have torch use so many threads, and then as many as before."""
    import torch

    keep_freed()
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def rows(
    run: LiveRun, archs: Sequence[Arch], *, skip: int = 0, workers: int = 1
) -> Iterator[Record]:
    """The rows of a run in the plan's order, without the first `skip` of them.

    Args:
        run: The run.
        archs: Its architectures.
        skip: How many rows are there already.
        workers: Processes that score.

    Raises:
        BenchError: A worker process was killed, or something is wrong with the run.
    """
    # Groups begin where they would without skipping, so that rows do not depend on it.
    starts = [(seed, at) for seed in run.seeds for at in range(0, len(archs), run.stack)]
    sizes = [len(archs[at : at + run.stack]) for _, at in starts]
    ends = list(accumulate(sizes))
    first = bisect_right(ends, skip)
    rest = skip - (ends[first - 1] if first else 0)
    plan = ((seed, archs[at : at + run.stack]) for seed, at in starts[first:])
    yield from islice(_planned(run, plan, workers), rest, None)


def _planned(
    run: LiveRun, plan: Iterator[tuple[int, Sequence[Arch]]], workers: int
) -> Iterator[Record]:
    """The rows of groups of architectures, in order."""
    if workers == 1:
        scorer = Scorer(run)
        with threaded(run.threads) if scorer.computed else nullcontext():
            for seed, group in plan:
                yield from scorer.group(seed, group)
        return
    items = ((run, seed, group) for seed, group in plan)
    for _, found in in_order(_scored, items, workers):
        yield from found


def _scored(item: tuple[LiveRun, int, Sequence[Arch]]) -> list[Record]:
    run, seed, group = item
    return _scorer(run).group(seed, group)


@lru_cache(maxsize=1)
def _scorer(run: LiveRun) -> Scorer:
    """A worker process's scorer; its threads are set for good."""
    scorer = Scorer(run)
    if scorer.computed:
        import torch

        keep_freed()
        torch.set_num_threads(run.threads)
    return scorer
