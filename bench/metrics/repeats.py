"""Networks trained several times: how much of their spread is the seed's, and what it hides.

All functions take `a x s` accuracies of `a` architectures with `s` seeds each, NaN where a network
was not trained with a seed or came to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from bench.metrics.draws import Floats
from bench.metrics.influence import Tau, mean_tau, pair_tau


@dataclass(frozen=True)
class Spread:
    """The variance of accuracy between architectures and between seeds of one architecture."""

    architectures: int
    """How many have two seeds or more; only they are looked at."""
    between: float
    """Variance of architectures' expected accuracies, 0 at the least; NaN for fewer than two."""
    within: float
    """Variance over seeds of one architecture; NaN where no architecture has two seeds."""

    @property
    def reliability(self) -> float:
        """The share of one seed's variance that is the architectures'; NaN where there is none."""
        whole = self.between + self.within
        return self.between / whole if whole > 0 else float("nan")


def spread(accuracies: ArrayLike) -> Spread:
    """Split variance by the one-way analysis of variance with random effects.

    Mean squares as for unequal numbers of seeds (S. R. Searle, G. Casella and C. E. McCulloch,
    Variance Components, 1992, chapter 3): within is MSW, between is (MSB - MSW) / m, where
    m = (N - sum_i s_i^2 / N) / (a - 1) is the mean number of seeds.
    """
    table = _checked(accuracies)
    table = table[np.isfinite(table).sum(axis=1) >= 2]
    if not len(table):
        return Spread(0, float("nan"), float("nan"))
    seeds = np.isfinite(table).sum(axis=1)
    means = np.nanmean(table, axis=1)
    number = int(seeds.sum())
    within = float(np.nansum((table - means[:, None]) ** 2)) / (number - len(table))
    if len(table) < 2:
        return Spread(1, float("nan"), within)
    middle = float(seeds @ means) / number
    mean_square = float(seeds @ (means - middle) ** 2) / (len(table) - 1)
    seeds_each = (number - float(seeds @ seeds) / number) / (len(table) - 1)
    return Spread(len(table), max((mean_square - within) / seeds_each, 0.0), within)


def seed_to_seed(accuracies: ArrayLike) -> Tau:
    """Kendall's tau between two seeds, meaned over pairs of seeds: how well seeds agree.

    Each pair is taken on the architectures that have both; pairs without a defined tau are left
    out. The influences are of the `a` architectures.
    """
    table = _checked(accuracies)
    columns = range(table.shape[1])
    return mean_tau([pair_tau(table[:, i], table[:, j]) for i, j in combinations(columns, 2)])


def seed_to_rest(accuracies: ArrayLike) -> Tau:
    """Kendall's tau of one seed with the mean of the others, meaned over seeds.

    Each is taken on the architectures that have all seeds. The mean of the others is nearer to
    the expected accuracy than any proxy of one seed could tell: a noise ceiling for scores that
    are compared with the accuracy of one seed.
    """
    table = _checked(accuracies)
    found = []
    for seed in range(table.shape[1]):
        others = np.delete(table, seed, axis=1)
        known = np.isfinite(others).all(axis=1) & (others.shape[1] > 0)
        rest = np.where(known, others.sum(axis=1) / max(others.shape[1], 1), np.nan)
        found.append(pair_tau(table[:, seed], rest))
    return mean_tau(found)


def score_to_seed(score: ArrayLike, accuracies: ArrayLike) -> Tau:
    """Kendall's tau of `a` scores with the accuracy of one seed, meaned over seeds.

    A score of NaN leaves its architecture out; -inf is an ordinary lowest value.
    """
    table = _checked(accuracies)
    values = np.asarray(score, dtype=np.float64)
    return mean_tau([pair_tau(values, column) for column in table.T])


def _checked(accuracies: ArrayLike) -> Floats:
    table = np.asarray(accuracies, dtype=np.float64)
    if table.ndim != 2 or np.isinf(table).any():
        raise ValueError(
            f"wanted a x s accuracies, finite or NaN, got shape {table.shape} with "
            f"{int(np.isinf(table).sum())} infinite values"
        )
    return table
