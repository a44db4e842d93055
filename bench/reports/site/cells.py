"""An architecture drawn as its cell graph: layers from left to right, as SVG.

Vertices stand in the layer of their longest path from an input (Sugiyama, Tagawa and Toda 1981,
https://doi.org/10.1109/TSMC.1981.4308636): an edge that skips layers is given a place in each of
them, so that it passes between vertices; places are ordered by the mean of their neighbours'. Cells
that are not joined, such as the two of DARTS, stand below one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape

import numpy as np

from bench.base import Bools, Graph

_LETTER = 5.6
"""The width of a letter of a label, in pixels."""
_HEIGHT, _ROW, _GAP, _MARGIN = 18.0, 27.0, 26.0, 3.0
_SWEEPS = 8

_FAMILIES = (
    ("conv", "conv"),
    ("pool", "pool"),
    ("skip", "skip"),
    ("none", "none"),
    ("input", "end"),
    ("output", "end"),
    ("c_{", "end"),
)
"""Parts of operations' names, and the class that their vertices are coloured by."""


@dataclass(frozen=True, eq=False)
class _Layers:
    """One connected cell: what stands in each layer from the top, vertices or passing edges.

    Places up to the number of vertices are these; the others are where an edge passes.
    """

    columns: list[list[int]]
    paths: list[list[int]]
    """For every edge the places it passes, its ends included."""


def draw(graph: Graph, title: str) -> str:
    """The graph as an `svg` element, coloured by the page's style sheet.

    Args:
        graph: `v` vertices.
        title: What readers who do not see it are told.
    """
    shapes: list[str] = []
    width = top = 0.0
    for vertices in _parts(graph.adjacency):
        part = Graph(
            tuple(graph.operations[v] for v in vertices),
            graph.adjacency[np.ix_(vertices, vertices)],
        )
        drawn, right, bottom = _part(part, top)
        shapes += drawn
        width, top = max(width, right), bottom + _HEIGHT / 2
    height = top - _HEIGHT / 2 + _MARGIN
    return (
        f'<svg class="cell" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img"><title>{escape(title)}</title>{"".join(shapes)}</svg>'
    )


def _parts(adjacency: Bools) -> list[list[int]]:
    """The vertices of every connected part, in the order of their first vertices."""
    joined = adjacency | adjacency.T
    left = set(range(len(joined)))
    parts = []
    while left:
        part, reached = set[int](), {min(left)}
        while reached:
            part |= reached
            reached = {int(w) for v in reached for w in np.flatnonzero(joined[v])} - part
        left -= part
        parts.append(sorted(part))
    return parts


def _layers(adjacency: Bools) -> _Layers:
    v = len(adjacency)
    layer = [0] * v
    for vertex in range(v):  # vertices are in topological order
        before = np.flatnonzero(adjacency[:, vertex])
        layer[vertex] = 1 + max((layer[int(u)] for u in before), default=-1)
    columns: list[list[int]] = [[] for _ in range(max(layer) + 1)]
    for vertex in range(v):
        columns[layer[vertex]].append(vertex)
    paths = []
    places = v
    for start, end in np.argwhere(adjacency).tolist():
        path = [start]
        for between in range(layer[start] + 1, layer[end]):
            columns[between].append(places)
            path.append(places)
            places += 1
        paths.append([*path, end])
    return _Layers(_ordered(columns, paths), paths)


def _ordered(columns: list[list[int]], paths: Sequence[Sequence[int]]) -> list[list[int]]:
    """Columns in the order that the means of neighbours settle to, swept there and back."""
    joints = [pair for path in paths for pair in pairwise(path)]
    before: dict[int, list[int]] = {}
    after: dict[int, list[int]] = {}
    for start, end in joints:
        after.setdefault(start, []).append(end)
        before.setdefault(end, []).append(start)
    place = {each: _offset(i, column) for column in columns for i, each in enumerate(column)}
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        neighbours = before if forward else after
        for column in columns if forward else columns[::-1]:
            # Stable: what has no neighbours on that side, or the same mean, keeps its order.
            column.sort(key=lambda each: _mean(neighbours.get(each, [each]), place))
            place |= {each: _offset(i, column) for i, each in enumerate(column)}
    return columns


def _offset(index: int, column: Sequence[int]) -> float:
    """How far below the middle of its column a place is, in rows."""
    return index - (len(column) - 1) / 2


def _mean(places: Sequence[int], place: dict[int, float]) -> float:
    return sum(place[each] for each in places) / len(places)


def _part(graph: Graph, top: float) -> tuple[list[str], float, float]:
    """The shapes of one connected cell below `top`, and its right and lower ends."""
    layers = _layers(graph.adjacency)
    v = len(graph.operations)
    rows = max(map(len, layers.columns))
    middle = top + _MARGIN + _HEIGHT / 2 + (rows - 1) * _ROW / 2
    widths = [_width(name) for name in graph.operations]
    centre: dict[int, tuple[float, float]] = {}
    half: dict[int, float] = {}
    left = _MARGIN
    for column in layers.columns:
        width = max((widths[each] for each in column if each < v), default=0.0)
        for index, each in enumerate(column):
            centre[each] = left + width / 2, middle + _offset(index, column) * _ROW
            half[each] = (widths[each] if each < v else width) / 2
        left += width + _GAP
    edges = [_edge(path, centre, half) for path in layers.paths]
    boxes = [_box(graph.operations[each], *centre[each]) for each in range(v)]
    return edges + boxes, left - _GAP + _MARGIN, middle + (rows - 1) * _ROW / 2 + _HEIGHT / 2


def _edge(
    path: Sequence[int], centre: dict[int, tuple[float, float]], half: dict[int, float]
) -> str:
    """A line that runs level through its places and bends between them."""
    x, y = centre[path[0]]
    x += half[path[0]]
    steps = [f"M{x:.0f} {y:.1f}"]
    for each in path[1:]:
        into = centre[each][0] - half[each]
        bend = (x + into) / 2
        y, before = centre[each][1], y
        steps.append(f"C{bend:.0f} {before:.1f} {bend:.0f} {y:.1f} {into:.0f} {y:.1f}")
        x = centre[each][0] + half[each]
        if each != path[-1]:
            steps.append(f"H{x:.0f}")
    return f'<path d="{"".join(steps)}"/>'


def _box(operation: str, x: float, y: float) -> str:
    width = _width(operation)
    return (
        f'<g class="{_family(operation)}"><rect x="{x - width / 2:.0f}" y="{y - _HEIGHT / 2:.1f}" '
        f'width="{width:.0f}" height="{_HEIGHT:.0f}" rx="4"/>'
        f'<text x="{x:.0f}" y="{y + 3.5:.1f}">{escape(operation)}</text></g>'
    )


def _family(operation: str) -> str:
    return next((found for part, found in _FAMILIES if part in operation), "other")


def _width(operation: str) -> float:
    return len(operation) * _LETTER + 12
