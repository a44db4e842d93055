"""Cells as they are drawn: everything is there, nothing overlaps, edges run left to right."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from bench.base import Graph, Space
from bench.reports.site.cells import draw
from bench.spaces import SPACES


def graph(operations: str, *edges: tuple[int, int]) -> Graph:
    names = tuple(operations.split())
    adjacency = np.zeros((len(names), len(names)), dtype=bool)
    for edge in edges:
        adjacency[edge] = True
    return Graph(names, adjacency)


def boxes(drawn: str) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of every vertex."""
    found = []
    for each in ET.fromstring(drawn).iter("rect"):
        x, y, width, height = (float(each.attrib[name]) for name in ("x", "y", "width", "height"))
        found.append((x, y, x + width, y + height))
    return found


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
@pytest.mark.parametrize("seed", range(4))
def test_every_vertex_and_edge_is_drawn_and_none_overlap(space: Space, seed: int) -> None:
    of = space.graph(space.sample(np.random.default_rng(seed)))
    drawn = draw(of, "a cell")
    root = ET.fromstring(drawn)
    assert sorted(str(each.text) for each in root.iter("text")) == sorted(of.operations)
    assert len(list(root.iter("path"))) == of.adjacency.sum()
    width, height = (float(root.attrib[name]) for name in ("width", "height"))
    placed = boxes(drawn)
    for number, (left, top, right, bottom) in enumerate(placed):
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        for other in placed[:number]:
            apart = left >= other[2] or other[0] >= right or top >= other[3] or other[1] >= bottom
            assert apart


def test_an_edge_that_skips_a_layer_passes_beside_the_vertex_between() -> None:
    drawn = draw(graph("input conv output", (0, 1), (1, 2), (0, 2)), "t")
    (_, top, _, bottom) = boxes(drawn)[1]
    paths = [each.attrib["d"] for each in ET.fromstring(drawn).iter("path")]
    long = next(path for path in paths if "H" in path)
    level = float(long.split("H")[0].split()[-1])
    assert level < top or level > bottom


def test_cells_that_are_not_joined_stand_below_one_another() -> None:
    drawn = draw(graph("input conv input pool", (0, 1), (2, 3)), "t")
    first, second, third, fourth = boxes(drawn)
    assert max(first[3], second[3]) < min(third[1], fourth[1])


def test_a_vertex_alone_is_drawn() -> None:
    assert len(boxes(draw(graph("input"), "t"))) == 1


def test_names_are_escaped_and_coloured_by_family() -> None:
    drawn = draw(graph("<b>&conv avg_pool skip none magic"), "a < b")
    root = ET.fromstring(drawn)
    assert [each.attrib["class"] for each in root.iter("g")] == [
        "conv", "pool", "skip", "none", "other",
    ]  # fmt: skip
    assert root.findtext("title") == "a < b"


def test_the_same_graph_is_drawn_the_same() -> None:
    space = SPACES[2]
    arch = space.sample(np.random.default_rng(0))
    assert draw(space.graph(arch), "t") == draw(space.graph(arch), "t")
