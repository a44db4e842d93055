"""TransNAS-Bench-101, micro, as a module with a classification head: five modules of two cells.

Skeleton: Duan et al., CVPR 2021, https://arxiv.org/abs/2105.11871 (yawen-d/TransNASBench, commit
6c6e8b9, lib/models/net_infer), the macro structure 41414: the first, third and fifth module
double the channels and halve the resolution, in their first cell, on the edges that leave node 0.

1. `none` is left out, where the reference multiplies by zero; the values are the same.
"""

from __future__ import annotations

from torch import nn

from bench.base import Arch
from bench.networks import _blocks, weights
from bench.networks._network import Network
from bench.spaces._function import EDGES
from bench.spaces.transnasbench101_micro import TRANSNASBENCH101_MICRO as SPACE

_HALVING = (True, False, True, False, True)


def build(arch: Arch, *, classes: int = 63, channels: int = 64, cells: int = 2) -> nn.Module:
    """The network of a cell, uninitialised.

    Args:
        arch: Six operations, as in bench/spaces/transnasbench101_micro.py.
        classes: Logits: 63 for class_scene, 100 for class_object.
        channels: Of the stem; the last module has eight times as many.
        cells: In every module.

    Raises:
        ArchError: `arch` is no architecture of the space.
    """
    SPACE.check(arch)
    labels = [SPACE.labels[operation] for operation in arch]
    steps = [*_blocks.halving_stem(channels)]
    width = channels
    for module, halving in enumerate(_HALVING):
        for cell in range(cells):
            inputs, stride = width, 1
            if halving and cell == 0:
                width, stride = 2 * width, 2
            operations = [
                (
                    label,
                    _operation(label, width if source else inputs, width, 1 if source else stride),
                )
                for label, (source, _) in zip(labels, EDGES, strict=True)
            ]
            name = f"module_{module}_cell_{cell}"
            steps.append((name, _blocks.EdgeCell(operations, width, stride)))
    return _blocks.chain(*steps, *_blocks.head(width, classes))


def _operation(label: str, inputs: int, outputs: int, stride: int) -> nn.Module | None:
    match label:
        case "none":
            return None
        case "skip":
            return nn.Identity() if stride == 1 else _blocks.FactorizedReduce(inputs, outputs)
        case _:
            kernel = 3 if label == "conv3x3" else 1
            return _blocks.relu_conv_norm(inputs, outputs, kernel, stride=stride)


TRANSNASBENCH101_MICRO = Network(build, weights.transnasbench101, {"channels": 64, "cells": 2})
