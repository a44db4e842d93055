"""What a sortable table of the page is: columns with a kind, rows of cells, filters and views."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.base import Record
from bench.reports.tables import Cell, Table, number

_NUMBER = re.compile(r"\N{MINUS SIGN}?\d[\d,]*(\.\d+)?")


@dataclass(frozen=True)
class Bar:
    """An interval and its value, in per cent of the way along the axis of its column."""

    low: float
    value: float
    high: float


@dataclass(frozen=True)
class Entry:
    """One cell of a board: what it shows, and what it is sorted by."""

    text: str
    order: float | str
    interval: str = ""
    bold: bool = False
    bar: Bar | None = None
    card: str | None = None
    """The key of the architecture's card that hovering over the entry opens."""


@dataclass(frozen=True)
class Column:
    """A heading, and what the entries below it are.

    `kind` is `key` (text that names the row), `metric` (a value that may have an interval) or
    `count`. `descending` says which way round sorting starts, the best first.
    """

    heading: str
    kind: str
    descending: bool = False
    chosen: str | None = None
    """What a filter on this column shows at first; "" is everything, None is no filter."""


@dataclass(frozen=True)
class View:
    """A choice of metrics: their column numbers, and what the choice is called."""

    name: str
    columns: tuple[int, ...]


@dataclass(frozen=True)
class Board:
    """A table that readers sort, filter and search."""

    label: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    order: int
    """The column it is sorted by at first."""
    views: tuple[View, ...] = ()
    """The first is shown at first; none where every column always is."""
    files: tuple[str, ...] = ()
    """Files beside the page that hold the same numbers."""
    command: str = ""
    """What made the results behind it."""

    def options(self, column: int) -> list[str]:
        """The different texts of a column, in the order of the rows."""
        return list(dict.fromkeys(row[column].text for row in self.rows))

    def hidden(self, column: int) -> bool:
        """Whether a column is left out at first: by the first view, or as it is filtered by."""
        views = self.views[:1]
        metric = self.columns[column].kind == "metric"
        filtered = bool(self.columns[column].chosen)
        return filtered or (metric and any(column not in view.columns for view in views))


def key(text: str) -> Entry:
    """A cell that names its row."""
    return Entry(text, text)


def count(value: float | None, digits: int = 0) -> Entry:
    """A number without an interval; a dash, which sorts as the least, for None."""
    if value is None:
        return Entry(number(None, 0), -1.0)
    return Entry(f"{value:,.{digits}f}", value)


def estimate(
    record: Record,
    name: str,
    digits: int,
    *,
    sign: int = 1,
    bold: bool = False,
    scale: tuple[float, float] | None = None,
) -> Entry:
    """A value of a record with its interval; one that is missing sorts as the worst.

    Args:
        record: It holds `name`, and may hold it with `_low`, `_high` and `_sd`.
        name: The value's.
        digits: How many decimals to show.
        sign: 1 where larger is better, else -1.
        bold: Whether it is clearly the best.
        scale: The ends of an axis to draw the interval on, if any.
    """
    value, deviation = record[name], record.get(f"{name}_sd")
    low, high = record.get(f"{name}_low"), record.get(f"{name}_high")
    if value is None:
        return Entry(number(None, digits), -sign * 1e300)
    text = number(value, digits)
    text += "" if deviation is None else f" ± {number(deviation, digits)}"
    if low is None or high is None:
        return Entry(text, value, bold=bold)
    interval = f"[{number(low, digits)}, {number(high, digits)}]"
    bar = None
    if scale is not None:
        start, end = scale
        places = (100 * (place - start) / (end - start) for place in (low, value, high))
        bar = Bar(*(round(place, 1) for place in places))
    return Entry(text, value, interval, bold, bar)


def plain(table: Table, *, command: str = "", files: Sequence[str] = ()) -> Board:
    """A table of the Markdown report as a board: what it says, and nothing else."""
    columns = tuple(
        Column(heading, "key" if place < table.numeric else "count")
        for place, heading in enumerate(table.columns)
    )
    rows = tuple(tuple(map(_entry, row)) for row in table.rows)
    label = re.sub(r"[^A-Za-z0-9-]", "-", table.label)
    title = re.split(r"[.:;](?: |$)", table.caption)[0]
    return Board(
        f"table-{label}",
        title,
        table.caption,
        columns,
        rows,
        order=-1,
        files=tuple(files),
        command=command,
    )


def _entry(cell: Cell) -> Entry:
    """A cell of text; one that opens with a number sorts by it, and shows its interval apart."""
    found = _NUMBER.match(cell.text)
    if found is None:
        return Entry(cell.text, cell.text, bold=cell.bold)
    value = float(found[0].replace(",", "").replace("\N{MINUS SIGN}", "-"))
    text, bracket, rest = cell.text.partition(" [")
    return Entry(text, value, f"[{rest}" if bracket else "", cell.bold)


def commonest(rows: Sequence[Sequence[Entry]], column: int) -> str:
    """The text that stands most often in a column, the first of several."""
    return Counter(row[column].text for row in rows).most_common(1)[0][0]


def numbered(columns: Sequence[Column], kind: str) -> Iterable[int]:
    """The numbers of the columns of a kind."""
    return (place for place, column in enumerate(columns) if column.kind == kind)
