"""TransNAS-Bench-101, macro, as a module with a classification head: modules of residual blocks.

Skeleton: Duan et al., CVPR 2021, https://arxiv.org/abs/2105.11871 (yawen-d/TransNASBench, commit
6c6e8b9, lib/models/net_infer).

1. The batch norm of a block's shortcut has eps 1 and momentum 1. That is what the reference
   runs: it passes two switches where these stand.
"""

from __future__ import annotations

from torch import Tensor, nn

from bench.base import Arch
from bench.networks import _blocks, weights
from bench.networks._network import Network
from bench.spaces.transnasbench101_macro import TRANSNASBENCH101_MACRO as SPACE

_DOUBLING, _HALVING = (2, 4), (3, 4)


class BasicBlock(nn.Module):
    """Two convolutions beside the input, which a 1x1 convolution fits where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = _blocks.relu_conv_norm(inputs, outputs, 3, stride=stride)
        self.second = _blocks.relu_conv_norm(outputs, outputs, 3)
        self.shortcut: nn.Module = nn.Identity()
        if (inputs, stride) != (outputs, 1):
            self.shortcut = _blocks.chain(
                ("conv", _blocks.conv(inputs, outputs, 1, stride=stride)),
                ("norm", _blocks.norm(outputs, eps=1.0, momentum=1.0)),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map `n x inputs x h x w` to `n x outputs x ⌈h/stride⌉ x ⌈w/stride⌉`."""
        features: Tensor = self.shortcut(x) + self.second(self.first(x))
        return features


def build(arch: Arch, *, classes: int = 63, channels: int = 64, cells: int = 2) -> nn.Module:
    """The network of a chain, uninitialised.

    Args:
        arch: The modules' digits, as in bench/spaces/transnasbench101_macro.py.
        classes: Logits: 63 for class_scene, 100 for class_object.
        channels: Of the stem; modules double them.
        cells: Residual blocks in every module; the first one changes the shape.

    Raises:
        ArchError: `arch` is no architecture of the space.
    """
    SPACE.check(arch)
    steps = [*_blocks.halving_stem(channels)]
    width = channels
    for module, digit in enumerate(arch):
        label = SPACE.operations[digit]
        for cell in range(cells):
            inputs, stride = width, 1
            if cell == 0:
                width *= 2 if digit in _DOUBLING else 1
                stride = 2 if digit in _HALVING else 1
            name = f"module_{module}_{label}_cell_{cell}"
            steps.append((name, BasicBlock(inputs, width, stride)))
    return _blocks.chain(*steps, *_blocks.head(width, classes))


TRANSNASBENCH101_MACRO = Network(build, weights.transnasbench101, {"channels": 64, "cells": 2})
