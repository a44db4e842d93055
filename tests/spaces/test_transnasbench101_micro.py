"""TransNAS-Bench-101, micro: digits are read as they stand; equality heeds the halving cells."""

from __future__ import annotations

import csv
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare

from bench.base import Arch
from bench.spaces.transnasbench101_micro import TRANSNASBENCH101_MICRO as SPACE

NONE, SKIP, CONV1, CONV3 = range(4)
EVERY = list(itertools.product(range(4), repeat=6))


def test_both_texts_are_the_digits() -> None:
    assert SPACE.parse("64-41414-1_02_333") == (1, 0, 2, 3, 3, 3)
    assert SPACE.parse("(1, 0, 0, 2, 1, 0)") == (1, 0, 0, 2, 1, 0)
    assert SPACE.text((1, 0, 2, 3, 3, 3)) == "64-41414-1_02_333"
    assert SPACE.text((1, 0, 2, 3, 3, 3), "tuple") == "(1, 0, 2, 3, 3, 3)"
    # The third digit is the edge from node 1 to node 2: destination-major.
    graph = SPACE.graph(SPACE.parse("64-41414-1_02_333"))
    assert graph.operations[3] == "conv1x1"
    assert np.flatnonzero(graph.adjacency[1]).tolist() == [3, 5]
    assert np.flatnonzero(graph.adjacency[3]).tolist() == [6]


def test_samples_are_uniform_over_all_cells() -> None:
    rng = np.random.default_rng(1)
    counts = dict.fromkeys(EVERY, 0)
    for _ in range(8 * SPACE.size):
        counts[SPACE.sample(rng)] += 1
    assert len(counts) == SPACE.size == 4_096
    assert chisquare(list(counts.values())).pvalue > 1e-3


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        # In a halving cell each skip from node 0 is a downsampling with weights of its own: that
        # one is used twice is not that there are two.
        ((SKIP, SKIP, NONE, NONE, SKIP, SKIP), (SKIP, NONE, SKIP, NONE, SKIP, SKIP), False),
        # Skips further on are the identity in every cell.
        ((CONV3, NONE, SKIP, NONE, NONE, CONV1), (CONV3, NONE, NONE, NONE, CONV1, NONE), True),
        # From node 0 they are not: conv1x1 then stands behind the halving, or does it.
        ((SKIP, NONE, NONE, NONE, CONV1, NONE), (NONE, NONE, NONE, CONV1, NONE, NONE), False),
        ((CONV3, NONE, NONE, SKIP, NONE, NONE), (NONE, NONE, NONE, SKIP, NONE, NONE), True),
    ],
)
def test_what_is_equal(one: Arch, other: Arch, equal: bool) -> None:
    assert (SPACE.canonical(one) == SPACE.canonical(other)) == equal


def test_the_count_in_the_head_of_the_module() -> None:
    assert len({SPACE.canonical(arch) for arch in EVERY}) == 1_666


def test_the_index_holds_every_cell_once(data: Path) -> None:
    index = (data / "transnasbench101" / "transnas_arch_index.txt").read_text()
    texts = re.findall(r"arch=(64-41414-._.._...),", index)
    assert sorted(map(SPACE.parse, texts)) == EVERY
    assert [SPACE.text(SPACE.parse(text)) for text in texts] == texts


def test_the_2128_cells_are_those_without_dead_edges(data: Path) -> None:
    with (data / "transnasbench101" / "tnb101_micro_valid_nets.csv").open(newline="") as file:
        listed = {SPACE.parse(row["net"]) for row in csv.DictReader(file)}
    paths = ((3,), (0, 4), (1, 5), (0, 2, 5))  # edges by index, from node 0 to node 3
    alive = [
        arch
        for arch in EVERY
        if {e for path in paths if all(arch[e] for e in path) for e in path}
        == {e for e in range(6) if arch[e]}
    ]
    assert len(listed) == 2_128
    assert listed == set(alive)
