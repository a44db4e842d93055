"""The models: what they learn, what they make of missing values, and how they fail."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from scipy import stats

from bench.base import Floats, OptionError
from bench.searchers._models import Boosting, Forest, GaussianProcess, library, normal_scores
from bench.searchers.gaussian_process import expected_improvement

ROWS = np.random.default_rng(0).uniform(-1, 1, size=(300, 4))
TRUTH = 3 * ROWS[:, 0] - ROWS[:, 1] ** 2


def test_normal_scores_are_the_quantiles_of_mean_ranks() -> None:
    values = np.array([5.0, -1e30, 5.0, 7.0, 1e30, 2.0])
    expected = stats.norm.ppf((stats.rankdata(values) - 0.5) / 6)
    np.testing.assert_allclose(normal_scores(values), expected, rtol=1e-12)
    np.testing.assert_allclose(normal_scores(np.ones(9)), np.zeros(9), atol=1e-15)


@pytest.mark.parametrize("make", [Forest, Boosting])
def test_trees_rank_what_they_did_not_see(make: type[Forest] | type[Boosting]) -> None:
    model = make(np.random.default_rng(0))
    model.fit(ROWS[:200], TRUTH[:200])
    tau = stats.kendalltau(model.predict(ROWS[200:]), TRUTH[200:]).statistic
    assert tau > 0.75


@pytest.mark.parametrize("make", [Forest, Boosting])
def test_trees_take_missing_values(make: type[Forest] | type[Boosting]) -> None:
    """In what is predicted alone, and in what is learned from too."""
    holes = ROWS.copy()
    holes[::2, 2:] = np.nan
    for learned in (ROWS, holes):
        model = make(np.random.default_rng(0))
        model.fit(learned[:200], TRUTH[:200])
        found = model.predict(holes[200:])
        assert stats.kendalltau(found, TRUTH[200:]).statistic > 0.7


@pytest.mark.parametrize("make", [Forest, Boosting])
def test_trees_follow_their_generator(make: type[Forest] | type[Boosting]) -> None:
    def predicted(seed: int) -> Floats:
        model = make(np.random.default_rng(seed))
        model.fit(ROWS[:50], TRUTH[:50])
        return model.predict(ROWS)

    np.testing.assert_array_equal(predicted(1), predicted(1))
    assert (predicted(1) != predicted(2)).any()


def test_a_forest_spreads_least_where_it_knows() -> None:
    model = Forest(np.random.default_rng(0))
    model.fit(ROWS[:200], TRUTH[:200])
    mean, deviation = model.spread(ROWS)
    np.testing.assert_allclose(mean, model.predict(ROWS), atol=1e-6)
    assert deviation[:200].mean() < deviation[200:].mean()


def test_a_gaussian_process_interpolates_and_is_unsure_elsewhere() -> None:
    model = GaussianProcess(ROWS)
    mean, deviation = model.predict(list(range(60)), TRUTH[:60])
    np.testing.assert_allclose(mean[:60], TRUTH[:60], atol=0.3)
    assert stats.kendalltau(mean[60:], TRUTH[60:]).statistic > 0.8
    assert deviation[:60].max() < np.median(deviation[60:])


def test_a_gaussian_process_answers_in_the_units_of_the_values() -> None:
    places = list(range(40))
    mean, deviation = GaussianProcess(ROWS).predict(places, TRUTH[:40])
    far, wide = GaussianProcess(ROWS).predict(places, 100 + 8 * TRUTH[:40])
    np.testing.assert_allclose(far, 100 + 8 * mean, rtol=1e-5)
    np.testing.assert_allclose(wide, 8 * deviation, rtol=1e-4)


@pytest.mark.parametrize("rows", [np.ones((5, 3)), np.zeros((1, 2)), ROWS[:5]])
def test_a_gaussian_process_of_constants_is_finite(rows: Floats) -> None:
    mean, deviation = GaussianProcess(rows).predict([0], np.array([70.0]))
    assert np.isfinite(mean).all()
    assert np.isfinite(deviation).all()
    np.testing.assert_allclose(mean, 70.0)


def test_expected_improvement_is_the_integral() -> None:
    mean, deviation, best = np.array([0.0, 2.0, -3.0]), np.array([1.0, 0.5, 2.0]), 1.0
    draws = np.linspace(-12, 12, 200_001)
    expected = [
        np.trapezoid(np.maximum(draws - best, 0) * stats.norm.pdf(draws, m, s), draws)
        for m, s in zip(mean, deviation, strict=True)
    ]
    np.testing.assert_allclose(expected_improvement(mean, deviation, best), expected, rtol=1e-4)
    sure = expected_improvement(np.array([3.0, 0.0]), np.zeros(2), best)
    np.testing.assert_allclose(sure, [2.0, 0.0])


def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(OptionError, match=r"needs sklearn.ensemble.*ipl-bench\[searchers\]"):
        Forest(np.random.default_rng(0))
    assert library("math", "arithmetic") is math


def test_torch_comes_with_another_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(OptionError, match=r"needs torch.*ipl-bench\[searchers,ipl\]"):
        library("torch", "optuna-gp", "searchers,ipl")
