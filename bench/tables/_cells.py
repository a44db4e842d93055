"""What the cells of a stranger's column say: numbers, nothing, or something else.

Numbers come as people and spreadsheets write them: with decimal points or commas, with marks
between thousands, in percent. Which mark is the decimal one is decided for a file as a whole, by
the cells that leave no doubt; a file that holds both kinds is refused.

An empty cell, a null and a NaN all mean that no number is there: one data frame leaves any of
them behind, by the format and the options it was saved with.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from bench.base import DataError, Floats
from bench.tables._frame import FAILED, Cell, Frame

EMPTY, NAN = "empty", "nan"
NOTHING = (EMPTY, NAN)
"""What a cell may hold in place of a number that is not there."""
_NANS = frozenset({"nan", "na", "n/a", "null", "none", "<na>", "#n/a", "#na", "nat"})
"""As pandas reads them, in any case."""
_FAULTS = frozenset({"#div/0!", "#num!", "#value!", "#ref!", "#name?", "#null!"})
"""What a spreadsheet shows where a formula failed."""
_TRUTHS = {"true": 1.0, "false": 0.0}

_EXPONENT = r"(?:[eE][-+]?[0-9]+)?"
_PLAIN = re.compile(rf"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+){_EXPONENT}|[-+]?(?:inf|infinity)", re.I)
_SPACED = re.compile("(?<=[0-9])[\u00a0\u202f\u2009' ](?=[0-9]{3}(?![0-9]))")
"""A mark between thousands that is never a decimal one."""


@dataclass(frozen=True)
class _Mark:
    """How numbers look whose decimal mark is this one."""

    decimal: str
    thousands: str

    @property
    def certain(self) -> re.Pattern[str]:
        """Numbers that nobody would write whose decimal mark is the other one."""
        d, t = map(re.escape, (self.decimal, self.thousands))
        grouped = rf"[1-9][0-9]{{0,2}}(?:{t}[0-9]{{3}})+"
        return re.compile(
            # A zero before it, or not three digits behind it: it parts no thousands.
            rf"[-+]?(?:0*{d}[0-9]+|0+[0-9]*{d}[0-9]*|[0-9]{{4,}}{d}[0-9]*"
            rf"|[0-9]+{d}(?:[0-9]{{0,2}}|[0-9]{{4,}}){_EXPONENT}"
            rf"|[0-9]*{d}[0-9]+[eE][-+]?[0-9]+|{grouped}{d}[0-9]+|{grouped}{t}[0-9]{{3}})"
        )

    @property
    def doubtful(self) -> re.Pattern[str]:
        """As `1.234`: one number with this decimal mark, and a thousand times it with the other."""
        return re.compile(rf"[-+]?[1-9][0-9]{{0,2}}{re.escape(self.decimal)}[0-9]{{3}}")


_POINT, _COMMA = _Mark(".", ","), _Mark(",", ".")


@dataclass(frozen=True)
class Marks:
    """How a file's numbers are written."""

    decimal: str = "."
    remark: str = ""
    """What to tell of it; nothing where numbers are as Python writes them."""

    def number(self, text: str) -> float | None:
        """The number that a text is, NaN for one that says there is none; None for other texts."""
        short = text.strip()
        folded = short.lower()
        if folded in _NANS or folded in _FAULTS or folded in ("-nan", "+nan"):
            return math.nan
        short = _SPACED.sub("", short.removesuffix("%").rstrip())
        mark = _COMMA if self.decimal == "," else _POINT
        thousands, decimal = re.escape(mark.thousands), re.escape(mark.decimal)
        if re.fullmatch(
            rf"[-+]?[1-9][0-9]{{0,2}}(?:{thousands}[0-9]{{3}})+(?:{decimal}[0-9]+)?", short
        ):
            short = short.replace(mark.thousands, "")
        short = short.replace(mark.decimal, ".") if mark.thousands not in short else short
        return float(short) if _PLAIN.fullmatch(short) else None


def marks_of(frame: Frame, without: Iterable[str] = ()) -> Marks:
    """Find which mark is the decimal one in a file.

    Args:
        frame: The file.
        without: Columns that hold no numbers.

    Raises:
        DataError: Some cells have decimal points for certain, and others decimal commas.
    """
    left_out = set(without)
    texts = [
        (name, row, text.strip().removesuffix("%").rstrip())
        for name, cells in frame.cells.items()
        if name not in left_out
        for row, text in enumerate(cells, 1)
        if isinstance(text, str) and ("," in text or "." in text)
    ]
    point, comma = (_first(mark.certain, texts) for mark in (_POINT, _COMMA))
    if point and comma:
        raise DataError(
            f"{frame.name}: expected one decimal mark, got {point[2]!r} in row {point[1]} of "
            f"{point[0]!r} and {comma[2]!r} in row {comma[1]} of {comma[0]!r}"
        )
    commas, points = (_first(mark.doubtful, texts) for mark in (_COMMA, _POINT))
    example = comma or (commas if not point and frame.delimiter != "," else None)
    if example:
        remark = f"numbers have decimal commas, such as {example[2]}"
        return Marks(",", remark + _thousands("points", points, "."))
    return Marks(".", _thousands("commas", commas, ",").removeprefix("; "))


def _thousands(marks: str, found: tuple[str, int, str] | None, mark: str) -> str:
    if found is None:
        return ""
    return f"; {marks} part thousands, so {found[2]} is {found[2].replace(mark, '')}"


def _first(
    pattern: re.Pattern[str], texts: Sequence[tuple[str, int, str]]
) -> tuple[str, int, str] | None:
    return next((it for it in texts if pattern.fullmatch(it[2])), None)


@dataclass(frozen=True, eq=False)
class Cells:
    """A column of `n` cells, read."""

    name: str
    values: Floats
    """NaN where there is no number; infinities as they were written."""
    nothing: Mapping[int, str]
    """By row, counted from 0, what stands in place of a number: `empty` or `nan`."""
    other: Mapping[int, Any] = field(default_factory=dict)
    """By row, cells that are neither a number nor nothing."""
    truths: int = 0
    """How many cells are true or false, which are 1 and 0."""
    percents: int = 0
    """How many cells end in a percent sign."""

    @property
    def numbers(self) -> int:
        """How many cells are numbers, infinities too."""
        return len(self.values) - len(self.nothing) - len(self.other)

    def require_numbers(self, file: str) -> None:
        """Raise DataError, naming file, column, cell and row, for a cell of another kind."""
        if self.other:
            row, cell = next(iter(self.other.items()))
            raise DataError(
                f"{file}: expected numbers in column {self.name!r}, got {_shown(cell)} in row "
                f"{row + 1}"
            )
        if 0 < self.percents < self.numbers:
            raise DataError(
                f"{file}: expected all or none of column {self.name!r} with a percent sign, got "
                f"{self.percents} of {self.numbers}"
            )

    def failures(self) -> dict[int, str]:
        """By row, what stands there in place of a score: `empty`, `nan`, `inf`, `-inf`, `-1e8`."""
        found = dict(self.nothing)
        for row in np.flatnonzero(np.isinf(self.values) | (self.values == FAILED)).tolist():
            value = self.values[row]
            found[row] = "-1e8" if value == FAILED else f"{value}"
        return found


def read_cells(frame: Frame, name: str, marks: Marks) -> Cells:
    """Read a column whatever it holds. Raises DataError if there is none of that name."""
    cells = frame.column(name)
    values = np.full(len(cells), np.nan)
    nothing: dict[int, str] = {}
    other: dict[int, Any] = {}
    truths = percents = 0
    for row, cell in enumerate(cells):
        number = _number(cell, marks)
        if number is None:
            other[row] = cell
        elif math.isnan(number):
            nothing[row] = EMPTY if _is_empty(cell) else NAN
        else:
            values[row] = number
            truths += _is_truth(cell)
            percents += isinstance(cell, str) and cell.rstrip().endswith("%")
    return Cells(name, values, nothing, other, truths, percents)


def _number(cell: Cell, marks: Marks) -> float | None:
    """The number of a cell, NaN where it says that there is none; None for anything else."""
    if _is_empty(cell):
        return math.nan
    if isinstance(cell, bool | int | float | Decimal):
        return float(cell)
    if isinstance(cell, str):
        truth = _TRUTHS.get(cell.strip().lower())
        return marks.number(cell) if truth is None else truth
    return None


def _is_empty(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _is_truth(cell: Cell) -> bool:
    return isinstance(cell, bool) or (isinstance(cell, str) and cell.strip().lower() in _TRUTHS)


def _shown(cell: Any) -> str:
    text = repr(cell)
    return text if len(text) <= 60 else text[:60] + "..."
