"""The pass that compares minibatches: the gradient of the loss on each of them.

The first minibatch's gradient is the one that other proxies need anyhow.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.base import OptionError
from bench.proxies.passes.loss_gradients import LossGradients, cross_entropy
from bench.proxies.passes.network import Batch, Network, in_layout


@dataclass(frozen=True, eq=False)
class BatchGradients:
    """The gradients of the mean cross-entropy on `m` minibatches."""

    layers: tuple[Tensor, ...]
    """One a layer, `m x c x ...`; zeros where it has no say."""


def run(network: Network, first: LossGradients) -> BatchGradients:
    """Go forward and backward once for each further minibatch.

    A single minibatch is split in two halves, and its own gradient is not used.
    """
    gradients = [[layer.gradient for layer in first.layers]]
    further = list(network.batches[1:])
    if not further:
        gradients, further = [], _halves(network.batch)
    gradients += [_gradients(network, batch) for batch in further]
    return BatchGradients(tuple(torch.stack(layer) for layer in zip(*gradients, strict=True)))


def _halves(batch: Batch) -> list[Batch]:
    """Two minibatches of one; of an odd number of images, the last is left out.

    Raises OptionError where there is but one image.
    """
    half = len(batch.images) // 2
    if not half:
        raise OptionError("expected two minibatches, or two images to split, got one image")
    return [
        Batch(batch.images[start : start + half], batch.labels[start : start + half])
        for start in (0, half)
    ]


def _gradients(network: Network, batch: Batch) -> list[Tensor]:
    leaves = network.leaves()
    weights = [leaves[name] for name in network.layers]
    buffers = network.buffers()
    with torch.enable_grad(), network.holding({**leaves, **buffers}):
        logits = network.call(in_layout(batch.images), leaves, buffers=buffers)
        loss = cross_entropy(logits, batch.labels)
        return list(torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True))
