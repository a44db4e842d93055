"""Regret of rankings and of searches."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.metrics.regret import (
    anytime_regret,
    interquartile_mean,
    mean,
    regret_at_k,
    running_best,
)


def test_regret_of_a_ranking() -> None:
    score, truth = [4, 3, 2, 1], [70.0, 90.0, 80.0, 95.0]
    assert [regret_at_k(score, truth, k) for k in (1, 2, 3, 4)] == [25, 5, 5, 0]
    # Without the last row the optimum of the resample is 90.
    counts = np.array([[1, 1, 1, 0], [0, 0, 2, 1]])
    assert regret_at_k(score, truth, 1, counts=counts).tolist() == [20, 15]
    assert regret_at_k([1, 1, 0], [70, 90, 95], 1) == pytest.approx(15)
    assert regret_at_k([1, 1, 0], [70, 90, 95], 1, ties="order") == 25


def test_anytime_regret_never_grows() -> None:
    trace = np.array([[1.0, 3.0, 2.0, 5.0], [np.nan, 4.0, np.nan, 1.0]])
    np.testing.assert_array_equal(running_best(trace), [[1, 3, 3, 5], [np.nan, 4, 4, 4]])
    np.testing.assert_array_equal(anytime_regret(trace, 6.0), [[5, 3, 3, 1], [np.nan, 2, 2, 2]])
    np.testing.assert_array_equal(anytime_regret(trace[0], 5.0), [4, 2, 2, 0])
    long = np.random.default_rng(0).normal(size=(5, 200))
    regret = anytime_regret(long, long.max())
    assert (np.diff(regret) <= 0).all()
    assert regret.min() == 0
    np.testing.assert_allclose(regret[:, -1], long.max() - long.max(axis=1))


@pytest.mark.parametrize("seeds", [1, 2, 3, 4, 5, 7, 8, 30])
def test_means_of_seeds(seeds: int) -> None:
    values = np.random.default_rng(seeds).normal(size=seeds)
    assert mean(values) == pytest.approx(values.mean(), rel=1e-12)
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25), rel=1e-12)


def test_interquartile_mean_ignores_outliers() -> None:
    assert interquartile_mean([1e300, 1, 2, -1e300]) == 1.5
