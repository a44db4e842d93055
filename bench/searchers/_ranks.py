"""Ranks, for the searchers that learn from them."""

from __future__ import annotations

import numpy as np

from bench.base import Floats


def mean_ranks(values: Floats) -> Floats:
    """The ranks of `n` values, from 1, equal ones sharing the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks
