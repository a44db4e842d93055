"""Which row of a table a text of any form belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from bench.base import Arch, ArchError, DataError, Floats, Ints, Space


def parse_all(texts: Iterable[str], space: Space, name: str) -> list[Arch]:
    """Read every text of a file as an architecture.

    Raises:
        DataError: If one cannot be read; the message names the file and the row.
    """
    archs = []
    for row, text in enumerate(texts, 1):
        try:
            archs.append(space.parse(text))
        except ArchError as error:
            raise DataError(
                f"{name}: row {row} holds no {space.name} architecture: {error}"
            ) from error
    return archs


def refuse_repeats(archs: Sequence[Arch], space: Space, name: str) -> None:
    """Raise DataError, naming the architecture and both rows, if one stands there twice."""
    first: dict[Arch, int] = {}
    for row, arch in enumerate(archs, 1):
        if first.setdefault(arch, row) != row:
            raise DataError(
                f"{name}: expected every architecture once,"
                f" got {space.text(arch)} in rows {first[arch]} and {row}"
            )


class Rows:
    """The rows of a table by architecture, to which columns of other files are brought."""

    def __init__(self, archs: Sequence[Arch], space: Space, name: str) -> None:
        refuse_repeats(archs, space, name)
        self._space = space
        self._name = name
        self._row = {arch: row for row, arch in enumerate(archs)}

    def find(self, texts: Sequence[str], name: str) -> Ints:
        """Return the rows of `k` architectures of the file `name`.

        Raises:
            DataError: If one is no architecture, stands there twice, or has no row.
        """
        archs = parse_all(texts, self._space, name)
        refuse_repeats(archs, self._space, name)
        absent = next((arch for arch in archs if arch not in self._row), None)
        if absent is not None:
            raise DataError(
                f"{name}: expected architectures of {self._name},"
                f" got {self._space.text(absent)}, which it lacks"
            )
        return np.array([self._row[arch] for arch in archs], np.int64)

    def spread(self, values: Floats, rows: Ints) -> Floats:
        """Return `n` values: `k` of them in their rows, NaN elsewhere."""
        return spread(values, rows, len(self._row))


def spread(values: Floats, rows: Ints, n: int) -> Floats:
    """Return `n` values: `k` of them in their rows, NaN elsewhere."""
    out = np.full(n, np.nan)
    out[rows] = values
    return out


def check_index(values: Floats, name: str) -> None:
    """Raise DataError unless an index column counts 0, 1, 2, ..., so that rows are in order."""
    wrong = np.flatnonzero(values != np.arange(len(values)))
    if len(wrong):
        raise DataError(
            f"{name}: expected rows in index order, got index {values[wrong[0]]:g}"
            f" in row {wrong[0] + 1}"
        )
