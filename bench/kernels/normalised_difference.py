"""normalised-difference: how far two outputs of a network differ, once each fills 0 to 1.

The last step of epsilon (Gracheva, 2021, arXiv:2109.13231), as in the code of its authors: each
row is brought to 0 to 1 by its own extremes; every exact 0, so the least value and its ties, counts
as missing, as does NaN; epsilon is the mean over positions of the rows' distance, over the mean of
all that is left. Read by epsilon.

Rows are normalised in their own precision (half precisions in float32), for that decides what is
exactly 0; what is left is summed in float64, so implementations differ by no more than 1e-13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from bench.kernels._choose import Implementation, launch, power_of_two, use_triton

if TYPE_CHECKING:
    import triton.language as tl


def normalised_difference(
    outputs: torch.Tensor, *, implementation: Implementation | None = None
) -> torch.Tensor:
    """Measure the distance of two normalised rows, relative to their mean.

    Args:
        outputs: `a x 2 x n`, floats: for each architecture its `n` outputs under either constant.
        implementation: "torch" or "triton"; where None, Triton on CUDA and torch elsewhere.

    Returns:
        `a` values, float64; NaN where the formula is undefined: a row is constant, holds an
        infinity or nothing but NaN, or no position is left in both rows.

    Raises:
        ValueError: if `outputs` has another shape, or the implementation cannot run.
    """
    if outputs.ndim != 3 or outputs.shape[1] != 2 or outputs.shape[2] == 0:
        raise ValueError(f"outputs must be a x 2 x n with n > 0, got shape {tuple(outputs.shape)}")
    if outputs.dtype in {torch.float16, torch.bfloat16}:
        outputs = outputs.to(torch.float32)
    return (
        _differ(outputs)
        if use_triton(outputs, implementation)
        else normalised_difference_torch(outputs)
    )


def normalised_difference_torch(outputs: torch.Tensor) -> torch.Tensor:
    """`normalised_difference` in plain torch."""
    y = outputs.detach()
    missing = y.isnan()
    least = y.masked_fill(missing, torch.inf).amin(dim=-1, keepdim=True)
    most = y.masked_fill(missing, -torch.inf).amax(dim=-1, keepdim=True)
    p = (y - least) / (most - least)
    p = p.masked_fill(p == 0, torch.nan)
    distance = (p[:, 0] - p[:, 1]).abs().to(torch.float64).nanmean(dim=-1)
    return distance / p.to(torch.float64).nanmean(dim=(-2, -1))


def cost(outputs: torch.Tensor) -> tuple[int, int]:
    """Floating-point operations (9 an output) and bytes of one call, at the least."""
    return 9 * outputs.numel(), outputs.numel() * outputs.element_size() + 8 * len(outputs)


def _differ(outputs: torch.Tensor) -> torch.Tensor:
    a, _, n = outputs.shape
    found = torch.empty(a, dtype=torch.float64, device=outputs.device)
    if a:
        block = min(power_of_two(n, least=32), 2048)
        double = outputs.dtype == torch.float64
        launch(_epsilon, (a,), outputs.contiguous(), found, n, block=block, double=double)
    return found


def _epsilon(
    outputs: tl.tensor,
    found: tl.tensor,
    n: tl.tensor,
    block: tl.constexpr,
    double: tl.constexpr,
) -> None:
    """Do one architecture: the extremes of its rows in one pass, the sums in a second."""
    architecture = tl.program_id(0).to(tl.int64)
    first = outputs + architecture * 2 * n
    second = first + n
    inf = float("inf")
    dtype = outputs.dtype.element_ty
    least_0 = tl.full((block,), inf, dtype)
    least_1 = tl.full((block,), inf, dtype)
    most_0 = tl.full((block,), -inf, dtype)
    most_1 = tl.full((block,), -inf, dtype)
    for start in range(0, n, block):
        j = start + tl.arange(0, block)
        y_0 = tl.load(first + j, mask=j < n, other=float("nan"))
        y_1 = tl.load(second + j, mask=j < n, other=float("nan"))
        least_0 = tl.where(y_0 < least_0, y_0, least_0)
        least_1 = tl.where(y_1 < least_1, y_1, least_1)
        most_0 = tl.where(y_0 > most_0, y_0, most_0)
        most_1 = tl.where(y_1 > most_1, y_1, most_1)
    low_0, low_1 = tl.min(least_0, axis=0), tl.min(least_1, axis=0)
    range_0, range_1 = tl.max(most_0, axis=0) - low_0, tl.max(most_1, axis=0) - low_1
    distance = tl.zeros((block,), dtype=tl.float64)
    total = tl.zeros((block,), dtype=tl.float64)
    pairs = tl.zeros((block,), dtype=tl.int32)
    present = tl.zeros((block,), dtype=tl.int32)
    for start in range(0, n, block):
        j = start + tl.arange(0, block)
        y_0 = tl.load(first + j, mask=j < n, other=float("nan"))
        y_1 = tl.load(second + j, mask=j < n, other=float("nan"))
        if double:
            p_0, p_1 = (y_0 - low_0) / range_0, (y_1 - low_1) / range_1
        else:
            # Plain division is not rounded correctly in float32 on a GPU, as it is in torch.
            p_0, p_1 = tl.div_rn(y_0 - low_0, range_0), tl.div_rn(y_1 - low_1, range_1)
        # What is missing is 0 or NaN, and NaN compares false: both fail p > 0.
        there_0, there_1 = p_0 > 0, p_1 > 0
        both = there_0 & there_1
        distance += tl.where(both, tl.abs(p_0 - p_1), 0).to(tl.float64)
        total += tl.where(there_0, p_0, 0).to(tl.float64)
        total += tl.where(there_1, p_1, 0).to(tl.float64)
        pairs += both.to(tl.int32)
        present += there_0.to(tl.int32) + there_1.to(tl.int32)
    mean = tl.sum(total, axis=0) / tl.sum(present, axis=0).to(tl.float64)
    apart = tl.sum(distance, axis=0) / tl.sum(pairs, axis=0).to(tl.float64)
    tl.store(found + architecture, apart / mean)
