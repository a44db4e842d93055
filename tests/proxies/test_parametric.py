from __future__ import annotations

import numpy as np
import pytest

from bench.base import Graph
from bench.proxies.parametric import parametric
from bench.runs import members


def graph(names: str, *edges: tuple[int, int]) -> Graph:
    operations = tuple(names.split())
    adjacency = np.zeros((len(operations), len(operations)), dtype=bool)
    for source, target in edges:
        adjacency[source, target] = True
    return Graph(operations, adjacency)


def test_only_operations_between_input_and_output_count() -> None:
    names = "input conv3x3 conv1x1 conv3x3 output"
    assert parametric(graph(names, (0, 1), (1, 4), (0, 2), (3, 4))) == 1.0
    assert parametric(graph(names, (0, 1), (1, 2), (2, 3), (3, 4))) == 3.0
    assert parametric(graph(names)) == 0.0


def test_none_breaks_a_path_and_pools_and_skips_have_no_weights() -> None:
    names = "input conv none conv avg_pool_3x3 skip output"
    chain = [(i, i + 1) for i in range(6)]
    assert parametric(graph(names, *chain)) == 0.0
    assert parametric(graph(names, *chain, (1, 3))) == 2.0


@pytest.mark.parametrize(
    ("space", "text", "count"),
    [
        (
            "nasbench201",
            "|avg_pool_3x3~0|+|nor_conv_1x1~0|none~1|+|nor_conv_3x3~0|skip_connect~1|none~2|",
            1,
        ),
        (
            "nasbench201",
            "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
            0,
        ),
        ("transnasbench101-micro", "64-41414-3_02_113", 3),
        ("transnasbench101-macro", "64-131444-basic", 6),
        ("nasbench101", "(0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 3, 1)", 2),
    ],
)
def test_cells_of_every_space(space: str, text: str, count: int) -> None:
    found = members.space(space)
    assert parametric(found.graph(found.parse(text))) == count
