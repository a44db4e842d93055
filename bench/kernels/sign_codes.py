"""sign-codes: the on/off pattern of each neuron over the samples of a batch, as bits.

SWAP (Peng et al., ICLR 2024, arXiv:2403.04161) counts how many of these patterns are distinct:
`codes.unique(dim=0)` then sorts `d` integers instead of `d` rows of `n`. Read by swap.

All is integers, so all implementations agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from bench.kernels._choose import Implementation, launch, parts, use_triton

if TYPE_CHECKING:
    import triton.language as tl

COLUMNS = 1 << 15
"""Neurons the reference takes at once, so that what it holds beside the result stays small."""


def sign_codes(x: torch.Tensor, *, implementation: Implementation | None = None) -> torch.Tensor:
    """Write each neuron's on/off pattern over `n` samples as the bits of integers.

    Args:
        x: `n x d`, floats. A neuron is on where it is above 0; it is off at 0, at -0 and where it
            is NaN.
        implementation: "torch" or "triton"; where None, Triton on CUDA and torch elsewhere.

    Returns:
        `d` int64 words where `n <= 64`; else `d x ceil(n / 64)`. Sample i is bit i % 64 of word
        i // 64 (bit 63 is the sign); bits of no sample are 0.

    Raises:
        ValueError: if `x` has another shape, or the implementation cannot run.
    """
    if x.ndim != 2:
        raise ValueError(f"x must be n x d, got shape {tuple(x.shape)}")
    return _coded(x) if use_triton(x, implementation) else sign_codes_torch(x)


def sign_codes_torch(x: torch.Tensor) -> torch.Tensor:
    """`sign_codes` in plain torch: eight samples a byte, by Horner's rule on all bytes at once."""
    n, d = x.shape
    length, octets = parts(n, 64), parts(n, 8)
    codes = torch.zeros((d, 8 * length), dtype=torch.uint8, device=x.device)
    space = torch.zeros((8 * octets, min(d, COLUMNS)), dtype=torch.int8, device=x.device)
    for part, some in zip(
        torch.split(x.detach(), COLUMNS, dim=1), torch.split(codes, COLUMNS), strict=True
    ):
        on = space[:, : part.shape[1]]
        torch.gt(part, 0, out=on[:n])
        bits = on.view(torch.uint8).view(octets, 8, -1)
        byte = bits[:, 7].clone()
        for i in reversed(range(7)):
            torch.add(bits[:, i], byte, alpha=2, out=byte)
        some[:, :octets] = byte.mT
    return _words(codes.view(torch.int64), n)


def cost(x: torch.Tensor) -> tuple[int, int]:
    """Operations (a comparison, a shift and an or a value) and bytes of one call, at the least."""
    n, d = x.shape
    return 3 * n * d, x.numel() * x.element_size() + 8 * d * parts(n, 64)


def _coded(x: torch.Tensor) -> torch.Tensor:
    if x.stride(-1) != 1:
        x = x.contiguous()
    n, d = x.shape
    length, block = parts(n, 64), 256
    codes = torch.empty((d, length), dtype=torch.int64, device=x.device)
    if codes.numel():
        grid = (parts(d, block), length)
        # A neuron a thread: with two, what 64 loads bring takes most registers, or spills.
        launch(_code, grid, x, codes, n, d, length, x.stride(0), block=block, num_warps=8)
    return _words(codes, n)


def _words(codes: torch.Tensor, n: int) -> torch.Tensor:
    return codes.flatten() if n <= 64 else codes


def _code(
    x: tl.tensor,
    codes: tl.tensor,
    n: tl.tensor,
    d: tl.tensor,
    length: tl.tensor,
    stride: tl.tensor,
    block: tl.constexpr,
) -> None:
    """Write one word of `block` neurons: 64 samples, each a contiguous and independent load."""
    column = tl.program_id(0) * block + tl.arange(0, block)
    word = tl.program_id(1)
    code = tl.zeros((block,), dtype=tl.int64)
    for bit in tl.static_range(64):
        sample = (word * 64 + bit).to(tl.int64)
        end = tl.where(sample < n, d, 0)
        value = tl.load(x + sample * stride + column, mask=column < end, other=0)
        if x.dtype.element_ty.primitive_bitwidth == 16:
            value = value.to(tl.float32)  # the interpreter cannot compare bfloat16
        code |= (value > 0).to(tl.int64) << bit
    tl.store(codes + column.to(tl.int64) * length + word, code, mask=column < d)
