"""grasp: how the gradient's flow would change with each weight.

Weights before a batch norm can be scaled without effect, so by Euler's theorem their Hw is -g but
for the norm's eps: most of the score is the squared norm of the gradient, the rest the layers
without a norm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.proxies.computed import Computed

if TYPE_CHECKING:
    from bench.proxies.passes.hessian_gradient import HessianGradient


def score(second: HessianGradient) -> float:
    """Give -w'Hg, g the gradient of the loss on the same minibatch."""
    return -second.product


grasp = Computed(
    name="grasp",
    function=score,
    passes=("hessian_gradient",),
    needs=frozenset({"weights", "data", "labels", "gradients"}),
    paper="Wang et al., ICLR 2020, arXiv:2002.07376",
    follows="NASLib, branch zerocost @8c45f19",
    definition="minus weight times Hessian-gradient product, summed",
    deviations=(
        "only the product is computed, forward, by jets; the reference goes backward twice",
    ),
)
