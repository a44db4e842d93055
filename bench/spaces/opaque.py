"""Architectures of a space that the bench does not know: each is its text, and no more.

For tables of search spaces that nobody described here. What is recorded of an architecture can be
compared and searched; what would need to know how it is built, such as its network, its graph or
which others are one edit away, is refused with that reason.

An architecture is the bytes of its text in UTF-8, so that texts and architectures are each
other's, whoever reads them.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from bench.base import Arch, ArchError, Graph
from bench.spaces import _text


class Opaque:
    """The space of all texts; a table says which of them are architectures."""

    name = "opaque"
    operations: tuple[str, ...] = ()
    """The names of operations: none is known of an opaque architecture."""
    forms = ("text",)
    size = 2**63 - 1
    """More than any table has: how many there are nobody said."""

    def parse(self, text: str) -> Arch:
        """Take a text as it is, without the blanks around it. Raises ArchError for an empty one."""
        stripped = text.strip()
        if not 1 <= len(stripped) <= _text.LONGEST:
            raise ArchError(
                f"Expected an architecture's name of 1 to {_text.LONGEST} characters, got "
                f"{_text.quoted(text)}."
            )
        return tuple(stripped.encode("utf-8", "surrogatepass"))

    def text(self, arch: Arch, form: str | None = None) -> str:
        """The text that an architecture is. Raises ArchError where it is none."""
        if form not in (None, *self.forms):
            return _text.write(self.name, {}, arch, form)
        try:
            return bytes(arch).decode("utf-8", "surrogatepass")
        except (TypeError, ValueError, UnicodeDecodeError):
            raise ArchError(f"Expected the bytes of a text, got {_text.quoted(arch)}.") from None

    def check(self, arch: Arch) -> None:
        """Raise ArchError unless `arch` is the bytes of a text."""
        if not _text.is_integers(arch) or self.parse(self.text(arch)) != arch:
            raise ArchError(f"Expected the bytes of a text, got {_text.quoted(arch)}.")

    def sample(self, rng: np.random.Generator) -> NoReturn:  # noqa: ARG002
        """Raise ArchError: only a table can say which texts are architectures."""
        raise _unknown("which architectures there are besides those of a table")

    def mutate(self, arch: Arch, rng: np.random.Generator) -> NoReturn:  # noqa: ARG002
        """Raise ArchError: moves are unknown."""
        raise _unknown("which architectures are one edit apart")

    def neighbours(self, arch: Arch) -> NoReturn:  # noqa: ARG002
        """Raise ArchError: moves are unknown."""
        raise _unknown("which architectures are one edit apart")

    def canonical(self, arch: Arch) -> Arch:
        """The architecture itself: which others compute the same function is unknown."""
        self.check(arch)
        return arch

    def graph(self, arch: Arch) -> NoReturn:  # noqa: ARG002
        """Raise ArchError: how an architecture is built is unknown."""
        raise _unknown("how an architecture is built, so none has a graph or features")

    def decode(self, graph: Graph) -> NoReturn:  # noqa: ARG002
        """Raise ArchError: how an architecture is built is unknown."""
        raise _unknown("how an architecture is built, so none has a graph or features")


OPAQUE = Opaque()


def _unknown(what: str) -> ArchError:
    return ArchError(
        f"The space {OPAQUE.name} does not know {what}; proxies that a table records, and "
        "searchers that read nothing else, such as random, work."
    )
