"""Which of two proxies is better, and how well any proxy could do.

Two proxies of one table are compared on the same resamples, so what a resample does to both (a
hard sample of rows) cancels in their difference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bench.metrics._counts import Metric
from bench.metrics.bootstrap import Estimate, estimate, interval
from bench.metrics.draws import Counts, Floats
from bench.metrics.rank import kendall


@dataclass(frozen=True)
class Comparison:
    """The metric of one proxy minus that of another, its interval and two-sided p-value."""

    difference: float
    low: float
    high: float
    p_value: float
    undefined: int = 0
    """Resamples in which the difference had no value; they were left out."""


def paired(
    metric: Metric,
    score_a: ArrayLike,
    score_b: ArrayLike,
    truth: ArrayLike,
    counts: Counts,
    *,
    level: float = 0.95,
    **options: Any,
) -> Comparison:
    """Compare two scores of the same `n` rows on the same resamples, `r x n` counts.

    The interval is the percentile bootstrap; `bench.metrics.bootstrap` says of what it covers.

    The p-value is 2 min(#(d <= 0) + 1, #(d >= 0) + 1) / (r + 1), at most 1, over the differences d
    that are defined; the + 1 keeps it from being 0 for want of resamples (Davison & Hinkley,
    Bootstrap Methods and their Application, 1997, section 4.2). Where no resample reaches zero,
    counting can say no more, and many comparisons together need more: there it is that of the
    normal distribution with the deviation of d (section 5.2), if less. It is NaN when none is
    defined.
    """
    value = metric(score_a, truth, **options) - metric(score_b, truth, **options)
    drawn = metric(score_a, truth, counts=counts, **options)
    drawn = drawn - metric(score_b, truth, counts=counts, **options)
    return summarise(value, drawn, level=level)


def summarise(difference: float, drawn: Floats, *, level: float = 0.95) -> Comparison:
    """The comparison of which a difference and its values in `r` resamples are known."""
    defined = drawn[~np.isnan(drawn)]
    low, high = interval(defined, level)
    p = _p_value(difference, defined)
    return Comparison(difference, low, high, p, len(drawn) - len(defined))


def _p_value(difference: float, drawn: Floats) -> float:
    if drawn.size == 0:
        return float("nan")
    tail = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    counted = min(1.0, 2 * (tail + 1) / (drawn.size + 1))
    deviation = float(drawn.std(ddof=1)) if drawn.size > 1 else 0.0
    if tail or not deviation:
        return counted
    return min(counted, math.erfc(abs(difference) / deviation / math.sqrt(2)))


def holm(p_values: ArrayLike) -> Floats:
    """Adjust p-values for being several, by the step-down method of S. Holm (1979).

    The i-th smallest of m is multiplied by m - i + 1, made not to fall, and cut at 1. Undefined
    ones (NaN) stay so and do not count among the m.

    Raises:
        ValueError: Values outside [0, 1], or of more than one dimension.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if values.ndim != 1 or ((values < 0) | (values > 1)).any():
        raise ValueError(f"wanted p-values between 0 and 1 of shape (m,), got {p_values!r}")
    adjusted = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    raised = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return adjusted


def noise_ceiling(
    validation: ArrayLike, test: ArrayLike, counts: Counts, *, level: float = 0.95
) -> Estimate:
    """Kendall's tau of validation with test accuracy: what a perfect predictor would reach."""
    return estimate(kendall, validation, test, counts=counts, level=level)
