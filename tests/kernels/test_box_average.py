"""Average pools by depthwise convolution, beside torch's own."""

from __future__ import annotations

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from bench.kernels.box_average import box_average, box_average_torch

SHAPES = [(1, 1, 3, 3), (2, 3, 7, 5), (5, 16, 8, 8)]
WINDOWS = [(3, 1, 1), (3, 2, 1), (2, 1, 0), (5, 1, 2), (3, 1, 0)]
FITTING = [
    (shape, window)
    for shape in SHAPES
    for window in WINDOWS
    if min(shape[2:]) + 2 * window[2] >= window[0]
]


def images(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=generator, dtype=dtype)


@pytest.mark.parametrize(("shape", "window"), FITTING)
@pytest.mark.parametrize("count_padding", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_torch(
    shape: tuple[int, ...],
    window: tuple[int, int, int],
    count_padding: bool,
    layout: torch.memory_format,
) -> None:
    here = images(shape).contiguous(memory_format=layout).requires_grad_()
    there = here.detach().clone().requires_grad_()
    mine = box_average(here, *window, count_padding=count_padding)
    theirs = box_average_torch(there, *window, count_padding=count_padding)
    torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)
    weights = images(tuple(mine.shape))
    (mine * weights).sum().backward()
    (theirs * weights).sum().backward()
    torch.testing.assert_close(here.grad, there.grad, rtol=1e-12, atol=1e-12)


def test_float32_agrees_to_rounding() -> None:
    given = images((4, 16, 32, 32), torch.float32)
    mine, theirs = (average(given, 3, 1, 1) for average in (box_average, box_average_torch))
    torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


def test_the_images_are_not_written_to() -> None:
    given = images((2, 3, 5, 5))
    before = given.clone()
    box_average(given, 3, 1, 1)
    assert torch.equal(given, before)


@pytest.mark.parametrize("average", [box_average, box_average_torch])
def test_speed(average: object, benchmark: BenchmarkFixture) -> None:
    given = images((64, 16, 32, 32), torch.float32).contiguous(memory_format=torch.channels_last)
    benchmark(average, given, 3, 1, 1)
