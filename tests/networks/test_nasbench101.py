"""NAS-Bench-101's networks: official parameter counts, channels, and the cell step by step."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import torch
from torch import nn

from bench.base import Arch
from bench.networks import Weights, network
from bench.networks.nasbench101 import build, vertex_channels
from bench.spaces.nasbench101 import NASBENCH101 as SPACE
from bench.spaces.nasbench101 import from_bits


def count(arch: Arch) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build(arch).parameters())


def graph(edges: list[tuple[int, int]], v: int) -> np.ndarray:
    adjacency = np.zeros((v, v), dtype=np.bool_)
    for i, j in edges:
        adjacency[i, j] = True
    return adjacency


def test_parameters_are_the_official_ones(data: Path) -> None:
    """200 of the 423,624 cells' trainable parameters, evenly through the table."""
    columns = ["vertices", "adjacency_bits", "operations", "parameters"]
    table = pyarrow.parquet.read_table(data / "nasbench101/nasbench101.parquet", columns=columns)
    picked = table.take(np.linspace(0, len(table) - 1, 200).astype(int)).to_pydict()
    vertices, bits, operations, parameters = picked.values()
    cells = zip(vertices, bits, operations, strict=True)
    assert [count(from_bits(*cell)) for cell in cells] == parameters


def test_parameters_are_the_suites(data: Path) -> None:
    rows = json.loads((data / "suite_zero/zc_nasbench101.json").read_text())
    rows = rows["nasbench101"]["cifar10"]
    assert len(rows) == 500
    for text, row in list(rows.items())[::5]:
        assert count(SPACE.parse(text)) == round(row["params"] * 1e6)


@pytest.mark.parametrize(
    ("edges", "v", "expected"),
    [
        ([(0, 1)], 2, [128, 256]),
        ([(0, 1), (1, 2)], 3, [128, 256, 256]),
        # 256 over three ends: 86, 85, 85.
        ([(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)], 5, [128, 86, 85, 85, 256]),
        # 1 leads to both ends, so it has as many as the wider one.
        ([(0, 1), (1, 2), (1, 3), (2, 4), (3, 4), (0, 4)], 5, [128, 128, 128, 128, 256]),
        # 1 leads to 3 only, which has the smaller share of 255 + 1.
        ([(0, 1), (0, 2), (1, 4), (2, 5), (0, 3), (3, 5), (4, 5)], 6, [128, 85, 86, 85, 85, 256]),
    ],
)
def test_vertex_channels(edges: list[tuple[int, int]], v: int, expected: list[int]) -> None:
    assert vertex_channels(graph(edges, v), 128, 256) == expected


def test_a_cell_step_by_step() -> None:
    """Projections, a cut of surplus channels, concatenation, and input added to the output."""
    edges = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (3, 4), (1, 4), (0, 4)]
    flags = graph(edges, 5).astype(int).ravel().tolist()
    arch = (*flags, 0, 4, 3, 2, 1)
    module = network("nasbench101", arch, Weights(0), channels=10, stacks=1, cells=1).double()
    cell = module.stack_0_cell_0
    assert [cell.channels[i] for i in range(5)] == [10, 4, 3, 3, 10]
    x = torch.randn(2, 10, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    one = cell.vertex_1_conv3x3(cell.projection_1(x))
    two = cell.vertex_2_conv1x1(one[:, :3] + cell.projection_2(x))
    three = nn.functional.max_pool2d(one[:, :3], 3, 1, 1)
    expected = torch.cat([one, two, three], dim=1) + cell.projection_output(x)
    torch.testing.assert_close(cell(x), expected)
    assert not hasattr(cell, "projection_3")
    for block, kernel in ((cell.vertex_1_conv3x3, 3), (cell.vertex_2_conv1x1, 1)):
        assert [type(layer) for layer in block] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
        assert block.conv.kernel_size == (kernel, kernel)


def test_the_stacks() -> None:
    module = build(SPACE.parse("(0, 1, 0, 0, 0, 1)"))
    names = [name for name, _ in module.named_children()]
    cells = [f"stack_{s}_cell_{c}" for s in range(3) for c in range(3)]
    cells.insert(3, "stack_1_pool")
    cells.insert(7, "stack_2_pool")
    assert names == ["stem", *cells, "pool", "flatten", "classifier"]
    assert module.stack_1_cell_0.projection_output.conv.weight.shape == (256, 128, 1, 1)
    assert module.stack_2_pool.kernel_size == 2
