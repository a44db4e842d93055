"""The pass backward from the summed logits to the images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.proxies.computed import UndefinedError
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


def _backward(forward: Forward, weights: Tensor) -> Tensor:
    """The gradient of a weighted sum of the logits."""
    (gradient,) = torch.autograd.grad(
        forward.logits,
        forward.images,
        weights,
        retain_graph=True,
        allow_unused=True,
        materialize_grads=True,
    )
    return gradient


def run(network: Network, forward: Forward) -> InputJacobian:
    """Go backward from the sum of the logits once. Raises UndefinedError where it is constant."""
    logits = forward.logits
    with network.holding(forward.tensors):
        gradient = _backward(forward, torch.ones_like(logits))
        largest = float(gradient.abs().max())
        epsilon = torch.finfo(gradient.dtype).eps
        if 0 < largest < epsilon**0.5:
            # It may be what rounding leaves, as where logits are probabilities, whose sum is 1.
            weights = torch.linspace(1, 2, logits.numel()).to(logits).view_as(logits)
            if largest < min(1000 * epsilon, 0.1) * float(_backward(forward, weights).abs().max()):
                raise UndefinedError(
                    "the sum of the logits moves with the images by rounding alone"
                )
    return InputJacobian(gradient.flatten(1), forward.labels, logits.shape[1])
