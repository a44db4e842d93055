"""NAS-Bench-101's cells by the hundred thousand: their native texts, and a hash per graph.

All functions take cells of one size at a time: `codes` is `n x (v*v + v)`, the adjacency matrix
row by row, then the operations' codes, exactly the numbers of the text form.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

OPERATIONS = np.array([4, 3, 2], np.uint8)
"""The text form's codes of the table's operations 0 conv3x3, 1 conv1x1, 2 maxpool3x3."""
INPUT, OUTPUT = 0, 1
ROUNDS = 4
"""Rounds of passing hashes on; three reach across the longest useful distance of 7 vertices."""


def encode(vertices: int, bits: NDArray[np.uint32], inner: Iterable[str]) -> NDArray[np.uint8]:
    """Return the `n x (v*v + v)` codes of cells with `v` vertices.

    Args:
        vertices: `v`, input and output counted.
        bits: `n` adjacencies: bit x + y(y-1)/2 is the edge from x to y, x < y.
        inner: `n` texts of `v - 2` digits, the operations between input and output.
    """
    square = vertices * vertices
    codes = np.zeros((len(bits), square + vertices), np.uint8)
    for y in range(1, vertices):
        for x in range(y):
            codes[:, x * vertices + y] = (bits >> np.uint32(x + y * (y - 1) // 2)) & 1
    digits = np.frombuffer("".join(inner).encode("ascii"), np.uint8) - ord("0")
    codes[:, square] = INPUT
    codes[:, square + 1 : -1] = OPERATIONS[digits.reshape(len(bits), vertices - 2)]
    codes[:, -1] = OUTPUT
    return codes


def texts(codes: NDArray[np.uint8]) -> list[str]:
    """Return `n` texts such as `(0, 1, 0, 0, 0, 1)`, built as one block of characters."""
    n, numbers = codes.shape
    width = 3 * numbers
    block = np.tile(np.frombuffer(b", 0" * numbers, np.uint8), (n, 1))
    block[:, 2::3] = codes + ord("0")
    text = block.tobytes().decode("ascii")
    return [f"({text[at + 2 : at + width]})" for at in range(0, n * width, width)]


def size(numbers: int) -> int:
    """Return the vertices `v` of a cell with `v*v + v` numbers."""
    return int((np.sqrt(4 * numbers + 1) - 1) / 2)


def fingerprints(codes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return `n` hashes that are equal for isomorphic cells.

    Each vertex starts from its operation and takes up, round by round, the hashes of the vertices
    before and after it, as in Weisfeiler and Lehman's test. Sums, not sequences, are taken up, so
    the order of vertices leaves no trace. Different cells may, rarely, share a hash.
    """
    vertices = size(codes.shape[1])
    edges = codes[:, : vertices * vertices].reshape(-1, vertices, vertices).astype(bool)
    hashes = _mixed(codes[:, vertices * vertices :].astype(np.uint64))
    for _ in range(ROUNDS):
        before, after = np.zeros_like(hashes), np.zeros_like(hashes)
        for it in range(vertices):
            before += edges[:, it, :] * hashes[:, it, None]
            after += edges[:, :, it] * hashes[:, it, None]
        hashes = _mixed(hashes + _mixed(before) * np.uint64(3) + _mixed(after) * np.uint64(5))
    total: NDArray[np.uint64] = hashes.sum(axis=1, dtype=np.uint64)
    return total


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scatter 64-bit values, as the finaliser of SplitMix64 does; arithmetic is modulo 2**64."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
