"""Batch norm of a jet: a value, two directional derivatives, and the mixed second one.

A jet is one tensor of `4n x c x ...`: the values x, then their derivatives along a direction w,
along a direction g, and along both. Training mode: statistics of the batch, which move with it.
With s = var(x), r = (s + eps)^(-1/2), and bars for centred blocks, the chain rule gives

    s_w = 2 mean(x' w'),  s_g = 2 mean(x' g'),  s_wg = 2 mean(w' g') + 2 mean(x' m')
    r_w = -r^3 s_w / 2,   r_wg = 3/4 r^5 s_w s_g - r^3 s_wg / 2
    y   = r x',           y_w  = r w' + r_w x'
    y_m = r m' + r_w g' + r_g w' + r_wg x'

so the outcome is a lower-triangular mix of the four centred blocks, with coefficients per channel.
Read by the second-order pass of grasp.

In Triton it is three launches: sums and centred products of tiles; their union per channel (Chan et
al., 1983), which gives means and coefficients; the mix. A jet is read twice and written once, where
plain torch passes over it about twenty times. All is reckoned in float64, so from float32 it is
rounded once, and differs from torch by torch's rounding, about 1e-5 of a block's largest value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.kernels._choose import Implementation, launch, parts, power_of_two, use_triton

if TYPE_CHECKING:
    import triton.language as tl

TILE = 1024
"""Values of each block that a program of Triton holds."""

FEW = 64


def batch_norm_jet(
    jet: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float = 1e-5,
    *,
    implementation: Implementation | None = None,
) -> Tensor:
    """Norm a jet, `4n x c x ...`; `weight` and `bias`, `c` each, have no derivative.

    `implementation` is "torch" or "triton"; where None, Triton on CUDA and torch elsewhere.
    """
    if use_triton(jet, implementation):
        return _fused(jet, weight, bias, eps)
    return batch_norm_jet_torch(jet, weight, bias, eps)


def batch_norm_jet_torch(
    jet: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float = 1e-5
) -> Tensor:
    """The reference, in plain torch."""
    rows = _channels_last(jet)
    blocks = rows.view(4, -1, rows.shape[-1])
    centred = blocks - blocks.mean(dim=1, keepdim=True)
    mixed = _mix(centred, _coefficients(centred, weight, eps))
    if bias is not None:
        mixed[0] += bias
    mixed = mixed.view(rows.shape)
    return mixed if jet.dim() == 2 else mixed.movedim(-1, 1)


def _channels_last(jet: Tensor) -> Tensor:
    """The same values as `4n x ... x c`; a view where the tensor lies so already."""
    return jet.contiguous() if jet.dim() == 2 else jet.movedim(1, -1).contiguous()


def _coefficients(centred: Tensor, weight: Tensor | None, eps: float) -> tuple[Tensor, ...]:
    """r, r_w, r_g and r_wg per channel, times the scale, from centred blocks `4 x p x c`."""
    x, w, g, m = centred
    xx, xw, xg, xm, wg = (_moment(a, b) for a, b in ((x, x), (x, w), (x, g), (x, m), (w, g)))
    r = (xx + eps).rsqrt()
    cube = r.pow(3)
    r_w, r_g = -cube * xw, -cube * xg
    r_wg = 3 * r.pow(5) * xw * xg - cube * (wg + xm)
    found = (r, r_w, r_g, r_wg)
    return found if weight is None else tuple(each * weight for each in found)


def _moment(a: Tensor, b: Tensor) -> Tensor:
    """The mean of the product of two blocks, `p x c`, per channel.

    With few channels a whole matrix product, of which the diagonal is used, takes half the time.
    """
    if a.shape[1] <= FEW:
        return (a.T @ b).diagonal() / len(a)
    return (a * b).mean(0)


def _mix(centred: Tensor, coefficients: tuple[Tensor, ...]) -> Tensor:
    """The lower-triangular mix of the four centred blocks, written over them."""
    r, r_w, r_g, r_wg = coefficients
    x, w, g, m = centred
    m.mul_(r).addcmul_(g, r_w).addcmul_(w, r_g).addcmul_(x, r_wg)
    g.mul_(r).addcmul_(x, r_g)
    w.mul_(r).addcmul_(x, r_w)
    x.mul_(r)
    return centred


def cost(jet: Tensor) -> tuple[int, int]:
    """Floating-point operations and bytes of one call, at the least.

    Four values of a jet need 18 operations for their moments and 18 for the mix; they are read for
    either and written once.
    """
    return 9 * jet.numel(), 3 * jet.numel() * jet.element_size()


def _fused(jet: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    jet = _flat(jet.detach())
    n, c = jet.shape[0] // 4, jet.shape[1]
    area = jet[0, 0].numel()
    stride = jet[0, 0].stride()[-1] if jet.dim() > 2 else 1
    at = (n, c, area, jet.stride(0), jet.stride(1), stride)
    # A tile follows memory: along places where these lie side by side, else along channels.
    channels = 1 if stride == 1 and jet.dim() > 2 else min(power_of_two(c), 32)
    tile = {"places": TILE // channels, "channels": channels}
    grid = (parts(n * area, tile["places"]), parts(c, channels))
    mixed = torch.empty_like(jet)
    moments = jet.new_empty((9, c, grid[0]), dtype=torch.float64)
    launch(_moments, grid, jet, moments, *at, **tile)
    joined = jet.new_empty((8, c), dtype=torch.float64)
    scale, shift = (jet if it is None else it.detach().contiguous() for it in (weight, bias))
    wide = min(power_of_two(grid[0]), 256)
    launch(_join, (c,), moments, joined, scale, n * area, grid[0], eps=eps,
           scaled=weight is not None, places=tile["places"], wide=wide)  # fmt: skip
    launch(_apply, grid, jet, mixed, joined, shift, *at, shifted=bias is not None, **tile)
    return mixed


def _flat(jet: Tensor) -> Tensor:
    """The jet, copied if need be, so that one stride leads through all places of a channel."""
    rows = jet if jet.dim() == 2 else jet.movedim(1, -1)
    return jet if jet.is_contiguous() or rows.is_contiguous() else jet.contiguous()


def _moments(  # noqa: PLR0913, PLR0917
    jet: tl.tensor,
    moments: tl.tensor,
    n: tl.tensor,
    c: tl.tensor,
    area: tl.tensor,
    stride_n: tl.tensor,
    stride_c: tl.tensor,
    stride: tl.tensor,
    places: tl.constexpr,
    channels: tl.constexpr,
) -> None:
    """Write a tile's sums of four blocks, and five sums of products about its own means.

    An integer of 1 comes as a constant, which `tl.cast` takes and which has no method `to`.
    """
    place = tl.program_id(0) * places + tl.arange(0, places)
    channel = tl.program_id(1) * channels + tl.arange(0, channels)
    wanted = (place < n * area)[:, None] & (channel < c)[None, :]
    start = (place // area).to(tl.int64) * stride_n + (place % area) * stride
    at = jet + start[:, None] + channel.to(tl.int64)[None, :] * stride_c
    block = tl.cast(n, tl.int64) * stride_n
    x = tl.load(at, mask=wanted, other=0).to(tl.float64)
    w = tl.load(at + block, mask=wanted, other=0).to(tl.float64)
    g = tl.load(at + 2 * block, mask=wanted, other=0).to(tl.float64)
    m = tl.load(at + 3 * block, mask=wanted, other=0).to(tl.float64)
    count = tl.minimum(n * area - tl.program_id(0) * places, places)
    sum_x, sum_w, sum_g, sum_m = tl.sum(x, 0), tl.sum(w, 0), tl.sum(g, 0), tl.sum(m, 0)
    x = tl.where(wanted, x - (sum_x / count)[None, :], 0)
    w = tl.where(wanted, w - (sum_w / count)[None, :], 0)
    g = tl.where(wanted, g - (sum_g / count)[None, :], 0)
    m = tl.where(wanted, m - (sum_m / count)[None, :], 0)
    tiles, present = tl.num_programs(0), channel < c
    at = moments + channel.to(tl.int64) * tiles + tl.program_id(0)
    step = tl.cast(c, tl.int64) * tiles
    tl.store(at, sum_x, mask=present)
    tl.store(at + step, sum_w, mask=present)
    tl.store(at + 2 * step, sum_g, mask=present)
    tl.store(at + 3 * step, sum_m, mask=present)
    tl.store(at + 4 * step, tl.sum(x * x, 0), mask=present)
    tl.store(at + 5 * step, tl.sum(x * w, 0), mask=present)
    tl.store(at + 6 * step, tl.sum(x * g, 0), mask=present)
    tl.store(at + 7 * step, tl.sum(x * m, 0), mask=present)
    tl.store(at + 8 * step, tl.sum(w * g, 0), mask=present)


def _join(  # noqa: PLR0913, PLR0917
    moments: tl.tensor,
    joined: tl.tensor,
    weight: tl.tensor,
    values: tl.tensor,
    tiles: tl.tensor,
    eps: tl.constexpr,
    scaled: tl.constexpr,
    places: tl.constexpr,
    wide: tl.constexpr,
) -> None:
    """Join the moments of one channel's tiles; write four means, and r, r_w, r_g, r_wg."""
    channel, c = tl.program_id(0).to(tl.int64), tl.num_programs(0)
    moments += channel * tiles
    step = c * tiles
    xs, ws = tl.zeros((wide,), tl.float64), tl.zeros((wide,), tl.float64)
    gs, ms = tl.zeros((wide,), tl.float64), tl.zeros((wide,), tl.float64)
    for first in range(0, tiles, wide):
        at, there = moments + first + tl.arange(0, wide), first + tl.arange(0, wide) < tiles
        xs += tl.load(at, mask=there, other=0)
        ws += tl.load(at + step, mask=there, other=0)
        gs += tl.load(at + 2 * step, mask=there, other=0)
        ms += tl.load(at + 3 * step, mask=there, other=0)
    x, w = tl.sum(xs, 0) / values, tl.sum(ws, 0) / values
    g, m = tl.sum(gs, 0) / values, tl.sum(ms, 0) / values
    xxs, xws = tl.zeros((wide,), tl.float64), tl.zeros((wide,), tl.float64)
    xgs, xms = tl.zeros((wide,), tl.float64), tl.zeros((wide,), tl.float64)
    wgs = tl.zeros((wide,), tl.float64)
    for first in range(0, tiles, wide):
        at, there = moments + first + tl.arange(0, wide), first + tl.arange(0, wide) < tiles
        count = tl.minimum(values - (first + tl.arange(0, wide)) * places, places)
        # Where there is no tile, its mean is taken for the whole's, so nothing is added.
        dx = tl.where(there, tl.load(at, mask=there, other=0) / count - x, 0)
        dw = tl.where(there, tl.load(at + step, mask=there, other=0) / count - w, 0)
        dg = tl.where(there, tl.load(at + 2 * step, mask=there, other=0) / count - g, 0)
        dm = tl.where(there, tl.load(at + 3 * step, mask=there, other=0) / count - m, 0)
        xxs += tl.load(at + 4 * step, mask=there, other=0) + count * dx * dx
        xws += tl.load(at + 5 * step, mask=there, other=0) + count * dx * dw
        xgs += tl.load(at + 6 * step, mask=there, other=0) + count * dx * dg
        xms += tl.load(at + 7 * step, mask=there, other=0) + count * dx * dm
        wgs += tl.load(at + 8 * step, mask=there, other=0) + count * dw * dg
    xw, xg = tl.sum(xws, 0) / values, tl.sum(xgs, 0) / values
    r = 1 / tl.sqrt(tl.sum(xxs, 0) / values + eps)
    cube = r * r * r
    r_wg = 3 * cube * r * r * xw * xg - cube * (tl.sum(wgs, 0) + tl.sum(xms, 0)) / values
    r_w, r_g = -cube * xw, -cube * xg
    if scaled:
        scale = tl.load(weight + channel).to(tl.float64)
        r, r_w, r_g, r_wg = r * scale, r_w * scale, r_g * scale, r_wg * scale
    at = joined + channel
    tl.store(at, x)
    tl.store(at + c, w)
    tl.store(at + 2 * c, g)
    tl.store(at + 3 * c, m)
    tl.store(at + 4 * c, r)
    tl.store(at + 5 * c, r_w)
    tl.store(at + 6 * c, r_g)
    tl.store(at + 7 * c, r_wg)


def _apply(  # noqa: PLR0913, PLR0917
    jet: tl.tensor,
    mixed: tl.tensor,
    joined: tl.tensor,
    bias: tl.tensor,
    n: tl.tensor,
    c: tl.tensor,
    area: tl.tensor,
    stride_n: tl.tensor,
    stride_c: tl.tensor,
    stride: tl.tensor,
    shifted: tl.constexpr,
    places: tl.constexpr,
    channels: tl.constexpr,
) -> None:
    """Centre and mix one tile of the four blocks."""
    place = tl.program_id(0) * places + tl.arange(0, places)
    channel = tl.program_id(1) * channels + tl.arange(0, channels)
    present = channel < c
    wanted = (place < n * area)[:, None] & present[None, :]
    start = (place // area).to(tl.int64) * stride_n + (place % area) * stride
    at = start[:, None] + channel.to(tl.int64)[None, :] * stride_c
    block = tl.cast(n, tl.int64) * stride_n
    joined += channel
    x = tl.load(jet + at, mask=wanted, other=0).to(tl.float64)
    w = tl.load(jet + at + block, mask=wanted, other=0).to(tl.float64)
    g = tl.load(jet + at + 2 * block, mask=wanted, other=0).to(tl.float64)
    m = tl.load(jet + at + 3 * block, mask=wanted, other=0).to(tl.float64)
    x -= tl.load(joined, mask=present, other=0)[None, :]
    w -= tl.load(joined + c, mask=present, other=0)[None, :]
    g -= tl.load(joined + 2 * c, mask=present, other=0)[None, :]
    m -= tl.load(joined + 3 * c, mask=present, other=0)[None, :]
    r = tl.load(joined + 4 * c, mask=present, other=0)[None, :]
    r_w = tl.load(joined + 5 * c, mask=present, other=0)[None, :]
    r_g = tl.load(joined + 6 * c, mask=present, other=0)[None, :]
    r_wg = tl.load(joined + 7 * c, mask=present, other=0)[None, :]
    y = r * x
    if shifted:
        y += tl.load(bias + channel, mask=present, other=0).to(tl.float64)[None, :]
    dtype = mixed.dtype.element_ty
    tl.store(mixed + at, y.to(dtype), mask=wanted)
    tl.store(mixed + at + block, (r * w + r_w * x).to(dtype), mask=wanted)
    tl.store(mixed + at + 2 * block, (r * g + r_g * x).to(dtype), mask=wanted)
    tl.store(mixed + at + 3 * block, (r * m + r_w * g + r_g * w + r_wg * x).to(dtype), mask=wanted)
