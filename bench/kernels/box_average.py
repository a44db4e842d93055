"""Average pooling of overlapping windows, as a depthwise convolution with ones.

On a CPU, `avg_pool2d` of 3 x 3 windows takes five times as long as a depthwise convolution of the
same windows (channels last, one thread; `tests/kernels/test_box_average.py --benchmark-enable`
compares them). A window's sum is divided by how many positions of the image it covers, or by its
size. Read by every pass, on a CPU.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional


def box_average(
    images: Tensor, kernel: int, stride: int, padding: int, *, count_padding: bool = False
) -> Tensor:
    """Average windows of `n x c x h x w`, as `avg_pool2d` does; with gradients."""
    channels, height, width = images.shape[1:]
    ones = _ones(channels, kernel, images.dtype, images.device)
    sums = functional.conv2d(images, ones, None, stride, padding, 1, channels)
    if count_padding:
        return sums.div_(kernel**2)
    return sums.mul_(_shares(height, width, kernel, stride, padding, images.dtype, images.device))


def box_average_torch(
    images: Tensor, kernel: int, stride: int, padding: int, *, count_padding: bool = False
) -> Tensor:
    """The same by `avg_pool2d`."""
    return functional.avg_pool2d(images, kernel, stride, padding, False, count_padding)


@lru_cache(maxsize=64)
def _ones(channels: int, kernel: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.ones(channels, 1, kernel, kernel, dtype=dtype, device=device)


@lru_cache(maxsize=64)
def _shares(
    height: int,
    width: int,
    kernel: int,
    stride: int,
    padding: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """One over the number of positions that each window covers, `h x w`."""
    image = torch.ones(1, 1, height, width, dtype=dtype, device=device)
    window = _ones(1, kernel, dtype, device)
    return functional.conv2d(image, window, None, stride, padding)[0, 0].reciprocal()
