"""A finite part of a space, for tables that know only some of its architectures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.base import Arch, ArchError, Graph, Numbered, Space
from bench.spaces import _text
from bench.spaces.encoding import flat


class Pool:
    """A space to move in that holds only the given architectures of another one.

    Neighbours are the other space's that lie in the pool. Where fewer than `least` do, the nearest
    other members fill up, ties included: by Hamming distance between flattened graphs (one-hot
    operations and adjacency, padded at the end to the pool's largest graph). A pool is mostly
    islands; with a few neighbours for everyone, a search can leave the one it began on. Texts,
    graphs and canonical forms are the other space's, so `parse`, `decode` and `neighbours` take
    and give architectures outside the pool too; `check` and `find` tell whether one is inside.

    Canonical forms and graphs of all members are worked out when first needed, and neighbours
    are kept, so a pool of tens of thousands costs little to make.
    """

    def __init__(
        self, space: Space, archs: Sequence[Arch], *, canonical: bool = False, least: int = 1
    ) -> None:
        """Take `archs` as they are; nothing is worked out yet.

        Args:
            space: The space that they belong to.
            archs: `n` architectures, all different.
            canonical: Whether they stand for classes: then an architecture is inside if its
                canonical form equals that of a member (the first such member stands for it).
            least: How many neighbours everyone has, where the pool holds so many.

        Raises:
            ArchError: No architectures, or one of them twice.
        """
        self._space = space
        self._archs = tuple(archs)
        self._by_class = canonical
        self._least = least
        self._near: dict[Arch, tuple[Arch, ...]] = {}
        if not self._archs or len(set(self._archs)) < len(self._archs):
            raise ArchError(
                f"Expected a pool of different {space.name} architectures, got "
                f"{len(self._archs)}, {len(set(self._archs))} of them different."
            )

    @property
    def archs(self) -> tuple[Arch, ...]:
        """The `n` members."""
        return self._archs

    @property
    def name(self) -> str:
        """The name of the space that the members belong to."""
        return self._space.name

    @property
    def operations(self) -> tuple[str, ...]:
        """The `o` names that vertices of `graph` may carry."""
        return self._space.operations

    @property
    def forms(self) -> tuple[str, ...]:
        """The names of the text forms; the first is the native one."""
        return self._space.forms

    @property
    def encodings(self) -> Mapping[str, str]:
        """What numbers mean, by the name of whose they are; none where the space has none."""
        return self._space.encodings if isinstance(self._space, Numbered) else {}

    @property
    def size(self) -> int:
        """The number of members, `n`."""
        return len(self._archs)

    def parse(self, text: str) -> Arch:
        """Read an architecture of the space, a member or not. Raises ArchError."""
        return self._space.parse(text)

    def text(self, arch: Arch, form: str | None = None) -> str:
        """Write an architecture of the space, a member or not. Raises ArchError."""
        return self._space.text(arch, form)

    def find(self, arch: Arch) -> Arch | None:
        """The member that is, or stands for, an architecture; None if it is outside the pool."""
        return self._members.get(self._key(arch))

    def check(self, arch: Arch) -> None:
        """Raise ArchError unless `arch` is, or is stood for by, a member."""
        self._space.check(arch)
        if self.find(arch) is None:
            raise ArchError(
                f"Expected one of the {self.size} {self.name} architectures of the pool, got "
                f"{_text.quoted(self._space.text(arch))}."
            )

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw a member uniformly."""
        return self._archs[int(rng.integers(len(self._archs)))]

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Draw one of the neighbours, all equally likely.

        Raises:
            ArchError: The pool holds nothing but `arch`.
        """
        near = self._neighbours(arch)
        if not near:
            raise ArchError(
                f"Expected a pool that holds more than the architecture to mutate, got one with "
                f"nothing but {_text.quoted(self._space.text(arch))}."
            )
        return near[int(rng.integers(len(near)))]

    def neighbours(self, arch: Arch) -> list[Arch]:
        """The members one edit away, in the space's order, then the nearest others if need be."""
        return list(self._neighbours(arch))

    def canonical(self, arch: Arch) -> Arch:
        """The space's canonical form, which need not be a member."""
        return self._space.canonical(arch)

    def graph(self, arch: Arch) -> Graph:
        """The space's graph."""
        return self._space.graph(arch)

    def decode(self, graph: Graph) -> Arch:
        """The architecture of a graph, a member or not. Raises ArchError."""
        return self._space.decode(graph)

    def _key(self, arch: Arch) -> Arch:
        return self._space.canonical(arch) if self._by_class else arch

    @cached_property
    def _members(self) -> dict[Arch, Arch]:
        """Members by what they are looked up by."""
        members: dict[Arch, Arch] = {}
        for arch in self._archs:
            members.setdefault(self._key(arch), arch)
        return members

    def _neighbours(self, arch: Arch) -> tuple[Arch, ...]:
        self._space.check(arch)
        if arch not in self._near:
            found = map(self.find, self._space.neighbours(arch))
            itself = {arch, self.find(arch)}
            inside = tuple(dict.fromkeys(a for a in found if a is not None and a not in itself))
            if len(inside) < self._least:
                inside += self._nearest(arch, inside, self._least - len(inside))
            self._near[arch] = inside
        return self._near[arch]

    def _nearest(self, arch: Arch, without: tuple[Arch, ...], count: int) -> tuple[Arch, ...]:
        """The `count` nearest other members, and those as near as the last of them.

        By distance, then in the pool's order; neither itself nor those of `without`.
        """
        graph = self._space.graph(arch)
        largest, o = self._largest, len(self.operations)
        vertices = max(largest, len(graph.operations))
        # Of |x| + |m| - 2 x.m, the distance, |x| is the same for all members; and so is what the
        # pool's largest graph has no room for. Float32 holds these small integers exactly.
        whole = flat(graph, self.operations, vertices).reshape(vertices, o + vertices)
        row = whole[:largest, : o + largest].ravel()
        others = self._weights - 2 * (self._encoded @ row)
        places = [self._places.get(self._key(one)) for one in (arch, *without)]
        others[[place for place in places if place is not None]] = np.inf
        standing = tuple(self._members.values())
        last = np.partition(others, min(count, len(others)) - 1)[min(count, len(others)) - 1]
        near = np.flatnonzero((others <= last) & np.isfinite(others))
        by_distance = near[np.argsort(others[near], kind="stable")]
        return tuple(standing[place] for place in by_distance.tolist())

    @cached_property
    def _places(self) -> dict[Arch, int]:
        return {key: place for place, key in enumerate(self._members)}

    @cached_property
    def _largest(self) -> int:
        return max(len(self._space.graph(arch).operations) for arch in self._archs)

    @cached_property
    def _encoded(self) -> NDArray[np.float32]:
        """The flattened graphs of `_members`, `n x largest * (o + largest)`, zeros and ones."""
        graphs = map(self._space.graph, self._members.values())
        return np.array(
            [flat(graph, self.operations, self._largest) for graph in graphs], dtype=np.float32
        )

    @cached_property
    def _weights(self) -> NDArray[np.float32]:
        weights: NDArray[np.float32] = self._encoded.sum(axis=1)
        return weights
