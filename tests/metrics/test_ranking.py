"""Ranks over tasks, their test, and statistics over seeds."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from bench.metrics.bootstrap import resample
from bench.metrics.ranking import (
    average_ranks,
    chi_square_tail,
    cliques,
    critical_difference,
    friedman,
    profile,
    signed_rank,
    studentised_range,
    trimmed_means,
)
from bench.metrics.regret import interquartile_mean


def test_ranks_share_their_mean_and_failures_come_last() -> None:
    ranks = average_ranks([[0.2, 0.1, 0.2, np.inf], [1, 1, 1, 1], [np.inf, 0, np.inf, 3]])
    assert ranks.tolist() == [[2.5, 1, 2.5, 4], [2.5] * 4, [3.5, 1, 3.5, 2]]
    values = np.random.default_rng(0).integers(0, 5, size=(40, 9)).astype(float)
    np.testing.assert_array_equal(average_ranks(values), stats.rankdata(values, axis=1))
    assert average_ranks(np.empty((0, 3))).shape == (0, 3)
    for wrong in ([[np.nan, 1.0]], [1.0, 2.0]):
        with pytest.raises(ValueError, match="wanted values of shape s x m without NaN"):
            average_ranks(wrong)


@pytest.mark.parametrize("seed", range(4))
def test_friedman_equals_scipy_with_and_without_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(8, 5)) + np.arange(5) / 3
    if seed % 2:
        values = values.round()
    expected = stats.friedmanchisquare(*values.T)
    found = friedman(values)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-10)


def test_friedman_of_what_cannot_be_told_apart() -> None:
    found = friedman(np.ones((4, 3)))
    assert np.isnan([found.statistic, found.p_value]).all()
    balanced = friedman([[1, 2], [2, 1]])
    assert (balanced.statistic, balanced.p_value) == (0.0, 1.0)
    for wrong in ([[1.0, 2.0]], [[1.0], [2.0]]):
        with pytest.raises(ValueError, match="at least 2 tasks and 2 searchers"):
            friedman(wrong)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 10, 29, 30])
def test_chi_square_tail_equals_scipy(degrees: int) -> None:
    for value in (0.0, 1e-9, 0.5, 3.0, degrees, 60.0, 500.0):
        expected = stats.chi2.sf(value, degrees)
        assert chi_square_tail(value, degrees) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("m", [2, 3, 5, 10, 30, 60])
def test_studentised_range_equals_scipy(m: int) -> None:
    for level in (0.9, 0.95):
        expected = stats.studentized_range.ppf(level, m, np.inf)
        assert studentised_range(m, level) == pytest.approx(expected, abs=1e-6)


def test_critical_difference_is_that_of_demsars_table() -> None:
    # Table 5 of Demsar (2006): q / sqrt(2) at 5 % for 2, 3, 4, 5 and 10 classifiers.
    for m, q in ((2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)):
        expected = q * np.sqrt(m * (m + 1) / (6 * 14))
        assert critical_difference(m, 14) == pytest.approx(expected, abs=1e-3)
    with pytest.raises(ValueError, match="at least one task, got 0"):
        critical_difference(3, 0)
    with pytest.raises(ValueError, match="wanted m >= 2"):
        critical_difference(1, 3)


def test_cliques_are_the_longest_runs() -> None:
    assert cliques([1, 2, 3, 4], 1.0) == [(0, 1), (1, 2), (2, 3)]
    assert cliques([1, 2, 3, 4], 3.0) == [(0, 3)]
    assert cliques([1, 2, 3, 4], 0.5) == []
    assert cliques([2, 2, 2, 5], 0.0) == [(0, 2)]
    assert cliques([], 1.0) == []
    with pytest.raises(ValueError, match="wanted ascending ranks"):
        cliques([2, 1], 1.0)


def brute_force(differences: list[float]) -> float:
    """Over all signs, how often the smaller sum of ranks is at most the one seen, two-sided."""
    values = np.array([d for d in differences if d])
    ranks = stats.rankdata(np.abs(values))
    signs = np.array(list(product([0, 1], repeat=len(ranks))))
    sums = signs @ ranks
    least = min(ranks[values > 0].sum(), ranks[values < 0].sum())
    return float(min(1.0, 2 * (sums <= least).mean()))


@pytest.mark.parametrize(
    "differences",
    [[1.0], [1, 2, 3, 4, 5], [1, -1, 2, 2, -3, 0, 0], [2, 2, 2, -2], [-0.5, 3, 3, 3, 7, 8, -8, 9]],
)
def test_signed_rank_counts_out_all_signs(differences: list[float]) -> None:
    assert signed_rank(differences) == pytest.approx(brute_force(differences), rel=1e-12)
    assert signed_rank([-d for d in differences]) == signed_rank(differences)


@pytest.mark.parametrize("n", [10, 30, 100])
def test_signed_rank_without_ties_equals_scipy(n: int) -> None:
    values = np.random.default_rng(n).normal(0.2, 1, n)
    expected = stats.wilcoxon(values, method="exact").pvalue
    assert signed_rank(values) == pytest.approx(expected, rel=1e-9)


def test_many_differences_have_the_normal_distribution() -> None:
    values = np.random.default_rng(3).normal(0.1, 1, 500).round(1)
    expected = stats.wilcoxon(values, method="approx", correction=False).pvalue
    assert signed_rank(values) == pytest.approx(expected, rel=1e-9)


def test_signed_rank_of_nothing_and_of_what_is_not_finite() -> None:
    assert np.isnan(signed_rank([]))
    assert np.isnan(signed_rank([0.0, 0.0]))
    with pytest.raises(ValueError, match="wanted finite differences"):
        signed_rank([1.0, np.inf])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 30])
def test_trimmed_means_are_mean_median_and_interquartile_mean_of_each_resample(n: int) -> None:
    rng = np.random.default_rng(n)
    values = rng.normal(size=(n, 4)).round(1)
    values[:, 3] = 2.5
    counts = resample(n, 20, rng)
    mean, median, middle = trimmed_means(values, counts, [0, (n - 1) // 2, n // 4])
    for one in range(20):
        drawn = np.repeat(values, counts[one], axis=0)
        np.testing.assert_allclose(mean[one], drawn.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(median[one], np.median(drawn, axis=0), atol=1e-12)
        np.testing.assert_allclose(middle[one], stats.trim_mean(drawn, 0.25), atol=1e-12)
    expected = interquartile_mean(values[:, 0], counts=counts)
    np.testing.assert_allclose(middle[:, 0], expected, atol=1e-12)


def test_trimmed_means_say_what_is_wrong() -> None:
    ones = np.ones((1, 2), dtype=np.int64)
    with pytest.raises(ValueError, match="wanted finite values of shape n x c"):
        trimmed_means([[np.nan], [1.0]], ones, [0])
    with pytest.raises(ValueError, match="wanted counts of shape r x 2 that add up to 2"):
        trimmed_means([[1.0], [2.0]], 2 * ones, [0])
    with pytest.raises(ValueError, match="wanted cuts from 0 to below half of 2"):
        trimmed_means([[1.0], [2.0]], ones, [1])


def test_a_profile_is_the_share_at_or_below() -> None:
    values = [0.0, 0.5, 0.5, np.inf]
    ones = np.ones((1, 4), dtype=np.int64)
    assert profile(values, [0.0, 0.4, 0.5, 9.0], ones).tolist() == [[0.25, 0.25, 0.75, 0.75]]
    counts = np.array([[4, 0, 0, 0], [0, 1, 1, 2]])
    assert profile(values, [0.0, 0.5], counts).tolist() == [[1, 1], [0, 0.5]]
