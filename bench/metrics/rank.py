"""Rank correlations of a score with the truth, plain or for many resamples at once.

All of them order the rows and nothing more, except `pearson`; -inf is an ordinary lowest value, so
a table with failures is measured with `failures_last(score)`. Each takes `counts` (see `_counts`)
and is undefined, NaN, where the formula divides by zero: when a column is constant in the table
or resample, one row (drawn however often) included.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bench.metrics._counts import (
    Bools,
    Counts,
    Floats,
    Indices,
    Ordering,
    finite,
    in_parts,
    metric,
    parts,
    ratio,
    totals,
)
from bench.metrics._pairs import PAIR_CELLS, sign_sums

SENTINEL = -1e8
"""What NAS-Bench-Suite-Zero writes for a proxy that failed."""


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
def kendall(score: Floats, truth: Floats, *, counts: Counts) -> Floats:
    """Kendall's tau-b, which allows for ties in both columns (M. G. Kendall, 1945).

    tau = sum_ij sgn(x_i - x_j) sgn(y_i - y_j) / sqrt(pairs untied in x * pairs untied in y).
    """
    x, y = Ordering.of(score), Ordering.of(truth)

    def value(part: Counts) -> Floats:
        above, squares, ties_x, ties_y = np.zeros((4, len(part)))
        for pairs in sign_sums(x, y, part):
            above += pairs.products()
            if pairs.by_x:
                squares += pairs.squares()
                ties_x += pairs.ties()
            else:
                ties_y += pairs.ties()
        different = totals(part) ** 2 - squares
        return ratio(above, np.sqrt((different - ties_x) * (different - ties_y)))

    return in_parts(counts, value, cells=PAIR_CELLS)


@metric(columns=2)
def spearman(score: Floats, truth: Floats, *, counts: Counts) -> Floats:
    """Spearman's rho: the Pearson correlation of mid-ranks (C. Spearman, 1904)."""
    orderings = (Ordering.of(score), Ordering.of(truth))

    def value(part: Counts) -> Floats:
        x, y = (_midranks(ordering, part) for ordering in orderings)
        return _rho(x, y, part)

    return in_parts(counts, value)


@metric(columns=3)
def partial_spearman(score: Floats, truth: Floats, given: Floats, *, counts: Counts) -> Floats:
    """Spearman's rho of score and truth with the rank of a third column held fixed.

    (rho_xy - rho_xz rho_yz) / sqrt((1 - rho_xz^2) (1 - rho_yz^2)). It is undefined also where the
    score or the truth orders the rows exactly as `given` does, or exactly in reverse.
    """
    orderings = [Ordering.of(column) for column in (score, truth, given)]

    def value(part: Counts) -> Floats:
        x, y, z = (_midranks(ordering, part) for ordering in orderings)
        xy, xz, yz = _rho(x, y, part), _rho(x, z, part), _rho(y, z, part)
        return ratio(xy - xz * yz, np.sqrt((1 - xz**2) * (1 - yz**2)))

    return in_parts(counts, value)


@metric(columns=2)
def pearson(score: Floats, truth: Floats, *, counts: Counts) -> Floats:
    """Pearson's linear correlation. Both columns must be finite, else ValueError."""
    x, y = (_scaled(finite(values, name)) for values, name in ((score, "score"), (truth, "truth")))

    def value(part: Counts) -> Floats:
        weights = part.astype(np.float64)
        rows = np.maximum(weights.sum(axis=1), 1)
        dx = x - (weights @ x / rows)[:, None]
        dy = y - (weights @ y / rows)[:, None]
        above = np.einsum("rn,rn,rn->r", weights, dx, dy)
        spread_x = np.sqrt(np.einsum("rn,rn,rn->r", weights, dx, dx))
        spread_y = np.sqrt(np.einsum("rn,rn,rn->r", weights, dy, dy))
        varied = _varied(x, part) & _varied(y, part)
        return ratio(above, np.where(varied, spread_x * spread_y, 0.0))

    return in_parts(counts, value)


@metric(columns=2)
def weighted_kendall(score: Floats, truth: Floats, *, counts: Counts) -> Floats:
    """Vigna's weighted tau, which minds the head of the ranking more than its tail.

    A pair weighs 1/rank_i + 1/rank_j, ranks from 1 for the highest value. The ranks are taken once
    by score (ties in it by truth) and once by truth (ties in it by score), and the two taus are
    averaged; this equals scipy.stats.weightedtau(truth, score) with its defaults. The copies
    of a row in a resample hold consecutive ranks.
    Source: S. Vigna, A weighted correlation index for rankings with ties, WWW 2015.
    """
    x, y = Ordering.of(score), Ordering.of(truth)
    rankings = (np.lexsort((y.codes, x.codes))[::-1], np.lexsort((x.codes, y.codes))[::-1])
    largest = int(totals(counts).max(initial=1))
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, largest + 1))])

    def value(part: Counts) -> Floats:
        above, below = np.zeros((2, len(part))), np.empty((2, len(part)))
        by_row = np.empty((2, len(score), len(part)))
        for few in parts(part):
            untied_x, untied_y = _untied(x, part[few]), _untied(y, part[few])
            for number, ranking in enumerate(rankings):
                weights = _rank_weights(ranking, harmonic, part[few])
                pairs_x = np.einsum("rn,rn->r", weights, untied_x)
                pairs_y = np.einsum("rn,rn->r", weights, untied_y)
                below[number, few] = np.sqrt(pairs_x * pairs_y)
                by_row[number][:, few] = weights.T
        for pairs in sign_sums(x, y, part):
            if pairs.signed is not None:
                for number in range(2):
                    taken = by_row[number].take(pairs.rows, axis=0)
                    above[number] += np.einsum("br,br->r", taken, pairs.signed)
        both: Floats = ratio(above, below).mean(axis=0)
        return both

    return in_parts(counts, value, cells=PAIR_CELLS // 8)


@metric(columns=2)
def kendall_top(score: Floats, truth: Floats, fraction: float = 0.1, *, counts: Counts) -> Floats:
    """Kendall's tau-b among the truly best: rows with truth at or above its quantile.

    The quantile, 1 - fraction by numpy's linear interpolation, is found anew in each resample.
    The truth must be finite, and the fraction between 0 and 1, else ValueError.
    """
    best, kept = _truly_best(truth, fraction, counts)
    return kendall(score[best], truth[best], counts=kept)


@metric(columns=2)
def spearman_top(score: Floats, truth: Floats, fraction: float = 0.1, *, counts: Counts) -> Floats:
    """Spearman's rho among the truly best, chosen as in `kendall_top`."""
    best, kept = _truly_best(truth, fraction, counts)
    return spearman(score[best], truth[best], counts=kept)


def _midranks(ordering: Ordering, part: Counts) -> tuple[Floats, Floats]:
    """Mid-ranks less their mean, doubled: `r x n` whole numbers, and 3 times their squares' sum."""
    groups = ordering.groups(part)
    after = np.cumsum(groups, axis=1)
    rows = after[:, -1].copy()
    squares = rows**3 - np.einsum("rg,rg,rg->r", groups, groups, groups)
    # A group at ranks before + 1 .. after has the mid-rank (before + after + 1) / 2.
    after *= 2
    after -= groups
    after -= rows[:, None]
    return after.take(ordering.codes, axis=1), squares


def _rho(x: tuple[Floats, Floats], y: tuple[Floats, Floats], part: Counts) -> Floats:
    (ranks_x, squares_x), (ranks_y, squares_y) = x, y
    above = 3 * np.einsum("rn,rn,rn->r", part, ranks_x, ranks_y)
    return np.clip(ratio(above, np.sqrt(squares_x * squares_y)), -1, 1)


def _scaled(column: Floats) -> Floats:
    """The column over its largest magnitude, so that squares cannot overflow."""
    largest = np.abs(column).max()
    return column / largest if largest > 0 else column


def _varied(column: Floats, part: Counts) -> Bools:
    """Which of `r` resamples hold two different values of the column."""
    drawn = part > 0
    some_value = column[drawn.argmax(axis=1)]
    varied: Bools = (drawn & (column != some_value[:, None])).any(axis=1)
    return varied


def _untied(ordering: Ordering, part: Counts) -> Floats:
    """For each row, how many rows of the resample differ from it in the column, `r x n`."""
    groups: Floats = totals(part)[:, None] - ordering.groups(part)
    return groups.take(ordering.codes, axis=1)


def _rank_weights(ranking: Indices, harmonic: Floats, part: Counts) -> Floats:
    """For each row, the sum of 1 / rank over its copies, `r x n`; `ranking` is best first."""
    last = np.cumsum(part.take(ranking, axis=1).astype(np.intp), axis=1)
    weights = np.diff(harmonic.take(last), axis=1, prepend=0.0)
    place = np.empty_like(ranking)
    place[ranking] = np.arange(len(ranking))
    return weights.take(place, axis=1)


def _truly_best(truth: Floats, fraction: float, counts: Counts) -> tuple[Bools, Counts]:
    """Which rows are among the best of any resample, and the counts of those, else 0."""
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie between 0 and 1, got {fraction}")
    ordering = Ordering.of(finite(truth, "truth"))
    values = truth[ordering.rows[ordering.starts]]
    bound = in_parts(counts, lambda part: _quantile(ordering, values, 1 - fraction, part))
    best = truth >= (bound.min() if bound.size else -np.inf)
    return best, counts[:, best] * (truth[best] >= bound[:, None])


def _quantile(ordering: Ordering, values: Floats, level: float, part: Counts) -> Floats:
    """The linearly interpolated quantile of each resample, to the last bit as numpy has it."""
    after = np.cumsum(ordering.groups(part), axis=1)
    last = np.maximum(after[:, -1] - 1, 0)
    position = last * level
    below = np.floor(position)
    low, high = (
        values[np.minimum((after <= rank[:, None]).sum(axis=1), len(values) - 1)]
        for rank in (below, np.minimum(below + 1, last))
    )
    share, step = position - below, high - low
    quantile: Floats = np.where(share < 0.5, low + step * share, high - step * (1 - share))
    return quantile
