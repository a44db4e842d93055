"""The pass backward from the summed logits to the images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.proxies.passes.forward import Forward
from bench.proxies.passes.network import Network


@dataclass(frozen=True, eq=False)
class InputJacobian:
    """What the sum of all logits answers to each image."""

    rows: Tensor
    """`n x d`: the gradient of the sum of all logits, one flattened image a row."""
    labels: Tensor
    classes: int
    """How many logits the network gives."""


def run(network: Network, forward: Forward) -> InputJacobian:
    """Go backward from the sum of the logits once."""
    logits = forward.logits
    with network.holding(forward.tensors):
        (gradient,) = torch.autograd.grad(
            logits,
            forward.images,
            torch.ones_like(logits),
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
    return InputJacobian(gradient.flatten(1), forward.labels, logits.shape[1])
