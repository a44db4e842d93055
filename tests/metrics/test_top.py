"""Measures of the head: ties by enumeration, sizes, and refusals."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.metrics.regret import regret_at_k
from bench.metrics.top import best_of_top_k, ndcg, precision_at_k, tied_at_k, top_overlap

tables = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=6)


def orders(score: np.ndarray) -> list[np.ndarray]:
    """Every way to rank the rows, best first, that respects the score."""
    rows = range(len(score))
    return [
        np.array(order) for order in permutations(rows) if (np.diff(score[list(order)]) <= 0).all()
    ]


@given(tables, st.data())
@settings(max_examples=60, deadline=None)
def test_ties_mean_every_order_is_equally_likely(
    rows: list[tuple[int, int]], data: st.DataObject
) -> None:
    score, truth = np.array(rows, dtype=float).T
    k = data.draw(st.integers(1, len(rows)))
    by_score, by_truth = orders(score), orders(truth)
    best = np.mean([truth[order[:k]].max() for order in by_score])
    assert best_of_top_k(score, truth, k) == pytest.approx(best, abs=1e-12)
    bound = np.sort(truth)[-k]
    right = np.mean([(truth[order[:k]] >= bound).mean() for order in by_score])
    assert precision_at_k(score, truth, k) == pytest.approx(right, abs=1e-12)
    head = np.mean([np.isin(np.arange(len(rows)), order[:k]) for order in by_score], axis=0)
    best_head = np.mean([np.isin(np.arange(len(rows)), order[:k]) for order in by_truth], axis=0)
    assert top_overlap(score, truth, k) == pytest.approx(head @ best_head / k, abs=1e-12)
    discount = 1 / np.log2(np.arange(k) + 2)
    ideal = np.sort(truth)[::-1][:k] @ discount
    gained = np.mean([truth[order[:k]] @ discount for order in by_score])
    expected = gained / ideal if ideal else np.nan
    assert ndcg(score, truth, k) == pytest.approx(expected, nan_ok=True, abs=1e-12)


def test_ndcg_written_out() -> None:
    gained = 3 / np.log2(2) + 1 / np.log2(3) + 2 / np.log2(4)
    ideal = 3 / np.log2(2) + 2 / np.log2(3) + 1 / np.log2(4)
    assert ndcg([9, 7, 8], [3, 2, 1]) == pytest.approx(gained / ideal, rel=1e-14)


def test_the_earlier_row_wins_by_order() -> None:
    score, truth = [1, 5, 5, 5], [9, 1, 3, 2]
    assert best_of_top_k(score, truth, 1, "order") == 1
    assert best_of_top_k(score, truth, 2, ties="order") == 3
    assert best_of_top_k(score, truth, 1) == pytest.approx(2)
    counts = np.array([[1, 2, 1, 1], [1, 0, 0, 1]])
    assert best_of_top_k(score, truth, 2, "order", counts=counts).tolist() == [1, 9]


HEADS = (precision_at_k, top_overlap, best_of_top_k, ndcg, regret_at_k)


@pytest.mark.parametrize("metric", HEADS)
@pytest.mark.parametrize("k", [1, 2, 3, 4, 0.25, 0.5, 0.75])
def test_a_head_that_reaches_failures_is_undefined(metric, k: float) -> None:
    """Two of four rows have a score: up to k = 2, all is as if the others scored lower."""
    score, truth = np.array([-np.inf, 2.0, -np.inf, 1.0]), np.array([9.0, 6.0, 2.0, 8.0])
    found = metric(score, truth, k)
    if k in (1, 2, 0.25, 0.5):
        assert found == metric(np.array([-5.0, 2.0, -5.0, 1.0]), truth, k)
        assert tied_at_k(score, k) == 1
    else:
        assert np.isnan(found)
        assert np.isnan(tied_at_k(score, k))


@pytest.mark.parametrize("metric", HEADS)
def test_nothing_is_said_of_a_score_that_always_failed(metric) -> None:
    """Before, the best of three failures was the best there is: 95, with no regret."""
    truth = np.array([95.0, 80.0, 70.0])
    for k in (1, 2, 3):
        assert np.isnan(metric(np.full(3, -np.inf), truth, k))
    assert np.isnan(best_of_top_k(np.full(3, -np.inf), truth, 3, "order"))
    assert np.isnan(ndcg(np.full(3, -np.inf), truth))


def test_each_resample_is_judged_by_its_own_failures() -> None:
    """The second resample draws the failure alone; the third holds enough copies of a score."""
    score, truth = [3.0, -np.inf, 1.0], [5.0, 9.0, 7.0]
    counts = np.array([[1, 1, 1], [0, 3, 0], [2, 1, 0], [1, 2, 0]])
    assert best_of_top_k(score, truth, 2, "order", counts=counts).tolist() == pytest.approx(
        [7, np.nan, 5, np.nan], nan_ok=True
    )
    assert regret_at_k(score, truth, 2, counts=counts).tolist() == pytest.approx(
        [2, np.nan, 4, np.nan], nan_ok=True
    )


def test_the_gain_of_a_whole_ranking_wants_every_row_scored() -> None:
    score, truth = [3.0, -np.inf, 1.0], [5.0, 9.0, 7.0]
    without = np.array([[1, 0, 1], [1, 1, 1]])
    expected = (5 + 7 / np.log2(3)) / (7 + 5 / np.log2(3))
    assert ndcg(score, truth, counts=without).tolist() == pytest.approx(
        [expected, np.nan], nan_ok=True
    )


def test_a_fraction_is_of_the_rows_of_each_resample() -> None:
    score = np.arange(20.0)
    counts = np.ones((2, 20), dtype=int)
    counts[1] *= 2
    assert tied_at_k(score, 0.1, counts=counts).tolist() == [1, 2]
    assert tied_at_k(score, 0.001) == tied_at_k(score, 1)
    assert best_of_top_k(score, -score, 0.1) == -18
    assert precision_at_k(score, -score, np.int64(15)) == pytest.approx(10 / 15)


@pytest.mark.parametrize("k", [0, -1, 5, 0.0, 1.0, 2.5, -0.5, True])
@pytest.mark.parametrize("metric", [precision_at_k, top_overlap, best_of_top_k, ndcg])
def test_a_k_that_means_nothing_is_refused(metric, k: float) -> None:
    with pytest.raises(ValueError, match="k must"):
        metric([1.0, 2, 3, 4], [1.0, 2, 3, 4], k)


def test_k_must_fit_every_resample() -> None:
    counts = np.array([[1, 1, 1], [1, 0, 0]])
    with pytest.raises(ValueError, match="between 1 and the 1 rows, got 2"):
        tied_at_k([1, 2, 3], 2, counts=counts)
    with pytest.raises(ValueError, match="without any"):
        tied_at_k([1, 2, 3], 0.5, counts=0 * counts)


def test_other_refusals() -> None:
    with pytest.raises(ValueError, match="truth must be finite"):
        best_of_top_k([1, 2], [1, np.inf], 1)
    with pytest.raises(ValueError, match=r"gains, got -1\.0"):
        ndcg([1, 2], [1, -1])
    with pytest.raises(ValueError, match="ties must be"):
        best_of_top_k([1, 2], [1, 2], 1, ties="random")


def test_the_hypergeometric_mean_holds_for_large_ties() -> None:
    """With no information, the mean best of k of n ranks 1..n is k (n + 1) / (k + 1)."""
    rows = 20_000
    truth = np.random.default_rng(0).permutation(rows) + 1.0
    for k in (1, 10, 1000, rows - 1, rows):
        expected = k * (rows + 1) / (k + 1)
        assert best_of_top_k(np.zeros(rows), truth, k) == pytest.approx(expected, rel=1e-9)
