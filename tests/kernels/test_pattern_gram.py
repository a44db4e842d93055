"""pattern_gram: agreements counted one by one, by either implementation, to the last unit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.kernels import pattern_gram as module
from bench.kernels.pattern_gram import cost, pattern_gram

SHAPES = [(1, 1), (2, 31), (3, 32), (7, 67), (33, 45), (5, 0), (2, 3, 97), (3, 1, 1)]
SPECIAL = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, -1e-40, 1.0]


def agreements(x: np.ndarray) -> np.ndarray:
    """K_ij as a count over neurons, a pair of samples at a time."""
    on = x > 0
    return np.array([[(a == b).sum() for b in on] for a in on], dtype=np.float64)


def drawn(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", SHAPES)
def test_agreements_are_counted(shape, dtype, device) -> None:
    x = drawn(shape).to(dtype)
    one_by_one = [
        agreements(it.to(torch.float64).numpy()) for it in (x if x.ndim == 3 else x[None])
    ]
    expected = torch.from_numpy(np.array(one_by_one)).view(*shape[:-1], shape[-2])
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        found = pattern_gram(x.to(where), implementation=implementation)
        assert found.dtype == torch.float64
        assert torch.equal(found.cpu(), expected)


@given(st.lists(st.lists(st.sampled_from(SPECIAL), min_size=5, max_size=5), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_zeros_and_nan_are_off(rows: list[list[float]]) -> None:
    x = np.array(rows)
    np.testing.assert_array_equal(pattern_gram(torch.from_numpy(x)).numpy(), agreements(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zeros_and_nan_are_off_in_triton(dtype, device) -> None:
    x = torch.tensor([SPECIAL, SPECIAL[::-1], [1.0] * 8], dtype=dtype)
    found = pattern_gram(x.to(device), implementation="triton").cpu()
    assert torch.equal(found, torch.from_numpy(agreements(x.numpy())))
    if dtype == torch.float64:
        tiny = torch.tensor([[1e-300], [0.0]], dtype=dtype, device=device)
        assert pattern_gram(tiny, implementation="triton")[0, 1] == 0


def test_many_columns_are_exact(monkeypatch) -> None:
    """More agreements than float32 can count by ones, over parts that do not divide evenly."""
    x = torch.ones(1, 2**24 + 3, dtype=torch.bfloat16).expand(2, -1)
    assert pattern_gram(x).tolist() == [[2**24 + 3] * 2] * 2
    monkeypatch.setattr(module, "COLUMNS", 7)
    x = drawn((4, 30))
    assert torch.equal(pattern_gram(x), torch.from_numpy(agreements(x.numpy())))


def test_words_split_over_programs(device, monkeypatch) -> None:
    monkeypatch.setattr(module, "PROGRAMS", 3)
    x = drawn((3, 1100))
    found = pattern_gram(x.to(device), implementation="triton").cpu()
    assert torch.equal(found, torch.from_numpy(agreements(x.numpy())))


def test_views_are_read_where_they_lie(device) -> None:
    """Architectures side by side as channels, and rows whose values do not lie side by side."""
    images = drawn((3, 4, 5, 2))
    side_by_side = images.view(3, 2, 20).transpose(0, 1)
    for x in (side_by_side, drawn((9, 4)).T):
        expected = pattern_gram(x.contiguous())
        assert torch.equal(pattern_gram(x), expected)
        assert torch.equal(pattern_gram(x.to(device), implementation="triton").cpu(), expected)


def test_activations_with_gradients_are_welcome(device) -> None:
    x = drawn((3, 4)).requires_grad_()
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        assert not pattern_gram(x.to(where), implementation=implementation).requires_grad


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"x must be n x d or a x n x d, got shape \(4,\)"):
        pattern_gram(torch.ones(4))


def test_cost() -> None:
    x = torch.empty(3, 5, 7, device="meta")
    assert cost(x) == (3 * 2 * 5 * 5 * 7, 3 * 5 * 7 * 4 + 3 * 5 * 5 * 8)
