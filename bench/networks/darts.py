"""DARTS as a module: cells that read the two before them, a third of the way each reduced.

Paper: Liu, Simonyan and Yang, ICLR 2019, https://arxiv.org/abs/1806.09055. There are two kinds of
network. The default is that of NAS-Bench-Suite-Zero (NASLib, branch zerocost, commit 8c45f19,
nasbench301/graph.py): 8 cells of 32 channels, batch norms within cells without scale and bias, and
one behind every pooling. With `evaluation` it is the paper's (quark0/darts, commit 28419ac,
cnn/model.py): all batch norms with scale and bias, none behind pooling; 20 cells of 36 channels on
CIFAR-10, and, with `imagenet`, 14 cells of 48 behind a stem that lowers the resolution by eight.

1. `none` is left out, where the references multiply by zero; the values are the same.
2. No auxiliary head: it takes no part in the logits, and published counts leave it out.
3. No drop path: it belongs to a training recipe.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.base import Arch
from bench.networks import _blocks, weights
from bench.networks._network import Network
from bench.spaces.darts import DARTS as SPACE

_STEM = 3
_NODES = 4
_INPUTS = 2
# What the space calls its operations: its vertices' names without the two inputs and the output.
_LABELS = SPACE.operations[_INPUTS:-1]


@dataclass(frozen=True)
class Place:
    """Where a cell stands."""

    before: int
    """Channels of c_{k-2},"""
    previous: int
    """and of c_{k-1}."""
    channels: int
    """Of each of its nodes."""
    halving: bool
    """Whether it is a reduction cell,"""
    halved: bool
    """and whether c_{k-1} has half of c_{k-2}'s resolution."""
    affine: bool
    """Whether the batch norms of its operations have scale and bias, and poolings have none."""


class Cell(nn.Module):
    """Four nodes, each the sum of two operations on earlier ones; their concatenation comes out.

    Args:
        pairs: Eight (predecessor, operation), two for each node.
        place: Where the cell stands.
    """

    def __init__(self, pairs: list[tuple[int, int]], place: Place) -> None:
        super().__init__()
        width = place.channels
        first = _blocks.FactorizedReduce if place.halved else _unreduced
        self.preprocess_0 = first(place.before, width)
        self.preprocess_1 = _unreduced(place.previous, width)
        self.channels = width
        self.stride = 2 if place.halving else 1
        self.incoming: list[list[tuple[int, str]]] = [[] for _ in range(_NODES)]
        """By node, (predecessor, module's name)."""
        for index, (source, operation) in enumerate(pairs):
            label, node = _LABELS[operation], index // 2
            if label == "none":
                continue
            name = f"edge_{source}_{_INPUTS + node}_{label}"
            if (source, name) in self.incoming[node]:
                name += "_again"
            stride = self.stride if source < _INPUTS else 1
            self.add_module(name, _operation(label, width, stride, affine=place.affine))
            self.incoming[node].append((source, name))

    def forward(self, before: Tensor, previous: Tensor) -> Tensor:
        """Map c_{k-2} and c_{k-1} to `n x 4·channels x h x w`."""
        nodes = [self.preprocess_0(before), self.preprocess_1(previous)]
        for incoming in self.incoming:
            terms = [getattr(self, name)(nodes[source]) for source, name in incoming]
            nodes.append(
                _blocks.total(terms)
                if terms
                else _blocks.zeros(nodes[0], self.channels, self.stride)
            )
        return torch.cat(nodes[_INPUTS:], dim=1)


class DartsNetwork(nn.Module):
    """A stem, cells, and a classifier.

    Args:
        stems: What c_{-2} and c_{-1} are: the first of the images, each next one of the last's.
        cells: By name.
        channels: Of the last cell's output.
        classes: Logits.
    """

    def __init__(
        self,
        stems: list[tuple[str, nn.Module]],
        cells: list[tuple[str, Cell]],
        channels: int,
        classes: int,
    ) -> None:
        super().__init__()
        self.stems = [name for name, _ in stems]
        self.cells = [name for name, _ in cells]
        last = _blocks.head(channels, classes)
        self.last = [name for name, _ in last]
        for name, module in [*stems, *cells, *last]:
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        """Map images, `n x 3 x h x w`, to logits, `n x classes`."""
        before = previous = x
        for place, name in enumerate(self.stems):
            following = getattr(self, name)(previous)
            before = previous if place else following
            previous = following
        for name in self.cells:
            before, previous = previous, getattr(self, name)(before, previous)
        for name in self.last:
            previous = getattr(self, name)(previous)
        return previous


def build(
    arch: Arch,
    *,
    classes: int = 10,
    channels: int = 32,
    cells: int = 8,
    evaluation: int = False,
    imagenet: int = False,
) -> nn.Module:
    """The network of a pair of cells, uninitialised.

    Args:
        arch: 16 pairs, as in bench/spaces/darts.py.
        classes: Logits.
        channels: Of the nodes of the first cells; both reductions double them.
        cells: In all; those after one and two thirds of them are reductions.
        evaluation: Whether to build what the paper trains for its final figures.
        imagenet: Whether to put its ImageNet stem in front.

    Raises:
        ArchError: `arch` is no architecture of the space.
    """
    SPACE.check(arch)
    pairs = list(zip(arch[::2], arch[1::2], strict=True))
    normal, reduce = pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]
    stems = _imagenet_stems(channels) if imagenet else _cifar_stem(channels)
    before = previous = channels if imagenet else _STEM * channels
    width, halved = channels, bool(imagenet)
    modules: list[tuple[str, Cell]] = []
    for index in range(cells):
        halving = index in (cells // 3, 2 * cells // 3)
        width *= 2 if halving else 1
        place = Place(before, previous, width, halving, halved, affine=bool(evaluation))
        modules.append((f"cell_{index}", Cell(reduce if halving else normal, place)))
        before, previous, halved = previous, _NODES * width, halving
    return DartsNetwork(stems, modules, previous, classes)


def _cifar_stem(channels: int) -> list[tuple[str, nn.Module]]:
    return [("stem", _blocks.conv_norm(3, _STEM * channels, 3))]


def _imagenet_stems(channels: int) -> list[tuple[str, nn.Module]]:
    half = channels // 2
    first = _blocks.chain(
        ("conv", _blocks.conv(3, half, 3, stride=2)),
        ("norm", _blocks.norm(half)),
        ("relu", nn.ReLU()),
        ("conv_2", _blocks.conv(half, channels, 3, stride=2)),
        ("norm_2", _blocks.norm(channels)),
    )
    return [
        ("stem_0", first),
        ("stem_1", _blocks.relu_conv_norm(channels, channels, 3, stride=2)),
    ]


def _unreduced(inputs: int, outputs: int) -> nn.Module:
    return _blocks.relu_conv_norm(inputs, outputs, 1)


def _operation(label: str, channels: int, stride: int, *, affine: bool) -> nn.Module:
    kind, _, size = label.rpartition("_")
    match kind:
        case "skip":
            if stride == 1:
                return nn.Identity()
            return _blocks.FactorizedReduce(channels, channels, affine=affine)
        case "max_pool" | "avg_pool":
            pool = (
                nn.MaxPool2d(3, stride, padding=1)
                if kind == "max_pool"
                else nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
            )
            return (
                pool
                if affine
                else _blocks.chain(("pool", pool), ("norm", _blocks.norm(channels, affine=False)))
            )
        case "dil_conv":
            return _blocks.chain(*_separable(channels, int(size[0]), stride, 2, affine=affine))
        case _:
            kernel = int(size[0])
            return _blocks.chain(
                ("first", _blocks.chain(*_separable(channels, kernel, stride, 1, affine=affine))),
                ("second", _blocks.chain(*_separable(channels, kernel, 1, 1, affine=affine))),
            )


def _separable(
    channels: int, kernel: int, stride: int, dilation: int, *, affine: bool
) -> list[tuple[str, nn.Module]]:
    depthwise = _blocks.conv(
        channels, channels, kernel, stride=stride, dilation=dilation, groups=channels
    )
    return [
        ("relu", nn.ReLU()),
        ("depthwise", depthwise),
        ("pointwise", _blocks.conv(channels, channels, 1)),
        ("norm", _blocks.norm(channels, affine=affine)),
    ]


DARTS = Network(
    build,
    weights.pytorch,
    {"channels": 32, "cells": 8, "evaluation": False, "imagenet": False},
)
