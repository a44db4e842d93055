"""saliency_sums: the four sums by exact arithmetic, by either implementation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from bench.kernels import saliency as module
from bench.kernels.saliency import cost, saliency_sums


def exact(w: np.ndarray, g: np.ndarray) -> list[float]:
    """Sums of w g, |w g|, g^2 and w^2 over one row, in rational numbers."""
    pairs = [(Fraction(float(a)), Fraction(float(b))) for a, b in zip(w, g, strict=True)]
    terms = [(a * b, abs(a * b), b * b, a * a) for a, b in pairs]
    return [float(sum(column)) for column in zip(*terms, strict=True)]


def drawn(shape: tuple[int, ...], dtype: torch.dtype) -> list[torch.Tensor]:
    rng = np.random.default_rng(0)
    return [torch.from_numpy(rng.normal(size=shape) * scale).to(dtype) for scale in (0.1, 3.0)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 1), (3, 17), (2, 1025), (5,)])
def test_sums_are_exact_but_for_their_order(shape, dtype, device) -> None:
    weight, gradient = drawn(shape, dtype)
    rows = [it.to(torch.float64).numpy().reshape(-1, shape[-1]) for it in (weight, gradient)]
    expected = np.array([exact(w, g) for w, g in zip(*rows, strict=True)]).T
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        found = saliency_sums(weight.to(where), gradient.to(where), implementation=implementation)
        for name, sums, wanted in zip(found._fields, found, expected, strict=True):
            assert sums.dtype == torch.float64
            assert sums.shape == shape[:-1]
            limit = 1e-13 * (expected[1] if name == "products" else wanted)
            assert (np.abs(sums.cpu().numpy().ravel() - wanted) <= limit).all(), name


def test_cancellation_costs_nothing(device) -> None:
    """Terms of 1e8 that cancel but for one of 1e-6: float32 sums would lose it."""
    weight = torch.tensor([[1e8, 1e-6, -1e8]])
    gradient = torch.ones(1, 3)
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        found = saliency_sums(weight.to(where), gradient.to(where), implementation=implementation)
        assert found.products.item() == pytest.approx(1e-6, rel=0.02)


def test_squares_beyond_float32(device) -> None:
    weight = torch.tensor([[1e38, 1e-38]])
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        found = saliency_sums(weight.to(where), weight.to(where), implementation=implementation)
        assert found.weight_squares.item() == pytest.approx(1e76, rel=1e-6)
        assert saliency_sums(
            weight[:, 1:].to(where), weight[:, 1:].to(where), implementation=implementation
        ).products.item() == pytest.approx(1e-76, rel=1e-6)


def test_special_values_go_through(device) -> None:
    weight = torch.tensor([[np.inf, 1.0], [np.nan, 1.0], [0.0, -0.0], [np.inf, 1.0]])
    gradient = torch.tensor([[-1.0, 1.0], [1.0, 1.0], [-1.0, 1.0], [0.0, 1.0]])
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        found = saliency_sums(weight.to(where), gradient.to(where), implementation=implementation)
        nan, inf = np.nan, np.inf
        np.testing.assert_array_equal(found.products.cpu(), [-inf, nan, 0, nan])
        np.testing.assert_array_equal(found.magnitudes.cpu(), [inf, nan, 0, nan])
        np.testing.assert_array_equal(found.gradient_squares.cpu(), [2, 2, 2, 1])
        np.testing.assert_array_equal(found.weight_squares.cpu(), [inf, nan, 0, inf])


def test_several_programs_a_row(device, monkeypatch) -> None:
    monkeypatch.setattr(module, "SPAN", 2048)
    weight, gradient = drawn((2, 5000), torch.float64)
    found = saliency_sums(weight.to(device), gradient.to(device), implementation="triton")
    for sums, wanted in zip(found, saliency_sums(weight, gradient), strict=True):
        np.testing.assert_allclose(sums.cpu(), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0,)])
def test_nothing_sums_to_nothing(shape, device) -> None:
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        empty = torch.empty(shape, device=where)
        for sums in saliency_sums(empty, empty, implementation=implementation):
            assert torch.equal(sums.cpu(), torch.zeros(shape[:-1], dtype=torch.float64))


def test_views_and_gradients(device) -> None:
    weight, gradient = drawn((7, 3), torch.float32)
    weight.requires_grad_()
    expected = saliency_sums(weight.T.contiguous(), gradient.T.contiguous())
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        found = saliency_sums(
            weight.T.to(where), gradient.T.to(where), implementation=implementation
        )
        assert not found.products.requires_grad
        np.testing.assert_allclose(found.products.cpu(), expected.products, rtol=1e-12)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"both be m or both a x m, got shapes \(2,\) and \(3,\)"):
        saliency_sums(torch.ones(2), torch.ones(3))


def test_cost() -> None:
    x = torch.empty(3, 5, device="meta")
    assert cost(x, x) == (8 * 15, 2 * 4 * 15 + 3 * 4 * 8)
