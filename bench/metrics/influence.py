"""What each row does to Kendall's tau: what its standard error is made of, without resamples.

To first order, a table in which row i stands `c_i` times has tau + sum_i (c_i - 1) u_i, where u_i
is the derivative of tau by the weight of row i (the infinitesimal jackknife of L. A. Jaeckel,
1972; B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 22).
`bench.metrics.intervals.tau_interval` makes an interval of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bench.metrics.draws import Floats, Indices, Ordering, checked_columns


@dataclass(frozen=True, eq=False)
class Tau:
    """Kendall's tau-b of `n` rows, NaN where undefined, and `n` derivatives by rows' weights."""

    value: float
    influence: Floats


def kendall_tau(score: ArrayLike, truth: ArrayLike) -> Tau:
    """Kendall's tau-b with the influence of every row.

    With S_i = sum_j sgn(x_i - x_j) sgn(y_i - y_j), X and Y the ordered pairs untied in x and in y,
    and X_i, Y_i those of row i, tau is sum_i S_i / sqrt(X Y) and its derivative by the weight of
    row i is 2 S_i / sqrt(X Y) - tau (X_i / X + Y_i / Y). Derivatives add up to zero.

    Args:
        score: `n` values without NaN; -inf is an ordinary lowest value.
        truth: `n` values without NaN.

    Returns:
        The value, NaN where a column is constant; then all influences are zero.

    Raises:
        ValueError: Columns that are empty, of differing lengths, or hold NaN.
    """
    x, y = map(Ordering.of, checked_columns(score, truth))
    signs = _sign_sums(x.codes, y.codes).astype(np.float64)
    rows = len(signs)
    of_x, of_y = ((rows - each.sizes())[each.codes].astype(np.float64) for each in (x, y))
    pairs_x, pairs_y = float(of_x.sum()), float(of_y.sum())
    if not (pairs_x > 0 and pairs_y > 0):
        return Tau(float("nan"), np.zeros(rows))
    scale = float(np.sqrt(pairs_x * pairs_y))
    value = float(signs.sum()) / scale
    return Tau(value, 2 * signs / scale - value * (of_x / pairs_x + of_y / pairs_y))


def _sign_sums(x: Indices, y: Indices) -> Indices:
    """For each of `n` rows, sum_j sgn(x_i - x_j) sgn(y_i - y_j), from their group numbers.

    For one table this is many times faster than the engine in `_pairs`, which shares its work out
    over resamples.
    """
    rows = np.arange(len(x))
    # By x, and by y downwards within a tie: no earlier row of the same x is smaller in y.
    by_x = np.lexsort((-y, x))
    less = np.empty_like(rows)
    less[by_x] = _smaller_before(y[by_x])  # both x and y are less
    below_x, below_y, equal_y = _below(x), _below(y), _equal(y)
    tied_below, tied = _within(x, y)
    level, _ = _within(y, x)
    lower_right = below_x - less - level  # x is less and y is greater
    upper_left = below_y - less - tied_below  # x is greater and y is less
    above_y = len(x) - below_y - equal_y
    greater = above_y - lower_right - (_equal(x) - tied_below - tied)
    signs: Indices = less - lower_right - upper_left + greater
    return signs


def _below(codes: Indices) -> Indices:
    """How many rows are in a lower group than each of `n` rows."""
    sizes = np.bincount(codes)
    below: Indices = (np.cumsum(sizes) - sizes)[codes]
    return below


def _equal(codes: Indices) -> Indices:
    """How many rows are in the group of each of `n` rows, itself included."""
    equal: Indices = np.bincount(codes)[codes]
    return equal


def _within(group: Indices, codes: Indices) -> tuple[Indices, Indices]:
    """Of the rows in a row's group, how many have lower codes, and how many have its code."""
    joint = np.unique(group * (int(codes.max(initial=0)) + 1) + codes, return_inverse=True)[1]
    return _below(joint) - _below(group), _equal(joint)


def _smaller_before(codes: Indices) -> Indices:
    """For each of `n` codes, how many of those before it are smaller.

    Two codes differ first at one of their bits, and the smaller one has a zero there: so zeros
    are counted among those before that agree in all higher bits, for each bit.
    """
    found = np.zeros(len(codes), dtype=np.intp)
    for bit in range(int(codes.max(initial=0)).bit_length()):
        higher = codes >> (bit + 1)
        # Radix sort, where numbers are short enough.
        short = higher.astype(np.uint16) if higher.max(initial=0) < 1 << 16 else higher
        order = np.argsort(short, kind="stable")
        ones = (codes[order] >> bit) & 1
        zeros = np.cumsum(1 - ones) - (1 - ones)
        first = np.flatnonzero(np.diff(higher[order], prepend=-1))
        zeros -= np.repeat(zeros[first], np.diff(first, append=len(codes)))
        found[order] += zeros * ones
    return found


def pair_tau(first: ArrayLike, second: ArrayLike) -> Tau:
    """Kendall's tau on the rows of which neither value is NaN; the others have no influence."""
    one, two = (np.asarray(column, dtype=np.float64) for column in (first, second))
    known = ~np.isnan(one) & ~np.isnan(two)
    influence = np.zeros(len(one))
    if not known.any():
        return Tau(float("nan"), influence)
    found = kendall_tau(one[known], two[known])
    influence[known] = found.influence
    return Tau(found.value, influence)


def mean_tau(found: Sequence[Tau]) -> Tau:
    """The mean of those taus of the same rows that are defined; NaN where none is."""
    known = [each for each in found if not np.isnan(each.value)]
    if not known:
        size = len(found[0].influence) if found else 0
        return Tau(float("nan"), np.zeros(size))
    value = float(np.mean([each.value for each in known]))
    return Tau(value, np.mean([each.influence for each in known], axis=0))
