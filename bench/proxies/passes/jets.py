"""Second directional derivatives, forward: a network runs on jets instead of images.

grasp needs one number, wᵀHg: the mixed derivative of the loss along two directions of the
weights, the weights w themselves and their gradient g. A jet carries a value, its derivatives
along w and g, and the mixed one, stacked along the batch (`4n x ...`), through every function the
network calls: linear functions do not notice, and the others have a rule here. One sweep forward
gives the number to rounding, without a second backward and with little memory.

A function without a rule raises UnknownRuleError; the pass then goes backward twice instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from bench.kernels.batch_norm_jet import batch_norm_jet
from bench.proxies.passes.recorder import argument, plain


class UnknownRuleError(Exception):
    """A function that jets have no rule for."""


_ABOUT = frozenset(
    {"dim", "size", "stride", "__get__", "__len__", "numel", "ndimension"}
    | {"is_contiguous", "is_floating_point"}
)
"""They tell about a tensor and change nothing."""


class Jets(TorchFunctionMode):
    """Run a network on a jet of `4n` rows.

    `directions` maps the identity of each weight that moves to its direction g; it moves along
    itself, too. Biases and norms stay.
    """

    def __init__(self, n: int, directions: Mapping[int, Tensor]) -> None:
        super().__init__()
        self.n = n
        self._directions = directions

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """See `torch.overrides`. Raises UnknownRuleError."""
        kwargs = kwargs or {}
        name = plain(func)
        if name in _ABOUT or not self._meets_jet(args, kwargs):
            return func(*args, **kwargs)
        rule = _RULES.get(name)
        if rule is not None:
            output = rule(self, args, kwargs)
            in_place = func.__name__ != name or kwargs.get("inplace") is True
            return args[0].copy_(output) if in_place else output
        allowed = _LINEAR.get(name)
        if allowed is None or not allowed(self, args, kwargs):
            raise UnknownRuleError(name)
        return func(*args, **kwargs)

    def is_jet(self, value: Any) -> bool:
        """Whether a value is a tensor with the rows of a jet."""
        return isinstance(value, Tensor) and value.dim() > 1 and len(value) == 4 * self.n

    def _meets_jet(self, args: Any, kwargs: Any) -> bool:
        return any(self.is_jet(value) for value in _tensors((*args, *kwargs.values())))

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


def _conv(jets: Jets, args: Any, kwargs: Any) -> Tensor:
    jet, weight = args[0], argument(args, kwargs, 1, "weight")
    bias = argument(args, kwargs, 2, "bias")
    options = {
        name: value
        for at, name in enumerate(("stride", "padding", "dilation", "groups"), start=3)
        if (value := argument(args, kwargs, at, name)) is not None
    }
    output = jets.linear(lambda x, w: functional.conv2d(x, w, None, **options), jet, weight)
    if bias is not None:
        output[: jets.n] += bias.view(-1, 1, 1)
    return output


def _linear(jets: Jets, args: Any, kwargs: Any) -> Tensor:
    jet, weight = args[0], argument(args, kwargs, 1, "weight")
    bias = argument(args, kwargs, 2, "bias")
    output = jets.linear(functional.linear, jet, weight)
    if bias is not None:
        output[: jets.n] += bias
    return output


def _batch_norm(_: Jets, args: Any, kwargs: Any) -> Tensor:
    names = (
        "input",
        "running_mean",
        "running_var",
        "weight",
        "bias",
        "training",
        "momentum",
        "eps",
    )
    given = {name: argument(args, kwargs, at, name) for at, name in enumerate(names)}
    eps = 1e-5 if given["eps"] is None else given["eps"]
    if not given["training"]:
        raise UnknownRuleError("batch_norm without the statistics of the batch")
    return batch_norm_jet(given["input"], given["weight"], given["bias"], eps)


def _rectify(jets: Jets, jet: Tensor, slope: float = 0.0) -> Tensor:
    """A piecewise linear function with its kink at 0: derivatives pass where the value does."""
    value = jet[: jets.n]
    passed = torch.empty_like(jet)
    pairs = zip(jet.view(4, *value.shape), passed.view(4, *value.shape), strict=True)
    for block, out in pairs:
        # The derivative of a ReLU in one call: a mask would take two, and a type change.
        torch.ops.aten.threshold_backward(block, value, 0.0, grad_input=out)
    return torch.lerp(passed, jet, slope) if slope else passed


def _gated(jet: Tensor, gate: Tensor) -> Tensor:
    """Every block of a jet times the same gate."""
    return torch.mul(jet.view(4, *gate.shape), gate).view_as(jet)


def _leaky_relu(jets: Jets, args: Any, kwargs: Any) -> Tensor:
    slope = argument(args, kwargs, 1, "negative_slope")
    return _rectify(jets, args[0], 0.01 if slope is None else slope)


def _hardtanh(jets: Jets, args: Any, kwargs: Any) -> Tensor:
    """Clamped to an interval: derivatives pass inside it."""
    low, high = argument(args, kwargs, 1, "min_val"), argument(args, kwargs, 2, "max_val")
    return _clamped(jets, args[0], -1.0 if low is None else low, 1.0 if high is None else high)


def _clamped(jets: Jets, jet: Tensor, low: float, high: float) -> Tensor:
    value = jet[: jets.n]
    gate = ((value > low) & (value < high)).to(jet.dtype)
    output = _gated(jet, gate)
    output[: jets.n] = value.clamp(low, high)
    return output


def _max_pool(jets: Jets, args: Any, kwargs: Any) -> Tensor:
    """Every block takes the positions of the largest values."""
    jet, n = args[0], jets.n
    options = {**kwargs, "return_indices": False}
    value, at = functional.max_pool2d_with_indices(
        jet[:n], *args[1:], **{**options, "return_indices": True}
    )
    at = at.flatten(2)
    rest = [
        block.flatten(2).gather(2, at).view_as(value)
        for block in jet.view(4, n, *jet.shape[1:])[1:]
    ]
    return torch.cat([value, *rest])


_Rule = Callable[[Jets, Any, Any], Tensor]
_Guard = Callable[[Jets, Any, Any], bool]

_RULES: Mapping[str, _Rule] = {
    "conv2d": _conv,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "relu": lambda jets, args, _: _rectify(jets, args[0]),
    "leaky_relu": _leaky_relu,
    "hardtanh": _hardtanh,
    "relu6": lambda jets, args, _: _clamped(jets, args[0], 0.0, 6.0),
    "max_pool2d": _max_pool,
}


def _alone(_: Jets, args: Any, kwargs: Any) -> bool:
    """Each image by itself, and linear, whatever the other arguments are."""
    return len(_tensors((*args, *kwargs.values()))) == 1


def _added(jets: Jets, args: Any, kwargs: Any) -> bool:
    """Jets are added to jets; a constant would shift the derivatives too."""
    return all(jets.is_jet(value) or value == 0 for value in args[:2]) and not kwargs


def _scaled(jets: Jets, args: Any, _: Any) -> bool:
    """A jet times a number, or divided by one."""
    return jets.is_jet(args[0]) and isinstance(args[1], int | float)


def _shaped(jets: Jets, args: Any, _: Any) -> bool:
    """Reshaped, the rows staying rows."""
    sizes = args[1] if len(args) > 1 and isinstance(args[1], list | tuple) else args[1:]
    return bool(sizes) and sizes[0] == 4 * jets.n


def _expanded(_: Jets, args: Any, __: Any) -> bool:
    """Repeated along dimensions that are not the batch."""
    sizes = args[1] if len(args) > 1 and isinstance(args[1], list | tuple) else args[1:]
    return len(sizes) == args[0].dim() and bool(sizes[0] == -1)


def _padded(_: Jets, args: Any, kwargs: Any) -> bool:
    """Padded with zeros, not along the batch."""
    sides, mode, value = (
        argument(args, kwargs, at, name) for at, name in enumerate(("pad", "mode", "value"), 1)
    )
    return mode in (None, "constant") and not value and len(sides) < 2 * args[0].dim()


def _within(at: int, name: str, default: Any) -> _Guard:
    """Along dimensions that are not the batch."""

    def guard(jets: Jets, args: Any, kwargs: Any) -> bool:
        dims = argument(args, kwargs, at, name)
        dims = default if dims is None else dims
        many = dims if isinstance(dims, list | tuple) else (dims,)
        first = args[0] if isinstance(args[0], Tensor) else args[0][0]
        every = all(jets.is_jet(value) for value in _tensors(args))
        return every and all(dim is not None and dim % first.dim() for dim in many)

    return guard


def _taken(_: Jets, args: Any, __: Any) -> bool:
    """Indexed, all rows kept."""
    index = args[1] if isinstance(args[1], tuple) else (args[1],)
    return index[0] == slice(None) and not _tensors(index)


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
    **dict.fromkeys(("cat", "concat"), _within(1, "dim", 0)),
    **dict.fromkeys(("mean", "sum"), _within(1, "dim", None)),
    **dict.fromkeys(("flatten", "squeeze", "unsqueeze"), _within(1, "dim", 0)),
    **dict.fromkeys(("chunk", "split"), _within(2, "dim", 0)),
    "__getitem__": _taken,
}
"""Functions that are linear in jets and blind to the batch, and when they are."""
