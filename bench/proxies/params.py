"""Parameters: how many there are, in millions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.proxies.computed import Computed

if TYPE_CHECKING:
    from bench.proxies.passes.weights import Weights


def score(weights: Weights) -> float:
    """Count all parameters, of norms and biases too, in millions."""
    return weights.parameters / 1e6


params = Computed(
    name="params",
    function=score,
    passes=("weights",),
    needs=frozenset({"weights"}),
    paper="Ning et al., NeurIPS 2021, arXiv:2008.03064",
    follows="NASLib, branch zerocost @8c45f19",
    definition="millions of parameters",
)
