"""Batch norm over the batch's own statistics, exact where channels lie last in memory.

On a CPU, `torch.batch_norm` of channels-last float32 adds up each channel's values one after
another, so that its mean over 64 images of 32 x 32 positions is 4e-6 off, thirty times what the
same call is off for channels that lie first; a network of fifteen norms loses up to three digits.
Plain sums of rows, which torch takes in blocks, are as exact and take the same time (one thread;
`tests/kernels/test_batch_norm.py --benchmark-enable` compares them). Read by every pass, on a CPU.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def batch_norm(
    images: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float = 1e-5
) -> tuple[Tensor, Tensor, Tensor]:
    """Norm `n x c x h x w`, channels last in memory; with gradients, which have gradients too.

    Args:
        images: Floating point.
        weight: `c`, or None for ones.
        bias: `c`, or None for zeros.
        eps: Is added to the variance.

    Returns:
        What is normed, and of each channel the mean and the variance (of the whole, not of a
        sample), which carry no gradient.
    """
    normed, mean, variance = _BatchNorm.apply(images, weight, bias, eps)  # type: ignore[no-untyped-call]
    return normed, mean, variance


def batch_norm_torch(
    images: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float = 1e-5
) -> Tensor:
    """The same by `torch.batch_norm`, exact where channels lie first."""
    return functional.batch_norm(images, None, None, weight, bias, training=True, eps=eps)


_OVER = (0, 2, 3)


class _BatchNorm(torch.autograd.Function):
    """As one function, which keeps no more than its input."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean = images.mean(_OVER, keepdim=True)
        centred = images - mean
        variance = centred.square().mean(_OVER, keepdim=True)
        rate = (variance + eps).rsqrt_()
        slope = rate if weight is None else rate * _wide(weight)
        normed = centred.mul_(slope) if bias is None else centred.mul_(slope).add_(_wide(bias))
        ctx.save_for_backward(images, weight, mean, rate)
        ctx.eps = eps
        mean, variance = mean.flatten(), variance.flatten()
        ctx.mark_non_differentiable(mean, variance)
        return normed, mean, variance

    @staticmethod
    def backward(
        ctx: Any, gradient: Tensor, *_: Any
    ) -> tuple[Tensor, Tensor | None, Tensor | None, None]:
        images, weight, mean, rate = ctx.saved_tensors
        if torch.is_grad_enabled():  # for a second derivative, to which the statistics move too
            mean = images.mean(_OVER, keepdim=True)
            rate = ((images - mean).square().mean(_OVER, keepdim=True) + ctx.eps).rsqrt()
        centred = images - mean
        shift = gradient.sum(_OVER, keepdim=True)
        scale = (gradient * centred).sum(_OVER, keepdim=True) * rate
        slope = rate if weight is None else rate * _wide(weight)
        share = -slope / (images.numel() // images.shape[1])
        back = torch.addcmul(share * shift, gradient, slope)
        back.addcmul_(centred, share * scale * rate)
        needs = ctx.needs_input_grad
        return (
            back,
            scale.flatten() if needs[1] else None,
            shift.flatten() if needs[2] else None,
            None,
        )


def _wide(channels: Tensor) -> Tensor:
    """A value a channel, as `1 x c x 1 x 1`."""
    return channels.view(1, -1, 1, 1)
