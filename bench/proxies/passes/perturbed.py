"""The pass of zen: Gaussian weights, Gaussian images, and the same images a little moved.

Weights of convolutions and linear layers are drawn from N(0, 1) by seed and name, so all
architectures have them in common; their biases are 0, norms are 1 and 0. Both forwards run in
training mode, each with the statistics of its own batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.base import OptionError
from bench.draws import keyed
from bench.proxies.passes.gaussian import gaussian_images, gaussian_parameters
from bench.proxies.passes.network import Network
from bench.proxies.passes.recorder import Recorder

MOVE = 0.01
"""How far images are moved, in standard deviations of them (METHODS.md E.2)."""


@dataclass(frozen=True, eq=False)
class Perturbed:
    """What goes into the global pooling, for images and for the same images moved."""

    features: Tensor
    """`n x c x h x w`."""
    moved: Tensor
    """`n x c x h x w`."""
    variances: tuple[Tensor, ...]
    """Every batch norm's running variance after the two forwards, `c` each."""


def run(network: Network) -> Perturbed:
    """Run forward twice. Raises OptionError where a network has no global pooling."""
    parameters = gaussian_parameters(network)
    buffers = _buffers(network)
    shape = network.batch.images.shape
    rng = keyed(network.seed, "zen", *shape)
    images = gaussian_images(rng, shape, network.batch.images)
    features = []
    for moved in (images, images + MOVE * gaussian_images(rng, shape, network.batch.images)):
        recorder = Recorder({})
        with torch.no_grad():
            network.call(moved, parameters, buffers=buffers, mode=recorder)
        if recorder.features is None:
            raise OptionError(
                "expected a network with a global average pooling, whose input zen compares, "
                "got none"
            )
        features.append(recorder.features)
    variances = tuple(
        buffers[f"{name}.running_var" if name else "running_var"]
        for name, module in network.module.named_modules()
        if isinstance(module, nn.BatchNorm2d) and module.running_var is not None
    )
    return Perturbed(features[0], features[1], variances)


def _buffers(network: Network) -> dict[str, Tensor]:
    """Fresh running statistics, whatever the module's own are."""
    buffers = network.buffers()
    for name, tensor in buffers.items():
        if name.endswith("running_var"):
            tensor.fill_(1)
        elif name.endswith("running_mean"):
            tensor.zero_()
    return buffers
