"""The passes over a stack of networks, each run once for all of them.

They are the passes of `bench.proxies.passes`, with what belongs to one architecture kept apart:
the loss is the sum over architectures of the mean cross-entropy, and images are repeated, so that
each network has an input of its own to go backward to. What a pass shows are tensors of all
architectures, of which `_stacked_records` makes each one's records. But for `perturbed`, nothing
here waits for a device or copies to it, so all of it can be captured in CUDA graphs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from bench.proxies._stack import Agreements, LaneJets, PartRecorder, Shared, Stack, Wide, followed
from bench.proxies.passes import perturbed as single_perturbed
from bench.proxies.passes.network import in_layout
from bench.proxies.passes.recorder import Bypass, Output

Shown: TypeAlias = "Tensor | int | Mapping[str, Tensor] | Mapping[str, int]"


@dataclass(frozen=True, eq=False)
class Step:
    """What a pass gives."""

    shown: Mapping[str, Shown]
    """What records are made of."""
    kept: Any = None
    """What other passes go on from."""


def weights(net: Wide) -> Step:
    """Look at the weights."""
    return Step({"weights": {name: net.parameters[name] for name in net.layers}})


@dataclass(frozen=True, eq=False)
class _Graph:
    """What is gone backward from."""

    images: Tensor
    logits: Tensor
    """`n x a x k`."""
    leaves: dict[str, Tensor]
    outputs: list[Output]


def forward(net: Wide) -> Step:
    """Run the minibatch forward in training mode, recording."""
    n = len(net.single.images)
    images = in_layout(net.batch.images.detach()).requires_grad_()
    leaves = net.leaves()
    names = {id(leaves[name]): name for name in net.layers}
    total = torch.zeros(net.size, n, n, dtype=torch.float64, device=images.device)
    with torch.enable_grad(), followed(net.stack) as where:
        signs = Agreements(net.stack, where, total)
        recorder = PartRecorder(where, names, on_rectifier=signs.add)
        logits = net.split(net.call(images, leaves, mode=recorder))
    shown: dict[str, Shown] = {
        "agreements": total,
        "patterns": signs.patterns,
        "costs": _by_image(net.stack, recorder.costs, n),
        "logits": logits.detach(),
    }
    return Step(shown, _Graph(images, logits, leaves, recorder.outputs))


def operations(net: Wide) -> Step:
    """Count what one image costs, by two of it."""
    with torch.no_grad(), followed(net.stack) as where:
        recorder = PartRecorder(where, {})
        net.call(net.batch.images[:1].expand(2, -1, -1, -1), net.parameters, mode=recorder)
    return Step({"costs": _by_image(net.stack, recorder.costs, 2)})


def loss_gradients(net: Wide, graph: _Graph) -> Step:
    """Go backward from the sum over architectures of the mean cross-entropy."""
    n, a, k = graph.logits.shape
    net.check_labels(k)
    with torch.enable_grad():
        each = functional.cross_entropy(graph.logits.view(n * a, k), net.targets, reduction="none")
        losses = each.view(n, a).mean(0)
    saliency: dict[str, Tensor] = {}
    hooks = [
        output.node.register_prehook(partial(_add_saliency, saliency, output))
        for output in graph.outputs
        if output.node is not None
    ]
    try:
        gradients = torch.autograd.grad(
            losses,
            [graph.leaves[name] for name in net.layers],
            torch.ones_like(losses),
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
    finally:
        for hook in hooks:
            hook.remove()
    found = dict(zip(net.layers, gradients, strict=True))
    kinds: dict[str, Shown] = {"losses": losses.detach(), "gradients": found, "saliency": saliency}
    return Step({**kinds, **weights(net).shown}, found)


def input_jacobian(net: Wide, graph: _Graph) -> Step:
    """Go backward from the sum of the logits."""
    (gradient,) = torch.autograd.grad(
        graph.logits,
        graph.images,
        torch.ones_like(graph.logits),
        retain_graph=True,
        allow_unused=True,
        materialize_grads=True,
    )
    return Step({"rows": net.split(gradient.flatten(1)), "classes": graph.logits.shape[2]})


def hessian_gradient(net: Wide, directions: Mapping[str, Tensor]) -> Step:
    """Sweep forward on jets; see `bench.proxies.passes.jets`."""
    n = len(net.single.images)
    images = in_layout(net.batch.images)
    jet = in_layout(torch.cat([images, images.new_zeros(3 * n, *images.shape[1:])]))
    moving = {id(net.parameters[name]): direction for name, direction in directions.items()}
    with torch.no_grad():
        mode = LaneJets(n, moving)
        logits = net.split(net.call(mode.know(jet), net.parameters, mode=mode))
        value, along_w, along_g, along_both = logits.view(4, n, *logits.shape[1:])
        p = value.softmax(2)
        # As one_hot gives it, but that reads its input's smallest value on the host.
        hits = net.targets.view(n, -1, 1) == torch.arange(p.shape[2], device=p.device)
        first = ((p - hits.to(p)) * along_both).sum(2)
        spread = (p * along_w * along_g).sum(2) - (p * along_w).sum(2) * (p * along_g).sum(2)
        return Step({"products": (first + spread).mean(0)})


def linearised(net: Wide, *, norms: bool = False) -> Step:
    """Go forward and backward on an image of ones, with absolute weights, in float64."""
    parameters = {name: tensor.abs().double() for name, tensor in net.parameters.items()}
    layers = [parameters[name].requires_grad_() for name in net.layers]
    buffers = {
        name: tensor.abs().double() if tensor.is_floating_point() else tensor
        for name, tensor in net.buffers().items()
    }
    ones = torch.ones_like(net.batch.images[:1], dtype=torch.float64)
    with torch.enable_grad():
        mode = None if norms else Bypass()
        logits = net.split(net.call(in_layout(ones), parameters, buffers=buffers, mode=mode))
        outputs = logits.sum((0, 2))
        gradients = torch.autograd.grad(
            outputs, layers, torch.ones_like(outputs), allow_unused=True, materialize_grads=True
        )
    return Step(
        {
            "outputs": outputs.detach(),
            "weights": {name: parameters[name].detach() for name in net.layers},
            "gradients": dict(zip(net.layers, gradients, strict=True)),
        }
    )


def perturbed(net: Wide) -> Step:
    """Run forward twice on Gaussian weights: the single network's pass on a stack that shares."""
    found = single_perturbed.run(Shared(net))
    return Step({"features": found.features, "moved": found.moved, "variances": found.variances})


RUNS: Mapping[str, Callable[..., Step]] = {
    "weights": weights,
    "forward": forward,
    "operations": operations,
    "loss_gradients": loss_gradients,
    "input_jacobian": input_jacobian,
    "hessian_gradient": hessian_gradient,
    "linearised": linearised,
    "linearised_norms": partial(linearised, norms=True),
    "perturbed": perturbed,
}
"""In an order in which all that holds the graph of `forward` is over early."""


def _by_image(stack: Stack, costs: Mapping[str, int], n: int) -> dict[str, int]:
    """What each part costs one image of one architecture."""
    return {part: cost // (n * len(stack.owners[part])) for part, cost in costs.items()}


def _add_saliency(saliency: dict[str, Tensor], output: Output, gradients: tuple[Tensor]) -> None:
    """Add what one call of a layer contributes, `n x (s*c)`."""
    product = (output.value.detach() * gradients[0]).flatten(2).sum(2)
    saliency[output.layer] = saliency.get(output.layer, 0) + product
