"""Second directional derivatives, forward: a network runs on jets instead of images.

grasp needs one number, wᵀHg: the mixed derivative of the loss along two directions of the
weights, the weights w themselves and their gradient g. A jet carries a value, its derivatives
along w and g, and the mixed one, stacked along the batch (`4n x ...`), through every function the
network calls: linear functions do not notice, and the others have a rule here. One sweep forward
gives the number to rounding, without a second backward and with little memory.

A function without a rule raises UnknownRuleError; the pass then goes backward twice instead.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from bench.kernels.batch_norm_jet import batch_norm_jet
from bench.proxies.passes.recorder import argument, plain, writes


class UnknownRuleError(Exception):
    """A function that jets have no rule for."""


_WHOLE: Mapping[Any, Callable[[Tensor, int], Any]] = {
    Tensor.__len__: lambda _, n: n,
    Tensor.numel: lambda jet, n: n * jet[0].numel(),
    Tensor.shape.__get__: lambda jet, n: torch.Size((n, *jet.shape[1:])),  # type: ignore[attr-defined]
}
"""What a network is told of a jet's size: that of the values alone, as it may count with it."""

_ABOUT = frozenset(
    {
        Tensor.dim,
        Tensor.stride,
        Tensor.is_contiguous,
        Tensor.is_floating_point,
        *(getattr(Tensor, name).__get__ for name in ("ndim", "dtype", "device", "is_cuda")),
        *(getattr(Tensor, name).__get__ for name in ("requires_grad", "layout")),
    }
)
"""They tell about a tensor, and the same of a jet."""


class Jets(TorchFunctionMode):
    """Run a network on jets of `4n` rows.

    `directions` maps the identity of each weight that moves to its direction g; it moves along
    itself, too. Biases and norms stay. Jets are known one by one, not by their shape.
    """

    def __init__(self, n: int, directions: Mapping[int, Tensor]) -> None:
        super().__init__()
        self.n = n
        self.told = n
        """How many rows a network is told that there are."""
        self._directions = directions
        self._known: dict[int, weakref.ref[Tensor]] = {}

    def know(self, jet: Tensor) -> Tensor:
        """Take a tensor of `4n x ...` for a jet. Raises UnknownRuleError for one without rows."""
        if not jet.dim() or len(jet) != 4 * self.n:
            raise UnknownRuleError("rows")
        self._known[id(jet)] = weakref.ref(jet)
        return jet

    def is_jet(self, value: Any) -> bool:
        """Whether a value is a tensor known as a jet."""
        known = self._known.get(id(value))
        return known is not None and known() is value

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """See `torch.overrides`. Raises UnknownRuleError."""
        kwargs = kwargs or {}
        given = _tensors((*args, *kwargs.values()))
        if func in _ABOUT:
            return func(*args, **kwargs)
        name = plain(func)
        weight = argument(args, kwargs, 1, "weight") if name in _LAYERS else None
        if any(id(value) in self._directions and value is not weight for value in given):
            raise UnknownRuleError(f"{name} of a weight")
        if not any(self.is_jet(value) for value in given):
            return func(*args, **kwargs)
        jet = argument(args, kwargs, 0, "input")
        if func in _WHOLE or func is Tensor.size:
            return self._size(func, jet, args, kwargs)
        if name in _RULES:
            if not self.is_jet(jet) or func is torch.batch_norm:
                raise UnknownRuleError(name)
            output = self.know(_RULES[name](self, jet, args, kwargs))
            return jet.copy_(output) if writes(func, args, kwargs) else output
        return self._pass(func, name, args, kwargs)

    def _size(self, func: Callable[..., Any], jet: Tensor, args: Any, kwargs: Any) -> Any:
        if func is not Tensor.size:
            return _WHOLE[func](jet, self.told)
        size = torch.Size((self.told, *jet.shape[1:]))
        dim = argument(args, kwargs, 1, "dim")
        return size if dim is None else size[dim]

    def _pass(self, func: Callable[..., Any], name: str, args: Any, kwargs: Any) -> Any:
        """Let pass what is linear in jets and blind to the batch."""
        allowed = _LINEAR.get(name)
        if allowed is None or not allowed(self, args, kwargs):
            raise UnknownRuleError(name)
        if name in _SIZED:
            args = (args[0], 4 * self.n, *_sizes(args)[1:])
        output = func(*args, **kwargs)
        for each in _tensors([output]):
            self.know(each)
        return output

    def linear(
        self, apply: Callable[[Tensor, Tensor], Tensor], jet: Tensor, weight: Tensor
    ) -> Tensor:
        """A layer that is linear in its input and in its weight.

        Along w, a weight's derivative is itself, so y_w = f(x_w, w) + f(x, w); the mixed one is
        f(x_m, w) + f(x_g, w) + f(x_w, g): six applications in two calls.
        """
        n = self.n
        output = apply(jet, weight)
        direction = self._directions.get(id(weight))
        if direction is None:
            return output
        along = apply(jet[: 2 * n], direction)
        output[3 * n :] += output[2 * n : 3 * n]
        output[2 * n :] += along
        output[n : 2 * n] += output[:n]
        return output


def _tensors(values: Any) -> list[Tensor]:
    """The tensors among arguments, in lists and tuples too."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found.extend(_tensors(value))
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


_Rule = Callable[[Jets, Tensor, Any, Any], Tensor]
_Guard = Callable[[Jets, Any, Any], bool]

_LAYERS = frozenset({"conv2d", "linear"})

_RULES: Mapping[str, _Rule] = {
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
    given = _tensors((*args, *kwargs.values()))
    return len(given) == 1 and jets.is_jet(given[0])


def _added(jets: Jets, args: Any, kwargs: Any) -> bool:
    """Jets are added to jets; a constant would shift the values alone."""
    return not kwargs and all(jets.is_jet(value) or value is _NOTHING for value in args)


def _scaled(jets: Jets, args: Any, kwargs: Any) -> bool:
    """A jet times a number, or divided by one."""
    number = len(args) == 2 and isinstance(args[1], int | float)
    return not kwargs and number and jets.is_jet(args[0])


def _sizes(args: Any) -> tuple[int, ...]:
    """The sizes given to a function of shape, one by one or in a tuple."""
    return tuple(args[1]) if len(args) > 1 and isinstance(args[1], list | tuple) else args[1:]


def _shaped(jets: Jets, args: Any, kwargs: Any) -> bool:
    """Given another shape, the rows staying rows."""
    sizes = _sizes(args)
    whole = bool(sizes) and all(isinstance(size, int) for size in sizes) and not kwargs
    return whole and sizes[0] == jets.told and jets.is_jet(args[0])


def _expanded(jets: Jets, args: Any, kwargs: Any) -> bool:
    """Repeated along dimensions that are not the batch."""
    sizes = _sizes(args)
    whole = len(sizes) == args[0].dim() and not kwargs
    return whole and sizes[0] in (-1, jets.told) and jets.is_jet(args[0])


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
        given = _tensors((*args, *kwargs.values()))
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

_SIZED = frozenset({"view", "reshape", "expand"})

_LINEAR: Mapping[str, _Guard] = {
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
