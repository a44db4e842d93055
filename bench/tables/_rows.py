"""Which row of a table a text of any form belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from bench.base import Arch, ArchError, DataError, Floats, Ints, Numbered, OptionError, Space, Table

_BARE = re.compile(r"[\s0-9,()\[\]]*[0-9][\s0-9,()\[\]]*")
"""Numbers and brackets, and nothing that says what they mean."""


def parse_all(texts: Iterable[str], space: Space, name: str) -> list[Arch]:
    """Read every text of a file as an architecture.

    Raises:
        DataError: If one cannot be read; the message names the file and the row.
    """
    return _parsed(texts, space, name, lambda text: text)


def parse_own(
    texts: Iterable[str], space: Space, name: str, encoding: str | None = None
) -> list[Arch]:
    """Read every text of a stranger's file, whose numbers are of the encoding that is given.

    Raises:
        DataError: If one cannot be read, or could be read in two ways.
    """
    return _parsed(texts, space, name, lambda text: encoded(text, space, encoding))


def _parsed(
    texts: Iterable[str], space: Space, name: str, written: Callable[[str], str]
) -> list[Arch]:
    archs = []
    for row, text in enumerate(texts, 1):
        try:
            archs.append(space.parse(written(text)))
        except ArchError as error:
            raise DataError(
                f"{name}: row {row} holds no {space.name} architecture: {error}"
            ) from error
    return archs


def encoded(text: str, space: Space, encoding: str | None = None) -> str:
    """Say whose numbers a stranger's text holds, if it is numbers alone; other texts say it.

    Args:
        text: An architecture, as somebody wrote it.
        space: Its space.
        encoding: Whose numbers they are, one of the space's encodings.

    Raises:
        ArchError: It is bare numbers, which several projects read differently, and nobody says
            whose they are.
    """
    if not isinstance(space, Numbered) or not space.encodings or not _BARE.fullmatch(text):
        return text
    if encoding is None:
        raise ArchError(
            f"{text!r} does not say whose numbers it holds, and projects number differently; "
            "say so by --encoding NAME, or write NAME: before it, where NAME is "
            f"{_listed(space.encodings)}"
        )
    return f"{encoding}:{text}"


def check_encoding(space: Space, encoding: str | None) -> None:
    """Raise OptionError unless the space has this encoding, or none is given."""
    known = space.encodings if isinstance(space, Numbered) else {}
    if encoding is not None and encoding not in known:
        raise OptionError(
            f"expected an encoding of {space.name}, "
            f"{_listed(known) or 'which has none, as its texts say what they mean'}; got "
            f"{encoding!r}"
        )


def _listed(encodings: Mapping[str, str]) -> str:
    return " or ".join(f"{name} ({about})" for name, about in encodings.items())


def refuse_repeats(
    archs: Sequence[Arch], space: Space, name: str, rows: Sequence[int] | None = None
) -> None:
    """Raise DataError, naming the architecture and both rows, if one stands there twice.

    `rows` are the architectures' places in the file, 1 and on by default.
    """
    first: dict[Arch, int] = {}
    for row, arch in zip(rows or range(1, 1 + len(archs)), archs, strict=True):
        if first.setdefault(arch, row) != row:
            raise DataError(
                f"{name}: expected every architecture once,"
                f" got {space.text(arch)} in rows {first[arch]} and {row};"
                " keep one of them, or their mean"
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


def of_rows(table: Table, rows: Ints) -> Table:
    """Return the table with `k` of its rows, in this order, every column with them."""

    def kept(group: str) -> dict[str, Floats]:
        return {it: values[rows] for it, values in getattr(table, group).items()}

    place = {row: number for number, row in enumerate(rows.tolist())}
    return replace(
        table,
        archs=[table.archs[row] for row in rows.tolist()],
        accuracy=kept("accuracy"),
        scores=kept("scores"),
        score_seconds=kept("score_seconds"),
        targets=kept("targets"),
        repeats=kept("repeats"),
        training_seconds=None if table.training_seconds is None else table.training_seconds[rows],
        groups=None if table.groups is None else table.groups[rows],
        failures={
            it: {place[row]: why for row, why in reasons.items() if row in place}
            for it, reasons in table.failures.items()
        },
    )


def check_index(values: Floats, name: str) -> None:
    """Raise DataError unless an index column counts 0, 1, 2, ..., so that rows are in order."""
    wrong = np.flatnonzero(values != np.arange(len(values)))
    if len(wrong):
        raise DataError(
            f"{name}: expected rows in index order, got index {values[wrong[0]]:g}"
            f" in row {wrong[0] + 1}"
        )
