"""grad_norm: how large the gradients of the loss are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.proxies.computed import Computed

if TYPE_CHECKING:
    from bench.proxies.passes.loss_gradients import LossGradients


def score(gradients: LossGradients) -> float:
    """Sum the norms of the layers' gradients: a sum of norms, not the norm of all."""
    return float(sum(layer.gradient.norm() for layer in gradients.layers))


grad_norm = Computed(
    name="grad_norm",
    function=score,
    passes=("loss_gradients",),
    needs=frozenset({"weights", "data", "labels", "gradients"}),
    paper="Abdelfattah et al., ICLR 2021, arXiv:2101.08134",
    follows="NASLib, branch zerocost @8c45f19",
    definition="sum over layers of the gradient's Frobenius norm",
)
