"""Several searchers compared over several tasks: ranks, their test, and statistics over seeds.

Values are costs, such as regrets: smaller is better, and rank 1 is the best. Average ranks, the
Friedman test and the Nemenyi critical difference follow J. Demsar, JMLR 2006
(https://jmlr.org/papers/v7/demsar06a.html); the interquartile mean and profiles of
runs follow R. Agarwal et al., NeurIPS 2021 (https://arxiv.org/abs/2108.13264).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from bench.metrics.draws import Counts, Floats

_EXACT = 200
"""Up to so many differences the signed-rank test enumerates its null distribution."""


def average_ranks(values: ArrayLike) -> Floats:
    """Rank the `m` values of every row, 1 for the smallest; equal ones share their mean.

    Infinity is a value like another, so that what failed can be ranked last.

    Args:
        values: `s x m` costs.

    Raises:
        ValueError: Values of another shape, or NaN among them.

    >>> average_ranks([[0.5, 0.1, 0.5]]).tolist()
    [[2.5, 1.0, 2.5]]
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or np.isnan(table).any():
        raise ValueError(f"wanted values of shape s x m without NaN, got {table.shape}")
    below = (table[:, None, :] < table[:, :, None]).sum(axis=2)
    equal = (table[:, None, :] == table[:, :, None]).sum(axis=2)
    ranks: Floats = below + (equal + 1) / 2
    return ranks


@dataclass(frozen=True)
class Friedman:
    """The statistic, corrected for ties, and the chance of as large a one under equal searchers."""

    statistic: float
    p_value: float


def friedman(values: ArrayLike) -> Friedman:
    """Test whether `m` searchers differ over `n` independent tasks, one row of costs a task.

    Equals scipy.stats.friedmanchisquare. NaN where all are tied in every row.

    Raises:
        ValueError: Fewer than two rows or columns, or NaN.
    """
    ranks = average_ranks(values)
    n, m = ranks.shape
    if n < 2 or m < 2:
        raise ValueError(f"wanted at least 2 tasks and 2 searchers, got {n} and {m}")
    between = float(((ranks.sum(axis=0) - n * (m + 1) / 2) ** 2).sum())
    within = float((ranks**2).sum()) - n * m * (m + 1) ** 2 / 4
    if within <= 0:
        return Friedman(math.nan, math.nan)
    statistic = (m - 1) * between / within
    return Friedman(statistic, chi_square_tail(statistic, m - 1))


def chi_square_tail(value: float, degrees: int) -> float:
    """P(X >= value) of chi-square with whole degrees of freedom, by its finite sums.

    Abramowitz & Stegun, Handbook of Mathematical Functions, 1964, 26.4.4 and 26.4.5.
    """
    half = value / 2
    if degrees % 2:
        powers = [i + 0.5 for i in range((degrees - 1) // 2)]
        start = math.erfc(math.sqrt(half))
    else:
        powers = [float(i) for i in range(degrees // 2)]
        start = 0.0
    if half <= 0:
        return 1.0
    terms = (math.exp(p * math.log(half) - half - math.lgamma(p + 1)) for p in powers)
    return min(1.0, start + sum(terms))


@cache
def studentised_range(m: int, level: float = 0.95) -> float:
    """The `level` quantile of the range of `m` standard normal values.

    That is the studentised range with infinite degrees of freedom. Its distribution,
    m * integral of phi(z) (Phi(z) - Phi(z - q))^(m - 1), is integrated and bisected.
    """
    if m < 2 or not 0 < level < 1:
        raise ValueError(f"wanted m >= 2 and a level in (0, 1), got {m} and {level}")
    z = np.linspace(-9.0, 9.0, 3601)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    below = _normal(z)

    def chance(q: float) -> float:
        # A smooth function that vanishes at both ends: the plain sum converges exponentially.
        return float(m * (density * (below - _normal(z - q)) ** (m - 1)).sum() * (z[1] - z[0]))

    low, high = 0.0, 18.0
    while high - low > 1e-10:
        middle = (low + high) / 2
        low, high = (middle, high) if chance(middle) < level else (low, middle)
    return (low + high) / 2


def _normal(z: Floats) -> Floats:
    return np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in z.tolist()])


def critical_difference(m: int, tasks: int, level: float = 0.95) -> float:
    """How far average ranks of two of `m` searchers over so many tasks must lie apart (Nemenyi).

    Raises:
        ValueError: Fewer than two searchers or no task.
    """
    if tasks < 1:
        raise ValueError(f"wanted at least one task, got {tasks}")
    return studentised_range(m, level) / math.sqrt(2) * math.sqrt(m * (m + 1) / (6 * tasks))


def cliques(ranks: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """The longest runs of ascending ranks that lie no farther apart than a critical difference.

    Returns:
        First and last position of every run of two or more that no other run holds.

    Raises:
        ValueError: Ranks that are not ascending.

    >>> cliques([1.0, 1.5, 2.6, 4.0], 1.2)
    [(0, 1), (1, 2)]
    """
    ordered = np.asarray(ranks, dtype=np.float64)
    if (np.diff(ordered) < 0).any():
        raise ValueError(f"wanted ascending ranks, got {list(ranks)}")
    found: list[tuple[int, int]] = []
    for first, rank in enumerate(ordered):
        last = int(np.searchsorted(ordered, rank + difference, side="right")) - 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def signed_rank(differences: ArrayLike) -> float:
    """The two-sided p-value of F. Wilcoxon's signed-rank test (1945) of paired differences.

    Zeros are left out and equal sizes share their mean rank. For up to 200 differences the null
    distribution over all signs is counted out, given the ties; beyond, it is the normal one with
    the variance of the tied ranks. NaN where nothing but zeros is left.

    Raises:
        ValueError: Differences that are not finite, or of more than one dimension.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"wanted finite differences of shape (n,), got {differences!r}")
    values = values[values != 0]
    if values.size == 0:
        return math.nan
    ranks = _ranks_of_sizes(np.abs(values))  # doubled, so that they are whole numbers
    plus = int(ranks[values > 0].sum())
    total = int(ranks.sum())
    least = min(plus, total - plus)
    if values.size > _EXACT:
        deviation = math.sqrt(float((ranks.astype(np.float64) ** 2).sum()) / 4)
        return min(1.0, math.erfc((total / 2 - least) / deviation / math.sqrt(2)))
    chances = np.zeros(total + 1)
    chances[0] = 1.0
    for rank in ranks.tolist():  # each rank counts on the positive side or not, with chance 1/2
        moved = chances[: total + 1 - rank] / 2
        chances /= 2
        chances[rank:] += moved
    return min(1.0, 2 * float(chances[: least + 1].sum()))


def _ranks_of_sizes(sizes: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    _, places, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    doubled: np.ndarray[tuple[int], np.dtype[np.int64]] = (2 * last - counts + 1)[places]
    return doubled


def trimmed_means(values: ArrayLike, counts: Counts, cuts: Sequence[int]) -> Floats:
    """Means of `n x c` values over their rows without the `cut` least and largest, by resample.

    A cut of floor(n / 4) gives the interquartile mean, one of floor((n - 1) / 2) the median. Rows
    are resampled whole, the same for all columns, so that columns are paired.

    Args:
        values: `n x c` finite values.
        counts: `r x n`, how often each resample holds each row; ones, `1 x n`, for the values as
            they are.
        cuts: How many values to leave out at each end.

    Returns:
        Means of shape `len(cuts) x r x c`.

    Raises:
        ValueError: Values that are not finite, counts that are not resamples of `n` rows, or a
            cut that leaves nothing.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or len(table) == 0 or not np.isfinite(table).all():
        raise ValueError(f"wanted finite values of shape n x c, got {table.shape}")
    n, columns = table.shape
    if counts.ndim != 2 or counts.shape[1] != n or (counts.sum(axis=1) != n).any():
        raise ValueError(f"wanted counts of shape r x {n} that add up to {n}, got {counts.shape}")
    if any(not 0 <= 2 * cut < n for cut in cuts):
        raise ValueError(f"wanted cuts from 0 to below half of {n}, got {list(cuts)}")
    lanes = np.ascontiguousarray(counts.T).astype(np.int16 if n < 1 << 14 else np.int64)
    order = np.argsort(table, axis=0, kind="stable")
    ascending = np.take_along_axis(table, order, axis=0)
    upto = lanes[order]  # n x c x r: the first rows of a column make up so many of a resample
    for row in range(1, n):  # several times faster than np.cumsum down an axis
        np.add(upto[row], upto[row - 1], out=upto[row])
    found = np.empty((len(cuts), len(counts), columns))
    for place, cut in enumerate(cuts):
        within = np.clip(upto, cut, n - cut)
        kept = np.diff(within, axis=0, prepend=lanes.dtype.type(cut))
        for column in range(columns):
            found[place, :, column] = ascending[:, column] @ kept[:, column] / (n - 2 * cut)
    return found


def profile(values: ArrayLike, thresholds: ArrayLike, counts: Counts) -> Floats:
    """The share of runs whose cost is at most each of `t` thresholds, in each of `r` resamples.

    Args:
        values: `n` costs; infinity never counts.
        thresholds: `t` costs.
        counts: `r x n`, how often each resample holds each run; ones for the share itself.
    """
    reached = np.asarray(values, dtype=np.float64)[:, None] <= np.asarray(thresholds)[None, :]
    shares: Floats = counts @ reached.astype(np.float64) / counts.sum(axis=1)[:, None]
    return shares
