"""Graphs as arrays, and the layout that a space's graphs share, found from examples of them.

Nothing here knows a space by its name. Whether all graphs share one adjacency, whether a graph is
several cells side by side, which operations a vertex may carry and which vertices may lead to it:
all of that is read off the graphs seen, so a user's own space is encoded without a word said.

Graphs of fewer vertices are padded *before their last vertex*: a graph's output then always
stands at the same place, whatever its size.

Shapes: `a` architectures, `v` vertices of the largest graph, `o` operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.base import Arch, ArchError, Bools, Graph, Ints, Space

MOST_SETS = 256
"""A vertex with more sets of predecessors than this counts as free to have any."""
_BROOD = 1000
"""Recombined architectures are made this many at a time, until hardly any is new."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """`a` graphs, padded to `v` vertices."""

    operations: Ints
    """`a x v`: places in the space's list of operations, `o` where the vertex is absent."""
    adjacency: Bools
    """`a x v x v`; no edge touches an absent vertex."""


@dataclass(frozen=True, eq=False)
class Layout:
    """What the graphs of a space have in common."""

    operations: tuple[str, ...]
    """The `o` names."""
    vertices: int
    """`v`, of the largest graph."""
    cells: int
    """How many parts of `v / cells` vertices each graph falls into, with no edge between them."""
    legal: Bools
    """`v x (o + 1)`: the operations that each vertex may carry; the last column is absence."""
    predecessors: tuple[Bools | None, ...]
    """For each of the `v` vertices `s x v` sets of predecessors it may have; None: any at all."""
    most_edges: int
    """The most edges of any graph."""

    @property
    def size(self) -> int:
        """How many vertices a cell has."""
        return self.vertices // self.cells

    @property
    def parts(self) -> list[slice]:
        """Where each cell's vertices stand."""
        return [slice(at, at + self.size) for at in range(0, self.vertices, self.size)]

    @property
    def varying(self) -> Bools:
        """`size x size`: the edges that vary in any of the cells, and so are to be learnt.

        An edge does not vary if each graph seen has it, or none has, as far as it has the vertex
        that the edge leads to.
        """
        varying = np.zeros((self.vertices, self.vertices), dtype=np.bool_)
        for vertex, sets in enumerate(self.predecessors):
            if sets is None:
                varying[:vertex, vertex] = True
            else:
                varying[:, vertex] = sets.any(axis=0) & ~sets.all(axis=0)
        cells: Bools = np.stack([varying[part, part] for part in self.parts])
        return np.asarray(cells.any(axis=0))


def encoded(
    space: Space, archs: Sequence[Arch], operations: Sequence[str], vertices: int | None = None
) -> Encoded:
    """Write the graphs of `a` architectures as arrays.

    Args:
        space: Where they belong.
        archs: `a` architectures.
        operations: The `o` names, in the order of their numbers.
        vertices: To how many each graph is padded; None: to as many as the largest has.

    Raises:
        ArchError: A graph has more than `vertices` vertices, or an operation not in `operations`.
    """
    column = {operation: place for place, operation in enumerate(operations)}
    graphs = [space.graph(arch) for arch in archs]
    if vertices is None:
        vertices = max((len(graph.operations) for graph in graphs), default=0)
    labels = np.full((len(archs), vertices), len(column), dtype=np.int64)
    edges = np.zeros((len(archs), vertices, vertices), dtype=np.bool_)
    for row, graph in enumerate(graphs):
        v = len(graph.operations)
        if v > vertices or not column.keys() >= set(graph.operations):
            raise ArchError(
                f"expected a {space.name} graph of at most {vertices} vertices with operations "
                f"among {', '.join(operations)}, got {v} with {', '.join(graph.operations)}"
            )
        codes = [column[operation] for operation in graph.operations]
        if v == vertices:
            labels[row] = codes
            edges[row] = graph.adjacency
        else:
            places = np.array([*range(v - 1), vertices - 1])
            labels[row, places] = codes
            edges[row, places[:, None], places] = graph.adjacency
    return Encoded(labels, edges)


def cells(space: Space, shape: Layout, archs: Sequence[Arch]) -> Encoded:
    """Write the cells of `a` architectures as arrays, `a * cells` rows, one after the other.

    Raises:
        ArchError: A graph has more vertices than any the layout was found from.
    """
    graphs = encoded(space, archs, shape.operations, shape.vertices)
    blocks = np.stack([graphs.adjacency[:, part, part] for part in shape.parts], axis=1)
    return Encoded(
        graphs.operations.reshape(-1, shape.size), blocks.reshape(-1, shape.size, shape.size)
    )


def to_graph(operations: Ints, adjacency: Bools, names: Sequence[str]) -> Graph:
    """The graph of one row of `Encoded`: its absent vertices, and their edges, are left out."""
    present = np.flatnonzero(operations < len(names))
    labels = tuple(names[code] for code in operations[present].tolist())
    return Graph(labels, adjacency[present[:, None], present])


def layout(space: Space, archs: Sequence[Arch]) -> Layout:
    """What `a` architectures show of their space; `a` must not be 0.

    Raises:
        ArchError: There is no architecture.
    """
    if not archs:
        raise ArchError(f"expected at least one {space.name} architecture, got none")
    names = tuple(space.operations)
    seen = encoded(space, archs, names)
    vertices = seen.operations.shape[1]
    legal = np.zeros((vertices, len(names) + 1), dtype=np.bool_)
    legal[np.arange(vertices), seen.operations] = True
    present = seen.operations < len(names)
    return Layout(
        operations=names,
        vertices=vertices,
        cells=_parts(np.asarray(seen.adjacency.any(axis=0))),
        legal=legal,
        predecessors=tuple(
            _sets(seen.adjacency[present[:, vertex], :, vertex]) for vertex in range(vertices)
        ),
        most_edges=int(seen.adjacency.sum(axis=(1, 2)).max()),
    )


def corpus(
    space: Space, archs: Sequence[Arch] | None, count: int, rng: np.random.Generator
) -> list[Arch]:
    """Up to `count` different architectures to train on, as far as the space goes.

    The given ones, or as many as `count` draws from the space bring; a part, drawn at random,
    where that is too many. Where it is too few they are recombined: each vertex, with the edges
    that lead to it, comes from one of two drawn parents, and what `space.decode` accepts is kept.
    So a pool of a few hundred cells teaches how cells look in general.

    Raises:
        ArchError: Architectures are given, but none.
    """
    if archs is None:
        archs = [space.sample(rng) for _ in range(count)]
    found = dict.fromkeys(archs)
    if not found:
        raise ArchError(f"expected at least one {space.name} architecture, got none")
    own = list(found)
    if len(own) > count:
        return [own[place] for place in sorted(rng.choice(len(own), count, replace=False).tolist())]
    while len(found) < count:
        before = len(found)
        for arch in _recombined(space, own, rng):
            found.setdefault(arch)
        if len(found) - before < _BROOD // 100:
            break  # Nearly all that can be had is there.
    return list(found)[:count]


def _recombined(space: Space, parents: Sequence[Arch], rng: np.random.Generator) -> Iterator[Arch]:
    """The valid ones of `_BROOD` children of two parents each."""
    pairs = rng.integers(len(parents), size=(_BROOD, 2))
    chosen = {place: at for at, place in enumerate(np.unique(pairs).tolist())}
    rows = np.vectorize(chosen.__getitem__)(pairs)
    names = tuple(space.operations)
    genes = encoded(space, [parents[place] for place in chosen], names)
    vertex = np.arange(genes.operations.shape[1])
    donor = np.take_along_axis(rows, rng.integers(2, size=(_BROOD, len(vertex))), axis=1)
    labels = genes.operations[donor, vertex]
    edges = genes.adjacency[donor[:, None, :], vertex[:, None], vertex]
    for operations, adjacency in zip(labels, edges, strict=True):
        try:
            yield space.decode(to_graph(operations, adjacency, names))
        except ArchError:
            continue


def _sets(columns: Bools) -> Bools | None:
    """The different rows of `a x v` sets of predecessors, None where they are too many."""
    different = np.unique(columns, axis=0)
    return different if len(different) <= MOST_SETS else None


def _parts(edges: Bools) -> int:
    """Into how many parts of equal size, side by side, a `v x v` adjacency falls; 1 if it does not.

    A part has at least two vertices. It need not be connected: an input may be unused.
    """
    v = len(edges)
    for size in range(2, v):
        bounds = range(size, v, size)
        if v % size == 0 and not any(edges[:at, at:].any() for at in bounds):
            return v // size
    return 1
