"""plain: what the loss would lose with each weight, sign kept.

A layer before a batch norm does not change what follows it when it is scaled, so its w dL/dw sums
to almost 0: what remains is the norm's eps, rounding, and the layers without a norm. Expect noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.proxies.computed import Computed

if TYPE_CHECKING:
    from bench.proxies.passes.loss_gradients import LossGradients


def score(gradients: LossGradients) -> float:
    """Sum w dL/dw over all weights of layers."""
    return float(sum((layer.weight * layer.gradient).sum() for layer in gradients.layers))


plain = Computed(
    name="plain",
    function=score,
    passes=("loss_gradients",),
    needs=frozenset({"weights", "data", "labels", "gradients"}),
    paper="Abdelfattah et al., ICLR 2021, arXiv:2101.08134",
    follows="NASLib, branch zerocost @8c45f19",
    definition="sum of w dL/dw",
)
