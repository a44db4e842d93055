"""What commands print: rows as JSON lines or as a table on stdout, all else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from bench.api.say import tell
from bench.base import Record

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from bench.runs.row import Run


class Printer:
    """Print records: each as a line of JSON at once, or all as one table at the end.

    `only` names the columns that the table shows; JSON always has them all.
    """

    def __init__(self, json: bool, title: str, only: Sequence[str] = ()) -> None:
        self._json = json
        self._title = title
        self._only = only
        self._rows: list[Record] = []
        self._out = sys.stdout

    def __enter__(self) -> Self:
        # What a user's proxy or searcher prints is no row.
        self._out, sys.stdout = sys.stdout, sys.stderr
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        sys.stdout = self._out
        if not self._json and (self._rows or kind is None):
            self._table()

    def add(self, row: Record) -> None:
        """Print or keep one record."""
        if self._json:
            from bench.runs.row import line

            self._out.write(line(row))
        else:
            self._rows.append(row)

    def _table(self) -> None:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        present = dict.fromkeys(key for row in self._rows for key in row)
        columns = [key for key in self._only or present if key in present]
        # Not a terminal: so wide that `| grep` finds whole lines.
        console = Console(file=self._out, width=None if self._out.isatty() else 200)
        shown = self._fitting(columns, console.width)
        table = Table(title=f"{self._title} ({len(self._rows)})", title_justify="left")
        for column in shown:
            numbers = all(not isinstance(row.get(column), str) for row in self._rows)
            justify: Any = "right" if numbers else "left"
            table.add_column(Text(column), justify=justify, overflow="fold")
        for row in self._rows:
            # As text: what looks like markup in a name or an error is none.
            table.add_row(*(Text(_cell(row.get(column))) for column in shown))
        console.print(table)
        if len(shown) < len(columns):
            tell(f"not shown for want of room: {', '.join(columns[len(shown) :])}; see --json")

    def _fitting(self, columns: Sequence[str], room: int) -> list[str]:
        """The first columns that fit side by side; the last of these may fold."""
        fitting: list[str] = []
        for column in columns:
            widths = [len(column), *(len(_cell(row.get(column))) for row in self._rows)]
            room -= min(max(widths), 40) + 3
            if room < 0 and fitting:
                break
            fitting.append(column)
        return fitting


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) >= 0.001 or value == 0 else f"{value:.3g}"
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


@contextmanager
def rated_bar(name: str, total: int, done: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr, where that is a terminal, with rate and time left; call it for each row."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    with bars:
        task = bars.add_task(name, total=total, completed=done)
        yield lambda: bars.advance(task)
