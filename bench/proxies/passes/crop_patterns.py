"""The pass of linear-regions: the ReLUs' patterns on many small crops of the minibatch.

The reference builds a network of one channel and feeds it 3 x 3 crops: at full size every image
has a region of its own, and nothing is told apart. A network that is given cannot be built anew,
so the first channel of what goes into each ReLU is looked at instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bench.draws import keyed
from bench.proxies.computed import UndefinedError
from bench.proxies.passes.network import Network, in_layout
from bench.proxies.passes.recorder import Recorder

SIZES = (3, 4)
"""Height and width of crops; the second for networks too deep for the first."""
CROPS = 1024


@dataclass(frozen=True, eq=False)
class CropPatterns:
    """What ReLUs show of crops."""

    distinct: int
    """How many different patterns `crops` crops have."""
    crops: int


def run(network: Network) -> CropPatterns:
    """Run crops forward once; at the second size if the network cannot take the first."""
    network.structure.check_rectifiers()
    try:
        return _counted(network, SIZES[0])
    except RuntimeError:
        return _counted(network, SIZES[1])


def _counted(network: Network, size: int) -> CropPatterns:
    crops = _crops(network, size)
    codes = _Codes(len(crops), crops.device)
    with torch.no_grad():
        recorder = Recorder({}, on_rectifier=codes.add, rows=network.structure.rectifier_rows)
        network.call(in_layout(crops), network.parameters, mode=recorder)
    if not codes.any:
        raise UndefinedError("the network has no ReLU over images")
    return CropPatterns(len(np.unique(codes.total.cpu().numpy())), len(crops))


def _crops(network: Network, size: int) -> Tensor:
    """Crops at random places of images in turn, `CROPS x c x size x size`."""
    images = network.batch.images
    rng = keyed(network.seed, "crops", *images.shape, size)
    height, width = images.shape[2:]
    windows = images.unfold(2, min(size, height), 1).unfold(3, min(size, width), 1)
    rows = rng.integers(windows.shape[2], size=CROPS)
    columns = rng.integers(windows.shape[3], size=CROPS)
    which = np.arange(CROPS) % len(images)
    return windows[which, :, rows, columns]


class _Codes:
    """Adds a random 64-bit number for every neuron that is on.

    Equal patterns have equal sums, and different ones too with a chance of 2^-44 in all.
    """

    def __init__(self, n: int, device: torch.device) -> None:
        self.total = torch.zeros(n, dtype=torch.int64, device=device)
        self.any = False
        """Whether there was a ReLU over images."""
        self._rng = keyed(0, "pattern-codes")

    def add(self, source: Tensor) -> None:
        """Add the first channel of the input of a ReLU over images."""
        if source.dim() != 4:
            return
        self.any = True
        on = (source[:, 0] > 0).flatten(1)
        numbers = self._rng.integers(-(2**63), 2**63, size=on.shape[1], dtype=np.int64)
        self.total += (on * torch.from_numpy(numbers).to(on.device)).sum(1)
