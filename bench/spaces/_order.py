"""A canonical order of the vertices of a small labelled graph: exact, for a dozen vertices or so.

Colour refinement (Weisfeiler and Leman 1968) splits the vertices as far as it can; among the
orders that remain, the one with the smallest edge matrix wins. Two graphs are isomorphic,
colours and edge labels kept, exactly if their reordered forms are equal.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeAlias

_Signature: TypeAlias = tuple[int, list[tuple[int, int]], list[tuple[int, int]]]
"""A vertex's rank, then (rank, label) of the edges into it and of those out of it, sorted."""


def canonical_order(colours: Sequence[int], edges: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The order that makes a coloured graph's matrix smallest, ascending in colour.

    Args:
        colours: `v` integers. Where they ascend along every edge, the order is topological.
        edges: `v x v` edge labels; 0 means no edge.

    Returns:
        `v` vertices: the vertex to put first, the one to put second, ...
    """
    refined = _refine(colours, edges)
    if len(set(refined)) == len(refined):
        return tuple(sorted(range(len(refined)), key=refined.__getitem__))
    return min(_orders(refined), key=lambda order: [edges[i][j] for i in order for j in order])


def _refine(colours: Sequence[int], edges: Sequence[Sequence[int]]) -> list[int]:
    """Ranks of the vertices, split by the ranks of their neighbours until nothing changes."""
    vertices = range(len(colours))
    into = [[(i, edges[i][j]) for i in vertices if edges[i][j]] for j in vertices]
    out = [[(j, label) for j, label in enumerate(edges[i]) if label] for i in vertices]
    ranks = _ranks([(colour, [], []) for colour in colours])
    classes = 0
    # A vertex's own rank comes first in its signature, so a round only ever splits classes.
    while classes < len(set(ranks)) < len(ranks):
        classes = len(set(ranks))
        ranks = _ranks(
            [
                (
                    ranks[v],
                    sorted([(ranks[i], label) for i, label in into[v]]),
                    sorted([(ranks[j], label) for j, label in out[v]]),
                )
                for v in vertices
            ]
        )
    return ranks


def _ranks(signatures: list[_Signature]) -> list[int]:
    """The rank of each signature among all; equal ones share the rank of their first."""
    ordered = sorted(signatures)
    return [ordered.index(signature) for signature in signatures]


def _orders(ranks: list[int]) -> Iterator[tuple[int, ...]]:
    """All orders of the vertices that ascend in rank."""
    by_rank = sorted(range(len(ranks)), key=ranks.__getitem__)
    groups = [tuple(group) for _, group in itertools.groupby(by_rank, key=ranks.__getitem__)]
    for parts in itertools.product(*map(itertools.permutations, groups)):
        yield tuple(itertools.chain.from_iterable(parts))
