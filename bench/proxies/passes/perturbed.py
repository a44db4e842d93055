"""The pass of zen: Gaussian weights, Gaussian images, and the same images a little moved.

Weights of convolutions and linear layers are drawn from N(0, 1) by seed and name, so all
architectures have them in common; their biases are 0, norms are 1 and 0. Both forwards run in
training mode, each with the statistics of its own batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench.draws import keyed
from bench.proxies.computed import UnrecognisedError
from bench.proxies.passes.gaussian import gaussian_images, gaussian_parameters
from bench.proxies.passes.network import Network, reseed
from bench.proxies.passes.recorder import Recorder, argument, plain
from bench.proxies.passes.structure import OWN

MOVE = 0.01
"""How far images are moved, in standard deviations of them."""


@dataclass(frozen=True, eq=False)
class Perturbed:
    """What goes into the global pooling, for images and for the same images moved."""

    features: Tensor
    """`n x c x h x w`."""
    moved: Tensor
    """`n x c x h x w`."""
    variances: Mapping[str, Tensor]
    """By call of a batch norm over maps, what a norm of default settings records in the two
    forwards, from 1 and by a momentum of 0.1, whatever the module's own settings are; `c` each."""


def run(network: Network) -> Perturbed:
    """Run forward twice.

    Raises UnrecognisedError where the logits do not come from one global average pooling, or where
    a norm is none of the batch's statistics.
    """
    structure = network.structure
    structure.check_pool()
    structure.check_batch_norms("zen")
    if structure.recorded_norm:
        raise UnrecognisedError("zen knows norms of the batch's statistics, got recorded ones")
    parameters = gaussian_parameters(network)
    shape = network.batch.images.shape
    rng = keyed(network.seed, "zen", *shape)
    images = gaussian_images(rng, shape, network.batch.images)
    runs = []
    for moved in (images, images + MOVE * gaussian_images(rng, shape, network.batch.images)):
        # Both runs are of one function: the same buffers at the start, and the same draws.
        buffers = network.buffers()
        names = {id(buffers[name]): name for name in buffers if name.endswith("running_var")}
        recorder = _Variances(names)
        if structure is not OWN:
            reseed(network.seed)
        with torch.no_grad():
            network.call(moved, parameters, buffers=buffers, mode=recorder)
        runs.append(recorder)
    first, second = runs
    if first.features is None or second.features is None:
        raise UnrecognisedError("the network has no global average pooling")
    variances = {
        name: 0.81 + 0.09 * first.variances[name] + 0.1 * second.variances[name]
        for name in first.variances
    }
    return Perturbed(first.features, second.features, variances)


class _Variances(Recorder):
    """Takes the variance of what goes into every batch norm over maps, too."""

    def __init__(self, names: Mapping[int, str]) -> None:
        super().__init__({})
        self._known = names
        self.variances: dict[str, Tensor] = {}

    def run(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Call a function, and take the variance of what goes into a batch norm."""
        if plain(func) == "batch_norm":
            source: Tensor = argument(args, kwargs, 0, "input")
            record = argument(args, kwargs, 2, "running_var")
            name = self._known.get(id(record), f"call {len(self.variances)}")
            if name in self.variances:
                name = f"{name}, call {len(self.variances)}"
            # A norm of vectors stands behind the features.
            if source.dim() == 4:
                self.variances[name] = source.detach().var(dim=(0, 2, 3))
        return super().run(func, args, kwargs)
