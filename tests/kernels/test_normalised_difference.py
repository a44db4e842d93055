"""normalised_difference: epsilon written out value by value, by either implementation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.kernels.normalised_difference import cost, normalised_difference

NAN, INF = math.nan, math.inf


def epsilon(outputs: np.ndarray) -> float:
    """Epsilon of two rows, position by position, in the rows' own precision."""
    normal: list[list[float]] = []
    for row in outputs:
        known = [y for y in row if not np.isnan(y)]
        least, most = (min(known), max(known)) if known else (NAN, NAN)
        with np.errstate(all="ignore"):
            normal.append([float((y - least) / (most - least)) for y in row])
    p, q = ([NAN if y == 0 else y for y in row] for row in normal)
    apart = [abs(a - b) for a, b in zip(p, q, strict=True) if not math.isnan(a - b)]
    left = [y for y in p + q if not math.isnan(y)]
    if not apart or not left:
        return NAN
    return (math.fsum(apart) / len(apart)) / (math.fsum(left) / len(left))


def both(outputs: torch.Tensor, device: str) -> list[np.ndarray]:
    return [
        normalised_difference(outputs.to(where), implementation=implementation).cpu().numpy()
        for implementation, where in (("torch", "cpu"), ("triton", device))
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 2, 7), (2, 2, 64), (2, 2, 257), (1, 2, 2053)])
def test_epsilon_is_its_formula(shape, dtype, device) -> None:
    outputs = torch.from_numpy(np.random.default_rng(0).normal(size=shape)).to(dtype)
    wide = outputs.to(torch.float32) if dtype.itemsize == 2 else outputs
    expected = [epsilon(it) for it in wide.numpy()]
    for found in both(outputs, device):
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, rtol=1e-6 if dtype.itemsize < 8 else 1e-13)
    np.testing.assert_allclose(*both(outputs, device), rtol=1e-13)


HARD = [
    ([1, 1, 1], [1, 2, 3], "one row is constant"),
    ([5], [5], "a single output"),
    ([NAN, NAN, NAN], [1, 2, 3], "nothing but NaN"),
    ([INF, 1, 2], [1, 2, 3], "an infinity"),
    ([-INF, 1, 2], [1, 2, 3], "a negative infinity"),
    ([0, 1], [1, 0], "no position left in both"),
    ([0, -0.0, 0], [-0.0, 0, -0.0], "zeros of both signs"),
]


@pytest.mark.parametrize(("p", "q", "why"), HARD, ids=[why for *_, why in HARD])
def test_undefined_is_nan(p, q, why, device) -> None:
    for dtype in (torch.float32, torch.float64):
        for found in both(torch.tensor([[p, q]], dtype=dtype), device):
            assert np.isnan(found).all()


def test_ties_with_the_least_and_nan_are_missing(device) -> None:
    """(|1/2 - 1| + |1 - 1/4|) / 2 over (1/2 + 1 + 1 + 1/4 + 3/4) / 5."""
    outputs = torch.tensor([[[1.0, 1, 2, 3, NAN], [NAN, 4, 8, 5, 7]]])
    for found in both(outputs, device):
        assert found == pytest.approx((0.5 + 0.75) / 2 / (3.5 / 5), rel=1e-14)


@pytest.mark.parametrize("scale", [1e-38, 1e-30, 1e30, 1e38])
def test_scale_and_offset_do_not_matter(scale, device) -> None:
    rows = torch.tensor([[[0.0, 1, 2, 4], [0.0, 3, 1, 4]]])
    for found in both(rows * (scale / 4), device):
        assert found == pytest.approx((0.5 + 0.25) / 3 / (3.75 / 6), rel=1e-6)


small = st.sampled_from([0.0, -0.0, 1.0, 2.0, -3.0, NAN, INF, -INF, 1e-30, 3e38])


@given(st.lists(st.tuples(small, small), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_the_reference_bears_anything(pairs: list[tuple[float, float]]) -> None:
    outputs = torch.tensor(pairs, dtype=torch.float32).T[None]
    expected = epsilon(outputs[0].numpy())
    found = normalised_difference(outputs).item()
    assert found == pytest.approx(expected, rel=1e-6, nan_ok=True)


def test_triton_bears_the_same(device) -> None:
    rng = np.random.default_rng(1)
    values = np.array([0.0, -0.0, 1.0, 2.0, -3.0, NAN, INF, 1e-30, 3e38], dtype=np.float32)
    outputs = torch.from_numpy(values[rng.integers(0, 9, size=(40, 2, 5))])
    np.testing.assert_allclose(*both(outputs, device), rtol=1e-13)


def test_architectures_do_not_mix(device) -> None:
    outputs = torch.from_numpy(np.random.default_rng(2).normal(size=(4, 2, 9)))
    for found in both(outputs, device):
        alone = [both(it[None], device)[0].item() for it in outputs]
        np.testing.assert_allclose(found, alone, rtol=1e-13)
    assert [found.shape for found in both(outputs[:0], device)] == [(0,), (0,)]


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a x 2 x n with n > 0, got shape \(2, 5\)"):
        normalised_difference(torch.ones(2, 5))
    with pytest.raises(ValueError, match=r"got shape \(1, 2, 0\)"):
        normalised_difference(torch.ones(1, 2, 0))


def test_cost() -> None:
    assert cost(torch.empty(3, 2, 7, device="meta")) == (9 * 42, 42 * 4 + 3 * 8)
