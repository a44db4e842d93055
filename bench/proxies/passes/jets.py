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

from bench.proxies.passes.jet_rules import (
    LAYERS,
    LINEAR,
    RULES,
    SIZED,
    UnknownRuleError,
    sizes,
    tensors,
)
from bench.proxies.passes.recorder import OnCpu, argument, plain, writes

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


class Jets(OnCpu):
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
        self._graded = torch.is_grad_enabled()
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

    def run(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Call a function on jets. Raises UnknownRuleError."""
        given = tensors((*args, *kwargs.values()))
        if func in _ABOUT:
            return func(*args, **kwargs)
        if torch.is_grad_enabled() != self._graded:
            raise UnknownRuleError("a part that turns gradients off")
        name = plain(func)
        weight = argument(args, kwargs, 1, "weight") if name in LAYERS else None
        if any(id(value) in self._directions and value is not weight for value in given):
            raise UnknownRuleError(f"{name} of a weight")
        if not any(self.is_jet(value) for value in given):
            return super().run(func, args, kwargs)
        jet = argument(args, kwargs, 0, "input")
        if func in _WHOLE or func is Tensor.size:
            return self._size(func, jet, args, kwargs)
        if name in RULES:
            if not self.is_jet(jet) or func is torch.batch_norm:
                raise UnknownRuleError(name)
            output = self.know(RULES[name](self, jet, args, kwargs))
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
        allowed = LINEAR.get(name)
        if allowed is None or not allowed(self, args, kwargs):
            raise UnknownRuleError(name)
        if name in SIZED:
            args = (args[0], 4 * self.n, *sizes(args)[1:])
        output = super().run(func, args, kwargs)
        for each in tensors([output]):
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
