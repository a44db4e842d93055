"""TransNAS-Bench-101 micro networks: recorded parameter counts, and a halving cell."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from bench.base import Arch
from bench.networks import Weights, network
from bench.networks.transnasbench101_micro import build
from bench.spaces.transnasbench101_micro import TRANSNASBENCH101_MICRO as SPACE


def count(arch: Arch, classes: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build(arch, classes=classes).parameters())


def test_parameters_are_the_recorded_ones(data: Path) -> None:
    with (data / "transnasbench101/tnb101_micro_valid_nets.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2128
    for row in rows[::20]:
        assert count(SPACE.parse(row["net"]), 63) == round(float(row["params"]) * 1e6)


@pytest.mark.parametrize(("task", "classes"), [("class_scene", 63), ("class_object", 100)])
def test_parameters_are_the_suites(data: Path, task: str, classes: int) -> None:
    rows = json.loads((data / "suite_zero/zc_transbench101_micro.json").read_text())[task]
    assert len(rows) == 711
    for text, row in list(rows.items())[::20]:
        assert count(SPACE.parse(text), classes) == round(row["params"]["score"] * 1e6)


def test_a_halving_cell_and_the_one_behind_it() -> None:
    arch = SPACE.parse("64-41414-1_23_031")
    module = network("transnasbench101-micro", arch, Weights(0), channels=4).double()
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, 7, 8, generator=rng, dtype=torch.float64)
    cell = module.module_0_cell_0
    one = cell.edge_0_1_skip(x)
    two = cell.edge_0_2_conv1x1(x) + cell.edge_1_2_conv3x3(one)
    expected = cell.edge_1_3_conv3x3(one) + two
    torch.testing.assert_close(cell(x), expected)
    assert expected.shape == (2, 8, 4, 4)
    assert cell.edge_0_2_conv1x1.conv.stride == (2, 2)
    assert cell.edge_1_2_conv3x3.conv.stride == (1, 1)
    behind = module.module_0_cell_1
    assert torch.equal(behind.edge_0_1_skip(expected), expected)
    assert behind.edge_0_2_conv1x1.conv.stride == (1, 1)


def test_an_empty_node_of_a_halving_cell_has_its_shape() -> None:
    arch = SPACE.parse("64-41414-0_00_100")
    module = network("transnasbench101-micro", arch, Weights(0), channels=4)
    assert module(torch.ones(2, 3, 64, 64)).shape == (2, 10)
    empty = SPACE.parse("64-41414-0_00_000")
    module = network("transnasbench101-micro", empty, Weights(0), channels=4)
    assert not module.module_0_cell_0(torch.ones(2, 4, 7, 8)).any()
    assert module.module_0_cell_0(torch.ones(2, 4, 7, 8)).shape == (2, 8, 4, 4)


def test_the_resolution_falls_by_32() -> None:
    module = network("transnasbench101-micro", (1,) * 6, Weights(0), channels=4)
    shapes: list[torch.Size] = []
    for name in ("module_0_cell_0", "pool"):
        layer = module.get_submodule(name)
        layer.register_forward_pre_hook(lambda _, inputs: shapes.append(inputs[0].shape))
    module(torch.zeros(2, 3, 64, 64))
    assert shapes == [(2, 4, 16, 16), (2, 32, 2, 2)]
