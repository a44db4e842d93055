"""grouped-conv-norm-relu: ReLU, 3x3 convolution and batch norm of many architectures at once.

`a` architectures lie side by side as channels of one tensor; the convolution is grouped, so each
sees its own, and batch norm is per channel anyway. The order is that of NAS-Bench-201's operation
(Dong and Yang, ICLR 2020, arXiv:2001.00326): ReLU, convolution, norm by the batch's statistics.
Forward only; read by passes that need no gradient.

In Triton it is two launches. The first is the convolution as a matrix product of nine shifted
views, with the ReLU on loading; as its tile still lies in registers, it writes the tile's sum and
its squares about the tile's own mean. The second joins these as Chan et al. (1983) do and norms
in place. No square is taken of anything uncentred, so a mean far above the spread costs no digits.

Against torch, outputs (of order 1) differ by up to 1e-4 in float32, 1e-11 in float64 and a few
roundings in half precisions. `precision` is Triton's for float32: "tf32x3" runs on tensor cores
and keeps nearly all digits, "ieee" is float32 to the letter, "tf32" keeps ten bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F  # noqa: N812

from bench.kernels._choose import Implementation, launch, parts, power_of_two, use_triton

if TYPE_CHECKING:
    import triton.language as tl

PIXELS = 64
"""Pixels of a tile of the convolution."""
SPAN = 1 << 14
"""Values of a channel that a program norms."""


def grouped_conv_norm_relu(
    x: torch.Tensor,
    weight: torch.Tensor,
    scale: torch.Tensor | None = None,
    shift: torch.Tensor | None = None,
    *,
    eps: float = 1e-5,
    precision: Literal["tf32x3", "ieee", "tf32"] = "tf32x3",
    implementation: Implementation | None = None,
) -> torch.Tensor:
    """Apply ReLU, a grouped 3x3 convolution (stride 1, padding 1) and batch norm.

    Args:
        x: `n x (a*c) x h x w`, floats; it is not changed.
        weight: `(a*o) x c x 3 x 3`; its second axis tells how many groups `a` there are.
        scale: `a*o` factors after normalising, or None for 1.
        shift: `a*o` summands after that, or None for 0.
        eps: what is added to a variance.
        precision: of products in float32; see above. Torch follows its own settings.
        implementation: "torch" or "triton"; where None, Triton on CUDA and torch elsewhere.

    Returns:
        `n x (a*o) x h x w`, of the type of `x`.

    Raises:
        ValueError: if shapes do not fit, a channel has but one value, or the implementation
            cannot run.
    """
    _check(x, weight)
    if use_triton(x, implementation):
        return _fused(x, weight, scale, shift, eps, precision)
    return grouped_conv_norm_relu_torch(x, weight, scale, shift, eps=eps)


@torch.no_grad()
def grouped_conv_norm_relu_torch(
    x: torch.Tensor,
    weight: torch.Tensor,
    scale: torch.Tensor | None = None,
    shift: torch.Tensor | None = None,
    *,
    eps: float = 1e-5,
) -> torch.Tensor:
    """`grouped_conv_norm_relu` in plain torch."""
    y = F.conv2d(F.relu(x), weight, padding=1, groups=x.shape[1] // weight.shape[1])
    return F.batch_norm(y, None, None, scale, shift, training=True, eps=eps)


def cost(x: torch.Tensor, weight: torch.Tensor) -> tuple[int, int]:
    """Floating-point operations and bytes of one call, at the least.

    An output needs 18 c operations of the convolution and 6 of the norm. It is written by the
    convolution, and read and written by the norm, which needs statistics of all.
    """
    outputs = x.shape[0] * weight.shape[0] * x.shape[2] * x.shape[3]
    moved = x.numel() + weight.numel() + 3 * outputs
    return outputs * (18 * weight.shape[1] + 6), moved * x.element_size()


def _check(x: torch.Tensor, weight: torch.Tensor) -> None:
    if x.ndim != 4 or weight.ndim != 4 or weight.shape[2:] != (3, 3):
        raise ValueError(
            "x must be n x (a*c) x h x w and weight (a*o) x c x 3 x 3, "
            f"got shapes {tuple(x.shape)} and {tuple(weight.shape)}"
        )
    groups, rest = divmod(x.shape[1], weight.shape[1])
    if not groups or rest or weight.shape[0] % groups:
        raise ValueError(
            "channels of x must be a multiple of the weight's c, and its outputs a multiple of the "
            f"groups, got shapes {tuple(x.shape)} and {tuple(weight.shape)}"
        )
    if x.dtype != weight.dtype:
        raise ValueError(f"x and weight must be of one type, got {x.dtype} and {weight.dtype}")
    if x.shape[0] * x.shape[2] * x.shape[3] < 2:
        raise ValueError(f"batch norm needs two values a channel, got x of shape {tuple(x.shape)}")


def _fused(
    x: torch.Tensor,
    weight: torch.Tensor,
    scale: torch.Tensor | None,
    shift: torch.Tensor | None,
    eps: float,
    precision: str,
) -> torch.Tensor:
    x, weight = x.detach().contiguous(), weight.detach().contiguous()
    n, channels, h, w = x.shape
    outputs, c = weight.shape[:2]
    a = channels // c
    each, values = outputs // a, n * h * w
    tiles = parts(values, PIXELS)
    y = x.new_empty((n, outputs, h, w))
    double = x.dtype == torch.float64
    if x.element_size() == 2:
        precision = "tf32"  # holds every digit of half precisions
    # Of each tile and channel: the sum, and the squares about the tile's own mean.
    moments = x.new_empty((2, outputs, tiles), dtype=torch.float64)
    tile = {"inputs": min(power_of_two(c, 16), 32), "outputs": min(power_of_two(each, 16), 64)}
    grid = (tiles, a, parts(each, tile["outputs"]))
    options = {"pixels": PIXELS, "double": double, "precision": precision}
    # As compiled for capability 9.0, registers hardly spill at 16 to 64 channels.
    options |= {"num_warps": 8, "num_stages": 2}
    launch(_convolve, grid, x, weight, y, moments, n, c, each, h, w, **tile, **options)
    affine = [y if it is None else it.detach().contiguous() for it in (scale, shift)]
    options = {"eps": eps, "scaled": scale is not None, "shifted": shift is not None}
    blocks = {"pixels": PIXELS, "span": SPAN, "block": 1024, "wide": min(power_of_two(tiles), 512)}
    spans, sizes = (outputs, parts(values, SPAN)), (h * w, values, tiles)
    launch(_norm, spans, y, moments, *affine, *sizes, **options, **blocks)
    return y


def _convolve(  # noqa: PLR0913, PLR0917
    x: tl.tensor,
    weight: tl.tensor,
    y: tl.tensor,
    moments: tl.tensor,
    n: tl.tensor,
    c: tl.tensor,
    each: tl.tensor,
    h: tl.tensor,
    w: tl.tensor,
    inputs: tl.constexpr,
    outputs: tl.constexpr,
    pixels: tl.constexpr,
    double: tl.constexpr,
    precision: tl.constexpr,
) -> None:
    """Convolve `pixels` places of one group for `outputs` of its channels; write their moments."""
    area, groups = h * w, tl.num_programs(1)
    pixel = tl.program_id(0) * pixels + tl.arange(0, pixels)
    inside = pixel < n * area
    row, column = (pixel // w) % h, pixel % w
    image = (pixel // area).to(tl.int64)
    group = tl.program_id(1).to(tl.int64)
    output = tl.program_id(2) * outputs + tl.arange(0, outputs)
    wanted = (output < each)[:, None] & inside[None, :]
    here = (image * groups + group) * c * area + row * w + column
    weight += group * each * c * 9
    if double:
        total = tl.zeros((outputs, pixels), dtype=tl.float64)
    else:
        total = tl.zeros((outputs, pixels), dtype=tl.float32)
    for step in range(9 * tl.cdiv(c, inputs)):  # nine taps unrolled would spill registers
        tap, channel = step % 9, (step // 9) * inputs + tl.arange(0, inputs)
        up, left = 1 - tap // 3, 1 - tap % 3
        seen = inside & (row >= up) & (row < h + up) & (column >= left) & (column < w + left)
        there = (here - up * w - left)[None, :] + channel[:, None] * area
        value = tl.load(x + there, mask=(channel < c)[:, None] & seen[None, :], other=0)
        value = value.to(total.dtype)
        value = tl.where(value < 0, 0.0, value)  # NaN stays, as in torch
        at = weight + output[:, None] * (c * 9) + channel[None, :] * 9 + tap
        factor = tl.load(at, mask=(output < each)[:, None] & (channel < c)[None, :], other=0)
        factor = factor.to(total.dtype)
        total = tl.dot(factor, value, total, input_precision=precision, out_dtype=total.dtype)
    kept = total.to(y.dtype.element_ty)
    at = (image * groups + group)[None, :] * each * area + output[:, None] * area
    tl.store(y + at + (row * w + column)[None, :], kept, mask=wanted)
    # The norm is of what was stored, so of rounded values where those are halves.
    stored = tl.where(wanted, kept.to(total.dtype), 0).to(tl.float64)
    sums = tl.sum(stored, axis=1)
    count = tl.minimum(n * area - tl.program_id(0) * pixels, pixels)
    centred = tl.where(wanted, stored - (sums / count)[:, None], 0)
    tiles = tl.num_programs(0)
    at = moments + (group * each + output) * tiles + tl.program_id(0)
    tl.store(at, sums, mask=output < each)
    tl.store(at + groups * each * tiles, tl.sum(centred * centred, axis=1), mask=output < each)


def _norm(  # noqa: PLR0913, PLR0917
    y: tl.tensor,
    moments: tl.tensor,
    scale: tl.tensor,
    shift: tl.tensor,
    area: tl.tensor,
    values: tl.tensor,
    tiles: tl.tensor,
    eps: tl.constexpr,
    scaled: tl.constexpr,
    shifted: tl.constexpr,
    pixels: tl.constexpr,
    span: tl.constexpr,
    block: tl.constexpr,
    wide: tl.constexpr,
) -> None:
    """Join one channel's moments, and norm `span` of its values in place."""
    output, outputs = tl.program_id(0).to(tl.int64), tl.num_programs(0)
    moments += output * tiles
    total = tl.zeros((wide,), dtype=tl.float64)
    for first in range(0, tiles, wide):
        tile = first + tl.arange(0, wide)
        total += tl.load(moments + tile, mask=tile < tiles, other=0)
    mean = tl.sum(total, axis=0) / values
    squares = tl.zeros((wide,), dtype=tl.float64)
    for first in range(0, tiles, wide):
        tile = first + tl.arange(0, wide)
        count = tl.minimum(values - tile * pixels, pixels)
        apart = tl.load(moments + tile, mask=tile < tiles, other=0) / count - mean
        within = tl.load(moments + outputs * tiles + tile, mask=tile < tiles, other=0)
        squares += tl.where(tile < tiles, within + count * apart * apart, 0)
    gain = 1 / tl.sqrt(tl.sum(squares, axis=0) / values + eps)
    if scaled:
        gain *= tl.load(scale + output).to(tl.float64)
    for first in range(tl.program_id(1) * span, tl.program_id(1) * span + span, block):
        place = first + tl.arange(0, block)
        at = y + ((place // area).to(tl.int64) * outputs + output) * area + place % area
        value = (tl.load(at, mask=place < values, other=0).to(tl.float64) - mean) * gain
        if shifted:
            value += tl.load(shift + output).to(tl.float64)
        if y.dtype.element_ty.primitive_bitwidth == 16:
            value = value.to(tl.float32)
        tl.store(at, value.to(y.dtype.element_ty), mask=place < values)
