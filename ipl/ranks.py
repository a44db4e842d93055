"""Ranks: what accuracies are learnt as."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from bench.base import Floats


def mean_ranks(values: Floats) -> Floats:
    """The ranks of `n` values, from 1, equal ones sharing the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def normal_ranks(values: Floats) -> Floats:
    """The normal quantiles of (rank - 1/2) / n of `n` values."""
    quantile = NormalDist().inv_cdf
    return np.array([quantile((rank - 0.5) / len(values)) for rank in mean_ranks(values).tolist()])
