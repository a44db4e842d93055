"""Trade-offs between two objectives: which rows no other row beats at both."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bench.metrics.draws import Bools


def pareto_front(cost: ArrayLike, value: ArrayLike) -> Bools:
    """Which of `n` rows are on the front of small cost and large value.

    A row is off the front if another costs no more and is worth no less, and is better at one of
    the two (V. Pareto, 1896). Rows that are equal at both stand or fall together; a row with a
    value that is not finite is never on the front, and beats nobody.

    Raises:
        ValueError: Columns that are not of one shape `n`.
    """
    costs, values = (np.asarray(column, dtype=np.float64) for column in (cost, value))
    if costs.ndim != 1 or costs.shape != values.shape:
        raise ValueError(f"wanted two columns of shape (n,), got {costs.shape} and {values.shape}")
    front = np.zeros(costs.shape, dtype=bool)
    known = np.flatnonzero(np.isfinite(costs) & np.isfinite(values))
    if not known.size:
        return front
    order = known[np.lexsort((-values[known], costs[known]))]
    costs, values = costs[order], values[order]
    # The best value among rows that cost strictly less, and among those of the same cost.
    best = np.maximum.accumulate(values)
    first = np.searchsorted(costs, costs, side="left")
    cheaper = np.where(first > 0, best[np.maximum(first - 1, 0)], -np.inf)
    front[order] = (values > cheaper) & (values == values[first])
    return front
