"""How figures look, and how they become bytes: the same bytes every time.

Sizes are those of a two-column paper; no text is smaller than 7 points at that size. Colours
are those of Okabe and Ito (2008), told apart by colour-blind readers; lines differ by dashes
and markers too. matplotlib's settings are changed inside `paper_style` alone, and start there
from its defaults, so that a user's own settings change nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLUMN_INCHES = 3.35
PAGE_INCHES = 6.9
DOTS_PER_INCH = 300
SMALLEST_POINTS = 7.0

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE = "#767676", "#E8E8E8"

# Yellow is left out: a thin yellow line on white paper is not read.
_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.2, 1.2, 1.2)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "*", ">", "h")

_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is there on every machine
    "font.size": SMALLEST_POINTS,
    "axes.titlesize": SMALLEST_POINTS + 0.5,
    "axes.labelsize": SMALLEST_POINTS + 0.5,
    "xtick.labelsize": SMALLEST_POINTS,
    "ytick.labelsize": SMALLEST_POINTS,
    "legend.fontsize": SMALLEST_POINTS,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.2,
    "hatch.linewidth": 0.4,
    "pdf.fonttype": 42,
    "svg.hashsalt": "ipl-bench",
}


@contextmanager
def paper_style() -> Iterator[None]:
    """Draw and save inside this: matplotlib's defaults plus ours, put back at the end."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, laid out so that nothing overlaps."""
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def as_bytes(figure: Figure, suffix: str) -> bytes:
    """The figure as a `png` (300 dots an inch) or `pdf` file, without date or software in it."""
    nothing: dict[str, Any] = (
        {"Software": None}
        if suffix == "png"
        else {"Creator": None, "Producer": None, "CreationDate": None}
    )
    if figure.get_layout_engine() is not None:  # place things once, for all files alike
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix, dpi=DOTS_PER_INCH, metadata=nothing)
    return buffer.getvalue()


def series_style(index: int) -> dict[str, Any]:
    """Colour, dash and marker of the index-th line; 7 x 4 x 11 lines before a pair repeats."""
    return {
        "color": _COLOURS[index % len(_COLOURS)],
        "linestyle": _DASHES[index % len(_DASHES)],
        "marker": _MARKERS[index % len(_MARKERS)],
    }


def metric_label(metric: str) -> str:
    """A metric's name with its unit, as an axis says it.

    >>> metric_label("accuracy_percent")
    'accuracy (%)'
    """
    for ending, unit in (("_percent", "%"), ("_seconds", "s")):
        if metric.endswith(ending):
            return f"{metric.removesuffix(ending).replace('_', ' ')} ({unit})"
    return metric.replace("_", " ")


def short_number(value: float, digits: int = 2) -> str:
    """A number below one without its leading zero, with a true minus sign.

    >>> short_number(-0.3333)
    '−.33'
    """
    text = f"{value:.{digits}f}".replace("-0.", "-.").removeprefix("0")
    if not text.strip("-.0"):  # a rounded zero keeps one digit before the point and no sign
        text = f"{0:.{digits}f}".removeprefix("0")
    return text.replace("-", "\N{MINUS SIGN}")
