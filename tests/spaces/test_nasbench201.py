"""NAS-Bench-201: its two texts, the published counts, and what is held to be equal."""

from __future__ import annotations

import csv
import itertools
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chisquare

from bench.base import Arch
from bench.spaces.nasbench201 import NASBENCH201 as SPACE

NONE, SKIP, CONV1, CONV3, POOL = range(5)
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
EVERY = list(itertools.product(range(5), repeat=6))


def has_dead_edges(arch: Arch, none: int = NONE) -> bool:
    """Whether some operation is on no path from node 0 to node 3."""
    used = {edge for edge, operation in zip(EDGES, arch, strict=True) if operation != none}
    paths = [((0, 3),), ((0, 1), (1, 3)), ((0, 2), (2, 3)), ((0, 1), (1, 2), (2, 3))]
    alive = {edge for path in paths if used.issuperset(path) for edge in path}
    return used != alive


def spelled(arch: Arch, *, zeros: bool) -> str:
    """The cell as a string, as the literature counts it; single `zeros` are carried on."""
    node = ["0", "", "", ""]
    for target in (1, 2, 3):
        terms = []
        for (source, end), operation in zip(EDGES, arch, strict=True):
            if end != target:
                continue
            if zeros and (operation == NONE or node[source] == "#"):
                terms.append("#")
            elif operation == SKIP:
                terms.append(node[source])
            else:
                terms.append(f"({node[source]})@{operation}")
        node[target] = "+".join(sorted(terms))
    return node[3]


def summed(arch: Arch) -> tuple[str, ...]:
    """The cell as the sorted terms of its output, sums flattened and zeros left out."""
    node: list[list[str]] = [["x"], [], [], []]
    for (source, target), operation in zip(EDGES, arch, strict=True):
        if operation == SKIP:
            node[target] += node[source]
        elif operation != NONE and node[source]:
            node[target].append(f"{operation}({'+'.join(sorted(node[source]))})")
    return tuple(sorted(node[3]))


def test_the_suite_tuple_is_source_major() -> None:
    text = "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"
    arch = SPACE.parse("(4, 0, 3, 1, 4, 3)")
    assert arch == (POOL, SKIP, NONE, CONV1, POOL, CONV1)
    assert SPACE.text(arch) == text
    assert SPACE.parse(text) == arch
    assert SPACE.text(arch, "tuple") == "(4, 0, 3, 1, 4, 3)"
    assert SPACE.parse("(0, 2, 1, 1, 1, 1)") == (SKIP, CONV3, NONE, NONE, NONE, NONE)


def test_samples_are_uniform_over_all_cells() -> None:
    rng = np.random.default_rng(1)
    counts = dict.fromkeys(EVERY, 0)
    for _ in range(8 * SPACE.size):
        counts[SPACE.sample(rng)] += 1
    assert len(counts) == SPACE.size == 15_625
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_neighbours_differ_on_one_edge() -> None:
    arch = (POOL, SKIP, NONE, CONV1, POOL, CONV1)
    near = SPACE.neighbours(arch)
    assert len(near) == 24
    assert all(sum(a != b for a, b in zip(arch, other, strict=True)) == 1 for other in near)
    assert near[:2] == [(NONE, *arch[1:]), (SKIP, *arch[1:])]


def test_the_counts_in_the_head_of_the_module() -> None:
    assert len({spelled(a, zeros=False) for a in EVERY}) == 12_751
    assert len({spelled(a, zeros=True) for a in EVERY}) == 6_466
    assert len({summed(a) for a in EVERY}) == 4_930
    assert sum(not has_dead_edges(a) for a in EVERY) == 9_445
    assert len({SPACE.canonical(a) for a in EVERY}) == 5_653


def test_equal_cells_compute_the_same_with_tied_weights() -> None:
    # All conv1x1 share one function here, and all conv3x3 another: cells that are equal whatever
    # the weights must agree then too. Biases are on, so a convolution of zeros is not zero.
    rng = np.random.default_rng(2)
    d = 6
    pool, w1, w3 = rng.normal(size=(3, d, d)) / np.sqrt(d)
    b1, b3, x = rng.normal(size=(3, d))
    functions = [
        lambda v: np.zeros(d),
        lambda v: v,
        lambda v: np.tanh(w1 @ v + b1),
        lambda v: np.tanh(w3 @ v + b3),
        lambda v: pool @ v,
    ]
    classes: dict[Arch, list[NDArray[np.float64]]] = defaultdict(list)
    for arch in EVERY:
        nodes = [x, *np.zeros((3, d))]
        for (source, target), operation in zip(EDGES, arch, strict=True):
            nodes[target] = nodes[target] + functions[operation](nodes[source])
        classes[SPACE.canonical(arch)].append(nodes[3])
    for outputs in classes.values():
        np.testing.assert_allclose(outputs, outputs[:1] * len(outputs), atol=1e-12)


def convolutions(arch: Arch) -> tuple[int, int]:
    """How many convolutions of either kind lie on an edge that reaches the output."""
    out = {3}
    for source, target in reversed(EDGES):
        if target in out and arch[EDGES.index((source, target))] != NONE:
            out.add(source)
    kinds = [o for (_, target), o in zip(EDGES, arch, strict=True) if target in out]
    return kinds.count(CONV1), kinds.count(CONV3)


def test_equal_cells_have_equally_many_convolutions() -> None:
    for arch in EVERY:
        assert convolutions(arch) == convolutions(SPACE.canonical(arch)), arch


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # Two convolutions of one value, and one convolution used twice.
        ((CONV1, CONV1, NONE, NONE, SKIP, SKIP), (CONV1, NONE, SKIP, NONE, SKIP, SKIP)),
        # The input once and twice.
        ((SKIP, NONE, NONE, NONE, SKIP, NONE), (SKIP, NONE, NONE, SKIP, SKIP, NONE)),
        # A convolution of zeros is its bias; nothing is nothing.
        ((NONE, NONE, NONE, NONE, CONV3, NONE), (NONE,) * 6),
        # The two kinds of convolution, and pooling before and after one.
        ((CONV1, NONE, NONE, NONE, CONV3, NONE), (CONV3, NONE, NONE, NONE, CONV1, NONE)),
        ((POOL, NONE, NONE, NONE, CONV3, NONE), (CONV3, NONE, NONE, NONE, POOL, NONE)),
    ],
)
def test_what_differs_stays_apart(one: Arch, other: Arch) -> None:
    assert SPACE.canonical(one) != SPACE.canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # An edge into a node that nothing leaves.
        ((CONV3, NONE, NONE, SKIP, NONE, NONE), (NONE, NONE, NONE, SKIP, NONE, NONE)),
        # The names of nodes 1 and 2.
        ((CONV1, CONV3, NONE, NONE, POOL, SKIP), (CONV3, CONV1, NONE, NONE, SKIP, POOL)),
        # A detour by skip_connect.
        ((SKIP, NONE, NONE, NONE, CONV3, NONE), (NONE, NONE, NONE, CONV3, NONE, NONE)),
        # Pooling a sum, and summing what was pooled.
        ((CONV1, SKIP, SKIP, NONE, NONE, POOL), (CONV1, NONE, NONE, POOL, POOL, NONE)),
        # Zeros stay zero under pooling.
        ((NONE, NONE, NONE, SKIP, POOL, NONE), (NONE, NONE, NONE, SKIP, NONE, NONE)),
    ],
)
def test_what_is_equal_shares_a_form(one: Arch, other: Arch) -> None:
    assert SPACE.canonical(one) == SPACE.canonical(other)


def test_the_representative_is_the_smallest_of_its_class() -> None:
    assert all(SPACE.canonical(arch) <= arch for arch in EVERY)


def test_shared_arrays_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        SPACE.graph(EVERY[0]).adjacency[0, 0] = True


def test_the_9445_cells_are_those_without_dead_edges(data: Path) -> None:
    with (data / "nasbench201" / "nb201_zc_proxies.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    listed = [SPACE.parse(row["net"]) for row in rows]
    assert listed == [SPACE.parse(row["net_str"]) for row in rows]
    assert [SPACE.text(arch) for arch in listed] == [row["net_str"] for row in rows]
    assert [SPACE.text(arch, "tuple") for arch in listed] == [row["net"] for row in rows]
    assert len(listed) == 9_445
    assert set(listed) == {arch for arch in EVERY if not has_dead_edges(arch)}


def test_the_table_holds_every_cell_once(data: Path) -> None:
    with (data / "nasbench201" / "nasbench201_cifar10.csv").open(newline="") as file:
        texts = [row["arch str"] for row in csv.DictReader(file)]
    assert sorted(map(SPACE.parse, texts)) == EVERY
