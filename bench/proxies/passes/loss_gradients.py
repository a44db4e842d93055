"""The pass backward from the loss: every layer's gradient, and its activations times theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from bench.base import OptionError
from bench.proxies.passes.forward import Forward
from bench.proxies.passes.network import Network
from bench.proxies.passes.recorder import Output
from bench.proxies.passes.structure import NO_IMAGES


@dataclass(frozen=True, eq=False)
class LayerGradient:
    """One convolution or linear layer: `weight` is `c x ...`, and so is `gradient`."""

    name: str
    weight: Tensor
    gradient: Tensor
    """Of the mean cross-entropy; zeros where the layer has no say."""
    saliency: Tensor
    """`n x c`: the sum over positions of activation times its gradient, of every call."""


@dataclass(frozen=True, eq=False)
class LossGradients:
    """The gradient of the mean cross-entropy over the minibatch."""

    loss: float
    layers: tuple[LayerGradient, ...]
    saliency_fault: str | None = None
    """Why the layers' `saliency` is not that of all their calls, image by image."""


def run(network: Network, forward: Forward) -> LossGradients:
    """Go backward from the loss once."""
    loss = cross_entropy(forward.logits, forward.labels)
    saliency: dict[str, Tensor] = {}
    known = forward.structure.layer_rows
    rows = [at for at in known if at is not None and at != NO_IMAGES]
    told = len(rows) == len(known) == len(forward.outputs)
    hooks = [
        output.node.register_prehook(partial(_add_saliency, saliency, output, dimension))
        for output, dimension in zip(forward.outputs, rows if told else (), strict=told)
        if output.node is not None
    ]
    weights = [forward.leaves[name] for name in network.layers]
    try:
        with network.holding(forward.tensors):
            gradients = torch.autograd.grad(
                loss, weights, retain_graph=True, allow_unused=True, materialize_grads=True
            )
    finally:
        for hook in hooks:
            hook.remove()
    n = len(forward.images)
    layers = tuple(
        LayerGradient(
            name=name,
            weight=weight.detach(),
            gradient=gradient,
            saliency=saliency.get(name, weight.new_zeros(n, len(weight))),
        )
        for name, weight, gradient in zip(network.layers, weights, gradients, strict=True)
    )
    return LossGradients(loss.item(), layers, _saliency_fault(layers, saliency, told))


def _saliency_fault(
    layers: Sequence[LayerGradient], saliency: Mapping[str, Tensor], told: bool
) -> str | None:
    """Why saliencies are missing: a weight that has a gradient was seen in a call."""
    if not told:
        return "a layer's output does not hold one row an image"
    for layer in layers:
        if layer.name not in saliency and bool(layer.gradient.any()):
            return f"{layer.name} has a gradient, but no call of its layer was seen"
    return None


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean cross-entropy. Raises OptionError where a label has no logit."""
    classes = logits.shape[1]
    if int(labels.max()) >= classes or int(labels.min()) < 0:
        raise OptionError(
            f"expected labels below {classes}, which is how many logits the network gives, "
            f"got {int(labels.min())} to {int(labels.max())}"
        )
    return functional.cross_entropy(logits, labels)


def _add_saliency(
    saliency: dict[str, Tensor], output: Output, dimension: int, gradients: tuple[Tensor]
) -> None:
    """Add what one call of a layer contributes; nothing is kept but `n x c` numbers."""
    product = (output.value.detach() * gradients[0]).movedim(dimension, 0)
    if output.function == "linear":
        product = product.movedim(-1, 1)
    if product.dim() > 2:
        product = product.sum(dim=list(range(2, product.dim())))
    saliency[output.layer] = saliency.get(output.layer, 0) + product
