"""DARTS: a normal and a reduction cell, each of four nodes with two incoming operations.

Paper: Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search", ICLR 2019,
https://arxiv.org/abs/1806.09055. The "tuple" form and the operation numbers follow
NAS-Bench-Suite-Zero (NASLib, branch zerocost, commit 8c45f19, nasbench301/conversions.py), the
graph arch2vec (Yan et al. 2020).

An architecture is 32 integers: eight pairs (predecessor, operation) of the normal cell, two for
each node, then eight of the reduction cell. Predecessors: 0 is c_{k-2}, 1 is c_{k-1}, 2 to 4 are
the nodes. Operations: 0 max_pool_3x3, 1 avg_pool_3x3, 2 skip_connect, 3 sep_conv_3x3,
4 sep_conv_5x5, 5 dil_conv_3x3, 6 dil_conv_5x5, 7 none.

1. `sample` draws from the standard space, and `size` counts it: a node's two predecessors
   differ, in ascending order, and no operation is none. Published tables hold both, and hold
   pairs in any order, so they are read too.
2. `canonical` sorts the pairs of a node, gives `none` predecessor 0, and renumbers the nodes of
   each cell: the smallest outcome. All of this only renames weights (renumbering permutes the
   channels of the cell's output, which only learned layers read). It does not look for further
   equalities, such as a skip_connect beside a none.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from types import MappingProxyType

import numpy as np

from bench.base import Arch, ArchError, Bools, Graph
from bench.spaces import _text

_NODES = 4
_PAIRS = 2 * _NODES
_LABELS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
    "none",
)
_NONE = _LABELS.index("none")
_PRIMITIVES = ("none", *_LABELS[:_NONE])
"""The operations as DARTS lists them."""
_INPUTS = ("c_{k-2}", "c_{k-1}")
# Per node the unordered pairs of its predecessors, then all its choices in the standard space.
_PREDECESSORS = tuple(tuple(itertools.combinations(range(2 + i), 2)) for i in range(_NODES))
_CHOICES = tuple(len(pairs) * _NONE**2 for pairs in _PREDECESSORS)
_CELL = math.prod(_CHOICES)

_PAIR = r"[(\[]([0-4]),([0-7])[)\]]"
_PAIR_LIST = rf"[(\[]{','.join([_PAIR] * _PAIRS)},?[)\]]"
_TUPLE = re.compile(rf"[(\[]{_PAIR_LIST},{_PAIR_LIST},?[)\]]")
_NAMED = rf"\(['\"]({'|'.join(_LABELS)})['\"],([0-4])\)"
_NAMED_LIST = rf"\[{','.join([_NAMED] * _PAIRS)}\]"
_CONCAT = r"(?:range\(2,6\)|\[2,3,4,5\])"
_GENOTYPE = re.compile(
    rf"Genotype\(normal={_NAMED_LIST},normal_concat={_CONCAT},"
    rf"reduce={_NAMED_LIST},reduce_concat={_CONCAT}\)"
)


class Darts:
    """The space of pairs of cells."""

    name = "darts"
    operations = (*_INPUTS, *_LABELS, "output")
    forms = ("tuple", "genotype")
    encodings = MappingProxyType(
        {
            "naslib": "NASLib's, of NAS-Bench-Suite-Zero: pairs (predecessor, operation), "
            + ", ".join(f"{number} {label}" for number, label in enumerate(_LABELS)),
            "darts": "DARTS' own list: pairs (predecessor, operation), "
            + ", ".join(f"{number} {label}" for number, label in enumerate(_PRIMITIVES)),
        }
    )
    size = _CELL**2
    """About 1.08e18: 1, 3, 6 and 10 pairs of predecessors, 7 x 7 operations each, two cells."""

    def parse(self, text: str) -> Arch:
        """Read either text form. Raises ArchError."""
        arch = _text.parse(self.name, _FORMS, text, _NUMBERED)
        self.check(arch)
        return arch

    def text(self, arch: Arch, form: str | None = None) -> str:
        """Write an architecture, as a tuple unless "genotype" is asked for. Raises ArchError."""
        self.check(arch)
        return _text.write(self.name, _FORMS, arch, form)

    def check(self, arch: Arch) -> None:
        """Raise ArchError unless all 16 pairs are a predecessor of their node, and an operation."""
        if (
            not _text.is_integers(arch)
            or len(arch) != 4 * _PAIRS
            or not all(0 <= arch[at] < _limit(at) for at in range(4 * _PAIRS))
        ):
            raise ArchError(
                "Expected a darts architecture of 16 pairs, each of a predecessor below its "
                f"node's number and an operation from 0 to 7, got {_text.quoted(arch)}."
            )

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw one architecture of the standard space uniformly."""
        index = int(rng.integers(self.size))
        arch: list[int] = []
        for node in (*range(_NODES), *range(_NODES)):
            index, choice = divmod(index, _CHOICES[node])
            pair, choice = divmod(choice, _NONE**2)
            first, second = divmod(choice, _NONE)
            early, late = _PREDECESSORS[node][pair]
            arch += (early, first, late, second)
        return tuple(arch)

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Change one operation or one predecessor; all such neighbours equally likely."""
        self.check(arch)
        edits = list(_edits(arch))
        return _edited(arch, *edits[int(rng.integers(len(edits)))])

    def neighbours(self, arch: Arch) -> list[Arch]:
        """All with one operation or predecessor changed within the standard space.

        The edited node's pairs come in ascending order, so neighbours of a drawn architecture
        (120 of them) could be drawn too.
        """
        self.check(arch)
        return [_edited(arch, at, value) for at, value in _edits(arch)]

    def canonical(self, arch: Arch) -> Arch:
        """The smallest renaming of both cells; see the module's head."""
        self.check(arch)
        return _canonical_cell(arch[: 2 * _PAIRS]) + _canonical_cell(arch[2 * _PAIRS :])

    def graph(self, arch: Arch) -> Graph:
        """Two cells of eleven vertices side by side: two inputs, eight operations, output.

        An operation's vertex follows its predecessor's: that input, or both operations of that
        node; all operations go to the output.
        """
        self.check(arch)
        labels: list[str] = []
        for cell in (arch[: 2 * _PAIRS], arch[2 * _PAIRS :]):
            labels += (*_INPUTS, *(_LABELS[operation] for operation in cell[1::2]), "output")
        return Graph(tuple(labels), _adjacency(arch[::2]))

    def decode(self, graph: Graph) -> Arch:
        """The architecture of such a graph. Raises ArchError."""
        labels = graph.operations
        adjacency = np.asarray(graph.adjacency)
        if adjacency.shape != (22, 22) or not _is_labelled(labels):
            raise ArchError(
                "Expected two cells of c_{k-2}, c_{k-1}, eight operations and output, 22 vertices "
                f"in all, got {_text.quoted(labels)} and adjacency of shape "
                f"{' x '.join(map(str, adjacency.shape))}."
            )
        arch: list[int] = []
        for start in (0, 11):
            for vertex in range(start + 2, start + 10):
                # The first vertex before it says which predecessor it is.
                before = int(adjacency[:, vertex].argmax()) - start
                arch += (before if before < 2 else 1 + before // 2, _LABELS.index(labels[vertex]))
        self.check(tuple(arch))
        if not np.array_equal(adjacency, _adjacency(tuple(arch[::2]))):
            raise ArchError(
                "Expected every operation to follow one input or both operations of one earlier "
                "node, and to lead to its cell's output, got other edges."
            )
        return tuple(arch)


DARTS = Darts()


def _limit(at: int) -> int:
    """What the integer at this place of an architecture stays below."""
    return len(_LABELS) if at % 2 else 2 + at % (2 * _PAIRS) // 4


def _edits(arch: Arch) -> Iterator[tuple[int, int]]:
    """All (place, new integer) that give different architectures."""
    for at, present in enumerate(arch):
        node = at - at % 4
        if at - node >= 2 and arch[node : node + 2] == arch[node + 2 : node + 4]:
            continue  # Editing the second of two equal pairs gives what editing the first gave.
        sibling = arch[node + (at - node + 2) % 4]
        for value in range(_limit(at)):
            barred = _NONE if at % 2 else sibling
            if value not in (present, barred):
                yield at, value


def _edited(arch: Arch, at: int, value: int) -> Arch:
    changed = (*arch[:at], value, *arch[at + 1 :])
    node = at - at % 4
    pairs = sorted((changed[node : node + 2], changed[node + 2 : node + 4]))
    return (*changed[:node], *pairs[0], *pairs[1], *changed[node + 4 :])


def _canonical_cell(cell: Arch) -> Arch:
    """The smallest form of a cell's 16 integers over all orders of its nodes."""
    pairs = [(0, o) if o == _NONE else (p, o) for p, o in zip(cell[::2], cell[1::2], strict=True)]
    nodes = list(zip(pairs[::2], pairs[1::2], strict=True))
    return min(
        _renumbered(nodes, order)
        for order in itertools.permutations(range(_NODES))
        if all(
            order.index(p - 2) < place
            for place, node in enumerate(order)
            for p, _ in nodes[node]
            if p >= 2
        )
    )


def _renumbered(
    nodes: list[tuple[tuple[int, int], tuple[int, int]]], order: tuple[int, ...]
) -> Arch:
    number = {0: 0, 1: 1} | {2 + node: 2 + place for place, node in enumerate(order)}
    chain = itertools.chain.from_iterable
    return tuple(chain(chain(sorted((number[p], o) for p, o in nodes[node]) for node in order)))


def _adjacency(predecessors: Arch) -> Bools:
    """The `22 x 22` adjacency for the 16 predecessors."""
    adjacency = np.zeros((22, 22), dtype=np.bool_)
    for index, before in enumerate(predecessors):
        start = 11 * (index // _PAIRS)
        vertex = start + 2 + index % _PAIRS
        source = start + before if before < 2 else start + 2 * before - 2
        adjacency[source : source + (1 if before < 2 else 2), vertex] = True
        adjacency[vertex, start + 10] = True
    return adjacency


def _is_labelled(labels: tuple[str, ...]) -> bool:
    return len(labels) == 22 and all(
        cell[:2] == _INPUTS and set(cell[2:10]) <= set(_LABELS) and cell[10] == "output"
        for cell in (labels[:11], labels[11:])
    )


def _read_tuple(compact: str) -> Arch | None:
    match = _TUPLE.fullmatch(compact)
    return tuple(map(int, match.groups())) if match else None


def _read_primitives(compact: str) -> Arch | None:
    """Pairs of a tuple whose operations are numbered as DARTS lists them."""
    arch = _read_tuple(compact)
    if arch is None:
        return None
    return tuple(
        _LABELS.index(_PRIMITIVES[number]) if at % 2 else number for at, number in enumerate(arch)
    )


def _read_genotype(compact: str) -> Arch | None:
    match = _GENOTYPE.fullmatch(compact)
    if match is None:
        return None
    names, predecessors = match.groups()[::2], match.groups()[1::2]
    pairs = zip(map(int, predecessors), map(_LABELS.index, names), strict=True)
    return tuple(itertools.chain.from_iterable(pairs))


def _write_tuple(arch: Arch) -> str:
    pairs = list(zip(arch[::2], arch[1::2], strict=True))
    return str((tuple(pairs[:_PAIRS]), tuple(pairs[_PAIRS:])))


def _write_genotype(arch: Arch) -> str:
    pairs = [(_LABELS[o], p) for p, o in zip(arch[::2], arch[1::2], strict=True)]
    return (
        f"Genotype(normal={pairs[:_PAIRS]}, normal_concat=range(2, 6), "
        f"reduce={pairs[_PAIRS:]}, reduce_concat=range(2, 6))"
    )


_FORMS = {
    "tuple": _text.Form(
        _read_tuple, _write_tuple, "(((0, 6), (1, 4), ...), ((0, 1), (1, 4), ...))"
    ),
    "genotype": _text.Form(
        _read_genotype, _write_genotype, "Genotype(normal=[('sep_conv_3x3', 0), ...], ...)"
    ),
}
_NUMBERED = {
    "naslib": _text.Encoding(_read_tuple, Darts.encodings["naslib"]),
    "darts": _text.Encoding(_read_primitives, Darts.encodings["darts"]),
}
