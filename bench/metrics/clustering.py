"""Clusters of a few things by their distances: which are merged, and in which order to show them.

Average linkage (R. R. Sokal and C. D. Michener, A statistical method for evaluating systematic
relationships, 1958). It is meant for the tens of proxies of a table: the cost is cubic. Equal
distances are merged in the order in which things were given, so the result is the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bench.metrics.draws import Floats


@dataclass(frozen=True)
class Merge:
    """Two clusters become one.

    Single things are clusters 0 to p - 1; the i-th merge, from 0, makes cluster p + i.
    """

    first: int
    second: int
    height: float
    """The mean distance between members of the two."""


def average_linkage(distances: ArrayLike) -> list[Merge]:
    """Merge the two nearest clusters again and again, until one is left: p - 1 merges.

    Args:
        distances: `p x p`, symmetric and without NaN; its diagonal is not read.

    Raises:
        ValueError: Distances of another shape, not symmetric, or NaN.
    """
    far = _checked(distances)
    size = [1] * len(far)
    alive = list(range(len(far)))
    merges = []
    while len(alive) > 1:
        within = far[np.ix_(alive, alive)]
        np.fill_diagonal(within, np.inf)
        row, column = divmod(int(np.argmin(within)), len(alive))
        first, second = alive[row], alive[column]
        merges.append(Merge(first, second, float(far[first, second])))
        weights = size[first], size[second]
        joined = np.average(far[[first, second]], axis=0, weights=weights)
        far = np.pad(far, ((0, 1), (0, 1)))
        far[-1, :-1] = far[:-1, -1] = joined
        size.append(sum(weights))
        alive = [each for each in alive if each not in (first, second)] + [len(far) - 1]
    return merges


def leaf_order(distances: ArrayLike, merges: list[Merge]) -> list[int]:
    """Put `p` things in an order that crosses no merge, with near ends side by side.

    At each merge both clusters may be turned round; of the four ways, the one that brings the
    nearest ends together is taken, the first of equals.
    """
    far = _checked(distances)
    orders = [[thing] for thing in range(len(far))]
    for merge in merges:
        one, two = orders[merge.first], orders[merge.second]
        ways = [(left, right) for left in (one, one[::-1]) for right in (two, two[::-1])]
        left, right = min(ways, key=lambda way: float(far[way[0][-1], way[1][0]]))
        orders.append(left + right)
    return orders[-1] if orders else []


def _checked(distances: ArrayLike) -> Floats:
    far = np.array(distances, dtype=np.float64)
    square = far.ndim == 2 and far.shape[0] == far.shape[1]
    if not square or np.isnan(far).any() or not np.array_equal(far, far.T):
        raise ValueError(f"wanted symmetric p x p distances without NaN, got shape {far.shape}")
    return far
