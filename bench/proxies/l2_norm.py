"""l2_norm: how large the initial weights are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.proxies.computed import Computed

if TYPE_CHECKING:
    from bench.proxies.passes.weights import Weights


def score(weights: Weights) -> float:
    """Sum the Frobenius norms of the layers' weights."""
    return float(sum(layer.norm() for layer in weights.layers))


l2_norm = Computed(
    name="l2_norm",
    function=score,
    passes=("weights",),
    needs=frozenset({"weights"}),
    paper="Abdelfattah et al., ICLR 2021, arXiv:2101.08134",
    follows="NASLib, branch zerocost @8c45f19",
    definition="sum over layers of the weight's Frobenius norm",
)
