"""Graphs as arrays, the layout found from them, and what an autoencoder is trained on."""

from __future__ import annotations

import numpy as np
import pytest
from toy import TOY

from bench.base import Arch, ArchError, Space
from bench.spaces import SPACES
from bench.spaces.darts import DARTS
from bench.spaces.nasbench101 import NASBENCH101
from bench.spaces.nasbench201 import NASBENCH201
from bench.spaces.pool import Pool
from bench.spaces.transnasbench101_macro import TRANSNASBENCH101_MACRO as MACRO
from ipl import encoding
from ipl.encoding import cells, corpus, encoded, layout, to_graph

every_space = pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)


def drawn(space: Space, count: int = 300, seed: int = 0) -> list[Arch]:
    rng = np.random.default_rng(seed)
    return list(dict.fromkeys(space.sample(rng) for _ in range(count)))


def test_a_cell_is_written_out() -> None:
    arch = (3, 0, 1, 4, 2, 0)
    graphs = encoded(NASBENCH201, [arch], NASBENCH201.operations)
    names = ["input", "nor_conv_3x3", "none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1"]
    names += ["none", "output"]
    assert graphs.operations.tolist() == [[NASBENCH201.operations.index(it) for it in names]]
    edges = [(0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 6), (3, 6), (4, 7), (5, 7), (6, 7)]
    assert list(zip(*np.nonzero(graphs.adjacency[0]), strict=True)) == edges


def test_a_small_graph_is_padded_before_its_output() -> None:
    arch = MACRO.parse("64-4111-basic")
    graphs = encoded(MACRO, [arch], MACRO.operations, 8)
    assert graphs.operations.tolist() == [[0, 4, 1, 1, 1, 6, 6, 5]]
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 7)]
    assert list(zip(*np.nonzero(graphs.adjacency[0]), strict=True)) == edges


@every_space
def test_arrays_come_back(space: Space) -> None:
    archs = drawn(space)
    graphs = encoded(space, archs, space.operations, 24)
    rows = zip(graphs.operations, graphs.adjacency, strict=True)
    assert [space.decode(to_graph(*row, space.operations)) for row in rows] == archs


def test_what_does_not_fit_is_refused() -> None:
    archs = drawn(NASBENCH201, 1)
    with pytest.raises(ArchError, match="at most 7 vertices .* got 8 with input"):
        encoded(NASBENCH201, archs, NASBENCH201.operations, 7)
    with pytest.raises(ArchError, match="among input, output"):
        encoded(NASBENCH201, archs, ("input", "output"))
    with pytest.raises(ArchError, match="at least one nasbench201 architecture, got none"):
        layout(NASBENCH201, [])


def test_one_adjacency_is_found_to_be_one() -> None:
    shape = layout(NASBENCH201, drawn(NASBENCH201))
    assert (shape.vertices, shape.cells) == (8, 1)
    assert not shape.varying.any()
    assert [sets is not None and len(sets) for sets in shape.predecessors] == [1] * 8
    inner = np.array([name not in {"input", "output"} for name in shape.operations] + [False])
    assert (shape.legal[1:7] == inner).all()
    ends = [np.flatnonzero(row).tolist() for row in shape.legal[[0, 7]]]
    assert ends == [[shape.operations.index("input")], [shape.operations.index("output")]]


def test_cells_side_by_side_are_found() -> None:
    shape = layout(DARTS, drawn(DARTS))
    assert (shape.vertices, shape.cells, shape.size) == (22, 2, 11)
    # Draws have ascending predecessors: the third node's second operation follows the other
    # input, or both operations of the first or second node.
    sets = shape.predecessors[11 + 7]
    assert sets is not None
    legal = {(12,), (13, 14), (15, 16)}
    assert {tuple(np.flatnonzero(row).tolist()) for row in sets} == legal
    assert not shape.varying[:, 10].any()
    archs = drawn(DARTS, 5)
    parts = cells(DARTS, shape, archs)
    whole = encoded(DARTS, archs, shape.operations)
    assert (parts.operations.reshape(5, 22) == whole.operations).all()
    assert (parts.adjacency[1::2] == whole.adjacency[:, 11:, 11:]).all()


def test_an_unused_input_does_not_hide_the_cells() -> None:
    arch = DARTS.parse(str((((1, 3),) * 8, ((1, 4),) * 8)))
    assert layout(DARTS, [arch]).cells == 2


def test_any_edge_may_be() -> None:
    archs = drawn(NASBENCH101, 3000)
    shape = layout(NASBENCH101, archs)
    assert (shape.vertices, shape.cells, shape.most_edges) == (7, 1, 9)
    assert (shape.varying == np.triu(np.ones((7, 7), dtype=bool), 1))[:, 1:].sum() >= 40
    assert shape.legal[5, -1]
    assert not shape.legal[[0, 6], -1].any()


def test_many_sets_count_as_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "MOST_SETS", 3)
    shape = layout(NASBENCH101, drawn(NASBENCH101))
    assert shape.predecessors[0] is not None
    assert shape.predecessors[-1] is None
    assert shape.varying[:, -1].tolist() == [True] * (shape.vertices - 1) + [False]


@every_space
def test_few_are_recombined_into_many(space: Space) -> None:
    parents = drawn(space, 40)
    made = corpus(space, parents, 200, np.random.default_rng(1))
    assert made[: len(parents)] == parents
    assert len(set(made)) == len(made) == 200
    for arch in made:
        space.check(arch)
    assert made == corpus(space, parents, 200, np.random.default_rng(1))
    assert made != corpus(space, parents, 200, np.random.default_rng(2))


def test_a_child_has_each_vertex_from_one_of_two_parents() -> None:
    made = corpus(NASBENCH201, [(0,) * 6, (4,) * 6], 10_000, np.random.default_rng(0))
    assert len(made) == 2**6
    assert set(map(frozenset, made)) == {frozenset({0}), frozenset({4}), frozenset({0, 4})}


def test_many_are_thinned_and_repeats_dropped() -> None:
    archs = drawn(NASBENCH201, 400)
    made = corpus(NASBENCH201, archs * 2, 100, np.random.default_rng(0))
    assert len(set(made)) == 100
    assert set(made) <= set(archs)


def test_a_pool_is_a_space() -> None:
    pool = Pool(DARTS, drawn(DARTS, 30))
    assert len(corpus(pool, None, 500, np.random.default_rng(0))) == 500
    one = drawn(NASBENCH101, 1)
    assert corpus(Pool(NASBENCH101, one), None, 500, np.random.default_rng(0)) == one
    with pytest.raises(ArchError, match="got none"):
        corpus(NASBENCH101, [], 500, np.random.default_rng(0))


def test_a_space_of_ones_own_has_a_layout() -> None:
    shape = layout(TOY, drawn(TOY))
    assert (shape.vertices, shape.cells, shape.varying.any()) == (5, 1, np.False_)
