"""NAS-Bench-101 as a module: three stacks of three cells, a max pooling between them.

Skeleton: Ying et al., ICML 2019, https://arxiv.org/abs/1902.09635 (google-research/nasbench,
commit b942470, nasbench/lib/model_builder.py), as NAS-Bench-Suite-Zero builds it (NASLib, branch
zerocost, commit 8c45f19, nasbench101/model.py).

1. Cells come without idle vertices, so nothing is run that the output does not read.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from bench.base import Arch, Bools
from bench.networks import _blocks, weights
from bench.networks._network import Network
from bench.spaces.nasbench101 import NASBENCH101 as SPACE


class Cell(nn.Module):
    """Vertices sum what comes in and apply their operation; the output concatenates.

    What leaves the input goes through a 1x1 projection; between inner vertices, surplus channels
    are cut off; an edge from input to output is added to the concatenation.
    """

    def __init__(
        self, operations: tuple[str, ...], adjacency: Bools, inputs: int, outputs: int
    ) -> None:
        super().__init__()
        self.channels = vertex_channels(adjacency, inputs, outputs)
        last = len(operations) - 1
        self.names = [""] * last
        for vertex in range(1, last):
            label = operations[vertex].partition("-")[0]
            self.names[vertex] = f"vertex_{vertex}_{label}"
            self.add_module(self.names[vertex], _operation(label, self.channels[vertex]))
        self.inner: list[list[int]] = []
        """By vertex, the inner vertices before it."""
        self.projections: list[str] = []
        """By vertex, the projection of the input that it reads, or nothing."""
        for vertex, into in enumerate(adjacency.T.tolist()):
            self.inner.append([source for source in range(1, vertex) if into[source]])
            self.projections.append("")
            if into[0]:
                name = f"projection_{'output' if vertex == last else vertex}"
                self.projections[vertex] = name
                width = self.channels[vertex]
                self.add_module(name, _blocks.conv_norm(inputs, width, 1, relu=True))

    def forward(self, x: Tensor) -> Tensor:
        """Map `n x inputs x h x w` to `n x outputs x h x w`."""
        values = [x]
        for vertex in range(1, len(self.names)):
            width = self.channels[vertex]
            terms = [
                values[source] if self.channels[source] == width else values[source][:, :width]
                for source in self.inner[vertex]
            ]
            total = _blocks.total(terms + self._projected(x, vertex))
            values.append(getattr(self, self.names[vertex])(total))
        last = len(self.names)
        ends = [values[source] for source in self.inner[last]]
        features = [torch.cat(ends, dim=1)] if len(ends) > 1 else ends
        return _blocks.total(features + self._projected(x, last))

    def _projected(self, x: Tensor, vertex: int) -> list[Tensor]:
        name = self.projections[vertex]
        return [getattr(self, name)(x)] if name else []


def vertex_channels(adjacency: Bools, inputs: int, outputs: int) -> list[int]:
    """The channels of the `v` vertices of a pruned cell.

    Those that lead to the output share its channels, the first of them taking one more each
    where that does not come out even; every other one has as many as the widest it leads to.
    """
    v = len(adjacency)
    ends = [vertex for vertex in range(1, v - 1) if adjacency[vertex, v - 1]]
    channels = [inputs, *[0] * (v - 2), outputs]
    for place, vertex in enumerate(ends):
        channels[vertex] = outputs // len(ends) + (place < outputs % len(ends))
    for vertex in range(v - 2, 0, -1):
        if not adjacency[vertex, v - 1]:
            later = range(vertex + 1, v - 1)
            channels[vertex] = max(
                channels[target] for target in later if adjacency[vertex, target]
            )
    return channels


def build(
    arch: Arch, *, classes: int = 10, channels: int = 128, stacks: int = 3, cells: int = 3
) -> nn.Module:
    """The network of a cell, uninitialised.

    Args:
        arch: A pruned cell, as in bench/spaces/nasbench101.py.
        classes: Logits.
        channels: Of the stem and the first stack; every next one has twice as many.
        stacks: Stacks of cells; the resolution is halved between them.
        cells: In every stack.

    Raises:
        ArchError: `arch` is no architecture of the space.
    """
    graph = SPACE.graph(arch)
    steps: list[tuple[str, nn.Module]] = [("stem", _blocks.conv_norm(3, channels, 3, relu=True))]
    inputs = channels
    for stack, cell in itertools.product(range(stacks), range(cells)):
        if stack and not cell:
            steps.append((f"stack_{stack}_pool", nn.MaxPool2d(2)))
        outputs = channels * 2**stack
        module = Cell(graph.operations, graph.adjacency, inputs, outputs)
        steps.append((f"stack_{stack}_cell_{cell}", module))
        inputs = outputs
    return _blocks.chain(*steps, *_blocks.head(inputs, classes))


def _operation(label: str, channels: int) -> nn.Module:
    if label == "maxpool3x3":
        return nn.MaxPool2d(3, stride=1, padding=1)
    return _blocks.conv_norm(channels, channels, 3 if label == "conv3x3" else 1, relu=True)


NASBENCH101 = Network(build, weights.nasbench101, {"channels": 128, "stacks": 3, "cells": 3})
