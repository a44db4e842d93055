"""The second-order pass of grasp: the product of weights, Hessian, and gradient.

The reference goes backward twice through the whole network for a vector Hg of which only the
product with w is used. Here one sweep forward on jets gives that product; networks with functions
that jets have no rule for go backward twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from bench.proxies.passes.jet_rules import UnknownRuleError
from bench.proxies.passes.jets import Jets
from bench.proxies.passes.loss_gradients import LossGradients
from bench.proxies.passes.network import Network, in_layout, reseed


@dataclass(frozen=True, eq=False)
class HessianGradient:
    """wᵀHg over the weights of all layers, of the mean cross-entropy."""

    product: float
    forward: bool
    """Whether jets gave it, rather than going backward twice."""


def run(network: Network, gradients: LossGradients) -> HessianGradient:
    """Sweep forward on jets, or go backward twice where a function has no rule."""
    directions = {layer.name: layer.gradient for layer in gradients.layers}
    if network.structure.own_gradients is None:
        try:
            return HessianGradient(forward_product(network, directions), True)
        except UnknownRuleError:
            # What ran until then has drawn.
            reseed(network.seed)
    return HessianGradient(backward_product(network, directions), False)


def forward_product(network: Network, directions: dict[str, Tensor]) -> float:
    """The product by one sweep forward. Raises UnknownRuleError."""
    batch = network.batch
    n = len(batch.images)
    images = in_layout(batch.images)
    jet = in_layout(torch.cat([images, images.new_zeros(3 * n, *images.shape[1:])]))
    moving = {id(network.parameters[name]): direction for name, direction in directions.items()}
    # Nothing requires a gradient, and the network sees that gradients are taken, as elsewhere.
    with torch.enable_grad():
        mode = Jets(n, moving)
        logits = network.call(mode.know(jet), network.parameters, mode=mode)
        return mixed_cross_entropy(logits.view(4, n, -1), batch.labels)


def mixed_cross_entropy(logits: Tensor, labels: Tensor) -> float:
    """The mixed derivative of the mean cross-entropy of a jet of logits, `4 x n x k`.

    With p = softmax(z) and one-hot y, it is the mean of (p - y)ᵀ z_m + z_wᵀ (diag p - p pᵀ) z_g.
    """
    value, along_w, along_g, along_both = logits
    p = value.softmax(dim=1)
    first = ((p - functional.one_hot(labels, p.shape[1])) * along_both).sum(1)
    spread = (p * along_w * along_g).sum(1) - (p * along_w).sum(1) * (p * along_g).sum(1)
    return float((first + spread).mean())


def backward_product(network: Network, directions: dict[str, Tensor]) -> float:
    """The product by going backward twice."""
    leaves = network.leaves()
    weights = [leaves[name] for name in network.layer_names]
    buffers = network.buffers()
    with torch.enable_grad(), network.holding({**leaves, **buffers}):
        logits = network.call(in_layout(network.batch.images), leaves, buffers=buffers)
        loss = functional.cross_entropy(logits, network.batch.labels)
        first = torch.autograd.grad(
            loss, weights, create_graph=True, allow_unused=True, materialize_grads=True
        )
        inner = torch.stack(
            [
                (gradient * directions[name]).sum()
                for name, gradient in zip(network.layer_names, first, strict=True)
            ]
        ).sum()
        second = torch.autograd.grad(inner, weights, allow_unused=True, materialize_grads=True)
    return float(
        sum(
            (weight.detach() * gradient).sum(dtype=torch.float64)
            for weight, gradient in zip(weights, second, strict=True)
        )
    )
