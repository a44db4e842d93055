"""The vectorised texts and hashes of NAS-Bench-101's cells, against brute force."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.tables._cells101 import encode, fingerprints, size, texts


def test_bits_and_digits_become_the_tuple_text() -> None:
    # Three vertices: bit 0 is 0->1, bit 1 is 0->2, bit 2 is 1->2.
    codes = encode(3, np.array([0b101, 0b010], np.uint32), ["0", "2"])
    assert texts(codes) == [
        "(0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 4, 1)",
        "(0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 1)",
    ]


def test_the_smallest_cell_has_no_inner_operation() -> None:
    assert texts(encode(2, np.array([1], np.uint32), [""])) == ["(0, 1, 0, 0, 0, 1)"]


def test_size_inverts_the_count_of_numbers() -> None:
    assert [size(v * v + v) for v in range(2, 8)] == list(range(2, 8))


cells = st.integers(2, 6).flatmap(
    lambda v: st.tuples(
        st.just(v),
        st.integers(0, 2 ** (v * (v - 1) // 2) - 1),
        st.lists(st.integers(0, 2), min_size=v - 2, max_size=v - 2),
        st.permutations(range(1, v - 1)),
    )
)


@given(cells)
def test_a_hash_does_not_see_the_order_of_vertices(cell) -> None:
    vertices, bits, inner, shuffled = cell
    digits = "".join(map(str, inner))
    codes = encode(vertices, np.array([bits], np.uint32), [digits])[0]
    edges = codes[: vertices**2].reshape(vertices, vertices)
    operations = codes[vertices**2 :]
    order = [0, *shuffled, vertices - 1]
    moved = np.concatenate([edges[np.ix_(order, order)].ravel(), operations[order]])
    one, other = fingerprints(np.stack([codes, moved]))
    assert one == other


def test_cells_of_four_vertices_share_a_hash_only_if_isomorphic() -> None:
    """All 64 x 9 cells of four vertices, by trying both orders of the inner two."""
    inner = ["".join(it) for it in itertools.product("012", repeat=2)]
    codes = np.concatenate(
        [encode(4, np.full(len(inner), bits, np.uint32), inner) for bits in range(64)]
    )
    swap = [0, 2, 1, 3]

    def smallest(row) -> bytes:
        edges, operations = row[:16].reshape(4, 4), row[16:]
        moved = np.concatenate([edges[np.ix_(swap, swap)].ravel(), operations[swap]])
        return min(row.tobytes(), moved.tobytes())

    classes = [smallest(row) for row in codes]
    hashes = fingerprints(codes).tolist()
    assert len(set(classes)) == len(set(hashes)) == len(set(zip(classes, hashes, strict=True)))
