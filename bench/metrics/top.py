"""Measures of the head of a ranking: what the `k` highest-scored rows are worth.

`k` is a number of rows (an int from 1 to the rows there are) or a fraction of the rows (a float
between 0 and 1; rounded, at least one row), of the table or of each resample. Where rows tie at
the border, every choice among them is equally likely and the expected value is returned, so the
order of a file means nothing; `ties="order"` gives what published tables show instead. The truth
must be finite. The copies of a row in a resample are rows.

A score of -inf is a failure. All failures tie behind every score, so where fewer than k rows have a
score, which of the failures are among the k is nobody's choice: there a measure is undefined, NaN,
in the table or in the resample, rather than what the failures happen to be worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from bench.metrics._counts import finite, metric, ratio
from bench.metrics.draws import Bools, Column, Floats, Indices, Real, cumulated, dot, steps

Ties: TypeAlias = Literal["expected", "order"]


@metric(columns=2)
def precision_at_k(score: Column, truth: Column, k: float) -> Floats:
    """The share of the k highest-scored rows that are truly among the k best.

    A row is among the k best when its truth is at least the k-th best truth.
    """
    finite(truth.values, "truth")
    bound, head = kth_best(truth, k), _head(score, k)
    right = truth.values[head.rows, None] >= bound
    found: Floats = dot(head.counts * right, head.shares()) / head.size
    return _where_scored(found, head, score)


@metric(columns=2)
def top_overlap(score: Column, truth: Column, k: float) -> Floats:
    """|k best by score and k best by truth| / k, ties at both borders broken independently."""
    finite(truth.values, "truth")
    by_score, by_truth = _head(score, k), _head(truth, k)
    _, one, two = np.intersect1d(by_score.rows, by_truth.rows, return_indices=True)
    chance = by_score.shares()[one] * by_truth.shares()[two]
    shared: Floats = dot(by_score.counts[one], chance) / by_score.size
    return _where_scored(shared, by_score, score)


@metric(columns=2)
def best_of_top_k(score: Column, truth: Column, k: float, ties: Ties = "expected") -> Floats:
    """The best truth among the k highest-scored rows.

    With ties="order" the earlier of two tied rows is taken first, the copies of a row together.
    """
    finite(truth.values, "truth")
    if ties not in ("expected", "order"):
        raise ValueError(f'ties must be "expected" or "order", got {ties!r}')
    return score.once(
        ("best of", truth, k, ties),
        lambda: _where_scored(_best_of_top_k(score, truth, k, ties), _head(score, k), score),
    )


@metric(columns=1)
def tied_at_k(score: Column, k: float) -> Floats:
    """How many rows share the score of the k-th highest: 1 where the border is clear."""
    head = _head(score, k)
    return _where_scored(head.tied, head, score)


@metric(columns=2)
def ndcg(score: Column, truth: Column, k: float | None = None) -> Floats:
    """Normalised discounted cumulative gain of the ranking by score, of its first k rows.

    The gain of a row is its truth (linear, not 2^truth - 1), its discount 1 / log2(1 + position);
    tied rows each get the mean discount of their positions. This is scikit-learn's `ndcg_score`
    with ignore_ties=False, which the code of VKDNW (Tybl & Neumann, CVPR 2025) applies to
    accuracies. It is undefined, NaN, where the best k truths are all 0; and, as without k every row
    has a position, where any row failed.

    Raises:
        ValueError: The truth is negative somewhere, so that it cannot be a gain.
    """
    if finite(truth.values, "truth").min() < 0:
        raise ValueError(f"ndcg wants truth of at least 0 as gains, got {truth.values.min()}")
    gains = truth.once("gains", lambda: truth.draws.lanes * truth.values[:, None])
    ideal = truth.once(("ideal gain", k), lambda: dot(gains, _mean_discounts(truth, k)))
    found = ratio(dot(gains, _mean_discounts(score, k)), ideal)
    if k is not None:
        return _where_scored(found, _head(score, k), score)
    failed = score.draws.lanes[np.isneginf(score.values)].any(axis=0)
    return np.where(failed, np.nan, found)


def kth_best(column: Column, k: float) -> Floats:
    """The k-th largest value of each resample, shape `r`."""
    return _at_border(_head(column, k), column)


def _at_border(head: _Head, column: Column) -> Floats:
    """The value of the k-th row of each resample, shape `r`."""
    values: Floats = column.values[head.rows[head.border.argmax(axis=0)]]
    return values


def _where_scored(found: Floats, head: _Head, score: Column) -> Floats:
    """What was found of the k highest-scored, NaN where these reach the failures, shape `r`."""
    return np.where(np.isneginf(_at_border(head, score)), np.nan, found)


@dataclass(frozen=True, eq=False)
class _Head:
    """The `h` first rows by descending score, enough to hold the first k of every resample."""

    rows: Indices
    counts: Real
    """Of these rows, `h x r`."""
    sure: Bools
    """Which rows stand above the border score, `h x r`."""
    border: Bools
    """Which rows have the border score, `h x r`."""
    size: Floats
    """How many rows k means, shape `r`."""
    wanted: Floats
    """How many of the border rows are among the k, shape `r`."""
    tied: Floats
    """How many border rows there are, shape `r`."""

    @classmethod
    def of(cls, column: Column, size: Floats, within: Floats | None = None) -> _Head:
        """The head of a ranking; tied rows ascend by `within`, or stand in row order."""
        score, lanes = column.values, column.draws.lanes
        keys = (-score,) if within is None else (within, -score)
        rows = np.lexsort(keys)
        rows = rows[: _reach(rows, score, lanes, int(size.max()))]
        values = score[rows]
        new = values[1:] != values[:-1]
        group = np.cumsum(np.concatenate([[False], new]))
        counts = lanes[rows]
        ends = np.flatnonzero(np.concatenate([new, [True]]))
        after = cumulated(counts)[ends]
        at = (after < size).sum(axis=0)
        lane = np.arange(lanes.shape[1])
        before = np.where(at > 0, after[at - 1, lane], 0.0)
        sure, border = group[:, None] < at, group[:, None] == at
        return cls(rows, counts, sure, border, size, size - before, after[at, lane] - before)

    def shares(self) -> Floats:
        """The probability that a row is among the k, `h x r`."""
        chance: Floats = self.sure + self.border * (self.wanted / self.tied)
        return chance


def _head(column: Column, k: float) -> _Head:
    """The head of a column whose tied rows stand in row order; remembered."""
    size = _sizes(k, column)
    return column.once(("head", k), lambda: _Head.of(column, size))


def _reach(rows: Indices, score: Floats, lanes: Real, largest: int) -> int:
    """How many of the rows hold the first `largest` of every resample, up to the end of a tie."""
    length, enough = largest, False
    while not enough:
        length = min(length + length // 4 + 16, len(rows))
        held = lanes[rows[:length]].sum(axis=0)
        enough = length == len(rows) or bool((held >= largest).all())
    return int(np.searchsorted(-score[rows], -score[rows[length - 1]], side="right"))


def _sizes(k: float, column: Column) -> Floats:
    """How many rows `k` means in each resample, shape `r`."""
    rows = column.draws.totals
    if isinstance(k, int | np.integer) and not isinstance(k, bool):
        if not 1 <= k <= rows.min():
            raise ValueError(f"k must lie between 1 and the {rows.min():.0f} rows, got {k}")
        return np.full(len(rows), float(k))
    if not 0 < k < 1:
        raise ValueError(f"k must be a whole number of rows, or a fraction in (0, 1), got {k}")
    if rows.min() < 1:
        raise ValueError("a fraction of the rows needs rows, got a resample without any")
    return np.maximum(1, np.rint(k * rows))


def _best_of_top_k(score: Column, truth: Column, k: float, ties: Ties) -> Floats:
    if ties == "order":
        head = _head(score, k)
        before = cumulated(head.counts) - head.counts
        return _best(truth.values[head.rows], (head.counts > 0) & (before < head.size))
    head = _Head.of(score, _sizes(k, score), within=-truth.values)
    largest = int(score.draws.totals.max())
    log_factorials = score.draws.once("log factorials", lambda: _log_factorials(largest))
    return _expected_best(head, truth.values, log_factorials)


def _best(truth: Floats, chosen: Bools) -> Floats:
    """The best of the `h` truths among the chosen, `h x r`; -inf where none is chosen."""
    best: Floats = np.where(chosen, truth[:, None], -np.inf).max(axis=0)
    return best


def _log_factorials(largest: int) -> Floats:
    """log(j!) for j from 0 to `largest`, summed in extended precision where there is one."""
    logs = np.log(np.arange(1, largest + 1, dtype=np.longdouble))
    return np.concatenate([[0.0], np.cumsum(logs).astype(np.float64)])


def _expected_best(head: _Head, truth: Floats, log_factorials: Floats) -> Floats:
    """The mean best truth when `wanted` of the `tied` border rows are drawn without replacement.

    Tied rows stand best first, so row i is the best drawn when none of the better ones are drawn
    and it is: P(none of j given rows is drawn) = C(tied - j, wanted) / C(tied, wanted).
    """
    values = truth[head.rows]
    sure = _best(values, head.sure & (head.counts > 0))
    touched = head.border.any(axis=1)
    border = head.border[touched]
    copies = (head.counts[touched] * border).astype(np.intp)
    tied, wanted = head.tied.astype(np.intp), head.wanted.astype(np.intp)

    def none_of(rows: Indices) -> Floats:
        rest = tied - rows
        possible = rest >= wanted
        logs = log_factorials[rest] - log_factorials[np.where(possible, rest - wanted, 0)]
        logs += log_factorials[tied - wanted] - log_factorials[tied]
        return np.where(possible, np.exp(np.minimum(logs, 0)), 0.0)

    after = np.cumsum(copies, axis=0)
    chance = (none_of(after - copies) - none_of(after)) * border
    expected: Floats = (chance * np.maximum(values[touched, None], sure)).sum(axis=0)
    return expected


def _mean_discounts(column: Column, k: float | None) -> Floats:
    """For each row, the mean discount of the positions of its group, none beyond k, `n x r`."""
    totals = column.draws.totals
    discounts = column.draws.once("discounts", lambda: _discounts(int(totals.max())))
    # Positions count from the highest value, so a group begins where all that are above it end.
    above = totals.astype(column.after().dtype) - column.after()
    size = totals
    if k is not None:
        size = _sizes(k, column)
        np.minimum(above, size, out=above, casting="same_kind")
    negative = steps(discounts.take(above.astype(np.intp)))
    negative[0] -= discounts.take(size.astype(np.intp))
    means = np.divide(negative, -np.maximum(column.groups(), 1), out=negative)
    return means.take(column.ordering().codes, axis=0)


def _discounts(largest: int) -> Floats:
    """The sums of 1 / log2(1 + position) over the first positions, from none to `largest`."""
    return np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, largest + 2)))])
