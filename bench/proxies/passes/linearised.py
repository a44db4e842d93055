"""The data-free pass of synflow: absolute weights, no norm, one image of ones.

In float64, as the sums of NAS-Bench-201's cells reach 1e61, beyond what float32 can hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.proxies.passes.network import Network, in_layout
from bench.proxies.passes.recorder import Bypass


@dataclass(frozen=True, eq=False)
class Linearised:
    """The gradient of the summed outputs of the network of absolute weights, float64."""

    output: float
    """The sum of the outputs, R."""
    weights: tuple[Tensor, ...]
    """Absolute, one tensor a layer."""
    gradients: tuple[Tensor, ...]
    """dR/dw, in the same order and shapes; zeros where a layer has no say."""


def run(network: Network, *, norms: bool = False) -> Linearised:
    """Run forward and backward once, on one image of ones; with `norms`, batch norms are kept."""
    parameters = {name: tensor.abs().double() for name, tensor in network.parameters.items()}
    weights = [parameters[name].requires_grad_() for name in network.layers]
    buffers = {
        name: tensor.abs().double() if tensor.is_floating_point() else tensor
        for name, tensor in network.buffers().items()
    }
    ones = torch.ones_like(network.batch.images[:1], dtype=torch.float64)
    if not norms:
        network.structure.check_batch_norms("synflow, which leaves norms out,")
    with torch.enable_grad(), network.holding({**parameters, **buffers}):
        logits = network.call(
            in_layout(ones), parameters, buffers=buffers, mode=None if norms else Bypass()
        )
        total = logits.sum()
        gradients = torch.autograd.grad(total, weights, allow_unused=True, materialize_grads=True)
    return Linearised(
        output=total.item(),
        weights=tuple(weight.detach() for weight in weights),
        gradients=gradients,
    )
