"""saliency-sums: four sums over the weights of one layer and their gradients, in one pass.

sum w g is the layer's share of plain, sum |w g| of snip (Lee et al., ICLR 2019, arXiv:1810.02340)
and synflow (Tanaka et al., 2020, arXiv:2006.05467); the roots of sum g^2 and sum w^2 are its shares
of grad_norm and l2_norm. Read by those five.

Both implementations multiply and add in float64: a product of two float32 is then exact, and sum
w g, whose terms nearly cancel behind batch norm, loses nothing. They differ in the order of adding
alone, by less than 1e-13 of the sum of magnitudes. The pass is bound by memory even so: 9
operations for the 8 bytes of a pair, where an H200 does 7 in float64 a byte it reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from bench.kernels._choose import Implementation, launch, parts, use_triton

if TYPE_CHECKING:
    import triton.language as tl

SPAN = 1 << 14
"""Weights a program of Triton sums."""


class SaliencySums(NamedTuple):
    """Four sums over a layer, each with `a` values in float64."""

    products: torch.Tensor
    """sum w g"""
    magnitudes: torch.Tensor
    """sum |w g|"""
    gradient_squares: torch.Tensor
    """sum g^2"""
    weight_squares: torch.Tensor
    """sum w^2"""


def saliency_sums(
    weight: torch.Tensor,
    gradient: torch.Tensor,
    *,
    implementation: Implementation | None = None,
) -> SaliencySums:
    """Sum w g, |w g|, g^2 and w^2 over a layer.

    Args:
        weight: `a x m`, one row an architecture, or `m` for a single one; floats.
        gradient: the loss's derivative by `weight`, of the same shape.
        implementation: "torch" or "triton"; where None, Triton on CUDA and torch elsewhere.

    Returns:
        The four sums, of shape `a` (or none, for a single one). NaN and infinities go through as
        in the formulas; an empty row sums to 0.

    Raises:
        ValueError: if the shapes are others, or the implementation cannot run.
    """
    if weight.ndim not in {1, 2} or weight.shape != gradient.shape:
        raise ValueError(
            "weight and gradient must both be m or both a x m, "
            f"got shapes {tuple(weight.shape)} and {tuple(gradient.shape)}"
        )
    if use_triton(weight, implementation):
        return _summed(weight, gradient)
    return saliency_sums_torch(weight, gradient)


def saliency_sums_torch(weight: torch.Tensor, gradient: torch.Tensor) -> SaliencySums:
    """`saliency_sums` in plain torch."""
    w, g = weight.detach().to(torch.float64), gradient.detach().to(torch.float64)
    products = w * g
    return SaliencySums(
        products=products.sum(dim=-1),
        magnitudes=torch.linalg.vector_norm(products, ord=1, dim=-1),
        gradient_squares=torch.linalg.vecdot(g, g),
        weight_squares=torch.linalg.vecdot(w, w),
    )


def cost(weight: torch.Tensor, gradient: torch.Tensor) -> tuple[int, int]:
    """Floating-point operations and bytes of one call, at the least."""
    size = weight.element_size() + gradient.element_size()
    rows = weight.numel() // max(weight.shape[-1], 1)
    return 8 * weight.numel(), size * weight.numel() + 4 * 8 * rows


def _summed(weight: torch.Tensor, gradient: torch.Tensor) -> SaliencySums:
    w, g = (it.detach().contiguous() for it in (weight, gradient))
    a, m = (1, *w.shape)[-2:]
    splits = max(parts(m, SPAN), 1)
    sums = torch.empty((4, a, splits), dtype=torch.float64, device=w.device)
    if a:
        launch(_sum, (a, splits), w, g, sums, m, a * splits, span=SPAN, block=1024)
    return SaliencySums(*sums.sum(dim=-1).view(4, *weight.shape[:-1]).unbind())


def _sum(
    weight: tl.tensor,
    gradient: tl.tensor,
    sums: tl.tensor,
    m: tl.tensor,
    stride: tl.tensor,
    span: tl.constexpr,
    block: tl.constexpr,
) -> None:
    """Write the four sums over `span` weights of one row."""
    row, part = tl.program_id(0).to(tl.int64), tl.program_id(1)
    products = tl.zeros((block,), dtype=tl.float64)
    magnitudes = tl.zeros((block,), dtype=tl.float64)
    gradient_squares = tl.zeros((block,), dtype=tl.float64)
    weight_squares = tl.zeros((block,), dtype=tl.float64)
    for start in range(part * span, tl.minimum(part * span + span, m), block):
        i = start + tl.arange(0, block)
        w = tl.load(weight + row * m + i, mask=i < m, other=0).to(tl.float64)
        g = tl.load(gradient + row * m + i, mask=i < m, other=0).to(tl.float64)
        products += w * g
        magnitudes += tl.abs(w * g)
        gradient_squares += g * g
        weight_squares += w * w
    at = sums + row * tl.num_programs(1) + part
    tl.store(at, tl.sum(products, axis=0))
    tl.store(at + stride, tl.sum(magnitudes, axis=0))
    tl.store(at + 2 * stride, tl.sum(gradient_squares, axis=0))
    tl.store(at + 3 * stride, tl.sum(weight_squares, axis=0))
