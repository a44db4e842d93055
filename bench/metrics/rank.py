"""Rank correlations of a score with the truth, plain or for many resamples at once.

All of them order the rows and nothing more, except `pearson`; -inf is an ordinary lowest value, so
a table with failures is measured with `failures_last(score)`. Each takes `counts` (see `_counts`)
and is undefined, NaN, where the formula divides by zero: when a column is constant in the table
or resample, one row (drawn however often) included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bench.metrics._counts import Metric, finite, metric, ratio
from bench.metrics._pairs import sign_sums
from bench.metrics.draws import Bools, Column, Draws, Floats, Indices, cumulated, dot, steps

SENTINEL = -1e8
"""What NAS-Bench-Suite-Zero writes for a proxy that failed."""
WELL_SPREAD = 1e-3
"""The least share of a column's squares that must be spread about its mean, for moments to do."""


def failed(score: ArrayLike) -> Bools:
    """Which of `n` scores are failures: not finite, or the sentinel -1e8."""
    values = np.asarray(score, dtype=np.float64)
    wrong: Bools = ~np.isfinite(values) | (values == SENTINEL)
    return wrong


def failures_last(score: ArrayLike) -> Floats:
    """The `n` scores with -inf for every failure: tied with each other, behind all others."""
    values = np.asarray(score, dtype=np.float64)
    return np.where(failed(values), -np.inf, values)


@metric(columns=2)
def kendall(score: Column, truth: Column) -> Floats:
    """Kendall's tau-b, which allows for ties in both columns (M. G. Kendall, 1945).

    tau = sum_ij sgn(x_i - x_j) sgn(y_i - y_j) / sqrt(pairs untied in x * pairs untied in y).
    """
    above = dot(score.draws.lanes, sign_sums(score, truth))
    untied_x, untied_y = (one.draws.totals**2 - one.power_sums(2) for one in (score, truth))
    return ratio(above, np.sqrt(untied_x * untied_y))


@metric(columns=2)
def spearman(score: Column, truth: Column) -> Floats:
    """Spearman's rho: the Pearson correlation of mid-ranks (C. Spearman, 1904)."""
    return _rho(score, truth)


@metric(columns=3)
def partial_spearman(score: Column, truth: Column, given: Column) -> Floats:
    """Spearman's rho of score and truth with the rank of a third column held fixed.

    (rho_xy - rho_xz rho_yz) / sqrt((1 - rho_xz^2) (1 - rho_yz^2)). It is undefined also where the
    score or the truth orders the rows exactly as `given` does, or exactly in reverse.
    """
    xy, xz, yz = _rho(score, truth), _rho(score, given), _rho(truth, given)
    return ratio(xy - xz * yz, np.sqrt((1 - xz**2) * (1 - yz**2)))


@metric(columns=2)
def pearson(score: Column, truth: Column) -> Floats:
    """Pearson's linear correlation. Both columns must be finite, else ValueError."""
    x, y = _standardised(score, "score"), _standardised(truth, "truth")
    rows = np.maximum(score.draws.totals, 1)
    products = (x.values * y.values) @ score.draws.wide() - x.sums * y.sums / rows
    found = ratio(products, np.sqrt(x.spreads * y.spreads))
    # Where a column hardly varies about its mean, the subtraction leaves noise.
    poor = (x.spreads < WELL_SPREAD * x.squares) | (y.spreads < WELL_SPREAD * y.squares)
    poor |= (x.squares == 0) | (y.squares == 0)
    if poor.any():
        found[poor] = _careful_pearson(score.values, truth.values, score.draws.wide()[:, poor].T)
    return found


@metric(columns=2)
def weighted_kendall(score: Column, truth: Column) -> Floats:
    """Vigna's weighted tau, which minds the head of the ranking more than its tail.

    A pair weighs 1/rank_i + 1/rank_j, ranks from 1 for the highest value. The ranks are taken once
    by score (ties in it by truth) and once by truth (ties in it by score), and the two taus are
    averaged; this equals scipy.stats.weightedtau(truth, score) with its defaults. The copies
    of a row in a resample hold consecutive ranks.
    Source: S. Vigna, A weighted correlation index for rankings with ties, WWW 2015.
    """
    x, y = score.ordering().codes, truth.ordering().codes
    taus = []
    for ranking in (np.lexsort((y, x))[::-1], np.lexsort((x, y))[::-1]):
        weights = _rank_weights(ranking, score.draws)
        pairs = dot(weights, score.untied()) * dot(weights, truth.untied())
        taus.append(ratio(dot(weights, sign_sums(score, truth)), np.sqrt(pairs)))
    both: Floats = np.mean(taus, axis=0)
    return both


@metric(columns=2)
def kendall_top(score: Column, truth: Column, fraction: float = 0.1) -> Floats:
    """Kendall's tau-b among the truly best: rows with truth at or above its quantile.

    The quantile, 1 - fraction by numpy's linear interpolation, is found anew in each resample.
    Where any of these rows failed (-inf) it is undefined, NaN: of the few rows that are left, a
    handful that happen to be in order would look like skill. The truth must be finite, and the
    fraction between 0 and 1, else ValueError.
    """
    return _where_scored(kendall, *_among_best(score, truth, fraction))


@metric(columns=2)
def spearman_top(score: Column, truth: Column, fraction: float = 0.1) -> Floats:
    """Spearman's rho among the truly best, chosen, and undefined, as in `kendall_top`."""
    return _where_scored(spearman, *_among_best(score, truth, fraction))


def _rho(x: Column, y: Column) -> Floats:
    def find() -> Floats:
        above = 3 * dot(x.ranks(), y.weighted_ranks())
        # sum_i w_i ranks_i^2 is a third of rows^3 - (the sum of groups^3).
        squares_x, squares_y = (one.draws.totals**3 - one.power_sums(3) for one in (x, y))
        return np.clip(ratio(above, np.sqrt(squares_x * squares_y)), -1, 1)

    return x.once(("rho", y), find)


@dataclass(frozen=True, eq=False)
class _Moments:
    """A column less its mean, in units of its largest magnitude, and what resamples have of it."""

    values: Floats
    """`n` values."""
    sums: Floats
    """The sums over resamples, shape `r`."""
    squares: Floats
    """The sums of squares, shape `r`."""
    spreads: Floats
    """The sums of squares about the mean of each resample, shape `r`."""


def _standardised(column: Column, name: str) -> _Moments:
    def find() -> _Moments:
        values = _scaled(finite(column.values, name))
        values = values - values.mean()
        sums, squares = np.stack([values, values**2]) @ column.draws.wide()
        spreads = np.maximum(squares - sums**2 / np.maximum(column.draws.totals, 1), 0)
        return _Moments(values, sums, squares, spreads)

    return column.once("moments", find)


def _careful_pearson(score: Floats, truth: Floats, counts: Floats) -> Floats:
    """Pearson's correlation about the mean of each resample, by `r x n` counts."""
    x, y = _scaled(score), _scaled(truth)
    rows = np.maximum(counts.sum(axis=1), 1)
    dx = x - (counts @ x / rows)[:, None]
    dy = y - (counts @ y / rows)[:, None]
    above = np.einsum("rn,rn,rn->r", counts, dx, dy)
    spread_x = np.sqrt(np.einsum("rn,rn,rn->r", counts, dx, dx))
    spread_y = np.sqrt(np.einsum("rn,rn,rn->r", counts, dy, dy))
    varied = _varied(x, counts) & _varied(y, counts)
    return ratio(above, np.where(varied, spread_x * spread_y, 0.0))


def _scaled(values: Floats) -> Floats:
    """The values over their largest magnitude, so that squares cannot overflow."""
    largest = np.abs(values).max()
    return values / largest if largest > 0 else values


def _varied(values: Floats, counts: Floats) -> Bools:
    """Which of `r` resamples hold two different values."""
    drawn = counts > 0
    some_value = values[drawn.argmax(axis=1)]
    varied: Bools = (drawn & (values != some_value[:, None])).any(axis=1)
    return varied


def _rank_weights(ranking: Indices, draws: Draws) -> Floats:
    """For each row, the sum of 1 / rank over its copies, `n x r`; `ranking` is best first."""
    harmonic = draws.once("harmonic", lambda: _harmonic(int(draws.totals.max(initial=1))))
    sums = harmonic.take(cumulated(draws.lanes.take(ranking, axis=0)).astype(np.intp))
    weights = np.empty_like(sums)
    weights[ranking] = steps(sums)
    return weights


def _harmonic(largest: int) -> Floats:
    """The sums of 1 / rank over the first ranks, from none to `largest` of them."""
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, largest + 1))])


def _among_best(score: Column, truth: Column, fraction: float) -> tuple[Column, Column]:
    """Both columns, cut down to the rows among the best of any resample, drawn where they are."""
    best, kept = truth.once(("best", fraction), lambda: _truly_best(truth, fraction))
    cut = score.once(
        ("among best", truth, fraction), lambda: Column(score.values[best], kept.draws)
    )
    return cut, kept


def _where_scored(correlation: Metric, score: Column, truth: Column) -> Floats:
    """A correlation in each resample, NaN in those that hold a row without a score."""
    failed = score.draws.lanes[np.isneginf(score.values)].any(axis=0)
    found: Floats = np.where(failed, np.nan, correlation(score, truth))
    return found


def _truly_best(truth: Column, fraction: float) -> tuple[Bools, Column]:
    """Which rows are among the best of any resample, and their truth; elsewhere they count 0."""
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie between 0 and 1, got {fraction}")
    values = finite(truth.values, "truth")
    bound = _quantile(truth, 1 - fraction)
    best = values >= bound.min()
    lanes = truth.draws.lanes[best] * (values[best, None] >= bound)
    kept = Draws(lanes, lanes.sum(axis=0, dtype=np.float64))
    return best, Column(values[best], kept)


def _quantile(column: Column, level: float) -> Floats:
    """The linearly interpolated quantile of each resample, to the last bit as numpy has it."""
    values = column.values[column.ordering().rows[column.ordering().starts]]
    last = np.maximum(column.draws.totals - 1, 0)
    position = last * level
    below = np.floor(position)
    low, high = (
        values[np.minimum((column.after() <= rank).sum(axis=0), len(values) - 1)]
        for rank in (below, np.minimum(below + 1, last))
    )
    share, step = position - below, high - low
    quantile: Floats = np.where(share < 0.5, low + step * share, high - step * (1 - share))
    return quantile
