from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.metrics.bootstrap import resample
from bench.metrics.influence import Tau, kendall_tau, mean_tau, pair_tau
from bench.metrics.rank import kendall


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30))
def test_the_value_is_tau_b_whatever_is_tied(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, dtype=np.float64).T
    found = kendall_tau(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert np.isnan(found.value)
        assert not found.influence.any()
    else:
        assert found.value == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)
        assert found.influence.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("n", [1000, 66_000])
def test_the_value_is_tau_b_of_many_rows(n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.normal(size=n)
    y = np.round(x + rng.normal(size=n), 2)
    x[: n // 50] = -np.inf
    expected = stats.kendalltau(np.where(np.isinf(x), -99, x), y).statistic
    assert kendall_tau(x, y).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("levels", [3, 1000])
def test_influences_are_derivatives_by_the_weights_of_rows(levels: int) -> None:
    rng = np.random.default_rng(levels)
    x, y = rng.integers(levels, size=(2, 40)).astype(float)
    signs = np.sign(x[:, None] - x) * np.sign(y[:, None] - y)
    apart_x, apart_y = x[:, None] != x, y[:, None] != y

    def tau(weights: np.ndarray) -> float:
        above = weights @ signs @ weights
        below = (weights @ apart_x @ weights) * (weights @ apart_y @ weights)
        return float(above / np.sqrt(below))

    found = kendall_tau(x, y)
    step = 1e-6
    for row in range(40):
        plus, minus = np.ones((2, 40))
        plus[row] += step
        minus[row] -= step
        slope = (tau(plus) - tau(minus)) / (2 * step)
        assert found.influence[row] == pytest.approx(slope, abs=1e-7)


def test_resamples_to_first_order_are_those_of_the_bootstrap() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=600)
    y = np.round(x + rng.normal(size=600), 1)
    counts = resample(600, 300, rng)
    exact = kendall(x, y, counts=counts)
    found = kendall_tau(x, y)
    drawn = found.value + (counts - 1.0) @ found.influence
    assert np.corrcoef(exact, drawn)[0, 1] > 0.99
    assert drawn.std() == pytest.approx(exact.std(), rel=0.05)
    assert np.abs(drawn - exact).max() < 0.2 * exact.std() * 3


def test_a_pair_of_columns_is_taken_where_both_are_known() -> None:
    one = np.array([1.0, np.nan, 2.0, 3.0, 4.0])
    two = np.array([1.0, 2.0, np.nan, 4.0, 3.0])
    found = pair_tau(one, two)
    assert found.value == pytest.approx(1 / 3)
    assert found.influence[[1, 2]].tolist() == [0.0, 0.0]
    assert np.isnan(pair_tau(one, np.full(5, np.nan)).value)


def test_a_mean_of_taus_leaves_out_what_is_undefined() -> None:
    nothing = Tau(np.nan, np.zeros(2))
    found = mean_tau([Tau(0.5, np.array([1.0, -1.0])), nothing, Tau(0.1, np.zeros(2))])
    assert found.value == pytest.approx(0.3)
    assert found.influence.tolist() == [0.5, -0.5]
    assert np.isnan(mean_tau([nothing]).value)
    assert np.isnan(mean_tau([]).value)


def test_foreign_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="got NaN in 1 of 2"):
        kendall_tau([1.0, np.nan], [1.0, 2.0])
    with pytest.raises(ValueError, match="one shape"):
        kendall_tau([1.0], [1.0, 2.0])
