"""What a choice costs: the best there was, less the best that was found.

For a ranking, `regret_at_k`. For searches, traces of shape `s x t`: `s` seeds, `t` queries, in each
place the oriented accuracy of the query (larger is better). NaN is a query that gave nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bench.metrics._counts import finite, metric, ratio
from bench.metrics.draws import Column, Floats
from bench.metrics.top import Ties, best_of_top_k, kth_best


@metric(columns=2)
def regret_at_k(score: Column, truth: Column, k: float, ties: Ties = "expected") -> Floats:
    """The best truth among the rows less that among the k highest-scored; at least 0.

    `k` and `ties` are those of `bench.metrics.top.best_of_top_k`, and it is undefined, NaN, where
    that is: where fewer than k rows have a score.
    """
    regret: Floats = kth_best(truth, 1) - best_of_top_k(score, truth, k, ties)
    return regret


def running_best(trace: ArrayLike) -> Floats:
    """The best value so far, along the last axis; NaN until there is one."""
    best: Floats = np.fmax.accumulate(np.asarray(trace, dtype=np.float64), axis=-1)
    return best


def anytime_regret(validation_trace: ArrayLike, optimum: float) -> Floats:
    """The optimum less the running best, after each of `t` queries: `s x t`, or `t` of one seed."""
    regret: Floats = optimum - running_best(validation_trace)
    return regret


@metric(columns=1)
def mean(values: Column) -> Floats:
    """The mean of finite values."""
    return ratio(finite(values.values, "values") @ values.draws.wide(), values.draws.totals)


@metric(columns=1)
def interquartile_mean(values: Column) -> Floats:
    """The mean of the middle half: of m finite values, floor(m / 4) at each end are left out.

    As scipy.stats.trim_mean(values, 0.25); advised for few seeds by Agarwal et al., NeurIPS 2021.
    """
    order = values.ordering()
    ascending = finite(values.values, "values")[order.rows[order.starts]]
    rows = values.draws.totals
    cut = np.floor(rows / 4)
    kept = np.minimum(values.after(), rows - cut)
    kept -= np.maximum(values.after() - values.groups(), cut)
    np.maximum(kept, 0, out=kept)
    return ratio(ascending @ kept, kept.sum(axis=0))
