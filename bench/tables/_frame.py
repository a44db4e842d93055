"""The columns of a small CSV or Parquet file, with errors that name file, column and row.

Rows are counted from 1, the header left out.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import gzip
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from bench.base import Bools, DataError, Floats

FAILED = -1e8
"""What NAS-Bench-Suite-Zero writes for a score that came out as NaN or infinite."""
DELIMITERS = (",", ";", "\t")
SAMPLED = 50
"""Lines that tell what parts a file's cells."""

Cell: TypeAlias = Any
"""A text, a number, None, or whatever else Parquet and JSON hold, such as a date or a list."""


@dataclass(frozen=True, eq=False)
class Frame:
    """Columns of equal length by name; an empty cell is "" or None."""

    name: str
    """The file's, for messages."""
    cells: Mapping[str, Sequence[Cell]]
    rows: int
    index: frozenset[str] = frozenset()
    """The columns that the file itself calls an index and no data."""
    delimiter: str = ","
    """What stood between the cells of a text file."""

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

    Cells are parted by commas, or by the semicolons or tabs that spreadsheets write where numbers
    have decimal commas; the header says which. A column without a name is called `Unnamed: 3` by
    its place, as pandas calls it.

    Args:
        path: The file.
        header: The columns' names, where the file's first line does not hold them; cells are then
            parted by commas.

    Raises:
        DataError: If the file is no text, is empty, or a row has too few or too many cells.
    """
    try:
        text = _text(path)
        delimiter, text = (",", text) if header is not None else _delimiter(path.name, text)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        lines = list(reader)
    except (csv.Error, UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{path.name}: expected a CSV file, got a damaged one: {error}") from error
    except OSError as error:
        raise DataError(f"expected to read {path}, got {type(error).__name__}: {error}") from error
    names = list(header) if header is not None else _names(lines.pop(0)) if lines else []
    if not names:
        raise DataError(f"{path.name}: expected a CSV file with a header, got an empty file")
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    return _frame(path.name, names, lines, delimiter)


def _text(path: Path) -> str:
    """The content of a text file in UTF-8, or in UTF-16 where it says so, as spreadsheets do."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if marked else "utf-8-sig")


def _delimiter(name: str, text: str) -> tuple[str, str]:
    """What parts the cells, by the header, and the text without a spreadsheet's line about it.

    Raises:
        DataError: Several would do.
    """
    first, _, rest = text.partition("\n")
    stated = re.fullmatch(r'"?sep=(.)"?\r?', first)
    if stated:
        return stated[1], rest
    present = [mark for mark in DELIMITERS if mark in first]
    lines = text.splitlines()[:SAMPLED]
    fitting = [
        mark
        for mark in present
        if len({len(line) for line in csv.reader(lines, delimiter=mark) if line}) == 1
    ]
    if len(fitting) > 1:
        # A comma within a name of a file of semicolons, or the other way round: the header and
        # the rows fit either, so nothing in the file tells.
        raise DataError(
            f"{name}: expected cells parted by one mark, got a header that {' and '.join(fitting)}"
            f" part into as many cells as the rows: {first.strip()!r}; quote names that hold one"
        )
    return (fitting or present or [","])[0], text


def _names(header: Sequence[str]) -> list[str]:
    """The columns' names, those that are empty by their place."""
    names = [name.strip() for name in header]
    for place, name in enumerate(names):
        if not name:
            unnamed = f"Unnamed: {place}"
            names[place] = f"{unnamed}.1" if unnamed in names else unnamed
    return names


def _frame(
    name: str, names: Sequence[str], lines: Sequence[Sequence[str]], delimiter: str
) -> Frame:
    _refuse_twice(name, names)
    for row, line in enumerate(lines, 1):
        if len(line) != len(names):
            raise DataError(
                f"{name}: expected {len(names)} cells in every row, got {len(line)} in row {row}"
            )
    columns = zip(*lines, strict=True) if lines else [()] * len(names)
    return Frame(name, dict(zip(names, columns, strict=True)), len(lines), delimiter=delimiter)


def read_parquet(path: Path) -> Frame:
    """Read a Parquet file of plain columns; pandas says in it which of them are an index.

    Raises:
        DataError: If the file is not Parquet, is damaged, or has two columns of one name.
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
    _refuse_twice(path.name, names)
    index = frozenset(_pandas_index(table.schema.metadata)) & set(names)
    columns = {it: table.column(it).to_pylist() for it in names}
    return Frame(path.name, columns, table.num_rows, index)


def _pandas_index(metadata: Mapping[bytes, bytes] | None) -> list[str]:
    """The index's columns, as pandas writes them into a Parquet file's metadata."""
    try:
        columns = json.loads((metadata or {}).get(b"pandas", b"{}"))["index_columns"]
    except (ValueError, LookupError, TypeError):
        return []
    # An index that only counts rows is no column but an object that says from where to where.
    return [it for it in columns if isinstance(it, str)] if isinstance(columns, list) else []


def _refuse_twice(name: str, names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        twice = next(it for i, it in enumerate(names) if it in names[:i])
        raise DataError(f"{name}: expected columns of different names, got {twice!r} twice")
