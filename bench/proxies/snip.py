"""snip: what the loss would lose with each weight, in absolute value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.proxies.computed import Computed

if TYPE_CHECKING:
    from bench.proxies.passes.loss_gradients import LossGradients


def score(gradients: LossGradients) -> float:
    """Sum |w dL/dw| over all weights of layers."""
    return float(sum((layer.weight * layer.gradient).abs().sum() for layer in gradients.layers))


snip = Computed(
    name="snip",
    function=score,
    passes=("loss_gradients",),
    needs=frozenset({"weights", "data", "labels", "gradients"}),
    paper="Lee et al., ICLR 2019, arXiv:1810.02340",
    follows="NASLib, branch zerocost @8c45f19",
    definition="sum of |w dL/dw|",
    deviations=(
        "the gradient is taken by the weight, not by a mask of ones on it: the same product",
    ),
)
