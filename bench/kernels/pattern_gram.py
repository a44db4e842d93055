"""pattern-gram: on how many neurons the on/off patterns of two samples agree.

K = B B^T + (1 - B)(1 - B)^T with B = [x > 0], one row a sample: NASWOT's matrix (Mellor et al.,
ICML 2021, arXiv:2006.04647), whose log-determinant is the proxy nwot. Read by nwot.

In Triton, signs are packed to bits, 32 a word, in one pass over x; pairs of samples then need one
xor and one population count for 32 neurons. A cost in bytes, then: at n = 64 the pass over x is
four times what its arithmetic takes on an H200. All is integers, so all implementations agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from bench.kernels._choose import Implementation, launch, parts, use_triton

if TYPE_CHECKING:
    import triton.language as tl

COLUMNS = 1 << 12
"""Neurons a matrix product takes at once: a part stays in cache, and float32 counts it exactly."""
PROGRAMS = 1024
"""Programs that keep a large GPU busy."""


def pattern_gram(x: torch.Tensor, *, implementation: Implementation | None = None) -> torch.Tensor:
    """Count the neurons on which each pair of samples agrees, on or off.

    Args:
        x: `n x d`, or `a x n x d` for `a` architectures at once; floats. A neuron is on where it
            is above 0; it is off at 0, at -0 and where it is NaN.
        implementation: "torch" or "triton"; where None, Triton on CUDA and torch elsewhere.

    Returns:
        `n x n`, or `a x n x n`, float64: whole numbers from 0 to `d`, exact.

    Raises:
        ValueError: if `x` has another shape, or the implementation cannot run.
    """
    if x.ndim not in {2, 3}:
        raise ValueError(f"x must be n x d or a x n x d, got shape {tuple(x.shape)}")
    return _packed(x) if use_triton(x, implementation) else pattern_gram_torch(x)


def pattern_gram_torch(x: torch.Tensor) -> torch.Tensor:
    """`pattern_gram` in plain torch: with G = B B^T, K_ij = d + 2 G_ij - G_ii - G_jj."""
    both_on = x.new_zeros((*x.shape[:-1], x.shape[-2]), dtype=torch.float64)
    # Compared straight to floats: on a CPU, torch writes booleans several times slower.
    space = x.new_empty((*x.shape[:-1], min(x.shape[-1], COLUMNS)), dtype=torch.float32)
    for part in torch.split(x.detach(), COLUMNS, dim=-1):
        on = torch.gt(part, 0, out=space[..., : part.shape[-1]])
        both_on += on @ on.mT
    on_each = both_on.diagonal(dim1=-2, dim2=-1)
    either = on_each.unsqueeze(-1) + on_each.unsqueeze(-2)
    return (2 * both_on).sub_(either).add_(x.shape[-1])


def cost(x: torch.Tensor) -> tuple[int, int]:
    """Floating-point operations and bytes of one call, at the least.

    Operations are those of the matrix product, 2 n^2 d; bit-packed they are 3 n^2 d / 32, on
    integers. Bytes are x read once and K written once.
    """
    n, d = x.shape[-2:]
    architectures = x.numel() // max(n * d, 1)
    return 2 * architectures * n * n * d, x.numel() * x.element_size() + 8 * architectures * n * n


def _packed(x: torch.Tensor) -> torch.Tensor:
    if x.stride(-1) != 1:
        x = x.contiguous()
    wide = x if x.ndim == 3 else x.unsqueeze(0)
    a, n, d = wide.shape
    length = parts(d, 32)
    differ = torch.zeros((a, n, n), dtype=torch.int32, device=x.device)
    if differ.numel() and d:
        words = torch.empty((a, n, length), dtype=torch.int32, device=x.device)
        grid = (a * n, parts(length, 32))
        launch(_pack, grid, wide, words, n, d, length, *wide.stride()[:2], block=32)
        tiles, step = parts(n, 32), 8
        splits = min(parts(PROGRAMS, a * tiles * tiles), parts(length, step))
        span = parts(parts(length, splits), step) * step
        grid = (a * tiles * tiles, parts(length, span))
        launch(
            _differ, grid, words, differ, n, length, tiles, span, rows=32, step=step, num_warps=8
        )
    return (d - differ.to(torch.float64)).view(*x.shape[:-1], n)


def _pack(
    x: tl.tensor,
    words: tl.tensor,
    n: tl.tensor,
    d: tl.tensor,
    length: tl.tensor,
    stride_a: tl.tensor,
    stride_n: tl.tensor,
    block: tl.constexpr,
) -> None:
    """Write the signs of one sample as bits: `block` words of 32 neurons a program."""
    row = tl.program_id(0).to(tl.int64)
    word = tl.program_id(1) * block + tl.arange(0, block)
    lane = tl.arange(0, 32)
    column = word[:, None] * 32 + lane[None, :]
    start = x + (row // n) * stride_a + (row % n) * stride_n
    value = tl.load(start + column, mask=column < d, other=0)
    if x.dtype.element_ty.primitive_bitwidth == 16:
        value = value.to(tl.float32)  # the interpreter cannot compare bfloat16
    bits = (value > 0).to(tl.int32) << lane[None, :]
    tl.store(words + row * length + word, tl.sum(bits, axis=1), mask=word < length)


def _differ(
    words: tl.tensor,
    differ: tl.tensor,
    n: tl.tensor,
    length: tl.tensor,
    tiles: tl.tensor,
    span: tl.tensor,
    rows: tl.constexpr,
    step: tl.constexpr,
) -> None:
    """Add, for `rows x rows` pairs of samples, the bits in which `span` of their words differ."""
    tile = tl.program_id(0)
    pair = tile % (tiles * tiles)
    architecture = (tile // (tiles * tiles)).to(tl.int64)
    i = (pair // tiles) * rows + tl.arange(0, rows)
    j = (pair % tiles) * rows + tl.arange(0, rows)
    words += architecture * n * length
    first = tl.program_id(1) * span
    # Summed over words only at the end: until then no thread needs another's counts.
    total = tl.zeros((rows, rows, step), dtype=tl.int32)
    for start in range(first, tl.minimum(first + span, length), step):
        k = start + tl.arange(0, step)
        inside = (k < length)[None, :]
        at_i, at_j = i[:, None] * length + k[None, :], j[:, None] * length + k[None, :]
        word_i = tl.load(words + at_i, mask=(i < n)[:, None] & inside, other=0)
        word_j = tl.load(words + at_j, mask=(j < n)[:, None] & inside, other=0)
        # The population count as LLVM knows it: these four lines become one instruction.
        v = (word_i[:, None, :] ^ word_j[None, :, :]).to(tl.uint32, bitcast=True)
        v = v - ((v >> 1) & 0x55555555)
        v = (v & 0x33333333) + ((v >> 2) & 0x33333333)
        v = (((v + (v >> 4)) & 0x0F0F0F0F) * 0x01010101) >> 24
        total += v.to(tl.int32)
    at = architecture * n * n + i[:, None] * n + j[None, :]
    tl.atomic_add(differ + at, tl.sum(total, axis=2), mask=(i < n)[:, None] & (j < n)[None, :])
