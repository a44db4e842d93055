"""What commands print: rows as JSON lines or as a table on stdout, all else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from bench.base import Record

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from bench.runs.row import Run


def tell(sentence: str) -> None:
    """Say something to the user, on stderr."""
    sys.stderr.write(f"{sentence}\n")


class Printer:
    """Print records: each as a line of JSON at once, or all as one table at the end.

    `only` names the columns that the table shows; JSON always has them all.
    """

    def __init__(self, json: bool, title: str, only: Sequence[str] = ()) -> None:
        self._json = json
        self._title = title
        self._only = only
        self._rows: list[Record] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and not self._json:
            self._table()

    def add(self, row: Record) -> None:
        """Print or keep one record."""
        if self._json:
            from bench.runs.row import line

            sys.stdout.write(line(row))
        else:
            self._rows.append(row)

    def _table(self) -> None:
        from rich.console import Console
        from rich.table import Table

        present = dict.fromkeys(key for row in self._rows for key in row)
        columns = [key for key in self._only or present if key in present]
        table = Table(title=f"{self._title} ({len(self._rows)})", title_justify="left")
        for column in columns:
            numbers = all(not isinstance(row.get(column), str) for row in self._rows)
            table.add_column(column, justify="right" if numbers else "left", overflow="fold")
        for row in self._rows:
            table.add_row(*(_cell(row.get(column)) for column in columns))
        # Not a terminal: as wide as the rows are, so that `| grep` finds whole lines.
        console = Console(width=None if sys.stdout.isatty() else 200)
        console.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}={each}" for key, each in value.items())
    return str(value)


class Progress:
    """Progress bars on stderr, drawn only where stderr is a terminal."""

    def __init__(self) -> None:
        self._bars: Bars | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def bar(self, name: str, total: int) -> Callable[[Run], None]:
        """Start a bar of `total` runs; what comes back moves it by one."""
        bars = self._shown()
        task = bars.add_task(name, total=total)

        def advance(run: Run) -> None:
            bars.update(task, advance=1, description=f"{name}: {run.key}")

        return advance

    def download(self, name: str) -> Download:
        """A bar of bytes, as the downloader moves it; it appears when a download begins."""
        return Download(self._shown, name)

    def _shown(self) -> Bars:
        if self._bars is None:
            from rich.console import Console
            from rich.progress import Progress as Bars

            self._bars = Bars(console=Console(stderr=True), disable=not sys.stderr.isatty())
            self._bars.start()
        return self._bars


class Download:
    """One file's bar, with the four things that pooch asks of one."""

    def __init__(self, shown: Callable[[], Bars], name: str) -> None:
        self._shown = shown
        self._name = name
        self._task: TaskID | None = None
        self.total = 0
        """Bytes of the whole file; the downloader sets it."""

    def update(self, count: int) -> None:
        """Move on by `count` bytes."""
        bars = self._shown()
        if self._task is None:
            self._task = bars.add_task(self._name, total=self.total)
        bars.update(self._task, advance=count)

    def reset(self) -> None:
        """Begin anew."""
        if self._task is not None:
            self._shown().reset(self._task)

    def close(self) -> None:
        """The download ended; the bar stays as it is."""
