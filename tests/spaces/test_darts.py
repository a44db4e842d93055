"""DARTS: two texts, moves within the standard space, renamed nodes, and the published cells."""

from __future__ import annotations

import csv
import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from bench.base import Arch, ArchError, Graph
from bench.spaces.darts import DARTS as SPACE

NONE = 7


def pairs(arch: Arch) -> list[tuple[int, int]]:
    return list(zip(arch[::2], arch[1::2], strict=True))


def flattened(chosen: list[tuple[int, int]]) -> Arch:
    return tuple(itertools.chain.from_iterable(chosen))


pair_of = [st.tuples(st.integers(0, 1 + i), st.integers(0, NONE)) for i in range(4)]
any_arch = st.tuples(*(pair_of[i // 2 % 4] for i in range(16))).map(lambda p: flattened(list(p)))
"""Repeated predecessors, `none` and all orders too, as tables hold them."""


def test_size_is_the_count_of_the_standard_space() -> None:
    assert SPACE.size == ((1 * 3 * 6 * 10) * 49**4) ** 2


def test_texts() -> None:
    text = (
        "Genotype(normal=[('sep_conv_3x3', 0), ('none', 0), ('max_pool_3x3', 2), "
        "('avg_pool_3x3', 1), ('skip_connect', 3), ('sep_conv_5x5', 0), ('dil_conv_3x3', 4), "
        "('dil_conv_5x5', 0)], normal_concat=range(2, 6), reduce=[('none', 1), ('none', 1), "
        "('none', 1), ('none', 1), ('none', 1), ('none', 1), ('none', 1), ('none', 1)], "
        "reduce_concat=range(2, 6))"
    )
    normal = [(0, 3), (0, 7), (2, 0), (1, 1), (3, 2), (0, 4), (4, 5), (0, 6)]
    arch = SPACE.parse(text)
    assert pairs(arch) == normal + [(1, 7)] * 8
    assert SPACE.text(arch, "genotype") == text
    assert SPACE.parse(text.replace("range(2, 6)", "[2, 3, 4, 5]")) == arch
    assert SPACE.text(arch) == str((tuple(normal), ((1, 7),) * 8))
    assert SPACE.parse(str([normal, [(1, 7)] * 8])) == arch
    assert SPACE.parse(json.dumps([normal, [(1, 7)] * 8])) == arch


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'sep_conv_3x3', 0", "'sep_conv_3x3', 2"),
        ("'sep_conv_3x3', 0", "'sep_conv_7x7', 0"),
        ("range(2, 6)", "range(3, 6)"),
        ("normal=", "normal=print(1) or "),
    ],
)
def test_a_wrong_genotype_is_refused(old: str, new: str) -> None:
    good = SPACE.text(flattened([(0, 3)] * 16), "genotype")
    with pytest.raises(ArchError, match="^Expected"):
        SPACE.parse(good.replace(old, new, 1))


def test_samples_are_uniform() -> None:
    rng = np.random.default_rng(1)
    drawn = [SPACE.sample(rng) for _ in range(6_000)]
    for node in range(8):
        at = 4 * node
        before = Counter((a[at], a[at + 2]) for a in drawn)
        assert set(before) == set(itertools.combinations(range(2 + node % 4), 2))
        operations = Counter((a[at + 1], a[at + 3]) for a in drawn)
        assert len(operations) == 49
        for counts in (before, operations):
            assert len(counts) == 1 or chisquare(list(counts.values())).pvalue > 1e-4
    # Two nodes are independent of each other.
    across = Counter((a[5], a[21]) for a in drawn)
    assert chisquare(list(across.values())).pvalue > 1e-4


@settings(max_examples=100, deadline=None)
@given(arch=any_arch)
def test_published_oddities_keep_the_contract_too(arch: Arch) -> None:
    for form in SPACE.forms:
        assert SPACE.parse(SPACE.text(arch, form)) == arch
    assert SPACE.decode(SPACE.graph(arch)) == arch
    near = SPACE.neighbours(arch)
    assert len(set(near)) == len(near)
    for other in near:
        SPACE.check(other)
        kept = sum((Counter(pairs(arch)) & Counter(pairs(other))).values())
        assert kept == 15
    assert SPACE.canonical(SPACE.canonical(arch)) == SPACE.canonical(arch)


def test_neighbours_stay_in_the_standard_space() -> None:
    # 16 operations can become 6 others; predecessors 0, 1, 2 or 3 others, by node, twice each.
    arch = SPACE.sample(np.random.default_rng(2))
    near = SPACE.neighbours(arch)
    assert len(near) == 16 * 6 + 2 * 2 * (0 + 1 + 2 + 3) == 120
    for other in near:
        assert NONE not in other[1::2]
        assert all(other[at] < other[at + 2] for at in range(0, 32, 4))


@settings(max_examples=100, deadline=None)
@given(arch=any_arch, seed=st.integers(0, 2**32 - 1))
def test_renamed_nodes_and_swapped_pairs_are_the_same_cell(arch: Arch, seed: int) -> None:
    rng = np.random.default_rng(seed)
    renamed: list[tuple[int, int]] = []
    for half in (pairs(arch)[:8], pairs(arch)[8:]):
        nodes = {2 + i: half[2 * i : 2 * i + 2] for i in range(4)}
        number = {0: 0, 1: 1}
        while nodes:
            ready = [k for k, v in nodes.items() if all(p in number or o == NONE for p, o in v)]
            node = ready[int(rng.integers(len(ready)))]
            # What `none` is applied to makes no difference.
            new = [(1 if o == NONE else number[p], o) for p, o in nodes.pop(node)]
            renamed += new[:: 1 if rng.integers(2) else -1]
            number[node] = len(number)
    assert SPACE.canonical(flattened(renamed)) == SPACE.canonical(arch)


def test_what_differs_stays_apart() -> None:
    arch = SPACE.sample(np.random.default_rng(3))
    assert all(SPACE.canonical(other) != SPACE.canonical(arch) for other in SPACE.neighbours(arch))
    swapped = arch[16:] + arch[:16]
    assert SPACE.canonical(swapped) != SPACE.canonical(arch)


def test_the_graph_of_one_architecture() -> None:
    normal = [(0, 3), (1, 2), (0, 4), (2, 5), (2, 0), (3, 1), (1, 6), (4, 3)]
    graph = SPACE.graph(flattened(normal + [(0, 2)] * 8))
    assert graph.operations[:4] == ("c_{k-2}", "c_{k-1}", "sep_conv_3x3", "skip_connect")
    assert graph.operations[10] == "output"
    before = [np.flatnonzero(graph.adjacency[:, v]).tolist() for v in range(11)]
    assert before == [
        [],
        [],
        [0],
        [1],
        [0],
        [2, 3],
        [2, 3],
        [4, 5],
        [1],
        [6, 7],
        list(range(2, 10)),
    ]
    assert not graph.adjacency[:11, 11:].any()


def test_a_graph_with_half_a_node_as_predecessor_is_refused() -> None:
    graph = SPACE.graph(flattened([(0, 3), (1, 2), (2, 4), (2, 5)] + [(1, 0)] * 12))
    for vertex in (2, 3):
        adjacency = graph.adjacency.copy()
        adjacency[vertex, 4] = False
        with pytest.raises(ArchError, match="both operations"):
            SPACE.decode(Graph(graph.operations, adjacency))


def test_every_published_genotype_is_read(data: Path) -> None:
    folder = data / "darts"
    with (folder / "DARTS_archs_CIFAR10.csv").open(newline="") as file:
        thousand = [row[0] for row in csv.reader(file)]
    with (folder / "data-545.csv").open(newline="") as file:
        trained = [row["architecture"] for row in csv.DictReader(file)]
    scored = json.loads((data / "suite_zero" / "zc_nasbench301.json").read_text())["cifar10"]
    listed = json.loads((folder / "archs_nasbench301.json").read_text())
    assert [SPACE.text(SPACE.parse(text)) for text in listed.values()] == list(listed.values())
    assert [SPACE.text(SPACE.parse(text), "genotype") for text in trained] == trained
    counts = [len(set(map(SPACE.parse, texts))) for texts in (thousand, trained, scored)]
    assert counts == [1_000, 545, 725]
    # Nineteen of the trained ones are another one with its pairs or nodes in another order.
    assert len({SPACE.canonical(SPACE.parse(text)) for text in trained}) == 526
