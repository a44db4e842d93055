"""What jets do in each function a network calls: a rule, or a guard that lets linear ones pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from bench.kernels.batch_norm_jet import batch_norm_jet
from bench.proxies.passes.recorder import argument

if TYPE_CHECKING:
    from bench.proxies.passes.jets import Jets


class UnknownRuleError(Exception):
    """A function that jets have no rule for."""


def tensors(values: Any) -> list[Tensor]:
    """The tensors among arguments, in lists and tuples too."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found.extend(tensors(value))
    return found


def _conv(jets: Jets, jet: Tensor, args: Any, kwargs: Any) -> Tensor:
    weight, bias = argument(args, kwargs, 1, "weight"), argument(args, kwargs, 2, "bias")
    options = {
        name: value
        for at, name in enumerate(("stride", "padding", "dilation", "groups"), start=3)
        if (value := argument(args, kwargs, at, name)) is not None
    }
    output = jets.linear(lambda x, w: functional.conv2d(x, w, None, **options), jet, weight)
    if bias is not None:
        output[: jets.n] += bias.view(-1, 1, 1)
    return output


def _linear(jets: Jets, jet: Tensor, args: Any, kwargs: Any) -> Tensor:
    weight, bias = argument(args, kwargs, 1, "weight"), argument(args, kwargs, 2, "bias")
    output = jets.linear(functional.linear, jet, weight)
    if bias is not None:
        output[: jets.n] += bias
    return output


def _batch_norm(_: Jets, jet: Tensor, args: Any, kwargs: Any) -> Tensor:
    weight, bias, training, eps = (
        argument(args, kwargs, at, name)
        for at, name in ((3, "weight"), (4, "bias"), (5, "training"), (7, "eps"))
    )
    if not training:
        raise UnknownRuleError("batch_norm without the statistics of the batch")
    return batch_norm_jet(jet, weight, bias, 1e-5 if eps is None else eps)


def _rectify(jets: Jets, jet: Tensor, slope: float = 0.0) -> Tensor:
    """A piecewise linear function with its kink at 0: derivatives pass where the value does."""
    value = jet[: jets.n]
    passed = torch.empty_like(jet)
    pairs = zip(jet.view(4, *value.shape), passed.view(4, *value.shape), strict=True)
    for block, out in pairs:
        # The derivative of a ReLU in one call: a mask would take two, and a type change.
        torch.ops.aten.threshold_backward(block, value, 0.0, grad_input=out)
    return torch.lerp(passed, jet, slope) if slope else passed


def _leaky_relu(jets: Jets, jet: Tensor, args: Any, kwargs: Any) -> Tensor:
    slope = argument(args, kwargs, 1, "negative_slope")
    return _rectify(jets, jet, 0.01 if slope is None else slope)


def _hardtanh(jets: Jets, jet: Tensor, args: Any, kwargs: Any) -> Tensor:
    low, high = argument(args, kwargs, 1, "min_val"), argument(args, kwargs, 2, "max_val")
    return _clamped(jets, jet, -1.0 if low is None else low, 1.0 if high is None else high)


def _clamped(jets: Jets, jet: Tensor, low: float, high: float) -> Tensor:
    """Clamped to an interval: derivatives pass inside it."""
    value = jet[: jets.n]
    gate = ((value > low) & (value < high)).to(jet.dtype)
    output = torch.mul(jet.view(4, *gate.shape), gate).view_as(jet)
    output[: jets.n] = value.clamp(low, high)
    return output


def _max_pool(jets: Jets, jet: Tensor, args: Any, kwargs: Any) -> Tensor:
    """Every block takes the positions of the largest values."""
    n = jets.n
    options = {key: value for key, value in kwargs.items() if key != "input"}
    options["return_indices"] = True
    value, at = functional.max_pool2d_with_indices(jet[:n], *args[1:], **options)
    at = at.flatten(2)
    rest = [
        block.flatten(2).gather(2, at).view_as(value)
        for block in jet.view(4, n, *jet.shape[1:])[1:]
    ]
    return torch.cat([value, *rest])


_Rule = Callable[["Jets", Tensor, Any, Any], Tensor]
_Guard = Callable[["Jets", Any, Any], bool]

LAYERS = frozenset({"conv2d", "linear"})

RULES: Mapping[str, _Rule] = {
    "conv2d": _conv,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "relu": lambda jets, jet, *_: _rectify(jets, jet),
    "leaky_relu": _leaky_relu,
    "hardtanh": _hardtanh,
    "relu6": lambda jets, jet, *_: _clamped(jets, jet, 0.0, 6.0),
    "max_pool2d": _max_pool,
}


def _alone(jets: Jets, args: Any, kwargs: Any) -> bool:
    """Each image by itself, and linear, whatever the other arguments are."""
    given = tensors((*args, *kwargs.values()))
    return len(given) == 1 and jets.is_jet(given[0])


def _added(jets: Jets, args: Any, kwargs: Any) -> bool:
    """Jets are added to jets; a constant would shift the values alone."""
    return not kwargs and all(jets.is_jet(value) or value is _NOTHING for value in args)


def _scaled(jets: Jets, args: Any, kwargs: Any) -> bool:
    """A jet times a number, or divided by one."""
    number = len(args) == 2 and isinstance(args[1], int | float)
    return not kwargs and number and jets.is_jet(args[0])


def sizes(args: Any) -> tuple[int, ...]:
    """The sizes given to a function of shape, one by one or in a tuple."""
    return tuple(args[1]) if len(args) > 1 and isinstance(args[1], list | tuple) else args[1:]


def _shaped(jets: Jets, args: Any, kwargs: Any) -> bool:
    """Given another shape, the rows staying rows."""
    wanted = sizes(args)
    whole = bool(wanted) and all(isinstance(size, int) for size in wanted) and not kwargs
    return whole and wanted[0] == jets.told and jets.is_jet(args[0])


def _expanded(jets: Jets, args: Any, kwargs: Any) -> bool:
    """Repeated along dimensions that are not the batch."""
    wanted = sizes(args)
    whole = len(wanted) == args[0].dim() and not kwargs
    return whole and wanted[0] in (-1, jets.told) and jets.is_jet(args[0])


def _padded(jets: Jets, args: Any, kwargs: Any) -> bool:
    """Padded with zeros, not along the batch."""
    sides, mode, value = (
        argument(args, kwargs, at, name) for at, name in enumerate(("pad", "mode", "value"), 1)
    )
    inside = mode in (None, "constant") and not value and len(sides) < 2 * args[0].dim()
    return inside and jets.is_jet(args[0])


def _within(at: int, name: str, default: Any = None, *, more: int = 0) -> _Guard:
    """Along dimensions that are not the batch; `more` counts those that are new."""

    def guard(jets: Jets, args: Any, kwargs: Any) -> bool:
        given = tensors((*args, *kwargs.values()))
        dims = argument(args, kwargs, at, name)
        dims = default if dims is None else dims
        many = dims if isinstance(dims, list | tuple) else (dims,)
        rank = given[0].dim() + more
        every = all(jets.is_jet(value) for value in given)
        return every and all(isinstance(dim, int) and dim % rank != 0 for dim in many)

    return guard


def _taken(jets: Jets, args: Any, _: Any) -> bool:
    """Indexed by slices and numbers, all rows kept."""
    index = args[1] if isinstance(args[1], tuple) else (args[1],)
    basic = all(part is None or isinstance(part, int | slice) for part in index)
    return basic and index[0] == slice(None) and jets.is_jet(args[0])


_NOTHING = 0
"""What `sum()` begins with."""

SIZED = frozenset({"view", "reshape", "expand"})

LINEAR: Mapping[str, _Guard] = {
    **dict.fromkeys(("adaptive_avg_pool2d", "avg_pool2d", "contiguous", "zeros_like"), _alone),
    **dict.fromkeys(("clone", "neg", "__neg__"), _alone),
    **dict.fromkeys(("add", "__add__", "__radd__", "__iadd__"), _added),
    **dict.fromkeys(("sub", "__sub__", "__isub__"), _added),
    **dict.fromkeys(("mul", "__mul__", "__rmul__", "__imul__"), _scaled),
    **dict.fromkeys(("div", "__truediv__", "__itruediv__"), _scaled),
    **dict.fromkeys(("view", "reshape"), _shaped),
    "expand": _expanded,
    "pad": _padded,
    **dict.fromkeys(("cat", "concat", "flatten", "squeeze"), _within(1, "dim", 0)),
    **dict.fromkeys(("mean", "sum"), _within(1, "dim")),
    "unsqueeze": _within(1, "dim", 0, more=1),
    **dict.fromkeys(("chunk", "split"), _within(2, "dim", 0)),
    "__getitem__": _taken,
}
"""Functions that are linear in jets and blind to the batch, and when they are."""
