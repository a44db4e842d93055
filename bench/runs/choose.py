"""Which architectures of a space are scored: all, a sample, or those of a file."""

from __future__ import annotations

from collections.abc import Iterable
from math import log
from pathlib import Path

import numpy as np

from bench.base import Arch, ArchError, DataError, OptionError, Space
from bench.tables._rows import encoded

LISTED = 100_000
"""The largest space that is listed whole."""


def whole(space: Space) -> list[Arch]:
    """All architectures of a space, sorted.

    They are found by moves from one to its neighbours, so any space of some size will do.

    Raises:
        OptionError: If there are too many, or moves do not reach all of them.
    """
    if space.size > LISTED:
        raise OptionError(
            f"expected a space of at most {LISTED:,} architectures to score all of, got "
            f"{space.name} with {space.size:,}; take a sample, or name them in a file"
        )
    waiting = [space.sample(np.random.default_rng(0))]
    found = set(waiting)
    while waiting:
        new = set(space.neighbours(waiting.pop())) - found
        found |= new
        waiting += new
    if len(found) != space.size:
        raise OptionError(
            f"expected moves to reach all {space.size:,} architectures of {space.name}, got "
            f"{len(found):,}; name those to score in a file"
        )
    return sorted(found)


def balanced(space: Space, stack: int) -> list[Arch]:
    """All architectures, in an order in which groups of `stack` are alike in structure.

    They are where `bench.networks.balanced` has groups of that size; else in any order.
    """
    archs = whole(space)
    free = round(log(stack, 5))
    if stack != 5**free:
        return archs
    from bench.networks.stacked import balanced as groups

    return [arch for group in groups(free) for arch in group]


def sampled(space: Space, count: int, rng: np.random.Generator) -> list[Arch]:
    """Draw `count` different architectures; a smaller sample begins a larger one.

    Raises:
        OptionError: If the space has fewer.
    """
    if not 1 <= count <= space.size:
        raise OptionError(
            f"expected a sample of 1 to {space.size:,} architectures of {space.name}, got {count:,}"
        )
    drawn: dict[Arch, None] = {}
    while len(drawn) < count:
        drawn[space.sample(rng)] = None
    return list(drawn)


def read(space: Space, path: Path) -> list[Arch]:
    """The architectures of a file: one a line, in any text form of the space.

    Numbers that projects read differently say whose they are, as in `naslib:(4, 0, 3, 1, 4, 3)`.

    Raises:
        DataError: If the file cannot be read, holds none, or holds one twice.
        ArchError: If a line is no architecture of the space, naming it.
    """
    lines: dict[Arch, int] = {}
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                arch = _parsed(space, line.strip(), f"line {number} of {path}")
                if arch in lines:
                    raise DataError(
                        f"expected every architecture once in {path}, got {space.text(arch)} on "
                        f"lines {lines[arch]} and {number}"
                    )
                lines[arch] = number
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"expected a text file of architectures, got {path}: {type(error).__name__}: {error}"
        ) from error
    if not lines:
        raise DataError(f"expected one architecture a line in {path}, got none")
    return list(lines)


def distinct(space: Space, archs: Iterable[Arch]) -> list[Arch]:
    """The first of every class of architectures that compute the same function, in order."""
    first: dict[Arch, Arch] = {}
    for arch in archs:
        first.setdefault(space.canonical(arch), arch)
    return list(first.values())


def _parsed(space: Space, text: str, where: str) -> Arch:
    try:
        return space.parse(encoded(text, space))
    except ArchError as error:
        raise ArchError(f"{where}: {error}") from error
