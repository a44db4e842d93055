"""The columns of a small CSV or Parquet file, with errors that name file, column and row.

Rows are counted from 1, the header left out.
"""

from __future__ import annotations

import csv
import difflib
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, TypeAlias

import numpy as np

from bench.base import Bools, DataError, Floats

FAILED = -1e8
"""What NAS-Bench-Suite-Zero writes for a score that came out as NaN or infinite."""

Cell: TypeAlias = str | float | int | None


@dataclass(frozen=True, eq=False)
class Frame:
    """Columns of equal length by name; an empty cell is "" or None."""

    name: str
    """The file's, for messages."""
    cells: Mapping[str, Sequence[Cell]]
    rows: int

    def column(self, name: str) -> Sequence[Cell]:
        """Return a column as it was read.

        Raises:
            DataError: If there is none of that name; the message lists those that are there.
        """
        try:
            return self.cells[name]
        except KeyError:
            close = difflib.get_close_matches(name, self.cells, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise DataError(
                f"{self.name}: expected a column {name!r}, got {', '.join(self.cells)}{hint}"
            ) from None

    def texts(self, name: str) -> list[str]:
        """Return a column of `n` texts."""
        return ["" if cell is None else str(cell) for cell in self.column(name)]

    def numbers(self, name: str) -> Floats:
        """Return a column of `n` numbers, NaN where the cell is empty.

        Raises:
            DataError: If there is no such column, or a cell of it is not a number.
        """
        cells = self.column(name)
        try:
            return np.array([np.nan if c is None or c == "" else float(c) for c in cells], float)
        except (TypeError, ValueError):
            row, cell = next((i, c) for i, c in enumerate(cells, 1) if not is_number(c))
            raise DataError(
                f"{self.name}: expected numbers in column {name!r}, got {cell!r} in row {row}"
            ) from None

    def scores(self, name: str) -> Floats:
        """Return a column of `n` proxy scores: NaN not recorded, -inf recorded as failed."""
        empty = np.array([cell is None or cell == "" for cell in self.column(name)], bool)
        return clean_scores(self.numbers(name), ~empty)


def is_number(cell: Cell) -> bool:
    """Say whether a cell is a number or empty."""
    if cell is None or cell == "":
        return True
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def clean_scores(values: Floats, recorded: Bools | None = None) -> Floats:
    """Write failures as -inf: NaN, infinities of either sign, and the suite's -1e8.

    Args:
        values: `n` scores as the source has them.
        recorded: Which of them are there at all (default: all); the others become NaN.
    """
    failed = ~np.isfinite(values) | (values == FAILED)
    cleaned = np.where(failed, -np.inf, values)
    return cleaned if recorded is None else np.where(recorded, cleaned, np.nan)


def read_csv(path: Path, header: Sequence[str] | None = None) -> Frame:
    """Read a CSV file, gzipped if its name ends in .gz.

    Args:
        path: The file.
        header: The columns' names, where the file's first line does not hold them.

    Raises:
        DataError: If the file is no text, is empty, or a row has too few or too many cells.
    """
    try:
        with _open_text(path) as stream:
            lines = list(csv.reader(stream, strict=True))
    except (csv.Error, UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{path.name}: expected a CSV file, got a damaged one: {error}") from error
    except OSError as error:
        raise DataError(f"expected to read {path}, got {type(error).__name__}: {error}") from error
    names = list(header) if header is not None else lines.pop(0) if lines else []
    if not names:
        raise DataError(f"{path.name}: expected a CSV file with a header, got an empty file")
    return _frame(path.name, names, [line for line in lines if line])


def _open_text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", newline="", encoding="utf-8-sig")
    return path.open(newline="", encoding="utf-8-sig")


def _frame(name: str, names: Sequence[str], lines: Sequence[Sequence[str]]) -> Frame:
    if len(set(names)) < len(names):
        twice = next(it for i, it in enumerate(names) if it in names[:i])
        raise DataError(f"{name}: expected columns of different names, got {twice!r} twice")
    for row, line in enumerate(lines, 1):
        if len(line) != len(names):
            raise DataError(
                f"{name}: expected {len(names)} cells in every row, got {len(line)} in row {row}"
            )
    columns = zip(*lines, strict=True) if lines else [()] * len(names)
    return Frame(name, dict(zip(names, columns, strict=True)), len(lines))


def read_parquet(path: Path) -> Frame:
    """Read a Parquet file of plain columns.

    Raises:
        DataError: If the file is not Parquet, or is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path.name}: expected a Parquet file, got {type(error).__name__}: {error}"
        ) from error
    names = table.column_names
    return Frame(path.name, {it: table.column(it).to_pylist() for it in names}, table.num_rows)
