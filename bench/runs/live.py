"""Score untrained networks: what a live run is, and its rows, one an architecture and seed.

A seed gives one set of initial weights and one draw of minibatches, both the same for every
architecture, so that architectures are compared like with like. Rows come in the order of the
plan (every architecture of the first seed, then of the next) and, their seconds apart, are the
same bit for bit for any number of processes. They are not for another number of threads in each,
which adds up float32 in another order (epe_nas moves by as much as 3e-3), so that is the run's.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from itertools import accumulate, islice
from typing import TYPE_CHECKING, TypeAlias

from bench.base import Arch, BenchError, GraphProxy, OptionError, Record, Space
from bench.draws import keyed
from bench.proxies.computed import Computed, PopulationRanking
from bench.proxies.scorer import score_graphs
from bench.runs import members
from bench.runs.memory import keep_freed
from bench.runs.pool import in_order
from bench.tables import images

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

STACKED = "nasbench201"
"""The space whose networks can be run several at once."""
MINIBATCHES = 2
"""How many are drawn for a seed, where there are images enough; most proxies read the first."""


@dataclass(frozen=True)
class LiveRun:
    """What is scored and how; two runs of equal fields have equal rows, seconds apart."""

    space: str
    archs: int
    """How many architectures."""
    archs_sha256: str
    """Which ones: the hash of their native texts, one a line, in order."""
    proxies: tuple[str, ...]
    dataset: str
    batch: int = 64
    seeds: tuple[int, ...] = (0,)
    shape: tuple[tuple[str, int], ...] = ()
    """What sizes the networks, other than by default: `(("channels", 4),)`."""
    distinct: bool = False
    """Whether an architecture stands for all that compute the same function."""
    threads: int = 1
    """Of torch, in each process."""
    device: str = "cpu"
    """Where networks are run, as torch names it."""
    stack: int = 1
    """How many networks are run at once, as one."""
    rankings: tuple[str, ...] = ()
    """Rankings of all its architectures by some of its proxies: no rows', but a task's."""

    def __post_init__(self) -> None:
        if self.stack > 1 and self.space != STACKED:
            raise OptionError(
                f"expected networks of {STACKED} to run several at once, got {self.space}"
            )

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.archs * len(self.seeds)


def digest(space: Space, archs: Iterable[Arch]) -> str:
    """The SHA-256 of architectures, as `LiveRun.archs_sha256` has it."""
    hasher = sha256()
    for arch in archs:
        hasher.update(f"{space.text(arch)}\n".encode())
    return hasher.hexdigest()


def scorable(name: str) -> Computed | GraphProxy:
    """The proxy of a name, or of `module:function`, if it can be scored.

    Raises UnknownNameError, and OptionError for one that is no score of a network by itself, or
    whose values stand in tables only.
    """
    proxy = members.proxy(name)
    if isinstance(proxy, PopulationRanking):
        raise OptionError(
            f"expected a proxy that scores a network by itself, got {name}, which ranks a "
            f"population by {', '.join(proxy.components)}"
        )
    if isinstance(proxy, Computed):
        return replace(proxy, name=name)
    if isinstance(proxy, GraphProxy):
        return proxy
    raise OptionError(
        f"expected a proxy that can be computed, got {name}, whose values stand in tables only"
    )


def _in_space(proxy: Computed | GraphProxy, space: str) -> Computed | GraphProxy:
    """The proxy with the constants of a space, where it has any."""
    if isinstance(proxy, Computed) and proxy.of_space is not None:
        return replace(proxy.of_space(space), name=proxy.name)
    return proxy


def every_proxy() -> list[str]:
    """The names of all proxies that can be scored, plugins and rankings included."""
    kinds = Computed | GraphProxy | PopulationRanking
    return [name for name in members.names("proxies") if isinstance(members.proxy(name), kinds)]


def with_components(names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The proxies that some names stand for, those that rankings go by too; and the rankings."""
    proxies: dict[str, None] = {}
    rankings: dict[str, None] = {}
    for name in names:
        proxy = members.proxy(name)
        if isinstance(proxy, PopulationRanking):
            rankings[name] = None
            proxies |= dict.fromkeys(proxy.components)
        else:
            proxies[name] = None
    return tuple(proxies), tuple(rankings)


def require_torch() -> None:
    """Raise OptionError, saying what to install, where torch is not here."""
    try:
        import torch as _  # noqa: F401 - whether it is here is all that is asked
    except ModuleNotFoundError as error:
        raise OptionError(
            f"scoring networks needs {error.name}, which is not here; pip install 'ipl-bench[live]'"
        ) from error


def device(name: str) -> str:
    """The name of a device that torch has here. Raises OptionError."""
    if name == "cuda":
        require_torch()
        import torch

        if not torch.cuda.is_available():
            raise OptionError("expected a GPU for --device cuda, got none that torch can use here")
    return name


def minibatches(dataset: str, size: int, seed: int) -> list[Batch]:
    """The minibatches of a seed: two where there are images enough, else one.

    Raises DataError where there are not enough for one.
    """
    import torch

    from bench.proxies.live import Batch

    found = images.dataset(dataset)
    most = images.available(found)
    count = MINIBATCHES if most is None or most >= MINIBATCHES * size else 1
    drawn = images.minibatches(found, size, count, keyed(seed, "minibatch", dataset))
    return [Batch(torch.from_numpy(each), torch.from_numpy(labels)) for each, labels in drawn]


class Scorer:
    """Score one run's architectures in one process; what a seed gives is kept until the next.

    Raises what is wrong with the run: UnknownNameError, OptionError, DataError.
    """

    def __init__(self, run: LiveRun) -> None:
        self._run = run
        self._space = members.space(run.space)
        self._proxies = {name: _in_space(scorable(name), run.space) for name in run.proxies}
        # Those that need the network; all others are of its graph.
        self.computed = [each for each in self._proxies.values() if isinstance(each, Computed)]
        self._shape = {"classes": images.dataset(run.dataset).classes, **dict(run.shape)}
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
            self._batches = minibatches(self._run.dataset, self._run.batch, seed)
            self._weights = Weights(seed)
        return self._batches, self._weights

    def _network(self, arch: Arch, weights: Weights) -> nn.Module:
        from bench.networks import network

        return network(self._run.space, arch, weights, **self._shape).to(self._run.device)

    def _attempted(self, run: Callable[[], list[_Found]], archs: Sequence[Arch]) -> list[_Live]:
        """What each architecture's networks gave, or the reason why they failed as a whole."""
        if not self.computed:
            return [{} for _ in archs]
        try:
            return [*run()]
        except Exception as error:  # noqa: BLE001 - a failure is a row with its reason
            return [type(error).__name__ for _ in archs]

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
        reason = next(iter(scored.errors), None)
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
