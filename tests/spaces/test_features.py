"""Features of graphs, against definitions written out and walks done the slow way."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from toy import ARCHS, TOY, toy_table

from bench.base import Arch, ArchError, Floats, Graph, OptionError, Space
from bench.runs.tasks import Task, load_task
from bench.spaces import SPACES
from bench.spaces.darts import DARTS
from bench.spaces.encoding import flat
from bench.spaces.features import MOST_PATHS, features
from bench.spaces.nasbench101 import NASBENCH101
from bench.spaces.nasbench201 import NASBENCH201


def drawn(space: Space, count: int) -> list[Arch]:
    rng = np.random.default_rng(0)
    return list(dict.fromkeys(space.sample(rng) for _ in range(count)))


def walks(graph: Graph, start: int, end: int) -> Iterator[tuple[str, ...]]:
    """The operations on each path, one vertex at a time."""
    for vertex in np.flatnonzero(graph.adjacency[start]).tolist():
        if vertex == end:
            yield ()
        else:
            yield from ((graph.operations[vertex], *rest) for rest in walks(graph, vertex, end))


def same_classes(one: Sequence[object], other: Floats) -> bool:
    """Whether two things tell the same architectures apart."""
    rows = [tuple(row) for row in other.tolist()]
    return len(set(one)) == len(set(rows)) == len(set(zip(one, rows, strict=True)))


@pytest.mark.parametrize("space", SPACES, ids=lambda it: it.name)
def test_one_hot_is_the_flat_graph(space: Space) -> None:
    archs = drawn(space, 30)
    graphs = [space.graph(arch) for arch in archs]
    v = max(len(graph.operations) for graph in graphs)
    expected = [flat(graph, space.operations, v) for graph in graphs]
    np.testing.assert_array_equal(features(space, archs, "one-hot"), expected)


@pytest.mark.parametrize("space", [NASBENCH201, NASBENCH101], ids=lambda it: it.name)
def test_paths_tell_sets_of_sequences_apart(space: Space) -> None:
    archs = drawn(space, 60)
    graphs = [space.graph(arch) for arch in archs]
    sets = [
        frozenset(path for path in walks(g, 0, len(g.operations) - 1) if "none" not in path)
        for g in graphs
    ]
    whole = {path for one in sets for path in one}
    assert len(whole) <= MOST_PATHS
    found = features(space, archs, "paths")
    in_all = frozenset.intersection(*sets)
    np.testing.assert_array_equal(found.sum(axis=1), [len(one - in_all) for one in sets])
    assert same_classes(sets, found)


def test_all_paths_of_nasbench201_are_counted() -> None:
    every = list(itertools.product(range(5), repeat=6))
    # One, two or three of the four operations that pass something on: 4 + 16 + 64 sequences.
    assert features(NASBENCH201, every, "paths").shape == (15_625, 84)


def test_both_cells_and_both_inputs_of_darts_are_told_apart() -> None:
    """The same operation behind c_{k-2} or c_{k-1}, in the normal or the reduction cell."""
    plain = (0, 2, 1, 2) * 8
    archs = [
        plain,
        *(
            (*plain[:cell], *change, *plain[cell + 4 :])
            for cell in (0, 16)
            for change in ((0, 3, 1, 2), (0, 2, 1, 3))
        ),
    ]
    for kind in ("paths", "graph"):
        found = features(DARTS, archs, kind)
        assert len(np.unique(found, axis=0)) == 5


def test_an_idle_input_is_still_an_input() -> None:
    only_late = (1, 2, 1, 3) * 8
    both = (0, 2, 1, 3) * 8
    found = features(DARTS, [only_late, both], "graph")
    assert found.shape[0] == 2
    assert (found[0] != found[1]).all()


def test_only_the_most_frequent_paths_are_kept() -> None:
    archs = drawn(DARTS, 200)
    found = features(DARTS, archs, "paths")
    assert found.shape[1] <= MOST_PATHS
    counts = found.sum(axis=0)
    assert (np.diff(counts) <= 0).all()
    # What is left out is no more frequent than the last that is kept.
    assert counts.min() >= 2


def by_hand(arch: Arch) -> list[tuple[str, tuple[str, ...], int]]:
    """Features of a nasbench201 cell from its nodes 0 to 3, not from its graph."""
    edges = dict(zip([(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)], arch, strict=True))
    routes = [[(0, 3)], [(0, 1), (1, 3)], [(0, 2), (2, 3)], [(0, 1), (1, 2), (2, 3)]]
    found: list[tuple[str, tuple[str, ...], int]] = []
    for code in range(5):
        found.append(("count", (str(code),), arch.count(code)))
    for size in range(1, 5):
        for allowed in itertools.combinations(range(1, 5), size):
            names = tuple(map(str, allowed))
            lengths = [len(r) for r in routes if all(edges[e] in allowed for e in r)]
            found += [
                ("shortest", names, min(lengths, default=8)),
                ("longest", names, max(lengths, default=-1)),
                ("out", names, sum(edges[e] in allowed for e in edges if e[0] == 0)),
                ("in", names, sum(edges[e] in allowed for e in edges if e[1] == 3)),
                (
                    "within",
                    names,
                    sum(
                        edges[e] in allowed and edges[f] in allowed
                        for e in edges
                        for f in edges
                        if e[1] == f[0]
                    ),
                ),
            ]
    return found


def test_graph_features_of_nasbench201_are_those_worked_out_by_hand() -> None:
    archs = [(0,) * 6, (3, 3, 3, 3, 3, 3), *drawn(NASBENCH201, 300)]
    expected = np.array([[value for *_, value in by_hand(arch)] for arch in archs], dtype=float)
    found = features(NASBENCH201, archs, "graph")
    varied = expected[:, (expected != expected[0]).any(axis=0)]
    assert found.shape == varied.shape
    # The same columns, whatever their order.
    assert sorted(map(tuple, found.T.tolist())) == sorted(map(tuple, varied.T.tolist()))


@pytest.mark.parametrize("kind", ["one-hot", "paths", "graph"])
def test_features_do_not_depend_on_the_order_of_the_pool(kind: str) -> None:
    archs = drawn(NASBENCH101, 80)
    np.testing.assert_array_equal(
        features(NASBENCH101, archs, kind)[::-1], features(NASBENCH101, archs[::-1], kind)
    )


@pytest.mark.parametrize("space", SPACES, ids=lambda it: it.name)
@pytest.mark.parametrize("kind", ["one-hot", "paths", "graph"])
def test_every_space_has_finite_features_that_tell_apart(space: Space, kind: str) -> None:
    archs = drawn(space, 100)
    found = features(space, archs, kind)
    assert found.dtype == np.float64
    assert np.isfinite(found).all()
    assert len(np.unique(found, axis=0)) > len(archs) / 3


@pytest.mark.parametrize("kind", ["one-hot", "paths", "graph"])
def test_a_pool_of_none_or_one(kind: str) -> None:
    assert len(features(TOY, [], kind)) == 0
    one = features(TOY, [(1, 2, 3)], kind)
    assert len(one) == 1
    assert kind == "one-hot" or one.shape[1] == 0


def test_a_chain_has_one_path() -> None:
    found = features(TOY, ARCHS, "paths")
    np.testing.assert_array_equal(found, np.eye(64))


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(OptionError, match="one-hot, paths, graph, got 'pathz'"):
        features(TOY, ARCHS, "pathz")

    @dataclass(frozen=True)
    class Foreign:
        operations = ("input", "output")
        graph = staticmethod(TOY.graph)

    with pytest.raises(ArchError, match="among input, output, got input, 0, 0, 0, output"):
        features(Foreign(), ARCHS, "graph")  # type: ignore[arg-type]


def test_a_task_works_its_features_out_once(data: Path) -> None:
    answers = load_task("nasbench201-suite/cifar10").answers
    whole = answers.features(answers.pool, "graph")
    started = time.perf_counter()
    some = answers.features(answers.pool[100:200], "graph")
    assert time.perf_counter() - started < 0.1
    np.testing.assert_array_equal(some, whole[100:200])
    assert answers.features([], "graph").shape == (0, whole.shape[1])


def test_a_table_of_classes_gives_the_features_of_the_row() -> None:
    rows = [arch for arch in ARCHS if TOY.canonical(arch) == arch]
    table = toy_table(
        archs=[TOY.text(arch) for arch in rows],
        accuracy={"validation": np.arange(float(len(rows)))},
        scores={},
        score_seconds={},
        training_seconds=None,
        canonical=True,
    )
    answers = Task(TOY, table).answers
    found = answers.features([(3, 1, 2), (1, 2, 3)], "one-hot")
    np.testing.assert_array_equal(
        found, features(TOY, rows, "one-hot")[[rows.index((1, 2, 3))] * 2]
    )


def test_an_architecture_that_cannot_be_asked_has_no_features() -> None:
    validation = np.arange(64.0)
    validation[5] = np.nan
    answers = Task(TOY, toy_table(accuracy={"validation": validation})).answers
    with pytest.raises(ArchError, match="does not know the architecture 011"):
        answers.features([ARCHS[5]], "graph")
    np.testing.assert_array_equal(answers.features([ARCHS[6]], "paths"), np.eye(63)[[5]])
