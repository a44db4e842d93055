"""The pass over single images: the gradients of each weight, image by image.

One forward with every image alone (see alone.py), then backward from the summed logits, from the
losses, and from each class. The gradients of a layer are condensed as soon as they are complete,
so that only one layer's are held at a time. A network in which images may meet other than in batch
norms, or that has layers which cannot be taken apart, runs one image after the other: slower, and
the definition itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from bench.proxies.passes.alone import Alone, Call
from bench.proxies.passes.loss_gradients import cross_entropy
from bench.proxies.passes.network import Network, in_layout, reseed

IMAGES = 16
"""At most: time grows with images times classes."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A forward pass over up to 16 images, each alone, to go backward from."""

    labels: Tensor
    logits: Tensor
    """`n x k`, with the graph."""
    mode: Alone
    names: tuple[str, ...]
    """Of all parameters."""

    def backward(
        self, seed: Tensor, take: Callable[[Call, Tensor], None] | None = None
    ) -> list[tuple[Tensor, Tensor]]:
        """Go backward from the logits by `seed`, `n x k`.

        Args:
            seed: The gradient to start from.
            take: Called for each call of a layer with the gradient of its output, `n x ...`.

        Returns:
            For each call of a norm, each image's gradient of its scale and shift, `n x c`.
        """
        hooks = [
            call.node.register_prehook(partial(_take, take, call))
            for call in self.mode.calls
            if take is not None
        ]
        leaves = [leaf for norm in self.mode.norms for leaf in norm.leaves]
        try:
            found = torch.autograd.grad(
                self.logits,
                [*leaves, *self.mode.starts],
                seed,
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
        finally:
            for hook in hooks:
                hook.remove()
        return list(zip(found[: len(leaves) : 2], found[1 : len(leaves) : 2], strict=True))


@dataclass(frozen=True, eq=False)
class Singles:
    """Up to 16 images, each to be run in a batch of its own."""

    network: Network
    labels: Tensor

    def gradients(
        self, names: Sequence[str], outputs: Callable[[Tensor, Tensor], Sequence[Tensor]]
    ) -> Iterator[list[list[Tensor]]]:
        """For each image, the gradients of some outputs by the parameters of these names.

        `outputs` is given the logits, `1 x k`, and the label, `1`.
        """
        network = self.network
        images = network.batch.images
        for index in range(len(self.labels)):
            reseed(network.seed)
            leaves = dict(network.parameters)
            for name in names:
                leaves[name] = leaves[name].detach().requires_grad_()
            wanted, buffers = [leaves[name] for name in names], network.buffers()
            with torch.enable_grad(), network.holding({**leaves, **buffers}):
                logits = network.call(in_layout(images[[index]]), leaves, buffers=buffers)
                yield [
                    list(
                        torch.autograd.grad(
                            output,
                            wanted,
                            retain_graph=True,
                            allow_unused=True,
                            materialize_grads=True,
                        )
                    )
                    for output in outputs(logits, self.labels[[index]])
                ]

    def norms(self) -> list[str]:
        """The names of batch norms' scales and shifts."""
        modules = self.network.module.named_modules()
        found = [
            f"{prefix}.{key}" if prefix else key
            for prefix, module in modules
            if isinstance(module, _BatchNorm)
            for key in ("weight", "bias")
        ]
        return [name for name in found if name in self.network.parameters]


def run(network: Network) -> Sample | Singles:
    """Run a few images forward once, or prepare to run them one after the other."""
    network.structure.check_layers()
    batch = network.batch
    if not network.structure.images_apart:
        return Singles(network, batch.labels[:IMAGES])
    mode, logits = _together(network, IMAGES)
    if mode.route != _together(network, 1)[0].route:
        # One image goes another way than several.
        return Singles(network, batch.labels[:IMAGES])
    return Sample(
        labels=batch.labels[:IMAGES],
        logits=logits,
        mode=mode,
        names=tuple(network.parameters),
    )


def _together(network: Network, n: int) -> tuple[Alone, Tensor]:
    """Run the first images, each alone; the logits, and what was called."""
    mode = Alone({id(tensor): name for name, tensor in network.parameters.items()})
    with torch.enable_grad():
        images = in_layout(network.batch.images[:n])
        return mode, network.call(images, network.parameters, mode=mode)


@dataclass(frozen=True, eq=False)
class Kernel:
    """The tangent kernel."""

    gram: Tensor
    """`n x n`, float64: products of the images' gradients of the summed logits."""


def run_kernel(network: Network, sample: Sample | Singles) -> Kernel:
    """Go backward from the summed logits; weights of layers and scales of norms count."""
    n = len(sample.labels)
    if isinstance(sample, Singles):
        names = [*network.layers, *(name for name in sample.norms() if name.endswith("weight"))]
        rows = [
            torch.cat([gradient.flatten() for gradient in found])
            for (found,) in sample.gradients(names, lambda logits, _: [logits.sum()])
        ]
        stacked = torch.stack(rows).double()
        return Kernel(stacked @ stacked.mT)
    gram = torch.zeros(n, n, dtype=torch.float64, device=sample.logits.device)

    def add(_name: str, gradients: Tensor) -> None:
        rows = gradients.flatten(1)
        gram.add_((rows @ rows.mT).double())

    complete = _Complete(sample.mode.calls, add)
    scales: dict[str | None, Tensor] = {}
    found = sample.backward(torch.ones_like(sample.logits), complete.take)
    for norm, (scale, _shift) in zip(sample.mode.norms, found, strict=True):
        scales[norm.names[0]] = scales.get(norm.names[0], 0) + scale
    for name, scale in scales.items():
        add(str(name), scale)
    return Kernel(gram)


@dataclass(frozen=True, eq=False)
class Agreement:
    """How the signs of the images' gradients of the loss agree."""

    total: float
    """The sum over weights of |sum over images of sign(gradient)|."""


def run_agreement(network: Network, sample: Sample | Singles) -> Agreement:
    """Go backward from the sum of the losses."""
    if isinstance(sample, Singles):
        signs = [
            [gradient.sign() + 0 * gradient for gradient in found]
            for (found,) in sample.gradients(
                network.layers, lambda logits, label: [cross_entropy(logits, label)]
            )
        ]
        layers = zip(*signs, strict=True)
        sums = [torch.stack(layer).sum(0).abs().sum(dtype=torch.float64) for layer in layers]
        return Agreement(float(sum(sums)))
    total = torch.zeros((), dtype=torch.float64, device=sample.logits.device)

    def add(_name: str, gradients: Tensor) -> None:
        # The sign of NaN is 0, which would pass for a gradient of 0.
        signs = gradients.sign() + 0 * gradients
        total.add_(signs.sum(0).abs().sum(dtype=torch.float64))

    logits = sample.logits.detach().requires_grad_()
    with torch.enable_grad():
        loss = cross_entropy(logits, sample.labels) * len(logits)
    (seed,) = torch.autograd.grad(loss, logits)
    sample.backward(seed, _Complete(sample.mode.calls, add).take)
    return Agreement(float(total))


@dataclass(frozen=True, eq=False)
class ClassJacobians:
    """What one entry of each parameter, its first, does to each logit."""

    jacobians: Tensor
    """`n x k x p`, float64, for `p` parameters."""
    probabilities: Tensor
    """`n x k`, float64."""


def run_classes(network: Network, sample: Sample | Singles) -> ClassJacobians:
    """Go backward from each class once."""
    if isinstance(sample, Singles):
        return _classes_one_by_one(network, sample)
    n, classes = sample.logits.shape
    place = {name: column for column, name in enumerate(sample.names)}
    jacobians = sample.logits.new_zeros((n, classes, len(place)), dtype=torch.float64)
    for index in range(classes):
        row = jacobians[:, index]
        seed = functional.one_hot(torch.full_like(sample.labels, index), classes).to(sample.logits)
        found = sample.backward(seed, partial(_add_first, row, place))
        for norm, gradients in zip(sample.mode.norms, found, strict=True):
            for name, gradient in zip(norm.names, gradients, strict=True):
                if name is not None:
                    row[:, place[name]] += gradient[:, 0]
    return ClassJacobians(jacobians, sample.logits.detach().double().softmax(1))


def _classes_one_by_one(network: Network, sample: Singles) -> ClassJacobians:
    """The Jacobians of layers' weights and biases, and of batch norms; others have no say."""
    every = list(network.parameters)
    place = {name: column for column, name in enumerate(every)}
    layers = network.layers
    biases = (f"{name.removesuffix('weight')}bias" for name in layers)
    names = [*layers, *(name for name in biases if name in place), *sample.norms()]
    logits_of_all: list[Tensor] = []
    jacobians = []

    def classes(logits: Tensor, _: Tensor) -> Sequence[Tensor]:
        logits_of_all.append(logits.detach())
        return logits[0].unbind()

    for found in sample.gradients(names, classes):
        jacobian = torch.zeros(len(found), len(every), dtype=torch.float64)
        for row, gradients in zip(jacobian, found, strict=True):
            for name, gradient in zip(names, gradients, strict=True):
                row[place[name]] = gradient.flatten()[0]
        jacobians.append(jacobian)
    probabilities = torch.cat(logits_of_all).double().softmax(1)
    return ClassJacobians(torch.stack(jacobians).to(probabilities.device), probabilities)


def _add_first(row: Tensor, place: dict[str, int], call: Call, back: Tensor) -> None:
    row[:, place[call.name]] += call.first_gradients(back)
    if call.bias is not None:
        row[:, place[call.bias]] += call.first_bias_gradients(back)


def _take(take: Callable[[Call, Tensor], None], call: Call, gradients: tuple[Tensor]) -> None:
    take(call, gradients[0])


class _Complete:
    """Adds up each weight's gradients over its calls, and hands them on when all are there."""

    def __init__(self, calls: Sequence[Call], add: Callable[[str, Tensor], None]) -> None:
        self._add = add
        self._missing = Counter(call.name for call in calls)
        self._sums: dict[str, Tensor] = {}

    def take(self, call: Call, back: Tensor) -> None:
        """Take the gradient of the output of one call."""
        gradients = call.weight_gradients(back)
        if call.name in self._sums:
            gradients = self._sums.pop(call.name) + gradients
        self._missing[call.name] -= 1
        if self._missing[call.name]:
            self._sums[call.name] = gradients
        else:
            self._add(call.name, gradients)
