"""What figures of several panels share: pages, panels, common labels, and a legend that fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.reports.style import (
    COLUMN_INCHES,
    PAGE_INCHES,
    TITLE_POINTS,
    fitted,
    new_figure,
    shortened,
    text_inches,
)

_T = TypeVar("_T")

_ACROSS = 3
_PANELS_A_PAGE = 12
_HEIGHT_INCHES = 1.62
_LINE_INCHES = 0.125
_LEGEND_ROWS = (12, 22)
"""The most a legend has, first tried and then."""
_LEGEND_COLUMNS = 5
_LONG_LEGEND = 12
_SHORTEST_LABEL = 16
_AXIS_INCHES = 0.55
"""Of a panel's width, what the labels of its vertical axis take."""


def pages(panels: Sequence[_T], entries: int) -> list[Sequence[_T]]:
    """Panels by page; a long legend takes the place of a row of them."""
    size = _PANELS_A_PAGE - (_ACROSS if entries > _LONG_LEGEND else 0)
    return [panels[i : i + size] for i in range(0, len(panels), size)]


def new_panels(count: int, title_lines: int = 2) -> tuple[Figure, list[Axes]]:
    """A figure a page wide of so many panels in rows of three, or a column wide of one."""
    across = min(count, _ACROSS)
    rows = -(-count // across)
    width = COLUMN_INCHES if across == 1 else PAGE_INCHES
    figure = new_figure(width, 0.3 + rows * (_HEIGHT_INCHES + title_lines * _LINE_INCHES))
    grid = figure.subplots(rows, across, squeeze=False)
    for axes in grid.flat[count:]:
        axes.remove()
    return figure, list(grid.flat[:count])


def set_title(figure: Figure, axes: Axes, *lines: str) -> None:
    """Title a panel from its left, each line cut to the room a panel has."""
    single = figure.get_figwidth() == COLUMN_INCHES
    # A single panel has the common label of its vertical axis, of two lines, beside it.
    room = COLUMN_INCHES - 0.75 if single else PAGE_INCHES / _ACROSS - _AXIS_INCHES
    axes.set_title("\n".join(fitted(line, room, TITLE_POINTS) for line in lines), loc="left")


def task_lines(task: str, rest: str) -> tuple[str, ...]:
    """A task in two lines, as a panel is too narrow for one; the second ends in `rest`."""
    table, slash, dataset = task.partition("/")
    return (f"{table}/", f"{dataset}{rest}") if slash else (f"{task}{rest}",)


def label_axes(figure: Figure, below: str, beside: str, legend_inches: float) -> None:
    """Say once what all panels show on their axes, beside them in two lines where it is long."""
    height = figure.get_figheight()
    if text_inches(beside, TITLE_POINTS) > height - legend_inches - _AXIS_INCHES:
        beside = beside.replace(", ", ",\n", 1)
    figure.supxlabel(below, fontsize=TITLE_POINTS)
    middle = (height - legend_inches) / 2 / height  # of the panels, not of the legend above too
    figure.supylabel(beside, y=middle, fontsize=TITLE_POINTS)


def add_legend(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> float:
    """Put a legend above the panels, and make the figure higher by it; return its inches.

    It has as many columns as the figure is wide enough for. Where that makes too many rows, or
    one column is too wide, labels lose their middle.
    """
    inches = 0.0
    # The last choice always fits: one column of labels of `_SHORTEST_LABEL` characters.
    for most, columns in _choices(labels):
        texts = distinct(labels, most)
        legend = figure.legend(handles, texts, loc="outside upper center", ncols=columns)
        box = legend.get_window_extent()
        if box.width <= figure.bbox.width:
            inches = box.height / figure.dpi
            break
        legend.remove()
    figure.set_figheight(figure.get_figheight() + inches)
    return inches


def _choices(labels: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Most characters a label and columns, the best first; columns of about equal length."""
    count, longest = len(labels), max(map(len, labels))
    across = range(min(count, _LEGEND_COLUMNS), 0, -1)
    columns = list(dict.fromkeys(-(-count // -(-count // each)) for each in across))
    shortest = min(longest, _SHORTEST_LABEL)
    for rows in _LEGEND_ROWS:
        for most in (*range(longest, shortest, -8), shortest):
            if len({shortened(label, most) for label in labels}) == len(set(labels)):
                yield from ((most, each) for each in columns if -(-count // each) <= rows)
    yield from ((shortest, each) for each in columns)


def distinct(labels: Sequence[str], most: int) -> list[str]:
    """Different labels of at most so many characters, and a number where the ends are the same.

    >>> distinct(["a-long-name,x=1,end", "a-long-name,x=2,end", "short"], 12)
    ['a-lon…=1,end', 'a-lon…=2,end', 'short']
    >>> distinct(["long=1,the-same", "long=2,the-same"], 9)
    ['long…same', 'long…same (2)']
    """
    seen: Counter[str] = Counter()
    texts = []
    for label in labels:
        text = shortened(label, most)
        seen[text] += 1
        texts.append(text if seen[text] == 1 else f"{text} ({seen[text]})")
    return texts


def marked(points: int, index: int, lines: int) -> tuple[int, int]:
    """Where to put markers: about five a line, shifted so that lines do not hide each other."""
    step = max(points // 5, 1)
    return (index * step // max(lines, 1), step)
