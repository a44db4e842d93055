"""Resamples and intervals: what is drawn, and what is made of it."""

from __future__ import annotations

import numpy as np
import pytest

from bench.metrics.bootstrap import (
    Estimate,
    bootstrap,
    estimate,
    interval,
    resample,
    resample_parts,
)
from bench.metrics.rank import kendall, kendall_top, spearman
from bench.metrics.regret import mean
from bench.metrics.top import best_of_top_k


def test_a_resample_draws_n_of_n_rows_uniformly() -> None:
    counts = resample(50, 4000, np.random.default_rng(0))
    assert counts.shape == (4000, 50)
    assert counts.dtype == np.uint16
    assert (counts.sum(axis=1) == 50).all()
    # A count is binomial(50, 1/50): mean 1, variance 0.98; 4000 of them a row.
    assert abs(counts.mean(axis=0) - 1).max() < 5 * np.sqrt(0.98 / 4000)
    assert counts.var() == pytest.approx(0.98, abs=0.02)


def test_counts_fit_their_type() -> None:
    assert resample(65_535, 1, np.random.default_rng(0)).dtype == np.uint16
    assert resample(65_536, 1, np.random.default_rng(0)).dtype == np.uint32
    assert resample(1, 2, np.random.default_rng(0)).tolist() == [[1], [1]]


def test_the_same_seed_draws_the_same_whole_or_in_parts() -> None:
    whole = resample(30, 20, np.random.default_rng(7))
    parts = list(resample_parts(30, 20, np.random.default_rng(7), bytes_at_once=60 * 6))
    assert [len(part) for part in parts] == [6, 6, 6, 2]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert (resample(30, 20, np.random.default_rng(8)) != whole).any()
    for rows, resamples in ((0, 5), (5, -1)):
        with pytest.raises(ValueError, match="wanted n >= 1 rows"):
            resample(rows, resamples, np.random.default_rng(0))


def test_groups_are_drawn_whole_as_many_as_there_are() -> None:
    groups = np.array([7, 3, 7, 7, 5, 3])
    counts = resample(6, 500, np.random.default_rng(1), groups)
    assert counts.shape == (500, 6)
    np.testing.assert_array_equal(counts[:, [0, 0, 1]], counts[:, [2, 3, 5]])
    assert (counts[:, [0, 1, 4]].sum(axis=1) == 3).all()
    assert len(np.unique(counts.sum(axis=1))) > 1


def test_groups_of_one_are_rows() -> None:
    plain = resample(40, 9, np.random.default_rng(2))
    alone = resample(40, 9, np.random.default_rng(2), np.arange(40) + 11)
    np.testing.assert_array_equal(alone, plain)
    assert resample(3, 0, np.random.default_rng(0), [0, 0, 1]).shape == (0, 3)
    with pytest.raises(ValueError, match=r"wanted groups of shape \(4,\), got \(3,\)"):
        resample(4, 1, np.random.default_rng(0), [0, 0, 1])
    with pytest.raises(ValueError, match="wanted n >= 1 rows"):
        resample(0, 1, np.random.default_rng(0), [])


def test_interval() -> None:
    values = np.random.default_rng(0).permutation(101.0 * np.ones(101)).cumsum()
    assert interval(values, 0.9) == pytest.approx(tuple(np.quantile(values, [0.05, 0.95])))
    assert interval([1.0, np.nan, 3.0], 0.5) == (1.5, 2.5)
    assert all(np.isnan(interval([np.nan, np.nan])))
    assert all(np.isnan(interval([])))
    for level in (0.0, 1.0, 95):
        with pytest.raises(ValueError, match="a level in"):
            interval(values, level)
    with pytest.raises(ValueError, match=r"got \(1, 101\)"):
        interval(values[None])


def test_bootstrap_is_an_estimate_over_resamples_of_its_own() -> None:
    rng = np.random.default_rng(1)
    score = rng.normal(size=80)
    truth = score + rng.normal(size=80)
    counts = resample(80, 200, np.random.default_rng(2))
    found = bootstrap(kendall, score, truth, resamples=200, rng=np.random.default_rng(2))
    assert found == estimate(kendall, score, truth, counts=counts)
    low, high = np.quantile(kendall(score, truth, counts=counts), [0.025, 0.975])
    assert found == Estimate(
        kendall(score, truth), pytest.approx(low), pytest.approx(high), undefined=0
    )
    assert low < found.value < high
    narrower = estimate(kendall, score, truth, counts=counts, level=0.5)
    assert low < narrower.low < narrower.high < high


def test_options_reach_the_metric() -> None:
    rng = np.random.default_rng(3)
    score, truth = rng.normal(size=(2, 60))
    counts = resample(60, 50, rng)
    found = estimate(best_of_top_k, score, truth, counts=counts, k=7, ties="order")
    assert found.value == best_of_top_k(score, truth, 7, "order")
    top = bootstrap(kendall_top, score, truth, rng=rng, resamples=20, fraction=0.5)
    assert top.value == kendall_top(score, truth, 0.5)


def test_undefined_resamples_are_counted_and_left_out() -> None:
    counts = np.array([[2, 0, 0], [1, 1, 0], [0, 2, 1], [0, 0, 3]])
    found = estimate(spearman, [1.0, 2, 3], [1.0, 2, 3], counts=counts)
    assert found.undefined == 2
    assert (found.low, found.high) == pytest.approx((1.0, 1.0))
    nothing = bootstrap(spearman, [1.0], [2.0], rng=np.random.default_rng(0), resamples=5)
    assert nothing.undefined == 5
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()


def test_the_interval_of_a_mean_covers_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(300):
        one = bootstrap(mean, rng.normal(size=60), resamples=200, rng=rng, level=0.9)
        covered += one.low <= 0 <= one.high
    # Binomial(300, 0.9), less a little for the small sample: 255 to 285 is 3 standard deviations.
    assert 250 <= covered <= 285
