"""Graphs as arrays."""

from __future__ import annotations

import numpy as np
import pytest

from bench.base import ArchError, Graph
from bench.spaces.encoding import flat, one_hot

EDGE = np.array([[False, True], [False, False]])
GRAPH = Graph(("in", "out"), EDGE)


def test_one_hot_has_a_single_one_in_every_row() -> None:
    encoded = one_hot(GRAPH, ("x", "out", "in"))
    assert encoded.dtype == np.float64
    np.testing.assert_array_equal(encoded, [[0, 0, 1], [0, 1, 0]])


def test_flat_goes_vertex_by_vertex_and_pads_at_the_end() -> None:
    np.testing.assert_array_equal(
        flat(GRAPH, ("in", "out"), 3).reshape(3, 5),
        [[1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]],
    )


def test_what_cannot_be_encoded_is_refused() -> None:
    with pytest.raises(ArchError, match="among x, in, got 'out'"):
        one_hot(GRAPH, ("x", "in"))
    with pytest.raises(ArchError, match="at most 1 vertices, got 2"):
        flat(GRAPH, ("in", "out"), 1)
