"""The live scorer of many networks at once: each pass runs once on all, each proxy once on each.

Scores are those of `bench.proxies.live.score`, up to rounding: in float64 to 1e-9, in float32 to
1e-5, but for plain and grasp, whose terms nearly cancel: there, the two are as far from each other
as either is from float64. Passes run on the stack's device, their records come to the host, and the
proxies, pure functions of one network's records, are computed there, while the device goes on to
the next stack (`StackScorer.start`). This is for GPUs: a CPU is faster at networks one by one.

A proxy that fails or is not finite is one architecture's matter. A pass that fails fails for all.

CUDA graphs: a stack of the same structure as the last calls the same kernels with other indices, so
its passes are captured once and replayed. That pays where one module is refilled many times, and
the more so the smaller it is; the first run is eager, as warm-up, the second captures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeAlias

import torch
from torch import Tensor

from bench.base import OptionError
from bench.proxies._stack import Stack, Wide
from bench.proxies._stacked_passes import RUNS, Step
from bench.proxies._stacked_records import RECORDS, Lanes
from bench.proxies.computed import Computed
from bench.proxies.live import (
    Result,
    Watch,
    attempt,
    behind,
    check_batches,
    evaluate,
    training_mode,
)
from bench.proxies.passes import pass_of
from bench.proxies.passes.network import Batch, device_of, full_precision

__all__ = ["Batch", "Pending", "Result", "Stack", "StackScorer", "score_stacked"]

Mark: TypeAlias = Any
"""A point in time: seconds, or an event on a GPU."""

_WITHIN: Mapping[str, str] = {"operations": "forward"}
"""Passes whose record another one holds, too, and serves where that runs anyhow."""
_EAGER = frozenset({"perturbed", "weights"})
"""Passes that are never captured: one copies what it draws to the device, one calls nothing."""


def score_stacked(
    stack: Stack,
    batches: Batch | Sequence[Batch],
    proxies: Sequence[Computed],
    *,
    seed: int = 0,
) -> list[dict[str, Result]]:
    """Score the networks of a stack by many proxies.

    Args:
        stack: The networks, such as a `bench.networks.Stack`; called in training mode.
        batches: One minibatch, or several, of which the first is read; `n x c x h x w`, not
            repeated.
        proxies: What to compute; at least the classic thirteen can be.
        seed: For the draws that passes make.

    Returns:
        For each architecture, in order, a result by proxy. Its seconds are the architecture's
        share of the passes' and the proxy's own.

    Raises:
        OptionError: There is no minibatch, or one of a wrong shape, or a proxy reads a pass that
            stacks do not have.
    """
    return StackScorer(stack, batches, proxies, seed=seed).start().results()


class StackScorer:
    """Scores one stack, again and again as other architectures are put into it.

    Args:
        stack: See `score_stacked`, and so are the next three.
        batches: Moved to the stack's device once.
        proxies: What to compute.
        seed: For the draws that passes make.
        graphs: Whether passes are captured in CUDA graphs; of no effect elsewhere. With it, weights
            may be written to in place, but not replaced.

    Raises:
        OptionError: As `score_stacked`.
    """

    def __init__(
        self,
        stack: Stack,
        batches: Batch | Sequence[Batch],
        proxies: Sequence[Computed],
        *,
        seed: int = 0,
        graphs: bool = False,
    ) -> None:
        given = [batches] if isinstance(batches, Batch) else list(batches)
        check_batches(given)
        _check_passes(proxies)
        self._stack = stack
        self._proxies = tuple(proxies)
        wanted = {name for proxy in proxies for name in behind(proxy.passes)}
        self._names = [name for name in RUNS if name in wanted and _WITHIN.get(name) not in wanted]
        self._device, dtype = device_of(stack.module)
        self._labels = given[0].labels.cpu()
        images = given[0].images.to(device=self._device, dtype=dtype)
        self._net = Wide(stack, Batch(images, given[0].labels.to(self._device)), seed)
        self._graphs = _Graphs() if graphs and self._device.type == "cuda" else None

    def start(self, watch: Watch = nullcontext) -> Pending:
        """Start all passes; on a GPU this does not wait for them.

        The stack may be refilled, and started again, before the results are asked for.

        Args:
            watch: Gives, for a pass's name, a context in which that pass is started.
        """
        host = _Host()
        ran: dict[str, _Ran] = {}
        with training_mode(self._stack.module), full_precision():
            for at, name in enumerate(self._names):
                with watch(name):
                    ran[name] = self._pass(name, ran, host)
                # The graph of the forward pass, above all, is let go as soon as may be.
                later = {each for other in self._names[at + 1 :] for each in pass_of(other).after}
                for each in ran.keys() - later:
                    ran[each].kept = None
        if self._graphs is not None:
            self._graphs.settle(all(each.error is None for each in ran.values()))
        return Pending(Lanes.of(self._stack, self._labels), self._proxies, ran, _mark(self._device))

    def score(self) -> list[dict[str, Result]]:
        """Score the architectures that are in the stack now; as `score_stacked`."""
        return self.start().results()

    def _pass(self, name: str, ran: Mapping[str, _Ran], host: _Host) -> _Ran:
        """Run a pass, or not, if one that it starts from failed."""
        after = [ran[each] for each in pass_of(name).after]
        before = _mark(self._device)
        failed = next((each.error for each in after if each.error), None)
        if failed:
            return _Ran({}, None, failed, (before, before))
        step, error = attempt(lambda: self._step(name, [each.kept for each in after]))
        spent = before, _mark(self._device)
        if error:
            return _Ran({}, None, error, spent)
        shown = {key: host.copy(value) for key, value in step.shown.items()}
        return _Ran(shown, step.kept, None, spent)

    def _step(self, name: str, after: Sequence[Any]) -> Step:
        if self._graphs is None or name in _EAGER:
            return RUNS[name](self._net, *after)
        return self._graphs.step(name, lambda: RUNS[name](self._net, *after))


@dataclass(eq=False)
class _Ran:
    """A pass that was started."""

    shown: Mapping[str, Any]
    """On its way to the host."""
    kept: Any
    error: str | None
    spent: tuple[Mark, Mark]


class Pending:
    """The passes over a stack, started."""

    def __init__(
        self, lanes: Lanes, proxies: Sequence[Computed], ran: Mapping[str, _Ran], end: Mark
    ) -> None:
        self._lanes = lanes
        self._proxies = proxies
        self._ran = ran
        self._end = end

    def results(self) -> list[dict[str, Result]]:
        """Wait for the passes, and compute the proxies of each architecture, in order.

        Nothing is shared with the scorer, so another thread may do this while it goes on.
        """
        if not isinstance(self._end, float):
            self._end.synchronize()
        made = {name: self._records(name, ran) for name, ran in self._ran.items()}
        return [
            {proxy.name: self._score(proxy, made, i) for proxy in self._proxies}
            for i in range(self._lanes.size)
        ]

    def _records(self, name: str, ran: _Ran) -> _Made:
        """Every architecture's record of one pass, and its share of the time."""
        seconds = _seconds(*ran.spent) / self._lanes.size
        if ran.error:
            return _Made([], seconds, ran.error)
        records, error = attempt(lambda: RECORDS[name](self._lanes, ran.shown))
        return _Made(records, seconds, error)

    def _score(self, proxy: Computed, made: Mapping[str, _Made], i: int) -> Result:
        """Score one architecture by one proxy."""
        names = [name if name in made else _WITHIN[name] for name in proxy.passes]
        before = sum(made[name].seconds for name in behind(names))
        failed = next((made[name].error for name in names if made[name].error), None)
        return evaluate(proxy, lambda: [made[name].records[i] for name in names], before, failed)


@dataclass(frozen=True, eq=False)
class _Made:
    """The records of a pass, one an architecture, or why there are none."""

    records: list[Any]
    seconds: float
    error: str | None


class _Graphs:
    """Captures each pass after a run in which all went well, and replays it from then on.

    All share one pool of memory, as they are replayed in the order in which they were captured.
    """

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()
        self._warm = False
        self._captured: dict[str, tuple[torch.cuda.CUDAGraph, Step]] = {}

    def step(self, name: str, run: Callable[[], Step]) -> Step:
        """Run a pass, or replay it."""
        if not self._warm:
            return run()
        if name in self._captured:
            graph, step = self._captured[name]
            graph.replay()
            return step
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            step = run()
        # What a pass keeps, others are captured with; a replay needs only what is shown.
        self._captured[name] = graph, Step(step.shown)
        graph.replay()
        return step

    def settle(self, well: bool) -> None:
        """Take note of how a run went; after one that failed, start anew."""
        self._warm = well
        if not well:
            self._captured.clear()


class _Host:
    """Copies tensors to the host without waiting, each once."""

    def __init__(self) -> None:
        self._copies: dict[int, tuple[Tensor, Tensor]] = {}

    def copy(self, shown: Any) -> Any:
        """Copy a tensor, or those of a mapping; anything else is as it is."""
        if isinstance(shown, Mapping):
            return {name: self.copy(value) for name, value in shown.items()}
        if not isinstance(shown, Tensor):
            return shown
        if id(shown) not in self._copies:
            self._copies[id(shown)] = shown, shown.to("cpu", non_blocking=True)
        return self._copies[id(shown)][1]


def _mark(device: torch.device) -> Mark:
    """A point in time, on a GPU in the order of what it does."""
    if device.type != "cuda":
        return perf_counter()
    event: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    return event


def _seconds(before: Mark, after: Mark) -> float:
    """The time between two points that both are past."""
    if isinstance(before, float):
        return float(after) - before
    return float(before.elapsed_time(after)) / 1e3


def _check_passes(proxies: Sequence[Computed]) -> None:
    """Raise OptionError where a proxy reads what stacks do not have."""
    for proxy in proxies:
        for name in proxy.passes:
            if name not in RUNS:
                raise OptionError(
                    f"expected proxies that read passes a stack can run ({', '.join(RUNS)}), "
                    f"got {proxy.name}, which reads {name}"
                )
