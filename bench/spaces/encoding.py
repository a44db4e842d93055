"""Graphs as arrays: one-hot operations and adjacency, alone or flattened and padded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.base import ArchError, Floats, Graph


def one_hot(graph: Graph, operations: Sequence[str]) -> Floats:
    """The graph's `v` operations as a `v x o` matrix: a single 1 in every row.

    Raises:
        ArchError: A vertex carries an operation that is not among `operations`.
    """
    column = {operation: index for index, operation in enumerate(operations)}
    matrix = np.zeros((len(graph.operations), len(column)))
    for row, operation in enumerate(graph.operations):
        if operation not in column:
            raise ArchError(
                f"Expected operations among {', '.join(operations)}, got {operation!r}."
            )
        matrix[row, column[operation]] = 1.0
    return matrix


def flat(graph: Graph, operations: Sequence[str], vertices: int) -> NDArray[np.bool_]:
    """Vertex by vertex, its one-hot operation and its outgoing edges: `vertices * (o + vertices)`.

    A graph of fewer vertices is padded at its end with vertices that carry nothing.

    Raises:
        ArchError: The graph has more than `vertices` vertices, or a foreign operation.
    """
    v = len(graph.operations)
    if v > vertices:
        raise ArchError(f"Expected a graph of at most {vertices} vertices, got {v}.")
    o = len(operations)
    whole = np.zeros((vertices, o + vertices), dtype=np.bool_)
    whole[:v, :o] = one_hot(graph, operations)
    whole[:v, o : o + v] = graph.adjacency
    return whole.ravel()
