"""NAS-Bench-101: pruning, isomorphism, edits, the draw, and the published table."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2_contingency

from bench.base import Arch, ArchError, Graph
from bench.spaces.nasbench101 import NASBENCH101 as SPACE
from bench.spaces.nasbench101 import fingerprint, fingerprints, from_bits

seeds = st.integers(0, 2**32 - 1)


def flat(edges: set[tuple[int, int]], operations: list[int]) -> Arch:
    v = len(operations)
    matrix = [int((i, j) in edges) for i in range(v) for j in range(v)]
    return (*matrix, *operations)


def unflat(arch: Arch) -> tuple[set[tuple[int, int]], list[int]]:
    v = next(v for v in range(8) if v * v + v == len(arch))
    edges = {(i, j) for i in range(v) for j in range(v) if arch[i * v + j]}
    return edges, list(arch[v * v :])


def relabelled(arch: Arch, rng: np.random.Generator) -> Arch:
    """The same cell with its vertices in another random topological order."""
    edges, operations = unflat(arch)
    order: list[int] = []
    while len(order) < len(operations):
        left = [y for y in range(len(operations)) if y not in order]
        ready = [y for y in left if all(x in order for x, target in edges if target == y)]
        order.append(ready[int(rng.integers(len(ready)))])
    place = {y: i for i, y in enumerate(order)}
    return flat({(place[x], place[y]) for x, y in edges}, [operations[y] for y in order])


def spread(seed: int) -> Arch:
    """An architecture with more vertices than a draw mostly has."""
    rng = np.random.default_rng(seed)
    arch = SPACE.sample(rng)
    for _ in range(int(rng.integers(12))):
        arch = SPACE.mutate(arch, rng)
    return arch


# in -> 1x1 -> 3x3 -> out with a shortcut, and vertices 1 (dead end) and 4 (no source) idle.
IDLE = flat({(0, 1), (0, 2), (2, 3), (3, 5), (0, 5), (4, 5)}, [0, 2, 3, 4, 2, 1])
PRUNED = flat({(0, 1), (1, 2), (2, 3), (0, 3)}, [0, 3, 4, 1])


def test_idle_vertices_are_pruned_on_reading_and_refused_as_members() -> None:
    assert SPACE.parse(str(IDLE)) == PRUNED
    with pytest.raises(ArchError, match="parse prunes"):
        SPACE.check(IDLE)
    edges, operations = unflat(IDLE)
    adjacency = np.array([[(i, j) in edges for j in range(6)] for i in range(6)])
    graph = Graph(
        ("input", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3", "output"),
        adjacency,
    )
    assert operations == [0, 2, 3, 4, 2, 1]
    assert SPACE.decode(graph) == PRUNED


def test_the_bits_of_a_row() -> None:
    # Bits 0 and 2 are 0 -> 1 and 1 -> 2; digit 0 is conv3x3.
    arch = flat({(0, 1), (1, 2)}, [0, 4, 1])
    assert from_bits(3, 0b101, "0") == SPACE.parse("3-5-0") == arch
    assert SPACE.text(arch, "bits") == "3-5-0"
    assert SPACE.text(arch) == "(0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 4, 1)"
    assert SPACE.text(SPACE.parse("7-1205349-02001"), "bits") == "7-1205349-02001"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("3-1-0", "path"),
        ("3-5-00", "inner vertex"),
        ("3-9-0", "inner vertex"),
        ("7-2097151-00000", "at most 9 edges"),
        (str(flat({(0, 1)}, [0, 4, 1])), "path"),
        (str(flat({(1, 0), (0, 1)}, [0, 1])), "upper triangular"),
        (str(flat({(0, 0), (0, 1)}, [0, 1])), "upper triangular"),
        (str(flat({(0, 1)}, [1, 0])), "operations"),
        (str(flat({(0, 1), (1, 2)}, [0, 1, 1])), "operations"),
        (str(flat({(0, 1), (1, 2)}, [0, 5, 1])), "operations"),
        (str((0, 2, 0, 0, 0, 1)), "flags"),
        (str((0,) * 72), "nasbench101"),
    ],
)
def test_an_error_says_why(text: str, reason: str) -> None:
    with pytest.raises(ArchError, match=reason):
        SPACE.parse(text)


def test_ten_edges_are_too_many_and_nine_are_not() -> None:
    nine = {(0, y) for y in range(1, 6)} | {(y, 6) for y in range(2, 6)}
    # Vertex 1 goes on to 2: 5 + 4 + 1 edges; without the edge 0 -> 2 they are nine.
    operations = [0, 2, 3, 4, 2, 3, 1]
    SPACE.check(flat(nine - {(0, 2)} | {(1, 2)}, operations))
    with pytest.raises(ArchError, match="at most 9"):
        SPACE.check(flat(nine | {(1, 2)}, operations))


@settings(max_examples=150, deadline=None)
@given(seed=seeds)
def test_isomorphic_cells_share_form_fingerprint_and_neighbours(seed: int) -> None:
    arch = spread(seed)
    other = relabelled(arch, np.random.default_rng(seed))
    SPACE.check(other)
    assert SPACE.canonical(other) == SPACE.canonical(arch)
    assert fingerprint(other) == fingerprint(arch)
    assert SPACE.neighbours(other) == SPACE.neighbours(arch)


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_the_canonical_form_is_an_isomorphic_cell(seed: int) -> None:
    arch = spread(seed)
    edges, operations = unflat(arch)
    others, renamed = unflat(SPACE.canonical(arch))
    orders = itertools.permutations(range(len(operations)))
    assert any(
        others == {(order[x], order[y]) for x, y in edges}
        and all(renamed[order[y]] == operations[y] for y in range(len(operations)))
        for order in orders
    )


def reference_neighbours(arch: Arch) -> set[Arch]:
    """All edits by their definition, without any of the product's shortcuts."""
    edges, operations = unflat(arch)
    last = len(operations) - 1
    edited: list[tuple[set[tuple[int, int]], list[int]]] = []
    for pair in itertools.permutations(range(last + 1), 2):
        edited.append((edges ^ {pair}, operations))
    for vertex in range(1, last):
        for operation in (2, 3, 4):
            edited.append((edges, [*operations[:vertex], operation, *operations[vertex + 1 :]]))
    for x, y in edges:
        for operation in (2, 3, 4):
            split = edges - {(x, y)} | {(x, last + 1), (last + 1, y)}
            edited.append((split, [*operations, operation]))
    found = set()
    for new, labels in edited:
        cell = tidied(new, labels, last)
        if cell is not None and len(cell[1]) <= 7 and len(cell[0]) <= 9:
            found.add(SPACE.canonical(flat(*cell)))
    return found - {SPACE.canonical(arch)}


def tidied(
    edges: set[tuple[int, int]], operations: list[int], output: int
) -> tuple[set[tuple[int, int]], list[int]] | None:
    """Pruned and in topological order; None for a cycle or where no path is left."""

    def closure(start: int, steps: set[tuple[int, int]]) -> set[int]:
        seen = {start}
        for _ in operations:
            seen |= {y for x, y in steps if x in seen}
        return seen

    if any(x in closure(y, edges) for x, y in edges):
        return None
    live = closure(0, edges) & closure(output, {(y, x) for x, y in edges})
    if output not in live:
        return None
    kept = {(x, y) for x, y in edges if {x, y} <= live}
    order = sorted(live, key=lambda v: len(closure(v, {(y, x) for x, y in kept})))
    place = {v: i for i, v in enumerate(order)}
    return {(place[x], place[y]) for x, y in kept}, [operations[v] for v in order]


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_neighbours_are_the_edits_by_definition(seed: int) -> None:
    arch = spread(seed)
    assert set(SPACE.neighbours(arch)) == reference_neighbours(arch)


def test_the_smallest_cell_can_only_grow() -> None:
    smallest = flat({(0, 1)}, [0, 1])
    grown = [flat({(0, 1), (1, 2)}, [0, operation, 1]) for operation in (2, 3, 4)]
    assert SPACE.neighbours(smallest) == grown


def test_draws_are_uniform_over_valid_specifications() -> None:
    # The published procedure over again in numpy: coins for 21 edges, pruned, at most nine edges.
    rng = np.random.default_rng(1)
    wanted = 4_000
    upper = np.triu(np.ones((7, 7), dtype=bool), 1)
    coins = (rng.random((60_000, 7, 7)) < 0.5) & upper
    path = np.eye(7, dtype=bool) | coins
    for _ in range(3):
        path = path @ path
    live = path[:, 0, :] & path[:, :, 6]
    edges = (coins & live[:, :, None] & live[:, None, :]).sum(axis=(1, 2))
    valid = live[:, 0] & (edges <= 9)
    reference = Counter(zip(live[valid].sum(axis=1).tolist(), edges[valid].tolist(), strict=True))
    cells = [unflat(SPACE.sample(rng)) for _ in range(wanted)]
    drawn = Counter((len(operations), len(links)) for links, operations in cells)
    kinds = [kind for kind, count in reference.items() if count > 100]
    assert len(kinds) > 10
    table = [[counts[kind] for kind in kinds] for counts in (reference, drawn)]
    assert chi2_contingency(table).pvalue > 1e-3
    operations = Counter(o for _, labels in cells for o in labels[1:-1])
    assert max(operations.values()) < 1.1 * min(operations.values())


def test_draws_are_canonical() -> None:
    rng = np.random.default_rng(2)
    assert all(SPACE.canonical(arch) == arch for arch in (SPACE.sample(rng) for _ in range(200)))


def padded(arch: Arch, rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Seven vertices, the cell's own scattered among absent ones."""
    edges, operations = unflat(arch)
    place = rng.permutation(7)[: len(operations)]
    adjacency, labels = np.zeros((7, 7), dtype=bool), np.full(7, -1)
    labels[place] = operations
    for x, y in edges:
        adjacency[place[x], place[y]] = True
    return adjacency, labels


def test_fingerprints_tell_neighbours_apart_and_ignore_padding() -> None:
    rng = np.random.default_rng(4)
    archs = list(dict.fromkeys(a for seed in range(40) for a in SPACE.neighbours(spread(seed))))
    cells = [padded(arch, rng) for arch in archs]
    hashes = fingerprints(np.array([a for a, _ in cells]), np.array([o for _, o in cells]))
    assert hashes.dtype == np.uint64
    assert hashes.tolist() == [fingerprint(arch) for arch in archs]
    assert len(set(hashes.tolist())) == len(archs) > 500


def test_fingerprints_of_nothing_and_of_a_turned_edge() -> None:
    none = fingerprints(np.zeros((0, 7, 7), dtype=bool), np.zeros((0, 7), dtype=int))
    assert none.shape == (0,)
    edge = np.array([[[False, True], [False, False]]])
    there, back = (int(fingerprints(a, np.array([[2, 2]]))[0]) for a in (edge, edge.swapaxes(1, 2)))
    assert there == back
    there, back = (int(fingerprints(a, np.array([[2, 3]]))[0]) for a in (edge, edge.swapaxes(1, 2)))
    assert there != back


def test_the_table_holds_every_cell_once(data: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(data / "nasbench101" / "nasbench101.parquet")
    vertices, bits = (table[c].to_numpy().astype(int) for c in ("vertices", "adjacency_bits"))
    texts = table["operations"].to_pylist()
    assert len(texts) == SPACE.size
    rows = np.arange(len(texts))
    adjacency = np.zeros((len(texts), 7, 7), dtype=bool)
    for y in range(7):
        for x in range(y):
            adjacency[:, x, y] = bits >> (x + y * (y - 1) // 2) & 1
    inner = np.array([list(text.ljust(5, "5").encode()) for text in texts]) - ord("0")
    operations = np.full((len(texts), 7), -1)
    operations[:, 1:6] = np.where(inner < 3, 4 - inner, -1)
    operations[:, 0] = 0
    operations[rows, vertices - 1] = 1
    hashes = fingerprints(adjacency, operations)
    assert len(np.unique(hashes)) == SPACE.size
    for row in range(0, len(texts), 20_011):
        arch = SPACE.parse(f"{vertices[row]}-{bits[row]}-{texts[row]}")
        assert arch == from_bits(int(vertices[row]), int(bits[row]), texts[row])
        assert fingerprint(SPACE.canonical(arch)) == hashes[row]


def test_nearly_all_of_the_suite_cells_hold_idle_vertices(data: Path) -> None:
    texts = list(
        json.loads((data / "suite_zero" / "zc_nasbench101.json").read_text())["nasbench101"][
            "cifar10"
        ]
    )
    archs = [SPACE.parse(text) for text in texts]
    assert len(texts) == 500
    assert sum(str(arch) != text for arch, text in zip(archs, texts, strict=True)) == 499
    assert len(set(map(SPACE.canonical, archs))) == 292
