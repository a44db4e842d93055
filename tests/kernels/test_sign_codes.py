"""sign_codes: bit by bit, by either implementation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.kernels import sign_codes as module
from bench.kernels.sign_codes import cost, sign_codes

SPECIAL = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, -1e-40, 1.0]


def coded(x: np.ndarray) -> np.ndarray:
    """`d x ceil(n / 64)` words, made bit by bit."""
    n, d = x.shape
    words = np.zeros((d, -(-n // 64)), dtype=np.uint64)
    for i in range(n):
        for j in range(d):
            words[j, i // 64] |= np.uint64(x[i, j] > 0) << np.uint64(i % 64)
    return words.view(np.int64)


def drawn(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=shape))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 1), (3, 257), (8, 5), (63, 4), (64, 7), (65, 3), (130, 2)])
def test_bits_are_signs(shape, dtype, device) -> None:
    x = drawn(shape).to(dtype)
    expected = torch.from_numpy(coded(x.to(torch.float64).numpy()))
    if shape[0] <= 64:
        expected = expected[:, 0]
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        found = sign_codes(x.to(where), implementation=implementation)
        assert found.dtype == torch.int64
        assert torch.equal(found.cpu(), expected)


def test_the_last_sample_is_the_sign(device) -> None:
    x = torch.zeros(64, 2)
    x[63, 1] = 1
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        codes = sign_codes(x.to(where), implementation=implementation)
        assert codes.tolist() == [0, -(2**63)]


@given(st.lists(st.lists(st.sampled_from(SPECIAL), min_size=3, max_size=3), min_size=1, max_size=9))
@settings(max_examples=60, deadline=None)
def test_zeros_and_nan_are_off(rows: list[list[float]]) -> None:
    x = np.array(rows)
    np.testing.assert_array_equal(sign_codes(torch.from_numpy(x)).numpy(), coded(x)[:, 0])


def test_zeros_and_nan_are_off_in_triton(device) -> None:
    x = torch.tensor([SPECIAL, SPECIAL[::-1]], dtype=torch.float64)
    x = torch.cat([x, torch.full((1, 8), 1e-300, dtype=torch.float64)])
    found = sign_codes(x.to(device), implementation="triton").cpu()
    np.testing.assert_array_equal(found.numpy(), coded(x.numpy())[:, 0])


def test_parts_and_views(device, monkeypatch) -> None:
    x = drawn((11, 9)).T
    expected = torch.from_numpy(coded(x.numpy()))[:, 0]
    assert torch.equal(sign_codes(x.to(device), implementation="triton").cpu(), expected)
    monkeypatch.setattr(module, "COLUMNS", 4)
    assert torch.equal(sign_codes(x), expected)


def test_no_neurons(device) -> None:
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        assert sign_codes(torch.empty(3, 0, device=where), implementation=implementation).shape == (
            0,
        )


def test_distinct_codes_are_distinct_patterns() -> None:
    """What swap reads: two of five neurons share a pattern over 70 samples."""
    x = drawn((70, 5))
    x[:, 3] = x[:, 1]
    assert len(sign_codes(x).unique(dim=0)) == 4


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"x must be n x d, got shape \(1, 2, 3\)"):
        sign_codes(torch.ones(1, 2, 3))


def test_cost() -> None:
    assert cost(torch.empty(65, 7, device="meta")) == (3 * 65 * 7, 65 * 7 * 4 + 2 * 8 * 7)
