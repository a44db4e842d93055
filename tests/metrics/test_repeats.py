from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from bench.metrics.repeats import score_to_seed, seed_to_rest, seed_to_seed, spread


def table(a: int, s: int, between: float, within: float) -> np.ndarray:
    rng = np.random.default_rng(5)
    return 80 + between * rng.normal(size=(a, 1)) + within * rng.normal(size=(a, s))


def test_the_spread_is_what_accuracies_were_drawn_with() -> None:
    found = spread(table(4000, 3, between=2.0, within=1.5))
    assert found.architectures == 4000
    assert found.between == pytest.approx(4.0, rel=0.06)
    assert found.within == pytest.approx(2.25, rel=0.06)
    assert found.reliability == pytest.approx(4 / 6.25, rel=0.04)


def test_the_spread_of_equal_seeds_is_the_analysis_of_variance() -> None:
    values = table(7, 4, 1.0, 1.0)
    means = values.mean(axis=1)
    within = values.var(axis=1, ddof=1).mean()
    found = spread(values)
    assert found.within == pytest.approx(within)
    assert found.between == pytest.approx(means.var(ddof=1) - within / 4)
    f = (found.between + within / 4) * 4 / within
    assert f == pytest.approx(stats.f_oneway(*values).statistic)


def test_unequal_seeds_count_by_their_number() -> None:
    values = np.array([[1.0, 3.0, np.nan], [4.0, 5.0, 6.0], [9.0, np.nan, np.nan]])
    found = spread(values)  # the last row has one seed
    within = (2 * 1.0 + 2 * 1.0) / (5 - 2)
    middle = (2 * 2.0 + 3 * 5.0) / 5
    mean_square = 2 * (2 - middle) ** 2 + 3 * (5 - middle) ** 2
    seeds = 5 - (4 + 9) / 5
    assert found.architectures == 2
    assert found.within == pytest.approx(within)
    assert found.between == pytest.approx((mean_square - within) / seeds)


def test_a_spread_of_less_than_nothing_is_none_and_of_one_undefined() -> None:
    same_means = np.array([[1.0, 3.0], [3.0, 1.0]])
    assert spread(same_means).between == 0
    assert spread(same_means).reliability == 0
    assert np.isnan(spread(np.ones((3, 2))).reliability)
    one = spread(np.array([[1.0, 2.0]]))
    assert (one.architectures, one.within) == (1, 0.5)
    assert np.isnan(one.between)
    assert spread(np.array([[1.0], [2.0]])).architectures == 0


def test_ceilings_are_means_of_tau_over_seeds() -> None:
    values = table(60, 3, 1.0, 1.0)
    values[0, 1] = np.nan
    known = ~np.isnan(values)
    pairs = []
    for i, j in combinations(range(3), 2):
        rows = known[:, i] & known[:, j]
        pairs.append(stats.kendalltau(values[rows, i], values[rows, j]).statistic)
    assert seed_to_seed(values).value == pytest.approx(np.mean(pairs))
    rest = []
    for seed in range(3):
        others = np.delete(values, seed, axis=1).mean(axis=1)
        rows = known[:, seed] & ~np.isnan(others)
        rest.append(stats.kendalltau(values[rows, seed], others[rows]).statistic)
    assert seed_to_rest(values).value == pytest.approx(np.mean(rest))
    assert seed_to_rest(values).value > seed_to_seed(values).value
    score = values[:, 0].copy()
    score[3] = -np.inf
    taus = []
    for seed in range(3):
        rows = known[:, seed]
        taus.append(stats.kendalltau(np.maximum(score, -99)[rows], values[rows, seed]).statistic)
    assert score_to_seed(score, values).value == pytest.approx(np.mean(taus))


def test_one_seed_agrees_with_nobody() -> None:
    assert np.isnan(seed_to_seed(np.ones((3, 1))).value)
    assert np.isnan(seed_to_rest(np.arange(3.0)[:, None]).value)


def test_foreign_accuracies_are_refused() -> None:
    with pytest.raises(ValueError, match="1 infinite"):
        spread([[1.0, np.inf]])
    with pytest.raises(ValueError, match=r"\(2,\)"):
        seed_to_seed([1.0, 2.0])
