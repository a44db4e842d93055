"""How figures look, and how they become bytes: the same bytes every time.

Sizes are those of a two-column paper; no text is smaller than 7 points at that size. Colours
are those of Okabe and Ito (2008), told apart by colour-blind readers; lines differ by dashes
and markers too. matplotlib's settings are changed inside `paper_style` alone, and start there
from its defaults, so that a user's own settings change nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

COLUMN_INCHES = 3.35
PAGE_INCHES = 6.9
DOTS_PER_INCH = 300
SMALLEST_POINTS = 7.0
TITLE_POINTS = 7.5

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE = "#767676", "#E8E8E8"

# Yellow is left out: a thin yellow line on white paper is not read.
_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.2, 1.2, 1.2)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "*", ">", "h")
_FONT = "DejaVu Sans"  # comes with matplotlib, so it is there on every machine
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

_SETTINGS: dict[Any, Any] = {
    "font.family": _FONT,
    "font.size": SMALLEST_POINTS,
    "axes.titlesize": TITLE_POINTS,
    "axes.labelsize": TITLE_POINTS,
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


def paired_style(index: int, *, dashed: bool) -> dict[str, Any]:
    """As `series_style`, but colour and marker alone tell lines apart: 7 x 11 before they repeat.

    So that the dash can say something else.
    """
    return series_style(index) | {"linestyle": _DASHES[1] if dashed else _DASHES[0]}


@cache
def text_inches(text: str, points: float = SMALLEST_POINTS) -> float:
    """How wide a line of text is drawn."""
    if not text:
        return 0.0
    font = FontProperties(family=_FONT, size=points)
    return float(TextPath((0, 0), text, prop=font).get_extents().width) / 72


def shortened(text: str, most: int) -> str:
    """At most that many characters (five or more), without those in the middle.

    >>> shortened("my.py:Climber,patience=5", 12)
    'my.py…ence=5'
    """
    most = max(most, 5)
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - (most - 1 - head) :]}"


def fitted(text: str, inches: float, points: float = SMALLEST_POINTS) -> str:
    """The text, its middle left out as far as it takes to be no wider than that."""
    width = text_inches(text, points)
    if width <= inches:
        return text
    most = round(len(text) * inches / width) + 2
    while most > 5 and text_inches(shortened(text, most), points) > inches:
        most -= 1
    return shortened(text, most)


def metric_label(metric: str) -> str:
    """A metric's name with its unit, as an axis says it.

    >>> metric_label("accuracy_percent")
    'accuracy (%)'
    """
    for ending, unit in (("_percent", "%"), ("_seconds", "s")):
        if metric.endswith(ending):
            return f"{metric.removesuffix(ending).replace('_', ' ')} ({unit})"
    return metric.replace("_", " ")


def regret_label(metric: str | None) -> str:
    """What a regret in a metric is, with its unit; None for tasks of several metrics.

    >>> regret_label("accuracy_percent")
    'validation regret, accuracy (percentage points)'
    """
    if metric is None:
        return "validation regret, metric of the task"
    if metric.endswith("_percent"):
        name = metric.removesuffix("_percent").replace("_", " ")
        return f"validation regret, {name} (percentage points)"
    return f"validation regret, {metric_label(metric)}"


def plain_number(value: float, full: float = 1e5) -> str:
    """A number as an axis shows it: in full below `full` and above 10 / `full`, else by powers.

    No digit is smaller than the text around it, as it would be in mathematical typesetting.

    >>> [plain_number(x) for x in (0.05, 1000.0, -1e5, 2e-7)]
    ['0.05', '1,000', '−10⁵', '2×10⁻⁷']
    """
    if value == 0 or 10 / full <= abs(value) < full:
        return f"{value:,.10g}".replace("-", "\N{MINUS SIGN}") if value else "0"
    return _scientific(value, 9)


def axis_texts(ticks: Sequence[float]) -> list[str]:
    """The texts of evenly spaced round ticks, with as many digits as tell them apart.

    >>> axis_texts([0.0, 50000.0, 100000.0]), axis_texts([-32.02, -32.01, -32.0])
    (['0', '5×10⁴', '10⁵'], ['−32.02', '−32.01', '−32.00'])
    """
    largest = max(map(abs, ticks), default=0.0)
    step = min(map(abs, np.diff(ticks)), default=largest)
    if not largest or not step:
        return [plain_number(tick) for tick in ticks]
    finest = int(np.floor(np.log10(step) + 1e-9))
    if 1e-3 <= largest < 1e5:
        digits = max(-finest, 0)
        return [f"{tick:,.{digits}f}".replace("-", "\N{MINUS SIGN}") for tick in ticks]
    small = step / 1e6
    texts = []
    for tick in ticks:
        digits = 0 if abs(tick) < small else max(int(np.floor(np.log10(abs(tick)))) - finest, 0)
        texts.append("0" if abs(tick) < small else _scientific(tick, digits))
    return texts


def _scientific(value: float, digits: int) -> str:
    mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    power = f"10{str(int(exponent)).translate(_SUPERSCRIPT)}"
    lead = {"1": "", "-1": "-"}.get(mantissa, f"{mantissa}×")
    return f"{lead}{power}".replace("-", "\N{MINUS SIGN}")


def short_number(value: float, digits: int = 2) -> str:
    """A number below one without its leading zero, with a true minus sign.

    >>> short_number(-0.3333)
    '−.33'
    """
    text = f"{value:.{digits}f}".replace("-0.", "-.").removeprefix("0")
    if not text.strip("-.0"):  # a rounded zero keeps one digit before the point and no sign
        text = f"{0:.{digits}f}".removeprefix("0")
    return text.replace("-", "\N{MINUS SIGN}")
