"""Where the time of scoring goes: seconds a pass, what each operation costs, and the ceilings.

Rates are compared with what the same machine was measured to reach in the same run: a large matrix
product, and a sum of two long vectors. An operation's roof is what either allows at its ratio of
floating-point operations to bytes (Williams et al., CACM 2009).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from bench.base import Record
from bench.kernels import KERNELS
from bench.proxies.computed import Computed
from bench.proxies.costs import Cost, Costs
from bench.proxies.live import Batch, Watch, score
from bench.proxies.passes.network import full_precision
from bench.proxies.stacked import StackScorer

_REPEATS = 5
_IN_A_ROW = 10


@dataclass(frozen=True)
class Ceilings:
    """The most that this machine was measured to do, of floating-point operations and of bytes."""

    flops_per_second: float
    bytes_per_second: float

    def roof(self, flops: int, moved: int) -> float:
        """The most floating-point operations a second at a ratio of them to bytes."""
        return min(self.flops_per_second, self.bytes_per_second * flops / max(moved, 1))

    def bound(self, flops: int, moved: int) -> str:
        """Which of the two is the narrower for an operation: `compute` or `memory`."""
        memory = self.bytes_per_second * flops / max(moved, 1)
        return "memory" if memory < self.flops_per_second else "compute"


def ceilings(device: torch.device) -> Ceilings:
    """Measure a float32 matrix product and a sum of two vectors, the best of several."""
    side, length = (8192, 1 << 28) if device.type == "cuda" else (2048, 1 << 25)
    # Not ones: a GPU multiplies these faster than what networks hold.
    square = torch.linspace(-1, 1, side * side, device=device).view(side, side).sin_()
    vector = torch.linspace(-1, 1, length, device=device)
    total = torch.empty_like(vector)
    with full_precision():
        product = _best(lambda: square @ square, device)
    addition = _best(lambda: torch.add(vector, vector, out=total), device)
    return Ceilings(2 * side**3 / product, 2 * vector.element_size() * length / addition)


def profile(
    modules: Sequence[nn.Module], batches: Sequence[Batch], proxies: Sequence[Computed]
) -> Iterator[Record]:
    """Score networks, and yield rows: the ceilings, the passes, their operations, the kernels.

    Seconds of passes are means over the networks, without measuring anything inside; those of
    operations are from a second round, in which each is measured.
    """

    def run(watch: Watch) -> None:
        for module in modules:
            score(module, batches, proxies, watch=watch)

    device = batches[0].images.device
    score(modules[0], batches, proxies)  # What is made once is made now.
    yield from _profiled(run, len(modules), device)


def profile_stack(scorer: StackScorer, networks: int, device: torch.device) -> Iterator[Record]:
    """Run the passes over a stack, and yield rows as `profile` does, seconds a network."""
    scorer.start()
    yield from _profiled(scorer.start, networks, device)


def _profiled(
    run: Callable[[Watch], object], networks: int, device: torch.device
) -> Iterator[Record]:
    """Run passes twice, and yield rows; the second time each operation is measured."""
    limits = ceilings(device)
    yield {
        "what": "ceilings",
        "flops_per_second": limits.flops_per_second,
        "bytes_per_second": limits.bytes_per_second,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
    }
    seconds: dict[str, float] = {}
    operations: dict[str, dict[str, Cost]] = {}
    run(lambda name: _timed(seconds, name, device))
    run(lambda name: _costed(operations, name, device))
    whole = sum(seconds.values())
    for name, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        row = {"what": "pass", "pass": name, "networks": networks, "share": spent / whole}
        yield row | {"seconds": spent / networks}
    for name, costs in operations.items():
        for operation, cost in sorted(costs.items(), key=lambda item: -item[1].seconds):
            row = {"what": "operation", "pass": name, "name": operation, "calls": cost.calls}
            yield row | _rated(cost.seconds, cost.flops, cost.bytes, limits)
    yield from kernels(device, limits)


def kernels(device: torch.device, limits: Ceilings) -> Iterator[Record]:
    """Time each kernel and its reference on inputs of the size a NAS-Bench-201 cell gives.

    Where there is no GPU the Triton row is empty, and says so.
    """
    for module_name, launcher in KERNELS.items():
        kernel = import_module(f"bench.kernels.{module_name}")
        given = inputs(module_name, device)
        flops, moved = kernel.cost(*(each for each in given if each is not None))
        row: Record = {"what": "kernel", "name": launcher, "shape": str(tuple(given[0].shape))}
        for implementation in ("torch", "triton"):
            told = row | {"implementation": implementation}
            if implementation == "triton" and device.type != "cuda":
                yield told | {"seconds": None, "note": "no GPU here: not measured"}
                continue
            run = partial(getattr(kernel, launcher), *given, implementation=implementation)
            spent = _best(run, device)
            yield told | _rated(spent, flops, moved, limits)


def inputs(kernel: str, device: torch.device) -> tuple[Any, ...]:
    """What a kernel meets in a first-stage layer of 8 NAS-Bench-201 cells, 64 images."""

    def ones(*shape: int) -> Tensor:
        rows = torch.arange(shape[0], dtype=torch.float32, device=device)
        return rows.view(-1, *[1] * (len(shape) - 1)).sin().expand(shape).contiguous()

    n, a, c, side = 64, 8, 16, 32
    return {
        "batch_norm_jet": (ones(4 * n, c, side, side), None, None),
        "grouped_conv_norm_relu": (ones(n, a * c, side, side), ones(a * c, c, 3, 3)),
        "normalised_difference": (ones(a, 2, 256),),
        "pattern_gram": (ones(n, c * side * side),),
        "saliency": (ones(a, c * c * 9), ones(a, c * c * 9)),
        "sign_codes": (ones(n, c * side * side),),
    }[kernel]


def _rated(seconds: float, flops: int, moved: int, limits: Ceilings) -> Record:
    """Rates, and how near they come to the roof."""
    rate = flops / seconds if seconds > 0 else 0.0
    return {
        "seconds": seconds,
        "flops": flops,
        "bytes": moved,
        "flops_per_second": rate,
        "bytes_per_second": moved / seconds if seconds > 0 else 0.0,
        "intensity": flops / max(moved, 1),
        "bound": limits.bound(flops, moved),
        "of_roof": rate / limits.roof(flops, moved) if flops else None,
    }


@contextmanager
def _timed(seconds: dict[str, float], name: str, device: torch.device) -> Iterator[None]:
    start = _now(device)
    yield
    seconds[name] = seconds.get(name, 0.0) + _now(device) - start


@contextmanager
def _costed(
    operations: dict[str, dict[str, Cost]], name: str, device: torch.device
) -> Iterator[None]:
    with Costs(synchronise=device.type == "cuda") as costs:
        yield
    known = operations.setdefault(name, {})
    for operation, cost in costs.by_name.items():
        known.setdefault(operation, Cost()).add(cost)


def _best(run: Any, device: torch.device) -> float:
    """The least seconds of a few calls, the first not counted.

    On a GPU each time is of several calls in a row, so that it is theirs and not that of waiting.
    """
    spent = []
    calls = _IN_A_ROW if device.type == "cuda" else 1
    for _ in range(_REPEATS + 1):
        start = _now(device)
        for _ in range(calls):
            run()
        spent.append((_now(device) - start) / calls)
    return min(spent[1:])


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter()
