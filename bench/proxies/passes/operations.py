"""The pass that counts what one image costs; a forward pass that runs anyhow counts it too."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench.proxies.passes.network import Network
from bench.proxies.passes.recorder import Recorder


@dataclass(frozen=True, eq=False)
class Operations:
    """What one image costs, as `recorder.cost` counts."""

    operations: int


def run(network: Network) -> Operations:
    """Run one image forward, twice over, as norms over single values need two."""
    recorder = Recorder({})
    images = network.batch.images[:1].expand(2, -1, -1, -1)
    with torch.no_grad():
        network.call(images, network.parameters, mode=recorder)
    return Operations(recorder.operations // 2)
