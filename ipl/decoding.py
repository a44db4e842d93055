"""From scores of operations and edges to architectures that the space itself accepts.

Each vertex takes the best-scored of the operations seen there, then the likeliest of the sets of
predecessors seen there that holds no absent vertex. One rule gives each space what it needs:

- all graphs share one adjacency (NAS-Bench-201): one set a vertex, so operations alone decide;
- an operation has one predecessor, or both halves of one (DARTS): the argmax of the legal ones;
- any edge may be (NAS-Bench-101): all sets occur, and the likeliest is the plain threshold.

The outcome goes through `space.decode`. Where that refuses it, the least likely edges beyond the
most that any graph seen has are dropped, and it is tried once more (at most nine edges in
NAS-Bench-101).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.base import Arch, ArchError, Bools, Ints, Space
from ipl.encoding import Encoded, Layout, to_graph


def best_graphs(
    shape: Layout, operations: NDArray[np.float32], edges: NDArray[np.float32]
) -> Encoded:
    """The likeliest graphs, as far as each vertex can tell.

    Args:
        shape: What graphs may look like.
        operations: `a x v x (o + 1)` log odds or log probabilities.
        edges: `a x v x v` log odds of the edge from vertex i to vertex j; 0 if unknown.
    """
    labels: Ints = np.where(shape.legal, operations, -np.inf).argmax(axis=2)
    present = labels < len(shape.operations)
    adjacency = np.zeros(edges.shape, dtype=np.bool_)
    for vertex, sets in enumerate(shape.predecessors):
        before = present & (np.arange(len(shape.predecessors)) < vertex)
        odds = np.where(before, edges[:, :, vertex], -np.inf)
        adjacency[:, :, vertex] = odds > 0 if sets is None else sets[_likeliest(odds, sets)]
    adjacency &= present[:, :, None] & present[:, None, :]
    return Encoded(labels, adjacency)


def architecture(
    space: Space, shape: Layout, labels: Ints, adjacency: Bools, edges: NDArray[np.float32]
) -> Arch | None:
    """The architecture of one graph, mended if the space refuses it; None if that does not help.

    Args:
        space: What has the last word.
        shape: What graphs may look like.
        labels: `v` operations, `o` where absent.
        adjacency: `v x v`.
        edges: `v x v` log odds of the edges.
    """
    arch = _accepted(space, shape, labels, adjacency)
    if arch is None and adjacency.sum() > shape.most_edges:
        bound = np.sort(edges[adjacency])[-shape.most_edges]
        arch = _accepted(space, shape, labels, adjacency & (edges >= bound))
    return arch


def _accepted(space: Space, shape: Layout, labels: Ints, adjacency: Bools) -> Arch | None:
    try:
        return space.decode(to_graph(labels, adjacency, shape.operations))
    except ArchError:
        return None


def _likeliest(odds: NDArray[np.float32], sets: Bools) -> Ints:
    """Which of `s x v` sets of predecessors is likeliest by each row of `a x v` log odds.

    A set's log likelihood is the sum of its members' log odds, up to what all sets share. Odds of
    -inf bar a set; where all are barred, the first is taken.
    """
    barred = np.isinf(odds).astype(np.float32) @ sets.T > 0
    score = np.where(np.isinf(odds), 0, odds) @ sets.T.astype(np.float32)
    best: Ints = np.where(barred, -np.inf, score).argmax(axis=1)
    return best
