"""NAS-Bench-101: cells of up to seven vertices and nine edges, operations on the vertices.

Paper: Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019,
https://arxiv.org/abs/1902.09635. The "tuple" form follows NAS-Bench-Suite-Zero (NASLib, branch
zerocost, commit 8c45f19).

An architecture is the flat form of a cell of `v` vertices, 2 <= v <= 7: the `v x v` adjacency
row by row, then `v` operation ids: 0 input (first), 1 output (last), 2 maxpool3x3,
3 conv1x1-bn-relu, 4 conv3x3-bn-relu. Edges go from smaller to larger indices, at most nine, and
every vertex lies on a path from input to output. `parse` and `decode` also take a cell with idle
vertices, as nearly all of the suite's files hold, and prune it: what counts is what is left.

The "bits" form is `vertices-adjacency_bits-operations`, such as 7-1205349-02001: bit
x + y(y-1)/2 is the edge x -> y, and a digit for every inner vertex: 0 conv3x3, 1 conv1x1,
2 maxpool3x3.

1. `sample` draws as NASBench does: seven vertices, every edge by a fair coin, five operations,
   until the pruned cell is valid. So the draw is uniform over valid specifications, not over the
   423,624 classes of isomorphic cells that it returns a canonical member of.
2. NASBench mutates the specification before pruning, where idle vertices drift along. Idle
   vertices are not kept here, so a cell grows by an edit of its own; neighbours are canonical,
   depend on the class alone, and never repeat a class:
   an edge added (wherever that makes no cycle), an edge removed (then pruned), another operation
   on a vertex, or an edge split by a new vertex.
"""

from __future__ import annotations

import functools
import operator
import re
from types import MappingProxyType

import numpy as np

from bench.base import Arch, ArchError, Graph
from bench.spaces import _text
from bench.spaces._dag import Cell, canonical, edge_count, masks, one_edit_away, prune
from bench.spaces._fingerprint import fingerprints

__all__ = ["NASBENCH101", "NasBench101", "fingerprint", "fingerprints", "from_bits"]

_MOST_VERTICES, _MOST_EDGES = 7, 9
_INPUT, _OUTPUT, _INNER = 0, 1, (2, 3, 4)
_LABELS = ("input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu")
_VERTICES = {v * v + v: v for v in range(2, _MOST_VERTICES + 1)}
_POWERS = tuple(1 << i for i in range(_MOST_VERTICES))
_BITS = re.compile(r"([2-7])-([0-9]{1,7})-([0-2]{0,5})")
_DRAWS = 2**21 * 3**5
"""Specifications of seven vertices: 21 possible edges, five operations."""


class NasBench101:
    """The space of pruned NAS-Bench-101 cells."""

    name = "nasbench101"
    operations = ("input", "conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3", "output")
    """In the order of arch2vec."""
    forms = ("tuple", "bits")
    encodings = MappingProxyType(
        {
            "naslib": "NASLib's, of NAS-Bench-Suite-Zero: the adjacency row by row, then 0 input, "
            "1 output, 2 maxpool3x3, 3 conv1x1-bn-relu, 4 conv3x3-bn-relu"
        }
    )
    size = 423_624
    """Classes of isomorphic cells; a data test finds each of them once in the published table."""

    def parse(self, text: str) -> Arch:
        """Read either text form, and prune the cell. Raises ArchError."""
        return _text.parse(self.name, _FORMS, text, _NUMBERED)

    def text(self, arch: Arch, form: str | None = None) -> str:
        """Write an architecture, as a tuple unless "bits" is asked for. Raises ArchError."""
        self.check(arch)
        return _text.write(self.name, _FORMS, arch, form)

    def check(self, arch: Arch) -> None:
        """Raise ArchError unless `arch` is a valid cell without idle vertices."""
        _read(arch)

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw a valid specification uniformly, and return its cell's canonical form."""
        while True:
            edges, inner = divmod(int(rng.integers(_DRAWS)), 3**5)
            operations = [_INPUT]
            for _ in range(_MOST_VERTICES - 2):
                inner, operation = divmod(inner, 3)
                operations.append(_INNER[operation])
            cell = prune(Cell((*operations, _OUTPUT), masks(_MOST_VERTICES, edges)))
            if cell is not None and edge_count(cell) <= _MOST_EDGES:
                return _write(canonical(cell))

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Draw one of the neighbours, all equally likely."""
        cells = _neighbourhood(canonical(_read(arch)))
        return _write(canonical(cells[int(rng.integers(len(cells)))]))

    def neighbours(self, arch: Arch) -> list[Arch]:
        """The canonical forms of all cells one edit away: edges, operations, then splits."""
        return [_write(canonical(cell)) for cell in _neighbourhood(canonical(_read(arch)))]

    def canonical(self, arch: Arch) -> Arch:
        """The same for all isomorphic cells, and for no others."""
        return _write(canonical(_read(arch)))

    def graph(self, arch: Arch) -> Graph:
        """The cell itself, `2 <= v <= 7` vertices."""
        cell = _read(arch)
        v = len(cell.operations)
        adjacency = np.array(arch[: v * v], dtype=np.bool_).reshape(v, v)
        return Graph(tuple(_LABELS[operation] for operation in cell.operations), adjacency)

    def decode(self, graph: Graph) -> Arch:
        """The pruned cell of a graph in the labels of this space. Raises ArchError."""
        v = len(graph.operations)
        if not set(graph.operations) <= set(_LABELS) or np.shape(graph.adjacency) != (v, v):
            raise ArchError(
                f"Expected operations among {', '.join(_LABELS)} and as many rows and columns of "
                f"adjacency, got {_text.quoted(graph.operations)} and shape "
                f"{' x '.join(map(str, np.shape(graph.adjacency)))}."
            )
        flags = np.asarray(graph.adjacency, dtype=np.int64).ravel().tolist()
        return _pruned((*flags, *(_LABELS.index(label) for label in graph.operations)))


NASBENCH101 = NasBench101()


def from_bits(vertices: int, adjacency_bits: int, operations: str) -> Arch:
    """The architecture of a row of the published table, pruned. Raises ArchError.

    Args:
        vertices: 2 to 7.
        adjacency_bits: bit x + y(y-1)/2 is the edge from vertex x to vertex y.
        operations: a digit for every inner vertex: 0 conv3x3, 1 conv1x1, 2 maxpool3x3.
    """
    before = masks(vertices, adjacency_bits)
    if len(operations) != vertices - 2 or adjacency_bits >> (vertices * (vertices - 1) // 2):
        raise ArchError(
            f"Expected an operation for every inner vertex and bits for the edges among "
            f"{vertices} vertices, got {_text.quoted(operations)} and {adjacency_bits}."
        )
    inner = (4 - int(operation) for operation in operations)
    return _pruned(_write(Cell((_INPUT, *inner, _OUTPUT), before)))


def fingerprint(arch: Arch) -> int:
    """What `fingerprints` gives for one architecture. Raises ArchError."""
    cell = _read(arch)
    v = len(cell.operations)
    adjacency = np.array(arch[: v * v], dtype=np.bool_).reshape(1, v, v)
    return int(fingerprints(adjacency, np.array([cell.operations]))[0])


def _read_tuple(compact: str) -> Arch | None:
    numbers = _text.digits(compact)
    return None if numbers is None or len(numbers) not in _VERTICES else _pruned(numbers)


def _read_bits(compact: str) -> Arch | None:
    match = _BITS.fullmatch(compact)
    return from_bits(int(match[1]), int(match[2]), match[3]) if match else None


def _write_bits(arch: Arch) -> str:
    operations, before = _read(arch)
    bits = sum(mask << (y * (y - 1) // 2) for y, mask in enumerate(before))
    return f"{len(operations)}-{bits}-{''.join(str(4 - o) for o in operations[1:-1])}"


_FORMS = {
    "tuple": _text.Form(_read_tuple, str, "(0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 4, 1)"),
    "bits": _text.Form(_read_bits, _write_bits, "7-1205349-02001"),
}


_NUMBERED = {"naslib": _text.Encoding(_read_tuple, NasBench101.encodings["naslib"])}


def _specification(arch: Arch) -> Cell:
    """Read a flat form that may hold idle vertices. Raises ArchError."""
    v = _VERTICES.get(len(arch), 0) if _text.is_integers(arch) else 0
    flags, operations = arch[: v * v], arch[v * v :]
    if not (
        v
        and set(flags) <= {0, 1}
        and not any(any(flags[i * v : i * v + i + 1]) for i in range(v))
        and (operations[0], operations[-1]) == (_INPUT, _OUTPUT)
        and set(operations[1:-1]) <= set(_INNER)
    ):
        raise ArchError(
            "Expected a nasbench101 architecture of v * v flags, strictly upper triangular, and v "
            f"operations 0, 2 to 4, ..., 1 for v from 2 to 7, got {_text.quoted(arch)}."
        )
    columns = (flags[j : j * v : v] for j in range(v))
    return Cell(operations, tuple(sum(map(operator.mul, it, _POWERS)) for it in columns))


def _pruned(arch: Arch) -> Arch:
    """The flat form without its idle vertices. Raises ArchError if nothing valid is left."""
    cell = prune(_specification(arch))
    if cell is None:
        raise ArchError(f"Expected a path from input to output, got none in {_text.quoted(arch)}.")
    if edge_count(cell) > _MOST_EDGES:
        raise ArchError(
            f"Expected at most {_MOST_EDGES} edges after pruning, got {edge_count(cell)}."
        )
    return _write(cell)


def _read(arch: Arch) -> Cell:
    """The cell of a member of the space. Raises ArchError."""
    cell = _specification(arch)
    if prune(cell) != cell or edge_count(cell) > _MOST_EDGES:
        raise ArchError(
            f"Expected a cell of at most {_MOST_EDGES} edges whose every vertex lies on a path "
            f"from input to output (parse prunes), got {_text.quoted(arch)}."
        )
    return cell


def _write(cell: Cell) -> Arch:
    indices = range(len(cell.operations))
    return (*(mask >> i & 1 for i in indices for mask in cell.before), *cell.operations)


@functools.lru_cache(maxsize=1024)
def _neighbourhood(cell: Cell) -> tuple[Cell, ...]:
    return tuple(one_edit_away(cell, _INNER, _MOST_VERTICES, _MOST_EDGES))
