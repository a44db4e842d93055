"""What every operation of a pass costs: seconds, floating-point operations, bytes.

A `TorchDispatchMode` sees each operation that reaches a kernel, forward and backward. Measuring
takes time itself, so a pass under it is slower than without, and only shares and rates are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from bench.proxies.passes.recorder import tensors

_FREE = frozenset(
    {
        "view", "_unsafe_view", "reshape", "transpose", "t", "permute", "expand", "select",
        "slice", "split", "unbind", "detach", "alias", "as_strided", "unsqueeze", "squeeze",
        "empty", "empty_like", "new_empty", "diagonal", "_local_scalar_dense", "is_same_size",
    }
)  # fmt: skip
"""Operations that move no values."""


@dataclass
class Cost:
    """What the calls of one operation cost together."""

    calls: int = 0
    seconds: float = 0.0
    flops: int = 0
    """A multiply-accumulate counts two; operations on single values count one an output."""
    bytes: int = 0
    """Of all tensors read and written, each once a call."""

    def add(self, other: Cost) -> None:
        """Add the calls of another."""
        self.calls += other.calls
        self.seconds += other.seconds
        self.flops += other.flops
        self.bytes += other.bytes


class Costs(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Add up what operations cost, by name."""

    def __init__(self, *, synchronise: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._synchronise = synchronise
        self.by_name: dict[str, Cost] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """See `torch.utils._python_dispatch`."""
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        start = self._now()
        output = func(*args, **kwargs)
        seconds = self._now() - start
        if name not in _FREE:
            cost = self.by_name.setdefault(name, Cost())
            cost.calls += 1
            cost.seconds += seconds
            cost.flops += _flops(func, args, kwargs, output)
            cost.bytes += _sizes((args, kwargs)) + _sizes(output)
        return output

    def _now(self) -> float:
        if self._synchronise:
            torch.cuda.synchronize()
        return perf_counter()


def _flops(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> int:
    """As torch's own counter has it, else one for every entry of the output."""
    count: Callable[..., int] | None = flop_registry.get(func.overloadpacket)
    if count is not None:
        return int(count(*args, **kwargs, out_val=output))
    return sum(tensor.numel() for tensor in tensors(output))


def _sizes(tree: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors(tree))
