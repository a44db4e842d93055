"""Bootstrap intervals: how far a measured value would move on another sample of rows.

The percentile bootstrap of B. Efron (1979): draw `n` of `n` rows with replacement, compute the
metric, repeat, and read the interval off the quantiles. A resample is kept as counts of rows, so
metrics of one table, or proxies to be compared on it, can share the same resamples.

It covers for correlations of a hundred rows or more. It does not for best values, ranks of single
rows and means over a few seeds: `bench.metrics.intervals` says what stands in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.metrics._counts import Metric
from bench.metrics.draws import Counts, Floats

BYTES = 1 << 26
"""Counts that `bootstrap` holds at once: 64 MiB."""


@dataclass(frozen=True)
class Estimate:
    """A value and its interval; `undefined` of the resamples had no value and were left out."""

    value: float
    low: float
    high: float
    undefined: int = 0


def resample(
    n: int, resamples: int, rng: np.random.Generator, groups: ArrayLike | None = None
) -> NDArray[np.unsignedinteger[Any]]:
    """Draw `resamples` times `n` of `n` rows with replacement; return the counts, `r x n`.

    Rows that share what was measured are one observation: drawn one by one, they would make
    intervals too narrow. So with groups, as many groups as there are are drawn, whole (the cluster
    bootstrap of A. C. Davison and D. V. Hinkley, 1997, section 3.8); where they differ in size, so
    do resamples.

    Counts are uint16 below 65,536 rows, or groups, and uint32 from there.

    Args:
        n: Rows.
        resamples: `r`.
        rng: Draws.
        groups: `n` integers, equal in rows of one group.

    Raises:
        ValueError: No rows, a negative number of resamples, or not `n` groups.
    """
    if groups is not None:
        codes = np.asarray(groups)
        if codes.shape != (n,):
            raise ValueError(f"wanted groups of shape ({n},), got {codes.shape}")
        numbers, codes = np.unique(codes, return_inverse=True)
        return resample(numbers.size, resamples, rng)[:, codes]
    if n < 1 or resamples < 0:
        raise ValueError(f"wanted n >= 1 rows and >= 0 resamples, got {n} and {resamples}")
    dtype = np.uint16 if n <= np.iinfo(np.uint16).max else np.uint32
    counts = np.empty((resamples, n), dtype=dtype)
    for one in range(resamples):
        counts[one] = np.bincount(rng.integers(n, size=n), minlength=n)
    return counts


def resample_parts(
    n: int, resamples: int, rng: np.random.Generator, bytes_at_once: int = BYTES
) -> Iterator[NDArray[np.unsignedinteger[Any]]]:
    """Draw the rows of `resample(n, resamples, rng)` part by part, each within `bytes_at_once`."""
    width = max(1, n) * (2 if n <= np.iinfo(np.uint16).max else 4)
    lanes = max(1, bytes_at_once // width)
    for start in range(0, resamples, lanes):
        yield resample(n, min(lanes, resamples - start), rng)


def interval(estimates: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of `r` estimates: their (1 - level) / 2 quantile and its mirror.

    Undefined estimates (NaN) are left out; with none defined, both ends are NaN.

    Raises:
        ValueError: A level outside (0, 1), or estimates of more than one dimension.
    """
    values = np.asarray(estimates, dtype=np.float64)
    if not 0 < level < 1 or values.ndim != 1:
        raise ValueError(
            f"wanted estimates of shape (r,) and a level in (0, 1), got {values.shape} and {level}"
        )
    values = values[~np.isnan(values)]
    if values.size == 0:
        return np.nan, np.nan
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def estimate(
    metric: Metric, *columns: ArrayLike, counts: Counts, level: float = 0.95, **options: Any
) -> Estimate:
    """A metric of some columns with its interval over given resamples, `r x n` counts.

    Give the same counts to several metrics, or to several proxies of one table, and their values
    in each resample stand side by side.
    """
    return _summary(metric(*columns, **options), metric(*columns, counts=counts, **options), level)


def bootstrap(
    metric: Metric,
    *columns: ArrayLike,
    resamples: int = 1000,
    rng: np.random.Generator,
    level: float = 0.95,
    **options: Any,
) -> Estimate:
    """A metric of some columns with its interval over resamples drawn for it alone.

    Equals `estimate` with `counts=resample(n, resamples, rng)`, in bounded memory.
    """
    value = metric(*columns, **options)
    rows = len(np.asarray(columns[0]))
    parts = [
        metric(*columns, counts=counts, **options)
        for counts in resample_parts(rows, resamples, rng)
    ]
    return _summary(value, np.concatenate([np.empty(0), *parts]), level)


def _summary(value: float, estimates: Floats, level: float) -> Estimate:
    low, high = interval(estimates, level)
    return Estimate(value, low, high, int(np.isnan(estimates).sum()))
