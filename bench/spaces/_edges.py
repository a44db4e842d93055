"""Spaces whose cell has four nodes, joined by six edges that carry the operations.

An architecture is six operation indices in the order of `EDGES`: (0-1), (0-2), (1-2), (0-3),
(1-3), (2-3). Its graph has the edges as vertices (arch2vec, Yan et al. 2020): input, the six in
the same order, output; all architectures share one adjacency.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.base import Arch, ArchError, Bools, Graph
from bench.spaces import _text
from bench.spaces._function import EDGES


@dataclass(frozen=True, eq=False)
class EdgeSpace:
    """A space of such cells; a member says its operations, its texts and what is equal."""

    name: str
    labels: tuple[str, ...]
    """Operation names; an architecture's integers index them."""
    operations: tuple[str, ...]
    texts: Mapping[str, _text.Form]
    function: Callable[[Arch], Hashable]
    """A key that two architectures share if they compute the same function."""
    numbered: Mapping[str, _text.Encoding]
    """The conventions by which projects write these cells as numbers."""

    @property
    def forms(self) -> tuple[str, ...]:
        """The names of the text forms; the first is the native one."""
        return tuple(self.texts)

    @property
    def encodings(self) -> Mapping[str, str]:
        """What numbers mean, by the name of whose they are."""
        return _text.abouts(self.numbered)

    @property
    def size(self) -> int:
        """Every choice of six operations."""
        return int(len(self.labels) ** len(EDGES))

    def parse(self, text: str) -> Arch:
        """Read any of the text forms. Raises ArchError."""
        return _text.parse(self.name, self.texts, text, self.numbered)

    def text(self, arch: Arch, form: str | None = None) -> str:
        """Write an architecture, natively unless a form is named. Raises ArchError."""
        self.check(arch)
        return _text.write(self.name, self.texts, arch, form)

    def check(self, arch: Arch) -> None:
        """Raise ArchError unless `arch` is a tuple of six operation indices."""
        _text.check_digits(self.name, arch, len(EDGES), len(self.labels))

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw one architecture uniformly."""
        index = int(rng.integers(self.size))
        arch = []
        for _ in EDGES:
            index, operation = divmod(index, len(self.labels))
            arch.append(operation)
        return tuple(arch)

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Put another operation on one edge, all such neighbours equally likely."""
        self.check(arch)
        others = len(self.labels) - 1
        edge, other = divmod(int(rng.integers(len(EDGES) * others)), others)
        return (*arch[:edge], other + (other >= arch[edge]), *arch[edge + 1 :])

    def neighbours(self, arch: Arch) -> list[Arch]:
        """All architectures that differ on one edge, by edge, then operation."""
        self.check(arch)
        return [
            (*arch[:edge], operation, *arch[edge + 1 :])
            for edge, present in enumerate(arch)
            for operation in range(len(self.labels))
            if operation != present
        ]

    def canonical(self, arch: Arch) -> Arch:
        """The smallest architecture that computes the same function; the first call sorts all."""
        self.check(arch)
        return self._representatives[arch]

    @cached_property
    def _representatives(self) -> dict[Arch, Arch]:
        first: dict[Hashable, Arch] = {}
        every = itertools.product(range(len(self.labels)), repeat=len(EDGES))
        return {arch: first.setdefault(self.function(arch), arch) for arch in every}

    def graph(self, arch: Arch) -> Graph:
        """Eight vertices: input, the six edges, output."""
        self.check(arch)
        inner = [self.labels[operation] for operation in arch]
        return Graph(("input", *inner, "output"), edge_adjacency())

    def decode(self, graph: Graph) -> Arch:
        """The architecture of such a graph. Raises ArchError."""
        first, *inner, last = graph.operations if len(graph.operations) == 8 else ("", "")
        if (first, last) != ("input", "output") or not set(inner) <= set(self.labels):
            raise ArchError(
                f"Expected input, six of {', '.join(self.labels)}, and output as a graph's "
                f"operations, got {_text.quoted(graph.operations)}."
            )
        if not np.array_equal(graph.adjacency, edge_adjacency()):
            raise ArchError(
                f"Expected the one 8 x 8 adjacency that {self.name} cells share, got another of "
                f"shape {' x '.join(map(str, np.shape(graph.adjacency)))}."
            )
        return tuple(self.labels.index(operation) for operation in inner)


def read_digits(compact: str, labels: int) -> Arch | None:
    """Six numbers below `labels`, in the order they stand in; None for any other text."""
    numbers = _text.digits(compact)
    if numbers is None or len(numbers) != len(EDGES) or max(numbers) >= labels:
        return None
    return numbers


def source_first(labels: tuple[str, ...], order: tuple[str, ...]) -> Callable[[str], Arch | None]:
    """The reader of six numbers that name operations of `order`, edges ordered by their source.

    Args:
        labels: The space's operations, which an architecture's integers index.
        order: The same operations in the order of the numbers that are read.
    """
    places = tuple(sorted(EDGES).index(edge) for edge in EDGES)
    ours = tuple(labels.index(label) for label in order)

    def read(compact: str) -> Arch | None:
        numbers = read_digits(compact, len(labels))
        return None if numbers is None else tuple(ours[numbers[place]] for place in places)

    return read


@functools.cache
def edge_adjacency() -> Bools:
    """The `8 x 8` adjacency of every edge graph; read-only, because it is shared."""
    adjacency = np.zeros((8, 8), dtype=np.bool_)
    for i, (source, target) in enumerate(EDGES):
        adjacency[0, 1 + i] = source == 0
        adjacency[1 + i, 7] = target == 3
        for j, (later, _) in enumerate(EDGES):
            adjacency[1 + i, 1 + j] = target == later
    adjacency.setflags(write=False)
    return adjacency
