"""The pass of swap: on which of a few images each neuron is on.

A pattern is a bit for each image, so with 16 images there are at most 65,536 of them, and those
that occur are marked in a table of that size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.kernels.sign_codes import sign_codes
from bench.proxies.computed import UndefinedError
from bench.proxies.passes.network import Network, in_layout
from bench.proxies.passes.recorder import Recorder, rectified

IMAGES = 16
"""As in the reference: with more, nearly every neuron has a pattern of its own."""


@dataclass(frozen=True, eq=False)
class ActivationPatterns:
    """What the neurons of all ReLUs over images show of up to 16 images."""

    distinct: int
    """How many different patterns occur."""
    images: int
    """How many images there are, `n`; no more than 2^n patterns can occur."""


class _Seen:
    """Marks the patterns of one ReLU after the other."""

    def __init__(self, n: int, device: torch.device) -> None:
        self.table = torch.zeros(1 << n, dtype=torch.bool, device=device)
        self._last: tuple[Tensor, int] | None = None

    def add(self, source: Tensor) -> None:
        """Mark those of the input of a ReLU over images; one that came just now is known."""
        if source.dim() != 4 or self._known(source):
            return
        self._last = source, source._version
        self.table[sign_codes(rectified(source))] = True

    def _known(self, source: Tensor) -> bool:
        last = self._last
        return last is not None and last[0] is source and last[1] == source._version


def run(network: Network) -> ActivationPatterns:
    """Run a few images forward once."""
    images = network.batch.images[:IMAGES]
    seen = _Seen(len(images), images.device)
    structure = network.structure
    structure.check_rectifiers()
    recorder = Recorder({}, on_rectifier=seen.add, rows=structure.rectifier_rows)
    with torch.no_grad():
        network.call(in_layout(images), network.parameters, mode=recorder)
    distinct = int(seen.table.sum())
    if not distinct:
        raise UndefinedError("the network has no ReLU over images")
    return ActivationPatterns(distinct, len(images))
