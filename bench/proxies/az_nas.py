"""az-nas: four proxies, each blind where another sees, and the ranking that joins them.

az_expressivity, az_progressivity and az_trainability score a network. az_nas does not: it ranks a
population by the four (flops is the fourth), so what it says of a network depends on the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bench.base import Floats
from bench.proxies.computed import Computed, PopulationRanking, UndefinedError, UnrecognisedError

if TYPE_CHECKING:
    from bench.proxies.passes.block_features import BlockFeatures

PAPER = "Lee and Ham, CVPR 2024, arXiv:2403.19232"
FOLLOWS = "cvlab-yonsei/AZ-NAS @c84b00b"
DEVIATIONS = (
    "the first 32 Gaussian images of a minibatch; the reference takes 64",
    "a block is what stands at the top of a network, less its head, in any space",
)


def expressivity(block_features: BlockFeatures) -> float:
    """Sum the entropies of the blocks' features. Raises UndefinedError where one is constant."""
    return float(np.sum(_entropies(block_features)))


def progressivity(block_features: BlockFeatures) -> float:
    """Give the least growth of entropy from block to block. Raises UndefinedError as above."""
    return float(np.min(np.diff(_entropies(block_features))))


def trainability(block_features: BlockFeatures) -> float:
    """Give the mean of 2 - s - 1/s, s how far a block stretches gradients the most.

    Raises UndefinedError where a block hands gradients on unchanged, UnrecognisedError where the
    positions that it merges cannot be told.
    """
    if block_features.jacobian_fault:
        raise UnrecognisedError(block_features.jacobian_fault)
    scores = []
    for jacobian in block_features.jacobians:
        if jacobian is None:
            raise UndefinedError("a block hands gradients on unchanged")
        if not jacobian.isfinite().all():
            return float("nan")
        largest = float(np.linalg.norm(jacobian.cpu().numpy(), ord=2))
        scores.append(2 - largest - 1 / (largest + 1e-6))
    return float(np.mean(scores))


def _entropies(block_features: BlockFeatures) -> list[float]:
    """Of the shares of the eigenvalues of each block's covariance of channels."""
    entropies = []
    for covariance in block_features.covariances:
        if not covariance.isfinite().all():
            return [float("nan")] * len(block_features.covariances)
        eigenvalues = np.linalg.eigvalsh(covariance.cpu().numpy())
        if not eigenvalues[-1] > 0:
            raise UndefinedError("a block gives constant features")
        shares = np.maximum(eigenvalues, 0) / eigenvalues.sum()
        entropies.append(float(-(shares * np.log(shares + 1e-8)).sum()))
    return entropies


def ranking(columns: Mapping[str, Floats]) -> Floats:
    """Sum log(rank / a) over columns of `a` values each; larger is better.

    Ranks ascend from 1, ties share their mean. -inf, which failed, ranks last; where a column
    holds NaN, which is not known, so does the result, and the others are ranked without it.
    """
    table = np.stack([np.asarray(column, dtype=np.float64) for column in columns.values()])
    known = ~np.isnan(table).any(axis=0)
    total = np.where(known, 0.0, np.nan)
    for column in table[:, known]:
        total[known] += np.log(_ranks(column) / len(column))
    return total


def _ranks(values: Floats) -> Floats:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


az_expressivity = Computed(
    name="az_expressivity",
    function=expressivity,
    passes=("block_features",),
    needs=frozenset({"weights"}),
    paper=PAPER,
    follows=FOLLOWS,
    definition="sum over blocks of the entropy of the features' principal components",
    deviations=(*DEVIATIONS, "eigenvalues below 0 by rounding are 0"),
)
az_progressivity = Computed(
    name="az_progressivity",
    function=progressivity,
    passes=("block_features",),
    needs=frozenset({"weights"}),
    paper=PAPER,
    follows=FOLLOWS,
    definition="least growth of that entropy from one block to the next",
    deviations=(*DEVIATIONS, "eigenvalues below 0 by rounding are 0"),
)
az_trainability = Computed(
    name="az_trainability",
    function=trainability,
    passes=("block_features",),
    needs=frozenset({"weights", "gradients"}),
    paper=PAPER,
    follows=FOLLOWS,
    definition="mean over blocks of 2 - s - 1/s, s the spectral norm of the Jacobian",
    deviations=(*DEVIATIONS, "a block that hands gradients on is a failure, not minus infinity"),
)
az_nas = PopulationRanking(
    name="az_nas",
    components=("az_expressivity", "az_progressivity", "az_trainability", "flops"),
    function=ranking,
    paper=PAPER,
    follows=FOLLOWS,
    needs=frozenset({"weights", "gradients"}),
    definition="sum over the four of the log of the rank among the population",
)
