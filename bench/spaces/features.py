"""Architectures as numbers, worked out from their graphs: one-hot, paths, and counts of the graph.

Three kinds, each a fixed set of columns for all architectures of a pool, whoever asks for which:

- `one-hot`: vertex by vertex, its operation and its outgoing edges (`bench.spaces.encoding.flat`).
- `paths`: which sequences of operations lead from an input to the output. The path encoding of
  BANANAS (White, Neiswanger and Savani, AAAI 2021, https://arxiv.org/abs/1910.11858), truncated
  as there to the most frequent sequences.
- `graph`: how often each operation occurs; and over the operations of a set, the shortest and
  longest path and the degrees. The features of GRAF (Kadlecova et al., ICML 2024,
  https://arxiv.org/abs/2406.04870).

Deviations:
1. `paths` are counted over the pool where White et al. know their probability for a random cell.
2. GRAF measures degrees at the nodes of a cell. Here graphs carry operations on their vertices, so
   the degrees are those of the inputs and the output, and the edges within the set.

A vertex that something leads to and that leads nowhere ends a cell; the vertices since the last
such one belong to it, and those of them that nothing leads to are its inputs. So both cells of
DARTS are told apart, and its two inputs, also where one of them is idle.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.base import Arch, ArchError, Bools, Floats, Graph, Ints, OptionError, Space

NOTHING = "none"
"""The operation that passes nothing on: no path leads through it."""
MOST_PATHS = 256
"""How many sequences of operations `paths` tells apart at most."""
MOST_IN_SETS = 5
"""With more operations than that, sets are of one or two operations, all but one, and all."""


@dataclass(frozen=True, eq=False)
class _Stack:
    """The graphs of `a` architectures, padded at their ends to the largest."""

    codes: Ints
    """`a x v`: each vertex's place in the space's operations, -1 for padding."""
    adjacency: Bools
    """`a x v x v`."""
    cells: Ints
    """`a x v`: the number of the cell that a vertex belongs to, -1 for padding."""
    inputs: Ints
    """`a x v`: the number of an input among those of its cell, -1 for other vertices."""
    outputs: Bools
    """`a x v`: whether a vertex ends its cell."""

    @property
    def inner(self) -> Bools:
        """`a x v`: the vertices that are neither padding, nor input, nor output."""
        inner: Bools = (self.codes >= 0) & (self.inputs < 0) & ~self.outputs
        return inner


def features(space: Space, archs: Sequence[Arch], kind: str) -> Floats:
    """Return the `a x f` features of a kind for all `a` architectures of a pool.

    The columns depend on the space and the whole pool. Those of `paths` and `graph` that would be
    the same for every architecture are left out.

    Raises:
        OptionError: There is no such kind.
        ArchError: A graph carries an operation that is not the space's.
    """
    if kind not in _KINDS:
        raise OptionError(f"expected features of a kind {', '.join(_KINDS)}, got {kind!r}")
    stack = _stacked(space, archs)
    if kind == "one-hot":
        return _one_hot(space, stack)
    columns = _paths(space, stack) if kind == "paths" else _graph(space, stack)
    varies: Bools = np.any(columns != columns[:1], axis=0)
    return columns[:, varies]


_KINDS = ("one-hot", "paths", "graph")


def _stacked(space: Space, archs: Sequence[Arch]) -> _Stack:
    place = {operation: code for code, operation in enumerate(space.operations)}
    graphs: list[Graph] = [space.graph(arch) for arch in archs]
    v = max((len(graph.operations) for graph in graphs), default=0)
    codes = np.full((len(graphs), v), -1)
    adjacency = np.zeros((len(graphs), v, v), dtype=np.bool_)
    for row, graph in enumerate(graphs):
        size = len(graph.operations)
        if not place.keys() >= set(graph.operations):
            raise ArchError(
                f"Expected operations among {', '.join(space.operations)}, got "
                f"{', '.join(graph.operations)}."
            )
        codes[row, :size] = [place[operation] for operation in graph.operations]
        adjacency[row, :size, :size] = graph.adjacency
    led_to = np.any(adjacency, axis=1)
    leads = np.any(adjacency, axis=2)
    outputs = led_to & ~leads
    ended: Ints = np.cumsum(outputs, axis=1) - outputs
    cells = np.where(codes >= 0, ended, -1)
    is_input = (codes >= 0) & ~led_to
    # The inputs of earlier cells are taken off, so that each cell numbers its own from zero.
    before = np.cumsum(is_input, axis=1)
    of_cell = (cells[:, None, :] < cells[:, :, None]) & is_input[:, None, :]
    numbers = before - 1 - of_cell.sum(axis=2)
    return _Stack(codes, adjacency, cells, np.where(is_input, numbers, -1), outputs)


def _one_hot(space: Space, stack: _Stack) -> Floats:
    """`a x v (o + v)`: as `bench.spaces.encoding.flat` lays out each graph."""
    operations = stack.codes[:, :, None] == np.arange(len(space.operations))
    whole = np.concatenate([operations, stack.adjacency], axis=2)
    a, v, width = whole.shape
    return whole.reshape(a, v * width).astype(np.float64)


def _paths(space: Space, stack: _Stack) -> Floats:
    """`a x f`: whether an architecture has each of the most frequent sequences of operations."""
    names = space.operations
    barred = names.index(NOTHING) if NOTHING in names else -1
    found = [
        {
            (cell, number, *sequence)
            for cell, number, path in _routes(adjacency.tobytes(), adjacency.shape[0])
            if barred not in (sequence := tuple(codes[vertex] for vertex in path))
        }
        for codes, adjacency in zip(stack.codes.tolist(), stack.adjacency, strict=True)
    ]
    counts = Counter(itertools.chain.from_iterable(found))
    vocabulary = sorted(counts, key=lambda path: (-counts[path], len(path), path))[:MOST_PATHS]
    column = {path: index for index, path in enumerate(vocabulary)}
    matrix = np.zeros((len(found), len(vocabulary)))
    for row, paths in enumerate(found):
        matrix[row, [column[path] for path in paths if path in column]] = 1.0
    return matrix


@functools.lru_cache(maxsize=4096)
def _routes(adjacency: bytes, v: int) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
    """All paths of a graph from an input to its cell's output, as inner vertices.

    Each comes with the number of its cell, and of its input within the cell.
    """
    edges = np.frombuffer(adjacency, dtype=np.bool_).reshape(v, v)
    after = [np.flatnonzero(row).tolist() for row in edges]
    led_to: list[bool] = np.any(edges, axis=0).tolist()
    routes: list[tuple[int, int, tuple[int, ...]]] = []
    cell = number = 0
    for vertex in range(v):
        if not led_to[vertex]:
            routes += [(cell, number, path) for path in _walks(vertex, after)]
            number += 1
        elif not after[vertex]:
            cell, number = cell + 1, 0
    return tuple(routes)


def _walks(start: int, after: list[list[int]]) -> Iterator[tuple[int, ...]]:
    """The inner vertices of all paths from a vertex to one that leads nowhere."""
    for vertex in after[start]:
        if not after[vertex]:
            yield ()
        for rest in _walks(vertex, after) if after[vertex] else ():
            yield (vertex, *rest)


def _graph(space: Space, stack: _Stack) -> Floats:
    """`a x f`: counts by operation; path lengths and degrees by set of operations."""
    inner = stack.inner
    present = np.unique(stack.codes[inner]).tolist()
    members = [stack.cells == cell for cell in range(int(stack.cells.max(initial=-1)) + 1)]
    columns = [
        ((stack.codes == code) & inner & member).sum(axis=1)
        for code in present
        for member in members
    ]
    passing = [code for code in present if space.operations[code] != NOTHING]
    for allowed in _sets(passing):
        columns += _of_set(stack, members, inner & np.isin(stack.codes, allowed))
    if not columns:
        return np.zeros((len(inner), 0))
    return np.stack(columns, axis=1).astype(np.float64)


def _sets(operations: list[int]) -> list[tuple[int, ...]]:
    """The sets of operations that paths and degrees are measured over."""
    most = len(operations)
    sizes = range(1, most + 1) if most <= MOST_IN_SETS else (1, 2, most - 1, most)
    combinations = (itertools.combinations(operations, size) for size in sizes)
    return list(itertools.chain.from_iterable(combinations))


def _of_set(stack: _Stack, members: list[Bools], allowed: Bools) -> list[Ints]:
    """Columns of `a` integers for each cell, over the `a x v` allowed vertices.

    Shortest and longest path from each input to the output, in operations (`v` and -1 where there
    is none); how many allowed vertices follow each input; how many lead to the output; how many
    edges join two of them.
    """
    columns: list[Ints] = []
    within = (stack.adjacency & allowed[:, :, None]).sum(axis=1)
    for number in range(int(stack.inputs.max(initial=-1)) + 1):
        start = stack.inputs == number
        shortest, longest = _lengths(stack, start, allowed)
        followed = (stack.adjacency & allowed[:, None, :]).sum(axis=2) * start
        for member in members:
            at_end = member & stack.outputs
            v = allowed.shape[1]
            columns += [
                np.where(at_end, shortest, v).min(axis=1),
                np.where(at_end, longest, -1).max(axis=1),
                (followed * member).sum(axis=1),
            ]
    for member in members:
        columns += [
            (within * (member & stack.outputs)).sum(axis=1),
            (within * (member & allowed)).sum(axis=1),
        ]
    return columns


def _lengths(stack: _Stack, start: Bools, allowed: Bools) -> tuple[Ints, Ints]:
    """The least and most allowed vertices on a path to each vertex, `a x v` each.

    Where no path leads: `v`, and -1.
    """
    v = allowed.shape[1]
    shortest, longest = np.where(start, 0, v), np.where(start, 0, -1)
    for vertex in range(1, v):
        edges = stack.adjacency[:, :vertex, vertex]
        near = np.where(edges, shortest[:, :vertex], v).min(axis=1)
        far = np.where(edges, longest[:, :vertex], -1).max(axis=1)
        passes = (allowed[:, vertex] | stack.outputs[:, vertex]) & (far >= 0)
        step = allowed[:, vertex].astype(np.int64)
        shortest[:, vertex] = np.where(passes, near + step, shortest[:, vertex])
        longest[:, vertex] = np.where(passes, far + step, longest[:, vertex])
    return shortest, longest
