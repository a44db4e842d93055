"""Cells with operations on their vertices: pruning, canonical form, and what is one edit away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.base import Bools, Ints
from bench.spaces._fingerprint import fingerprints
from bench.spaces._order import canonical_order


class Cell(NamedTuple):
    """A cell of `v` vertices in topological order: the input first, the output last."""

    operations: tuple[int, ...]
    before: tuple[int, ...]
    """For every vertex the bit mask of the vertices with an edge to it."""


def masks(vertices: int, bits: int) -> tuple[int, ...]:
    """`before` from one integer, in which bit x + y(y-1)/2 is the edge from x to y."""
    return tuple((bits >> (y * (y - 1) // 2)) & ((1 << y) - 1) for y in range(vertices))


def edge_count(cell: Cell) -> int:
    """How many edges a cell has."""
    return sum(mask.bit_count() for mask in cell.before)


def prune(cell: Cell) -> Cell | None:
    """Keep the vertices on a path from input to output; None if there is no such path."""
    before = cell.before
    last = len(before) - 1
    reached = 1
    for y in range(1, last + 1):
        if before[y] & reached:
            reached |= 1 << y
    if not reached >> last:
        return None
    live = 1 << last
    for y in range(last, 0, -1):
        if live >> y & 1:
            live |= before[y]
    live &= reached
    if live == (2 << last) - 1:
        return cell
    return _ordered(cell, [y for y in range(last + 1) if live >> y & 1])


def canonical(cell: Cell) -> Cell:
    """The same for all cells that are isomorphic to a pruned one, and for no others."""
    operations, before = cell
    ancestors = [0] * len(operations)
    for y, mask in enumerate(before):
        for x in range(y):
            if mask >> x & 1:
                ancestors[y] |= ancestors[x] | 1 << x
    # A vertex has more ancestors than any of its ancestors, so the order stays topological.
    most = max(operations) + 1
    colours = [most * a.bit_count() + o for a, o in zip(ancestors, operations, strict=True)]
    edges = [[mask >> x & 1 for mask in before] for x in range(len(operations))]
    return _ordered(cell, canonical_order(colours, edges))


def one_edit_away(
    cell: Cell, inner: Sequence[int], most_vertices: int, most_edges: int
) -> list[Cell]:
    """One member of every class of cells one edit away from a pruned cell.

    In this order: an edge added or removed; another operation on a vertex; an edge split by a
    new vertex. A removal that leaves vertices idle takes them along.

    Args:
        cell: A pruned cell.
        inner: The operations that vertices between input and output may have.
        most_vertices: Cells may have up to this many vertices,
        most_edges: and this many edges.
    """
    v = len(cell.operations)
    base = np.zeros((most_vertices, most_vertices), dtype=np.bool_)
    base[:v, :v] = [[mask >> x & 1 for mask in cell.before] for x in range(v)]
    room = edge_count(cell) < most_edges
    linked, path = base.tolist(), _paths(base).tolist()
    pairs = [(x, y) for x in range(v) for y in range(v)]
    # A pair joined by a path takes no edge back; that bars loops, and edges into the input or
    # out of the output, too.
    flips = [(x, y) for x, y in pairs if linked[x][y] or (room and not path[y][x])]
    changes = [(y, o) for y in range(1, v - 1) for o in inner if o != cell.operations[y]]
    may_split = room and v < most_vertices
    splits = [(x, y, o) for x, y in pairs for o in inner if may_split and linked[x][y]]

    count = len(flips) + len(changes) + len(splits)
    adjacency = np.repeat(base[None], count, axis=0)
    operations = np.full((count, most_vertices), -1)
    operations[:, :v] = cell.operations
    for row, (x, y) in enumerate(flips):
        adjacency[row, x, y] = not linked[x][y]
    for row, (y, o) in enumerate(changes, len(flips)):
        operations[row, y] = o
    for row, (x, y, o) in enumerate(splits, len(flips) + len(changes)):
        adjacency[row, x, y] = False
        adjacency[row, x, v] = adjacency[row, v, y] = True
        operations[row, v] = o
    return _classes(adjacency, operations, v - 1)


def _ordered(cell: Cell, order: Sequence[int]) -> Cell:
    """The vertices of `order`, in that order; the others are left out."""
    bit = {x: 1 << place for place, x in enumerate(order)}
    before = tuple(sum([bit[x] for x in order if cell.before[y] >> x & 1]) for y in order)
    return Cell(tuple([cell.operations[y] for y in order]), before)


def _paths(adjacency: Bools) -> Bools:
    """Whether a path leads from i to j, for `... x v x v` graphs of at most eight vertices."""
    path = adjacency | np.eye(adjacency.shape[-1], dtype=np.bool_)
    for _ in range(3):
        path = path @ path
    return path


def _classes(adjacency: Bools, operations: Ints, output: int) -> list[Cell]:
    """Prune `n` cells whose vertices stand in any order; keep the first of each class.

    Args:
        adjacency: `n x v x v`.
        operations: `n x v`, -1 for absent vertices.
        output: The vertex that is every cell's output; its input is vertex 0.
    """
    path = _paths(adjacency)
    live = path[:, 0, :] & path[:, :, output]
    sizes = live.sum(axis=1)
    adjacency = adjacency & live[:, :, None] & live[:, None, :]
    operations = np.where(live, operations, -1)
    _, first = np.unique(fingerprints(adjacency, operations), return_index=True)
    # The number of ancestors puts the live vertices in topological order.
    order = np.argsort(np.where(live, path.sum(axis=1), sizes.max() + 99), axis=1, kind="stable")
    row = np.arange(len(order))[:, None]
    adjacency = adjacency[row[:, :, None], order[:, :, None], order[:, None, :]]
    weights: NDArray[np.int64] = 1 << np.arange(adjacency.shape[1])
    before = (adjacency * weights[:, None]).sum(axis=1).tolist()
    operations = operations[row, order].tolist()
    return [
        Cell(tuple(operations[i][:size]), tuple(before[i][:size]))
        for i, size in zip(sorted(first.tolist()), sizes[np.sort(first)].tolist(), strict=True)
        if size
    ]
