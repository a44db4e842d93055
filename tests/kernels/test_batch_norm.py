"""Batch norm of channels-last images, beside torch's own."""

from __future__ import annotations

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor
from torch.nn import functional

from bench.kernels.batch_norm import batch_norm, batch_norm_torch
from bench.proxies.passes.recorder import OnCpu

SHAPES = [(2, 1, 1, 1), (2, 3, 7, 5), (5, 16, 8, 8)]


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("affine", ["scale and shift", "scale", "shift", "neither"])
def test_values_and_gradients_are_those_of_torch(shape: tuple[int, ...], affine: str) -> None:
    images = drawn(*shape) * 2 + 3
    weight = drawn(shape[1], seed=1).requires_grad_() if "scale" in affine else None
    bias = drawn(shape[1], seed=2).requires_grad_() if "shift" in affine else None
    here, there = (layout(images).requires_grad_() for layout in (last, torch.clone))
    mine, mean, variance = batch_norm(here, weight, bias, eps=1e-3)
    theirs = batch_norm_torch(there, weight, bias, eps=1e-3)
    torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(mean, images.mean((0, 2, 3)))
    torch.testing.assert_close(variance, images.var((0, 2, 3), correction=0))
    learnt = [tensor for tensor in (weight, bias) if tensor is not None]
    toward = drawn(*shape, seed=3)
    gradients = [
        torch.autograd.grad((normed * toward).sum(), [images, *learnt])
        for normed, images in ((mine, here), (theirs, there))
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_gradients_have_gradients() -> None:
    images = last(drawn(3, 4, 5, 5)).requires_grad_()
    weight, bias = (drawn(4, seed=seed).requires_grad_() for seed in (1, 2))
    assert torch.autograd.gradgradcheck(
        lambda *given: batch_norm(*given)[0], (images, weight, bias)
    )


@pytest.mark.parametrize("mean", [0, 30])
def test_float32_is_as_exact_as_where_channels_lie_first(mean: float) -> None:
    images = (drawn(64, 16, 32, 32) + mean).float()
    expected = batch_norm_torch(images.double(), None, None)
    mine = batch_norm(last(images), None, None)[0].double()
    first = batch_norm_torch(images, None, None).double()
    assert (mine - expected).abs().max() <= 3 * (first - expected).abs().max()


@pytest.mark.parametrize("momentum", [0.1, 0.5])
def test_a_pass_moves_recorded_statistics_as_torch_does(momentum: float) -> None:
    images = drawn(4, 3, 5, 5)
    recorded = [(torch.zeros(3).double(), torch.ones(3).double()) for _ in range(2)]
    theirs = functional.batch_norm(images, *recorded[0], training=True, momentum=momentum)
    with OnCpu():
        mine = functional.batch_norm(last(images), *recorded[1], training=True, momentum=momentum)
    torch.testing.assert_close(mine, theirs)
    for one, other in zip(*recorded, strict=True):
        torch.testing.assert_close(one, other)


def test_a_pass_norms_by_recorded_statistics_where_told() -> None:
    images = drawn(4, 3, 5, 5)
    recorded = drawn(3, seed=1), drawn(3, seed=2).abs()
    with OnCpu():
        mine = functional.batch_norm(last(images), *recorded, training=False)
    torch.testing.assert_close(mine, functional.batch_norm(images, *recorded, training=False))


def test_one_value_a_channel_is_refused_as_by_torch() -> None:
    with OnCpu(), pytest.raises(ValueError, match="more than 1 value"):
        functional.batch_norm(drawn(1, 3, 1, 1), None, None, training=True)


def test_group_norm_of_channels_last_is_exact_too() -> None:
    images = (drawn(64, 16, 32, 32) + 3).float()
    expected = functional.group_norm(images.double(), 4)
    first = functional.group_norm(images, 4).double()
    with OnCpu():
        mine = functional.group_norm(last(images), 4)
    assert mine.is_contiguous(memory_format=torch.channels_last)
    assert (mine.double() - expected).abs().max() <= 3 * (first - expected).abs().max()


@pytest.mark.parametrize("norm", [batch_norm, batch_norm_torch])
def test_speed(norm: object, benchmark: BenchmarkFixture) -> None:
    images, weight, bias = last(drawn(64, 16, 32, 32).float()), torch.ones(16), torch.zeros(16)
    benchmark(norm, images, weight, bias)
