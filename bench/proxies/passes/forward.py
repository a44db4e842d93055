"""The forward pass on the minibatch in training mode, which others go backward from.

Patterns of ReLUs (Mellor et al., arXiv:2006.04647) are what goes *into* a ReLU, positive or not.
Networks hand one tensor to several ReLUs (every edge that leaves a vertex has its own), so what
was found for a tensor is kept until the next one comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bench.kernels.pattern_gram import pattern_gram
from bench.proxies.passes.network import Network, in_layout
from bench.proxies.passes.recorder import Output, Recorder, rectified
from bench.proxies.passes.structure import Structure


@dataclass(frozen=True, eq=False)
class Forward:
    """One forward pass over `n` images; `images`, `logits` and `products` hold its graph."""

    images: Tensor
    """`n x c x h x w`, requires a gradient."""
    labels: Tensor
    logits: Tensor
    """`n x k`, with the graph to go backward from."""
    leaves: dict[str, Tensor]
    """The parameters it ran with; those of layers require a gradient."""
    outputs: list[Output]
    """Of every call of a convolution or linear layer."""
    agreements: Tensor
    """`n x n`, float64: on how many inputs of ReLUs the signs of two images agree."""
    patterns: int
    """How many inputs of ReLUs there are for one image."""
    features: Tensor | None
    """What goes into the global pooling, `n x c x h x w`."""
    structure: Structure
    """What of the network is known: where images stand, and which ReLUs there are."""
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    """The parameters and buffers it ran with, to hold while going backward."""


@dataclass
class _Agreements:
    """Sums the agreement of signs over all ReLUs."""

    total: Tensor
    patterns: int = 0
    _last: list[tuple[Tensor, int, Tensor]] = field(default_factory=list)

    def add(self, source: Tensor) -> None:
        """Add the input of one ReLU, images first."""
        gram = None
        for tensor, version, known in self._last:
            if tensor is source and version == source._version:
                gram = known
        values = rectified(source)
        if gram is None:
            gram = pattern_gram(values)
            self._last = [*self._last[-3:], (source, source._version, gram)]
        self.total += gram
        self.patterns += values.shape[1]


def run(network: Network) -> Forward:
    """Run forward once, recording."""
    batch = network.batch
    n = len(batch.images)
    images = in_layout(batch.images.detach()).requires_grad_()
    leaves = network.leaves()
    signs = _Agreements(torch.zeros(n, n, dtype=torch.float64, device=images.device))
    structure = network.structure
    recorder = Recorder(
        {id(leaves[name]): name for name in network.layer_names},
        on_rectifier=signs.add,
        rows=structure.rectifier_rows,
    )
    buffers = network.buffers()
    with torch.enable_grad():
        logits = network.call(images, leaves, buffers=buffers, mode=recorder)
    return Forward(
        images=images,
        labels=batch.labels,
        logits=logits,
        leaves=leaves,
        outputs=recorder.outputs,
        agreements=signs.total,
        patterns=signs.patterns,
        features=recorder.features,
        structure=structure,
        tensors={**leaves, **buffers},
    )
