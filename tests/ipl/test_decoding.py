"""From scores to graphs, by hand and against brute force, and what the space makes of them."""

from __future__ import annotations

import itertools

import numpy as np

from bench.base import Bools
from bench.spaces.nasbench101 import NASBENCH101
from bench.spaces.nasbench201 import NASBENCH201
from ipl.decoding import architecture, best_graphs
from ipl.encoding import Layout, encoded, layout

OPERATIONS = ("input", "x", "y", "output")


def shape_of(sets: tuple[Bools | None, ...], legal: list[list[int]], most_edges: int = 9) -> Layout:
    v = len(sets)
    table = np.zeros((v, len(OPERATIONS) + 1), dtype=bool)
    for vertex, codes in enumerate(legal):
        table[vertex, codes] = True
    return Layout(OPERATIONS, v, 1, table, sets, most_edges)


def sets_of(v: int, *members: tuple[int, ...]) -> Bools:
    table = np.zeros((len(members), v), dtype=bool)
    for row, places in zip(table, members, strict=True):
        row[list(places)] = True
    return table


def test_only_legal_operations_are_taken() -> None:
    shape = shape_of((sets_of(2, ()), sets_of(2, (0,))), [[0], [1, 2]])
    scores = np.zeros((2, 2, 5), dtype=np.float32)
    scores[:, :, 3] = 9  # The best scored everywhere, and legal nowhere.
    scores[0, 1, 2] = 1
    scores[1, 1] = [5, -2, -3, 9, 8]
    found = best_graphs(shape, scores, np.full((2, 2, 2), -9, dtype=np.float32))
    assert found.operations.tolist() == [[0, 2], [0, 1]]
    assert found.adjacency[:, 0, 1].all()


def test_the_likeliest_set_is_that_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    every = [it for size in range(4) for it in itertools.combinations(range(3), size)]
    some = sets_of(4, (0,), (1, 2), (0, 1, 2))
    odds = rng.normal(size=(50, 4, 4)).astype(np.float32)
    scores = np.zeros((50, 4, 5), dtype=np.float32)
    legal = [[0], [1], [1], [3]]
    empty = sets_of(4, ())
    for sets in (some, sets_of(4, *every), None):
        found = best_graphs(shape_of((empty, empty, empty, sets), legal), scores, odds)
        table = sets_of(4, *every) if sets is None else sets
        chance = 1 / (1 + np.exp(-odds[:, :3, 3].astype(float)))
        likelihood = np.where(table[:, None, :3], chance, 1 - chance).prod(axis=2)
        assert (found.adjacency[:, :, 3] == table[likelihood.argmax(axis=0)]).all()


def test_no_edge_leaves_or_reaches_an_absent_vertex() -> None:
    last = sets_of(3, (0,), (1,), (0, 1))
    shape = shape_of((sets_of(3, ()), sets_of(3, (0,)), last), [[0], [1, 4], [3]])
    scores = np.zeros((2, 3, 5), dtype=np.float32)
    scores[0, 1, 4] = 1
    odds = np.full((2, 3, 3), 5, dtype=np.float32)
    found = best_graphs(shape, scores, odds)
    assert found.operations.tolist() == [[0, 4, 3], [0, 1, 3]]
    edges = [list(zip(*np.nonzero(one), strict=True)) for one in found.adjacency]
    assert edges == [[(0, 2)], [(0, 1), (0, 2), (1, 2)]]
    # Where every set holds an absent vertex, what is left of the first one is taken.
    shape = shape_of((sets_of(3, ()), sets_of(3, (0,)), sets_of(3, (1,))), [[0], [4], [3]])
    assert not best_graphs(shape, scores, odds).adjacency.any()


def test_edges_beyond_the_most_are_dropped_from_the_least_likely() -> None:
    labels = np.array([0, 1, 2, 1, 2, 3, 4])
    names = ("input", "conv3x3-bn-relu", "maxpool3x3", "conv1x1-bn-relu", "output")
    table = np.ones((7, 6), dtype=bool)
    shape = Layout(names, 7, 1, table, (None,) * 7, 9)
    chain = np.eye(7, k=1, dtype=bool)
    extra = [(0, 2), (0, 3), (1, 4), (2, 6), (3, 6)]
    adjacency = chain.copy()
    odds = np.where(chain, 5.0, -1.0).astype(np.float32)
    for rank, edge in enumerate(extra):
        adjacency[edge] = True
        odds[edge] = 1 + rank / 10
    kept = chain.copy()
    for edge in extra[2:]:
        kept[edge] = True
    expected = (*kept.astype(int).ravel().tolist(), 0, 4, 2, 4, 2, 3, 1)
    assert architecture(NASBENCH101, shape, labels, adjacency, odds) == expected
    assert architecture(NASBENCH101, shape, labels, kept, odds) == expected


def test_what_cannot_be_mended_is_none() -> None:
    arch = (1, 2, 3, 4, 0, 1)
    shape = layout(NASBENCH201, [arch])
    graphs = encoded(NASBENCH201, [arch], shape.operations)
    labels, adjacency = graphs.operations[0], graphs.adjacency[0]
    odds = adjacency.astype(np.float32)
    assert architecture(NASBENCH201, shape, labels, adjacency, odds) == arch
    assert architecture(NASBENCH201, shape, labels, ~adjacency, odds) is None
    assert architecture(NASBENCH201, shape, labels, np.zeros_like(adjacency), odds) is None
    labels[3] = len(shape.operations)
    assert architecture(NASBENCH201, shape, labels, adjacency, odds) is None
