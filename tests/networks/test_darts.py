"""DARTS networks: the suite's and the paper's parameter counts, and a cell step by step."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from bench.base import Arch
from bench.networks import Weights, network
from bench.networks.darts import build
from bench.spaces.darts import DARTS as SPACE

V2 = SPACE.parse(
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
    "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
"""The second-order cell of the paper, as its authors published it (DARTS_V2)."""

CIFAR = {"channels": 36, "cells": 20, "evaluation": True}
IMAGENET = {"channels": 48, "cells": 14, "evaluation": True, "imagenet": True, "classes": 1000}
ALL = SPACE.parse(
    "(((0, 0), (1, 1), (0, 2), (1, 3), (2, 4), (3, 5), (0, 6), (4, 7)),"
    "((0, 0), (1, 1), (0, 2), (1, 3), (0, 4), (3, 5), (1, 6), (1, 7)))"
)


def count(arch: Arch, **shape: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build(arch, **shape).parameters())


def test_parameters_are_the_suites(data: Path) -> None:
    rows = json.loads((data / "suite_zero/zc_nasbench301.json").read_text())["cifar10"]
    assert len(rows) == 725
    for text, row in list(rows.items())[::12]:
        assert count(SPACE.parse(text)) == round(row["params"]["score"] * 1e6)


def test_parameters_of_the_paper() -> None:
    """3.3 M on CIFAR-10 and 4.7 M on ImageNet; its table gives one decimal."""
    assert round(count(V2, **CIFAR) / 1e6, 1) == 3.3
    assert round(count(V2, **IMAGENET) / 1e6, 1) == 4.7


def test_parameters_of_trained_networks(data: Path) -> None:
    """The 20-cell network of 36 channels, by the table of 545 that were trained."""
    with (data / "darts/data-545.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows[::60]:
        arch = SPACE.parse(row["architecture"])
        assert count(arch, **CIFAR) == round(float(row["params"]) * 1e6)


def operation(label: str, *, stride: int, evaluation: bool) -> nn.Module:
    """An operation alone: the first edge of the first reduction cell, or of the first cell."""
    number = SPACE.operations.index(label) - 2
    arch = (0, number, *ALL[2:16], 0, number, *ALL[18:])
    module = network(
        "darts", arch, Weights(0), channels=4, cells=3, evaluation=int(evaluation)
    ).double()
    cell = module.get_submodule("cell_1" if stride == 2 else "cell_0")
    return cell.get_submodule(f"edge_0_2_{label}")


@pytest.mark.parametrize("evaluation", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
def test_operations_by_their_formulas(stride: int, evaluation: bool) -> None:
    c = 8 if stride == 2 else 4
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(2, c, 10, 10, generator=rng, dtype=torch.float64)

    def norm(x: torch.Tensor) -> torch.Tensor:
        return functional.batch_norm(x, None, None, training=True)

    def separable(
        x: torch.Tensor, w: list[torch.Tensor], stride: int, dilation: int
    ) -> torch.Tensor:
        padding = dilation * (w[0].shape[-1] // 2)
        y = functional.conv2d(x.relu(), w[0], None, stride, padding, dilation, groups=c)
        return norm(functional.conv2d(y, w[1]))

    for label in ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"):
        block = operation(label, stride=stride, evaluation=evaluation)
        w = [p for p in block.parameters() if p.dim() == 4]
        assert w[0].shape == (c, 1, int(label[-1]), int(label[-1]))
        if label.startswith("dil"):
            expected = separable(x, w, stride, 2)
        else:
            expected = separable(separable(x, w[:2], stride, 1), w[2:], 1, 1)
        torch.testing.assert_close(block(x), expected)
        norms = [layer for layer in block.modules() if isinstance(layer, nn.BatchNorm2d)]
        assert all(layer.affine == evaluation for layer in norms)
    padded = functional.pad(x, (1, 1, 1, 1), value=-torch.inf)
    windows = padded.unfold(2, 3, stride).unfold(3, 3, stride).flatten(-2)
    pooled = windows.amax(-1)
    block = operation("max_pool_3x3", stride=stride, evaluation=evaluation)
    torch.testing.assert_close(block(x), pooled if evaluation else norm(pooled))
    inside = windows.isfinite()
    pooled = torch.where(inside, windows, 0).sum(-1) / inside.sum(-1)
    block = operation("avg_pool_3x3", stride=stride, evaluation=evaluation)
    torch.testing.assert_close(block(x), pooled if evaluation else norm(pooled))
    skip = operation("skip_connect", stride=stride, evaluation=evaluation)
    if stride == 1:
        assert torch.equal(skip(x), x)
    else:
        assert skip(x).shape == (2, c, 5, 5)
        assert skip.norm.affine == evaluation


def test_a_cell_reads_the_two_before_it() -> None:
    """A reduction cell of the mixed architecture, from its own operations."""
    module = network("darts", ALL, Weights(0), channels=4, cells=3).double()
    cell = module.cell_1
    rng = torch.Generator().manual_seed(0)
    before = torch.randn(2, 12, 8, 8, generator=rng, dtype=torch.float64)
    previous = torch.randn(2, 16, 8, 8, generator=rng, dtype=torch.float64)
    zero, one = cell.preprocess_0(before), cell.preprocess_1(previous)
    two = cell.edge_0_2_max_pool_3x3(zero) + cell.edge_1_2_avg_pool_3x3(one)
    three = cell.edge_0_3_skip_connect(zero) + cell.edge_1_3_sep_conv_3x3(one)
    four = cell.edge_0_4_sep_conv_5x5(zero) + cell.edge_3_4_dil_conv_3x3(three)
    five = cell.edge_1_5_dil_conv_5x5(one)
    expected = torch.cat([two, three, four, five], dim=1)
    torch.testing.assert_close(cell(before, previous), expected)
    assert expected.shape == (2, 32, 4, 4)


def test_equal_pairs_are_two_operations_and_nothing_is_zeros() -> None:
    sep, none = 3, 7
    cell = (0, sep, 0, sep, 0, none, 1, none, 2, none, 2, none, 4, sep, 3, none)
    module = network("darts", cell + cell, Weights(0), channels=4, cells=3).double()
    names = [name for name, _ in module.cell_1.named_children() if name.startswith("edge")]
    assert names == [
        "edge_0_2_sep_conv_3x3",
        "edge_0_2_sep_conv_3x3_again",
        "edge_4_5_sep_conv_3x3",
    ]
    first, second = (p for name in names[:2] for p in [module.cell_1.get_submodule(name)])
    assert not torch.equal(first.first.pointwise.weight, second.first.pointwise.weight)
    values = module.cell_1(torch.ones(2, 12, 8, 8).double(), torch.ones(2, 16, 8, 8).double())
    assert values.shape == (2, 32, 4, 4)
    assert not values[:, 8:24].any()


@pytest.mark.parametrize(
    ("cells", "reductions"), [(8, [2, 5]), (20, [6, 13]), (14, [4, 9]), (3, [1, 2])]
)
def test_where_the_reductions_stand(cells: int, reductions: list[int]) -> None:
    with torch.device("meta"):
        module = build(V2, channels=4, cells=cells)
    strides = [module.get_submodule(f"cell_{index}").stride for index in range(cells)]
    assert [index for index, stride in enumerate(strides) if stride == 2] == reductions
    assert module.classifier.in_features == 4 * 4 * 4


def test_the_imagenet_stem_lowers_the_resolution_by_eight() -> None:
    module = network(
        "darts", V2, Weights(0), **{**IMAGENET, "channels": 4, "cells": 3, "classes": 5}
    )
    shapes: list[torch.Size] = []
    module.cell_0.register_forward_pre_hook(
        lambda _, inputs: shapes.extend(x.shape for x in inputs)
    )
    module.pool.register_forward_pre_hook(lambda _, inputs: shapes.append(inputs[0].shape))
    assert module(torch.zeros(2, 3, 64, 64)).shape == (2, 5)
    assert shapes == [(2, 4, 16, 16), (2, 4, 8, 8), (2, 64, 2, 2)]
