"""Intervals: the formulas written out, where there is none, and how often they cover."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.base import Floats
from bench.metrics.bootstrap import interval, resample
from bench.metrics.influence import kendall_tau
from bench.metrics.intervals import (
    FEWEST,
    FEWEST_SEEDS,
    MANY,
    Redrawn,
    effective_number,
    mean_interval,
    redraw,
    stratified_interval,
    t_interval,
    tau_error,
    tau_interval,
)
from bench.metrics.rank import kendall, spearman


def test_few_rows_are_left_out_one_at_a_time_and_many_are_resampled() -> None:
    few = redraw(MANY - 1, 7, np.random.default_rng(0))
    assert few.left_out
    np.testing.assert_array_equal(few.counts, 1 - np.eye(MANY - 1, dtype=int))
    many = redraw(MANY, 7, np.random.default_rng(0))
    assert not many.left_out
    np.testing.assert_array_equal(many.counts, resample(MANY, 7, np.random.default_rng(0)))
    assert redraw(0, 7, np.random.default_rng(0)).counts.shape == (7, 0)
    assert redraw(5, 0, np.random.default_rng(0)).counts.shape == (0, 5)


def test_groups_are_left_out_whole_and_count_by_their_sizes() -> None:
    groups = np.array([7, 3, 7, 7, 5, 3])
    found = redraw(6, 100, np.random.default_rng(0), groups)
    assert found.counts.tolist() == [[1, 0, 1, 1, 1, 0], [1, 1, 1, 1, 0, 1], [0, 1, 0, 0, 1, 1]]
    assert effective_number(groups) == pytest.approx(36 / 14)
    assert found.units() == pytest.approx(36 / 14)
    assert found.units(np.array([True, True, False, False, True, False])) == 3
    with pytest.raises(ValueError, match=r"wanted groups of shape \(4,\), got \(3,\)"):
        redraw(4, 1, np.random.default_rng(0), [0, 0, 1])


def test_many_groups_that_count_as_few_are_left_out_several_at_a_time() -> None:
    groups = np.concatenate([np.zeros(5000, dtype=int), np.arange(1, 1001)])
    found = redraw(6000, 300, np.random.default_rng(0), groups)
    assert found.left_out
    assert found.counts.shape == (300, 6000)
    assert ((found.counts == 0).sum(axis=0) == 1).all()  # each row is left out once
    assert (found.counts[:, 0] == found.counts[:, 4999]).all()


def test_student_s_interval_on_each_scale() -> None:
    reach = 0.1 * stats.t.ppf(0.975, 29)
    assert t_interval(0.5, 0.1, 30) == pytest.approx((0.5 - reach, 0.5 + reach))
    turned = reach / (1 - 0.25)
    ends = np.tanh(np.arctanh(0.5) - turned), np.tanh(np.arctanh(0.5) + turned)
    assert t_interval(0.5, 0.1, 30, "correlation") == pytest.approx(ends)
    # Of a tau, half of twice the variance of single pairs is taken off the error.
    square = (0.1**2 + 0.1**2 * 28 / 27 - 2 * 0.75 / (28 * 27)) / 2
    turned *= np.sqrt(square) / 0.1
    ends = np.tanh(np.arctanh(0.5) - turned), np.tanh(np.arctanh(0.5) + turned)
    assert t_interval(0.5, 0.1, 30, "tau") == pytest.approx(ends)
    low, high = t_interval(0.9, 0.001, 30, "tau")  # never below half of the square
    turned = np.sqrt(0.5) * reach / 100 / (1 - 0.81)
    middle = np.arctanh(0.9)
    ends = np.tanh(middle - turned), np.tanh(middle + turned)
    assert (low, high) == pytest.approx(ends)
    assert np.isnan(t_interval(1.0, 0.1, 30, "tau")).all()
    for value, error, units in ((0.5, 0.1, FEWEST - 1), (np.nan, 0.1, 30), (0.5, np.nan, 30)):
        assert np.isnan(t_interval(value, error, units)).all()
    assert t_interval(1.0, 0.0, 30, "correlation") == (1.0, 1.0)


def test_the_error_of_a_tau_is_that_of_leaving_out_each_row() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 40))
    left = np.array([kendall(np.delete(x, i), np.delete(y, i)) for i in range(40)])
    expected = np.sqrt(39 / 40 * ((left - left.mean()) ** 2).sum())
    every = np.ones(40, dtype=bool)
    tau = kendall_tau(x, y)
    assert tau_error(tau.influence, every) == pytest.approx(expected, rel=1e-10)
    ends = t_interval(tau.value, expected, 40, "tau")
    assert tau_interval(tau.value, tau.influence, every) == pytest.approx(ends)
    # Each row three times, as one group, is each row once.
    thrice = kendall_tau(np.repeat(x, 3), np.repeat(y, 3))
    groups = np.repeat(np.arange(40), 3)
    grouped = tau_error(thrice.influence, np.ones(120, dtype=bool), groups)
    assert grouped == pytest.approx(expected, rel=0.01)
    assert tau_error(thrice.influence, np.ones(120, dtype=bool)) < 0.65 * expected
    assert np.isnan(tau_error(np.zeros(2), np.ones(2, dtype=bool)))


def test_what_was_resampled_has_the_percentile_interval_from_a_hundred_rows_on() -> None:
    rng = np.random.default_rng(2)
    drawn = rng.normal(size=500)
    many = Redrawn(np.ones((500, 300), dtype=np.uint16), left_out=False)
    assert many.interval(0.0, drawn) == interval(drawn)
    part = np.arange(300) < 99
    assert np.isnan(many.interval(0.0, drawn, part)).all()
    assert np.isnan(many.p_value(0.3, drawn, part))
    assert many.interval(0.0, drawn, np.arange(300) < 100) == interval(drawn)


def test_the_p_value_is_below_a_twentieth_where_the_interval_excludes_zero() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(size=60)
    one, two = (truth + scale * rng.normal(size=60) for scale in (0.5, 1.0))
    few = redraw(60, 10, rng)
    value = kendall(one, truth) - kendall(two, truth)
    drawn = kendall(one, truth, counts=few.counts) - kendall(two, truth, counts=few.counts)
    low, high = few.interval(value, drawn)
    error = (high - low) / 2 / stats.t.ppf(0.975, 59)
    assert few.p_value(value, drawn) == pytest.approx(2 * stats.t.sf(abs(value) / error, 59))
    for p in (0.04, 0.06):
        moved = stats.t.isf(p / 2, 59) * error
        assert few.p_value(moved, drawn) == pytest.approx(p)
        low, _ = few.interval(moved, drawn)
        assert (low > 0) == (p < 0.05)
    assert few.p_value(0.0, np.zeros(60)) == 1.0


def test_the_interval_of_a_mean_is_student_s_or_wider() -> None:
    even = np.array([-3.0, -2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2, 3])
    low, high = mean_interval(even[:, None])
    reach = stats.t.ppf(0.975, 9) * stats.sem(even)
    assert (low[0], high[0]) == pytest.approx((-reach, reach))
    skewed = np.array([0.0, 0, 0.1, 0.1, 0.2, 0.3, 0.4, 0.6, 1.5, 4.0])
    low, high = mean_interval(skewed[:, None])
    mean, deviation, size = skewed.mean(), skewed.std(ddof=1), 10
    g = stats.skew(skewed)
    ends = []
    for quantile in stats.t.ppf([0.975, 0.025], size - 1):
        # The x = t / sqrt(s) whose transform is the quantile's, by the roots of the cubic.
        cubic = [g**2 / 27, g / 3, 1.0, g / (6 * size) - quantile / np.sqrt(size)]
        (root,) = (x.real for x in np.roots(cubic) if abs(x.imag) < 1e-9)
        ends.append(mean - deviation * root)
    reach = stats.t.ppf(0.975, size - 1) * deviation / np.sqrt(size)
    assert ends[1] > mean + reach
    assert (low[0], high[0]) == pytest.approx((min(ends[0], mean - reach), ends[1]))


def test_seeds_that_are_few_or_hardly_vary_have_no_interval() -> None:
    values = np.arange(float(FEWEST_SEEDS))
    columns = np.column_stack(
        [
            values,
            np.ones(FEWEST_SEEDS),
            np.append(values[:-1] * 0, 5.0),
            np.append(values[:-2] * 0, [5.0, 6.0]),
            np.append(values[:-1], np.nan),
        ]
    )
    low, high = mean_interval(columns)
    assert np.isnan(low).tolist() == [False, True, True, False, True]
    assert np.isnan(high).tolist() == np.isnan(low).tolist()
    assert np.isnan(mean_interval(columns[1:])).all()
    assert np.shape(mean_interval(np.empty((0, 3)))) == (2, 3)
    with pytest.raises(ValueError, match="wanted values of shape s x t"):
        mean_interval(values)


def test_means_of_strata_have_welch_s_degrees_of_freedom() -> None:
    rng = np.random.default_rng(4)
    one, two = rng.normal(size=(12, 2)), 3 * rng.normal(size=(7, 2))
    low, high = stratified_interval([one, two])
    for column in range(2):
        # The mean of both means is half of a difference, of which Welch's is the test.
        found = stats.ttest_ind(one[:, column], -two[:, column], equal_var=False)
        ends = found.confidence_interval(0.95)
        assert (low[column], high[column]) == pytest.approx((ends.low / 2, ends.high / 2))
    (low,), (high,) = stratified_interval([one[:, :1]])
    ends = stats.ttest_1samp(one[:, 0], 0.0).confidence_interval(0.95)
    assert (low, high) == pytest.approx(tuple(ends))
    for nothing in ([one[:4], two[:5]], [one, two[:1]], [np.ones((12, 1))]):
        assert np.isnan(stratified_interval(nothing)).all()


def held(low: Floats, value: float, high: Floats) -> float:
    shown = ~np.isnan(low)
    return float(((low <= value) & (value <= high))[shown].mean())


@pytest.mark.parametrize("seeds", [10, 30])
def test_means_of_regrets_are_covered(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    size = (seeds, 8000)
    half = rng.exponential(size=size) * (rng.random(size) < 0.5)
    for values, mean in (
        (rng.normal(size=size), 0.0),
        (rng.exponential(size=size), 1.0),
        (half, 0.5),
        (rng.exponential(size=size) - rng.exponential(size=size), 0.0),
    ):
        low, high = mean_interval(values)
        # .93 to .97, and three standard deviations of 8,000 simulations.
        assert 0.93 - 0.008 < held(low, mean, high) < 0.97 + 0.006


def correlated(tau: float, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    rho = np.sin(np.pi * tau / 2)
    score = rng.normal(size=n)
    return score, np.round(rho * score + np.sqrt(1 - rho**2) * rng.normal(size=n), 2)


@pytest.mark.parametrize("tau", [0.0, 0.5, 0.9])
def test_correlations_of_thirty_rows_are_covered(tau: float) -> None:
    rng = np.random.default_rng(int(10 * tau))
    rho = 6 / np.pi * np.arcsin(np.sin(np.pi * tau / 2) / 2)  # of a normal pair
    taus, rhos = [], []
    for _ in range(600):
        x, y = correlated(tau, 30, rng)
        few = redraw(30, 1, rng)
        found = kendall_tau(x, y)
        taus.append(tau_interval(found.value, found.influence, np.ones(30, dtype=bool)))
        drawn = spearman(x, y, counts=few.counts)
        rhos.append(few.interval(spearman(x, y), drawn, scale="correlation"))
    # .93 to .97, and three standard deviations of 600 simulations.
    assert 0.93 - 0.03 < held(*_columns(taus, tau)) < 0.97 + 0.02
    assert 0.93 - 0.03 < held(*_columns(rhos, rho)) < 0.97 + 0.02


def _columns(ends: list[tuple[float, float]], value: float) -> tuple[Floats, float, Floats]:
    low, high = np.array(ends).T
    return low, value, high
