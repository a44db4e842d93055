"""NAS-Bench-201 as a module: three stages of five cells, a residual block between them.

Skeleton: Dong and Yang, ICLR 2020, https://arxiv.org/abs/2001.00326, as NAS-Bench-Suite-Zero
builds it (NASLib, branch zerocost, commit 8c45f19, nasbench201/graph.py and primitives.py).

1. `none` is left out, where the reference multiplies by zero; the values are the same.
"""

from __future__ import annotations

from torch import Tensor, nn

from bench.base import Arch
from bench.networks import _blocks, weights
from bench.networks._network import Network
from bench.spaces.nasbench201 import NASBENCH201 as SPACE

_STAGES = 3


class ResidualBlock(nn.Module):
    """Two convolutions, the first of stride 2, beside average pooling and a 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = _blocks.relu_conv_norm(inputs, outputs, 3, stride=2)
        self.second = _blocks.relu_conv_norm(outputs, outputs, 3)
        self.shortcut = _blocks.chain(
            ("pool", nn.AvgPool2d(2)), ("conv", _blocks.conv(inputs, outputs, 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `n x inputs x h x w` to `n x outputs x h/2 x w/2`."""
        features: Tensor = self.second(self.first(x)) + self.shortcut(x)
        return features


def build(arch: Arch, *, classes: int = 10, channels: int = 16, cells: int = 5) -> nn.Module:
    """The network of a cell, uninitialised, for images of sides divisible by four.

    Args:
        arch: Six operations, as in bench/spaces/nasbench201.py.
        classes: Logits.
        channels: Of the first stage; the next ones have two and four times as many.
        cells: In every stage.

    Raises:
        ArchError: `arch` is no architecture of the space.
    """
    SPACE.check(arch)
    labels = [SPACE.labels[operation] for operation in arch]
    steps: list[tuple[str, nn.Module]] = [
        ("stem", _blocks.conv_norm(3, channels, 3)),
    ]
    width = channels
    for stage in range(_STAGES):
        if stage:
            steps.append((f"stage_{stage}_reduction", ResidualBlock(width, 2 * width)))
            width *= 2
        for cell in range(cells):
            operations = [(label, _operation(label, width)) for label in labels]
            steps.append((f"stage_{stage}_cell_{cell}", _blocks.EdgeCell(operations, width)))
    steps += [("norm", _blocks.norm(width)), ("relu", nn.ReLU()), *_blocks.head(width, classes)]
    return _blocks.chain(*steps)


def _operation(label: str, channels: int) -> nn.Module | None:
    match label:
        case "none":
            return None
        case "skip_connect":
            return nn.Identity()
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
        case _:
            return _blocks.relu_conv_norm(channels, channels, 3 if label.endswith("3x3") else 1)


NASBENCH201 = Network(build, weights.pytorch, {"channels": 16, "cells": 5})
