"""Several networks in one tensor: lanes of channels, `n x (a*c) x h x w`, a lane an architecture.

Lanes are taken out and put in by index tensors, so which they are is data: nothing here waits for
a device. All of it is linear, keeps every image to itself, and goes forward and backward; memory
is laid out as in what is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def take(x: Tensor, lanes: int, wanted: Sequence[Tensor]) -> Sequence[Tensor]:
    """Take lanes out of a tensor, several times.

    Args:
        x: `n x (a*c) x h x w`.
        lanes: `a`.
        wanted: For each that is wanted its lanes, `s`, int64, none of them twice.

    Returns:
        For each of those `n x (s*c) x h x w`.
    """
    taken: Sequence[Tensor] = _Take.apply(x, lanes, *wanted)  # type: ignore[no-untyped-call]
    return taken


def put(like: Tensor, lanes: int, terms: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Add lanes to zeros.

    Args:
        like: Gives shape, type and layout, `n x (a*c) x h x w`.
        lanes: `a`.
        terms: Lanes `s`, int64, none of them twice, and what is added to them, `n x (s*c) x h x w`;
            added in this order.
    """
    return _put(like.shape, _channels_last(like), like, lanes, terms)


def _put(
    shape: torch.Size, last: bool, kind: Tensor, lanes: int, terms: Sequence[tuple[Tensor, Tensor]]
) -> Tensor:
    """`put`, of the type and place of `kind`."""
    n, channels, height, width = shape
    each = channels // lanes
    split = (n, height, width, lanes, each) if last else (n, lanes, each, height, width)
    total = torch.zeros(split, dtype=kind.dtype, device=kind.device)
    for where, term in terms:
        total.index_add_(3 if last else 1, where, _split(term, len(where), last))
    return _join(total, last)


class _Take(torch.autograd.Function):
    """As one function, so that gradients of all that is taken gather in one tensor of zeros."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, lanes: int, *wanted: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(*wanted)
        ctx.set_materialize_grads(False)
        ctx.lanes, ctx.shape, ctx.last = lanes, x.shape, _channels_last(x)
        split = _split(x, lanes, ctx.last)
        dim = 3 if ctx.last else 1
        return tuple(_join(split.index_select(dim, where), ctx.last) for where in wanted)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        pairs = zip(ctx.saved_tensors, gradients, strict=True)
        terms = [(where, gradient) for where, gradient in pairs if gradient is not None]
        total = _put(ctx.shape, ctx.last, terms[0][1], ctx.lanes, terms) if terms else None
        return (total, *[None] * (len(gradients) + 1))


def _channels_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def _split(x: Tensor, lanes: int, last: bool) -> Tensor:
    """`n x h x w x a x c` where channels are last in memory, else `n x a x c x h x w`."""
    n, channels, height, width = x.shape
    if last:
        return x.permute(0, 2, 3, 1).reshape(n, height, width, lanes, channels // lanes)
    return x.reshape(n, lanes, channels // lanes, height, width)


def _join(split: Tensor, last: bool) -> Tensor:
    """What was split, as `n x (a*c) x h x w` again."""
    return split.flatten(3).permute(0, 3, 1, 2) if last else split.flatten(1, 2)
