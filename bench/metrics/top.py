"""Measures of the head of a ranking: what the `k` highest-scored rows are worth.

`k` is a number of rows (an int from 1 to the rows there are) or a fraction of the rows (a float
between 0 and 1; rounded, at least one row), of the table or of each resample. Where rows tie at
the border, every choice among them is equally likely and the expected value is returned, so the
order of a file means nothing; `ties="order"` gives what published tables show instead. The truth
must be finite; -inf is an ordinary lowest score. The copies of a row in a resample are rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.metrics._counts import (
    Bools,
    Counts,
    Floats,
    Indices,
    Ordering,
    finite,
    in_parts,
    metric,
    ratio,
    totals,
)

Ties: TypeAlias = Literal["expected", "order"]

HEAD_CELLS = 1 << 21
"""Counts to look at together, `r x n`: the head of a ranking is found once for all of them."""


@metric(columns=2)
def precision_at_k(score: Floats, truth: Floats, k: float, *, counts: Counts) -> Floats:
    """The share of the k highest-scored rows that are truly among the k best.

    A row is among the k best when its truth is at least the k-th best truth.
    """
    finite(truth, "truth")

    def value(part: Counts) -> Floats:
        size = _sizes(k, part)
        bound = kth_best(truth, part, size)
        head = _Head.of(score, part, size)
        right = truth[head.rows] >= bound[:, None]
        found: Floats = (head.counts * head.shares() * right).sum(axis=1) / size
        return found

    return in_parts(counts, value, HEAD_CELLS)


@metric(columns=2)
def top_overlap(score: Floats, truth: Floats, k: float, *, counts: Counts) -> Floats:
    """|k best by score and k best by truth| / k, ties at both borders broken independently."""
    finite(truth, "truth")

    def value(part: Counts) -> Floats:
        size = _sizes(k, part)
        by_score, by_truth = _Head.of(score, part, size), _Head.of(truth, part, size)
        rows, one, two = np.intersect1d(by_score.rows, by_truth.rows, return_indices=True)
        chance = by_score.shares()[:, one] * by_truth.shares()[:, two]
        shared: Floats = (part[:, rows] * chance).sum(axis=1) / size
        return shared

    return in_parts(counts, value, HEAD_CELLS)


@metric(columns=2)
def best_of_top_k(
    score: Floats, truth: Floats, k: float, ties: Ties = "expected", *, counts: Counts
) -> Floats:
    """The best truth among the k highest-scored rows.

    With ties="order" the earlier of two tied rows is taken first, the copies of a row together.
    """
    finite(truth, "truth")
    if ties not in ("expected", "order"):
        raise ValueError(f'ties must be "expected" or "order", got {ties!r}')
    log_factorials = _log_factorials(int(totals(counts).max(initial=0)))

    def value(part: Counts) -> Floats:
        size = _sizes(k, part)
        if ties == "order":
            head = _Head.of(score, part, size)
            before = np.cumsum(head.counts, axis=1) - head.counts
            chosen = (head.counts > 0) & (before < size[:, None])
            return _best(truth[head.rows], chosen)
        return _expected_best(_Head.of(score, part, size, -truth), truth, log_factorials)

    return in_parts(counts, value, HEAD_CELLS)


@metric(columns=1)
def tied_at_k(score: Floats, k: float, *, counts: Counts) -> Floats:
    """How many rows share the score of the k-th highest: 1 where the border is clear."""
    return in_parts(counts, lambda part: _Head.of(score, part, _sizes(k, part)).tied, HEAD_CELLS)


@metric(columns=2)
def ndcg(score: Floats, truth: Floats, k: float | None = None, *, counts: Counts) -> Floats:
    """Normalised discounted cumulative gain of the ranking by score, of its first k rows.

    The gain of a row is its truth (linear, not 2^truth - 1), its discount 1 / log2(1 + position);
    tied rows each get the mean discount of their positions. This is scikit-learn's `ndcg_score`
    with ignore_ties=False, which the code of VKDNW (Tybl & Neumann, CVPR 2025) applies to
    accuracies. It is undefined, NaN, where the best k truths are all 0.

    Raises:
        ValueError: The truth is negative somewhere, so that it cannot be a gain.
    """
    if finite(truth, "truth").min() < 0:
        raise ValueError(f"ndcg wants truth of at least 0 as gains, got {truth.min()}")
    by_score, by_truth = Ordering.of(-score), Ordering.of(-truth)
    largest = int(totals(counts).max(initial=0))
    discounts = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, largest + 2)))])

    def value(part: Counts) -> Floats:
        size = totals(part).astype(np.intp) if k is None else _sizes(k, part)
        found = _discounts(by_score, discounts, size, part)
        ideal = _discounts(by_truth, discounts, size, part)
        above = np.einsum("rg,rg->r", found, _mean_gains(by_score, truth, part))
        return ratio(above, ideal @ truth[by_truth.rows[by_truth.starts]])

    return in_parts(counts, value)


def kth_best(values: Floats, counts: Counts, size: NDArray[np.intp]) -> Floats:
    """The `size`-th largest value of each resample, shape `r`; `size` has shape `r` as well."""
    head = _Head.of(values, counts, size)
    at_border: Floats = values[head.rows[head.border.argmax(axis=1)]]
    return at_border


@dataclass(frozen=True, eq=False)
class _Head:
    """The `h` first rows by descending score, enough to hold the first k of every resample."""

    rows: Indices
    counts: NDArray[np.int64]
    """Of these rows, `r x h`."""
    sure: Bools
    """Which rows stand above the border score, `r x h`."""
    border: Bools
    """Which rows have the border score, `r x h`."""
    wanted: Floats
    """How many of the border rows are among the k, shape `r`."""
    tied: Floats
    """How many border rows there are, shape `r`."""

    @classmethod
    def of(
        cls, score: Floats, counts: Counts, size: NDArray[np.intp], within: Floats | None = None
    ) -> _Head:
        """The head of a ranking; tied rows ascend by `within`, or stand in row order."""
        keys = (-score,) if within is None else (within, -score)
        rows = np.lexsort(keys)
        rows = rows[: _reach(rows, score, counts, int(size.max(initial=1)))]
        values = score[rows]
        starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
        group = np.cumsum(np.concatenate([[False], values[1:] != values[:-1]]))
        taken = counts[:, rows].astype(np.int64)
        sums = np.add.reduceat(taken, starts, axis=1)
        after = np.cumsum(sums, axis=1)
        at = (after < size[:, None]).sum(axis=1)
        lane = np.arange(len(counts))
        tied = sums[lane, at].astype(np.float64)
        wanted = size - (after[lane, at] - tied)
        return cls(rows, taken, group < at[:, None], group == at[:, None], wanted, tied)

    def shares(self) -> Floats:
        """The probability that a row is among the k, `r x h`."""
        chance: Floats = self.sure + self.border * (self.wanted / self.tied)[:, None]
        return chance


def _reach(rows: Indices, score: Floats, counts: Counts, largest: int) -> int:
    """How many of the rows hold the first `largest` of every resample, up to the end of a tie."""
    length, enough = 2 * largest, False
    while not enough:
        length = min(2 * length, len(rows))
        held = counts[:, rows[:length]].sum(axis=1, dtype=np.int64)
        enough = length == len(rows) or bool((held >= largest).all())
    return int(np.searchsorted(-score[rows], -score[rows[length - 1]], side="right"))


def _sizes(k: float, counts: Counts) -> NDArray[np.intp]:
    """How many rows `k` means in each resample, shape `r`."""
    rows = totals(counts)
    if isinstance(k, int | np.integer) and not isinstance(k, bool):
        least = rows.min(initial=np.inf)
        if not 1 <= k <= least:
            raise ValueError(f"k must lie between 1 and the {least:.0f} rows, got {k}")
        return np.full(len(counts), int(k), dtype=np.intp)
    if not 0 < k < 1:
        raise ValueError(f"k must be a whole number of rows, or a fraction in (0, 1), got {k}")
    if rows.min(initial=1) < 1:
        raise ValueError("a fraction of the rows needs rows, got a resample without any")
    return np.maximum(1, np.rint(k * rows)).astype(np.intp)


def _best(truth: Floats, chosen: Bools) -> Floats:
    """The best of the `h` truths among the chosen, `r x h`; -inf where none is chosen."""
    best: Floats = np.where(chosen, truth, -np.inf).max(axis=1)
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
    touched = head.border.any(axis=0)
    border, copies = head.border[:, touched], (head.counts * head.border)[:, touched]
    tied, wanted = head.tied.astype(np.intp)[:, None], head.wanted.astype(np.intp)[:, None]

    def none_of(rows: NDArray[np.int64]) -> Floats:
        rest = tied - rows
        possible = rest >= wanted
        logs = log_factorials[rest] - log_factorials[np.where(possible, rest - wanted, 0)]
        logs += log_factorials[tied - wanted] - log_factorials[tied]
        return np.where(possible, np.exp(np.minimum(logs, 0)), 0.0)

    after = np.cumsum(copies, axis=1)
    chance = (none_of(after - copies) - none_of(after)) * border
    expected: Floats = (chance * np.maximum(values[touched], sure[:, None])).sum(axis=1)
    return expected


def _discounts(
    ordering: Ordering, discounts: Floats, size: NDArray[np.intp], part: Counts
) -> Floats:
    """The summed discounts of each group's positions, none beyond `size`, `r x g`."""
    last = np.cumsum(ordering.groups(part), axis=1)
    np.minimum(last, size[:, None], out=last)
    return np.diff(discounts.take(last.astype(np.intp)), axis=1, prepend=0.0)


def _mean_gains(ordering: Ordering, truth: Floats, part: Counts) -> Floats:
    """The mean truth of each group, `r x g`, 0 for a group that was not drawn."""
    gains = truth[ordering.rows]
    if len(ordering.starts) == len(gains):
        return np.broadcast_to(gains, part.shape)
    sums = np.add.reduceat(part.take(ordering.rows, axis=1) * gains, ordering.starts, axis=1)
    groups = ordering.groups(part)
    means: Floats = np.divide(sums, groups, out=np.zeros_like(groups), where=groups > 0)
    return means
