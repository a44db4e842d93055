"""The pass of meco: one image of noise, and how the channels of every layer's output correlate.

The image is 64 x 64 as in the reference, whatever the minibatch is: with fewer positions than
channels, a correlation would be singular in every network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.draws import keyed
from bench.proxies.computed import UnrecognisedError
from bench.proxies.passes.gaussian import gaussian_images
from bench.proxies.passes.network import Network

SIZE = 64


@dataclass(frozen=True, eq=False)
class NoiseFeatures:
    """Correlations of channels over positions, one for each output of a layer."""

    correlations: tuple[Tensor, ...]
    """`c x c` each, float64; 0 where a channel is constant."""


def run(network: Network) -> NoiseFeatures:
    """Run one image forward once. Raises UnrecognisedError where channels may stand last."""
    network.structure.check_channels()
    like = network.batch.images
    rng = keyed(network.seed, "noise-features", like.shape[1], SIZE)
    image = gaussian_images(rng, (1, like.shape[1], SIZE, SIZE), like)
    seen = _Outputs()
    hooks = [part.register_forward_hook(seen.add) for part in network.module.modules()]
    try:
        with torch.no_grad():
            network.call(image, network.parameters)
    finally:
        for hook in hooks:
            hook.remove()
    return NoiseFeatures(tuple(seen.correlations))


class _Outputs:
    """Takes the outputs of modules; a container that hands one on does not count it again."""

    def __init__(self) -> None:
        self.correlations: list[Tensor] = []
        self._last: list[Tensor] = []

    def add(self, module: nn.Module, _: Any, output: Any) -> None:
        """Add the output of one module, if it is an image of features."""
        handed_on = any(output is known for known in self._last)
        if not isinstance(output, Tensor) or output.dim() < 3:
            return
        if handed_on and next(module.children(), None) is not None:
            return
        if output.dim() == 3 and not isinstance(module, nn.Conv1d | nn.BatchNorm1d):
            shape = " x ".join(str(side) for side in output.shape)
            raise UnrecognisedError(
                f"channels may stand last: {type(module).__name__} gives {shape}"
            )
        self._last.append(output)
        self.correlations.append(correlation(output[0].flatten(1).double()))


def correlation(rows: Tensor) -> Tensor:
    """The correlation of `c` rows, `c x c`; 0 for what is undefined, as the reference has it."""
    centred = rows - rows.mean(dim=1, keepdim=True)
    covariance = centred @ centred.mT
    scale = covariance.diagonal().sqrt()
    return (covariance / scale / scale[:, None]).nan_to_num(0, 0, 0).clamp(-1, 1)
