"""Rank correlations: by their formulas, on hard input, and at the limits of exactness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.metrics import _pairs
from bench.metrics.rank import (
    failed,
    failures_last,
    kendall,
    kendall_top,
    partial_spearman,
    pearson,
    spearman,
    spearman_top,
    weighted_kendall,
)

small = st.integers(-3, 3)
table = st.lists(st.tuples(small, small, st.integers(0, 4)), min_size=1, max_size=30)


def tau_of_pairs(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    """Tau-b as the double sum over all pairs of rows."""
    signs_x, signs_y = np.sign(x[:, None] - x), np.sign(y[:, None] - y)
    pairs = np.outer(w, w)
    below = (pairs * signs_x**2).sum() * (pairs * signs_y**2).sum()
    return (pairs * signs_x * signs_y).sum() / np.sqrt(below) if below else np.nan


@given(table)
@settings(max_examples=150, deadline=None)
def test_kendall_is_the_double_sum(rows: list[tuple[int, int, int]]) -> None:
    x, y, w = np.array(rows, dtype=float).T
    found = kendall(x, y, counts=w.astype(int)[None])
    assert found == pytest.approx(tau_of_pairs(x, y, w), nan_ok=True, abs=1e-14)


@given(table)
@settings(max_examples=60, deadline=None)
def test_runs_of_any_size_give_the_same_sum(rows: list[tuple[int, int, int]]) -> None:
    x, y, w = np.array(rows, dtype=float).T
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_pairs, "SMALLEST_RUN", 1)
        found = kendall(x, y, counts=w.astype(int)[None])
    assert found == pytest.approx(tau_of_pairs(x, y, w), nan_ok=True, abs=1e-14)


@given(table)
@settings(max_examples=60, deadline=None)
def test_correlations_turn_with_the_score_and_stay_within_one(
    rows: list[tuple[int, int, int]],
) -> None:
    x, y, w = np.array(rows, dtype=float).T
    counts = w.astype(int)[None]
    for metric in (kendall, spearman, pearson):
        found = metric(x, y, counts=counts)
        np.testing.assert_allclose(metric(-x, y, counts=counts), -found, atol=1e-12)
        np.testing.assert_allclose(metric(y, x, counts=counts), found, atol=1e-12)
        assert np.isnan(found[0]) or abs(found[0]) <= 1 + 1e-12


@pytest.mark.parametrize("metric", [kendall, spearman, pearson, weighted_kendall])
def test_undefined_is_nan(metric) -> None:
    rising, flat = np.arange(4.0), np.full(4, 0.1)
    for columns in ((flat, rising), (rising, flat), (flat, flat), ([2.0], [3.0])):
        assert np.isnan(metric(*columns))
    counts = np.array([[0, 5, 0, 0], [0, 0, 0, 0], [2, 0, 1, 0]])
    assert np.isnan(metric(rising, rising, counts=counts)).tolist() == [True, True, False]
    assert metric(rising, rising) == pytest.approx(1.0, abs=1e-15)
    assert metric(rising, -rising) == pytest.approx(-1.0, abs=1e-15)


@pytest.mark.parametrize("metric", [kendall, spearman, weighted_kendall])
@pytest.mark.parametrize("scale", [1e-38, 1e38, 1e-300, 1e300])
def test_only_order_matters_to_ranks(metric, scale: float) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 60))
    assert metric(x * scale, np.exp(y)) == metric(x, y)


@pytest.mark.parametrize("scale", [1e-38, 1e38, 1e300, 1e-290])
def test_pearson_bears_any_scale(scale: float) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 60))
    assert pearson(x * scale, y) == pytest.approx(stats.pearsonr(x, y)[0], rel=1e-12)


def test_pearson_of_a_resample_without_the_outlier() -> None:
    rng = np.random.default_rng(0)
    x, y = 1e3 + rng.normal(size=(2, 30))
    x[0] = 1e38
    without = np.ones((1, 30), dtype=int)
    without[0, 0] = 0
    expected = stats.pearsonr(x[1:], y[1:])[0]
    assert pearson(x, y, counts=without)[0] == pytest.approx(expected, rel=1e-10)


def test_failures() -> None:
    score = np.array([1.0, np.nan, np.inf, -np.inf, -1e8, -1e9, 0.0])
    assert failed(score).tolist() == [False, True, True, True, True, False, False]
    last = failures_last(score)
    assert last.tolist() == [1.0, -np.inf, -np.inf, -np.inf, -np.inf, -1e9, 0.0]
    assert np.isnan(score[1]), "the caller's array is left alone"
    lowest = np.where(failed(score), -1e10, score)
    truth = np.array([5.0, 1.0, 4.0, 2.0, 2.0, 0.0, 3.0])
    assert kendall(last, truth) == kendall(lowest, truth)
    assert spearman(last, truth) == spearman(lowest, truth)


def test_heavy_counts_stay_exact() -> None:
    """Partial sums beyond 2^24 must not be rounded to float32."""
    rng = np.random.default_rng(1)
    x, y = np.round(rng.normal(size=(2, 300)), 1)
    counts = rng.integers(0, 60_001, size=(2, 300)).astype(np.uint16)
    for values, w in zip(kendall(x, y, counts=counts), counts.astype(float), strict=True):
        assert values == pytest.approx(tau_of_pairs(x, y, w), rel=1e-13)
    heavy = counts.astype(np.int64) * 1000
    np.testing.assert_allclose(
        kendall(x, y, counts=heavy), kendall(x, y, counts=counts), rtol=1e-12
    )


def test_one_tie_group_larger_than_a_run_beside_single_rows() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 3000))
    x[rng.random(3000) < 0.7] = 0.0
    y[rng.random(3000) < 0.5] = y.min()
    assert kendall(x, y) == pytest.approx(stats.kendalltau(x, y)[0], abs=1e-14)
    assert weighted_kendall(x, y) == pytest.approx(stats.weightedtau(y, x)[0], abs=1e-12)


def test_weighted_kendall_written_out() -> None:
    # Ranks by score 1 2 3, by truth 2 1 3; pairs (0, 1) -1, (0, 2) +1, (1, 2) +1.
    by_score = (-(1 + 1 / 2) + (1 + 1 / 3) + (1 / 2 + 1 / 3)) / (3 + 2 / 3)
    by_truth = (-(1 / 2 + 1) + (1 / 2 + 1 / 3) + (1 + 1 / 3)) / (3 + 2 / 3)
    found = weighted_kendall([3, 2, 1], [8, 9, 7])
    assert found == pytest.approx((by_score + by_truth) / 2, rel=1e-14)


@pytest.mark.parametrize("rows", [11, 21, 101, 1001])
def test_the_quantile_is_numpys_to_the_last_bit(rows: int) -> None:
    """At these sizes the 90 % quantile falls on a row, which must be kept."""
    rng = np.random.default_rng(rows)
    truth, score = rng.random((2, rows))
    best = truth >= np.percentile(truth, 90)
    assert best.sum() == rows // 10 + 1
    assert kendall_top(score, truth) == kendall(score[best], truth[best])
    assert spearman_top(score, truth) == spearman(score[best], truth[best])


@pytest.mark.parametrize("correlation", [kendall_top, spearman_top])
def test_a_failure_among_the_truly_best_leaves_no_correlation_of_them(correlation) -> None:
    """Eight of ten best failed, and the two others happen to be in order."""
    truth = np.arange(100.0)
    score = np.where(truth >= 90, -np.inf, truth)
    score[[98, 99]] = 1, 2
    assert np.isnan(correlation(score, truth))
    scored = np.where(np.isneginf(score), 0.0, score)
    assert correlation(scored, truth) > 0.4, "what it would have seemed"
    worst = np.where(truth < 50, -np.inf, truth)
    assert correlation(worst, truth) == pytest.approx(1)
    counts = np.ones((2, 100), dtype=int)
    counts[1, 90:98] = 0
    counts[1, 98:] = 5
    # Without the failures, the best tenth is five copies of each of two rows in order.
    assert correlation(score, truth, counts=counts).tolist() == pytest.approx(
        [np.nan, 1], nan_ok=True
    )


def test_top_correlations_refuse_what_they_cannot_do() -> None:
    for fraction in (0.0, 1.0, -0.1, 10):
        with pytest.raises(ValueError, match="fraction must lie between 0 and 1"):
            kendall_top([1, 2], [1, 2], fraction)
    with pytest.raises(ValueError, match="truth must be finite"):
        spearman_top([1, 2], [-np.inf, 2])
    assert np.isnan(kendall_top([1.0, 2.0], [1.0, 2.0], counts=np.zeros((1, 2), int)))


def test_partial_spearman_with_nothing_left_over() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 50))
    assert np.isnan(partial_spearman(x, y, np.exp(x)))
    assert np.isnan(partial_spearman(x, y, -y))
    assert np.isnan(partial_spearman(x, y, np.zeros(50)))
    assert partial_spearman(x, x, y) == pytest.approx(1.0, abs=1e-12)
