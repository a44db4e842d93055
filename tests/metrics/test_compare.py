"""Comparisons of proxies: differences, p-values and their adjustment."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.metrics.bootstrap import Estimate, resample
from bench.metrics.compare import Comparison, holm, noise_ceiling, paired, summarise
from bench.metrics.rank import kendall, spearman
from bench.metrics.top import best_of_top_k


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=120)
    good, bad = truth + 0.3 * rng.normal(size=120), truth + 3 * rng.normal(size=120)
    return good, bad, truth, resample(120, 300, rng)


def test_a_better_proxy_is_found_better(rows) -> None:
    good, bad, truth, counts = rows
    found = paired(kendall, good, bad, truth, counts)
    assert found.difference == kendall(good, truth) - kendall(bad, truth)
    differences = kendall(good, truth, counts=counts) - kendall(bad, truth, counts=counts)
    expected = np.quantile(differences, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert (differences > 0).all()
    # No resample reaches zero: the normal tail, far below what 300 of them can count.
    z = found.difference / differences.std(ddof=1)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(z))
    assert found.p_value < 2 / 301
    turned = paired(kendall, bad, good, truth, counts)
    assert turned.p_value == found.p_value
    assert (turned.difference, turned.low, turned.high) == pytest.approx(
        (-found.difference, -found.high, -found.low)
    )


def test_a_proxy_does_not_differ_from_itself(rows) -> None:
    good, _, truth, counts = rows
    assert paired(spearman, good, np.exp(good), truth, counts) == Comparison(0, 0, 0, 1.0, 0)


def test_sharing_resamples_narrows_the_difference(rows) -> None:
    good, _, truth, counts = rows
    near = good + 0.05 * np.random.default_rng(1).normal(size=120)
    shared = paired(kendall, good, near, truth, counts)
    apart = kendall(good, truth, counts=counts) - kendall(near, truth, counts=counts[::-1])
    low, high = np.quantile(apart, [0.025, 0.975])
    assert shared.high - shared.low < (high - low) / 2


def test_undefined_differences_are_left_out() -> None:
    counts = np.array([[1, 1, 1], [3, 0, 0], [1, 2, 0]])
    found = paired(kendall, [1, 2, 3], [3, 2, 1], [1, 2, 3], counts)
    assert found == Comparison(2, 2, 2, pytest.approx(2 / 3), 1)
    never = paired(kendall, [1, 2, 3], [3, 2, 1], [1, 2, 3], counts[1:2])
    assert np.isnan([never.low, never.high, never.p_value]).all()


def test_options_reach_the_metric(rows) -> None:
    good, bad, truth, counts = rows
    found = paired(best_of_top_k, good, bad, truth, counts, k=3, ties="order", level=0.5)
    expected = best_of_top_k(good, truth, 3, "order") - best_of_top_k(bad, truth, 3, "order")
    assert found.difference == expected


def test_a_p_value_is_counted_where_resamples_reach_zero_and_never_above_the_count() -> None:
    few = np.array([1.0, 2.0, 3.0, 4.0])
    assert summarise(2.5, np.append(few, 0.0)).p_value == pytest.approx(4 / 6)
    # Four resamples, of deviation 1.29: the tail beyond 0.2 would be .88.
    assert summarise(0.2, few).p_value == pytest.approx(2 / 5)
    assert summarise(5.0, few).p_value == pytest.approx(2 * stats.norm.sf(5 / few.std(ddof=1)))
    assert summarise(-5.0, -few).p_value == summarise(5.0, few).p_value
    assert summarise(1.0, np.ones(9)).p_value == pytest.approx(2 / 10)
    assert summarise(1.0, np.ones(1)).p_value == 1.0


def test_chance_is_rarely_called_a_difference() -> None:
    rng = np.random.default_rng(2)
    called = 0
    for _ in range(150):
        truth, one, two = rng.normal(size=(3, 80))
        called += paired(kendall, one, two, truth, resample(80, 199, rng)).p_value <= 0.05
    # Binomial(150, 0.05) has mean 7.5 and standard deviation 2.7.
    assert called <= 17


def test_holm_written_out() -> None:
    # Sorted .01 .02 .03 .04 times 4 3 2 1 is .04 .06 .06 .04, and may not fall.
    np.testing.assert_allclose(holm([0.04, 0.01, 0.03, 0.02]), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.5, np.nan, 0.6]), [1.0, np.nan, 1.0])
    assert holm([]).shape == (0,)
    for wrong in ([1.1], [-0.1], [[0.1]]):
        with pytest.raises(ValueError, match="wanted p-values"):
            holm(wrong)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_never_lowers(values: list[float]) -> None:
    adjusted = holm(values)
    assert (adjusted >= values).all()
    assert (np.diff(adjusted[np.argsort(values, kind="stable")]) >= 0).all()
    assert adjusted[int(np.argmin(values))] == min(1.0, min(values) * len(values))


def test_noise_ceiling_is_kendall_of_two_accuracies(rows) -> None:
    good, _, truth, counts = rows
    found = noise_ceiling(good, truth, counts)
    assert isinstance(found, Estimate)
    assert found.value == kendall(good, truth)
    assert found.low < found.value < found.high
