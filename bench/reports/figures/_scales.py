"""Axes of scores and of accuracies, for panels that plot one against the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator
from matplotlib.transforms import Transform

from bench.base import Floats
from bench.reports.style import GREY, axis_texts, plain_number, text_inches

_GAP_INCHES = 0.06
"""Between the texts of two ticks, at the least."""
_HEAVY = 15.0
_DECADES = 100.0
"""A score's axis is logarithmic where its range is `_HEAVY` times its interquartile range, and
its largest magnitude is `_DECADES` times its small ones."""
_FAR = 5.0
"""Panels of thousands leave out accuracies so many interquartile ranges below the middle half."""


def set_score_scale(axes: Axes, x: Floats, inches: float, *, margin: bool) -> None:
    """Choose the scale, ticks and limits of an axis of scores.

    Logarithmic where scores have a heavy tail, on both sides of zero where they are not all
    positive.

    Args:
        axes: The panel.
        x: `n` finite scores.
        inches: How wide the panel is, at the least, so that the texts of ticks do not touch.
        margin: Leave room on the left for architectures without a score.
    """
    low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 1.0)
    lower, upper = np.quantile(x, [0.25, 0.75]) if x.size else (0.0, 1.0)
    sizes = np.abs(x[x != 0])
    smallest = float(np.quantile(sizes, 0.05)) if sizes.size else 1.0
    tailed = high - low > _HEAVY * (upper - lower) > 0
    if tailed and max(abs(low), abs(high)) > _DECADES * smallest:
        if low > 0:
            axes.set_xscale("log")
        else:
            axes.set_xscale("symlog", linthresh=smallest, linscale=0.3)
        least = low if low > 0 else smallest
        ticks = _decades(low, high, least, axes.xaxis.get_transform(), inches)
        axes.set_xticks(ticks, [_decade_text(tick) for tick in ticks])
    else:
        axes.set_xticks(*_round_ticks(low, high, inches))
    axes.xaxis.set_minor_locator(NullLocator())
    forth = axes.xaxis.get_transform()
    ends = forth.transform(np.array([low, high]))
    span = (ends[1] - ends[0]) or 1.0
    left, right = ends[0] - span * (0.12 if margin else 0.04), ends[1] + span * 0.04
    axes.set_xlim(*forth.inverted().transform(np.array([left, right])))


def _round_ticks(low: float, high: float, inches: float) -> tuple[list[float], list[str]]:
    """Round numbers from `low` to `high` and their texts, as many as do not touch."""
    for most in (4, 3, 2, 1):
        found = MaxNLocator(most, steps=[1, 2, 5, 10]).tick_values(low, high)
        ticks = [float(tick) for tick in found if low <= tick <= high]
        texts = axis_texts(ticks)
        places = [(tick - low) / ((high - low) or 1.0) for tick in ticks]
        if ticks and _apart(places, texts, inches):
            return ticks, texts
    return [(low + high) / 2], [plain_number(float(f"{(low + high) / 2:.4g}"))]


def _apart(places: Sequence[float], texts: Sequence[str], inches: float) -> bool:
    """Whether texts centred at places, in parts of the axis, leave a gap between them."""
    widths = [text_inches(text) for text in texts]
    gaps = np.diff(places) * inches - (np.array(widths[1:]) + np.array(widths[:-1])) / 2
    return bool(np.all(gaps >= _GAP_INCHES))


def _decades(
    low: float, high: float, smallest: float, forth: Transform, inches: float
) -> list[float]:
    """Zero and every power of ten, or every second, ..., so that their texts do not touch."""
    first = int(np.ceil(np.log10(smallest)))
    last = int(np.floor(np.log10(max(abs(low), abs(high)))))
    ends = forth.transform(np.array([low, high]))
    for stride in range(1, last - first + 2):
        powers = [float(f"1e{power}") for power in range(last, first - 1, -stride)]
        known = [x for x in (*(-x for x in powers), 0.0, *reversed(powers)) if low <= x <= high]
        places = (forth.transform(np.array(known)) - ends[0]) / (ends[1] - ends[0])
        if _apart(list(places), [_decade_text(x) for x in known], inches):
            return known
    return known[-1:]


def _decade_text(value: float) -> str:
    return plain_number(value, 1e3)


def worth_showing(truth: Floats, sign: float) -> tuple[float, float]:
    """The ends of an axis of `n` accuracies that leaves out what is far worse than most.

    Args:
        truth: Accuracies, one or more.
        sign: 1 where larger is better, -1 where smaller is.
    """
    oriented = sign * truth
    quarter, three = np.quantile(oriented, [0.25, 0.75])
    top = float(oriented.max())
    bottom = max(float(oriented.min()), float(quarter - _FAR * (three - quarter)))
    room = 0.05 * ((top - bottom) or 1.0)
    ends = sign * (bottom - room), sign * (top + room)
    return min(ends), max(ends)


def count_left_out(axes: Axes, truth: Floats, shown: tuple[float, float]) -> None:
    """Say in a panel's lower corner how many of `n` accuracies an axis leaves out, if any."""
    left_out = int(((truth < shown[0]) | (truth > shown[1])).sum())
    if left_out:
        text = f"{left_out:,}\nbeyond"
        axes.text(0.98, 0.03, text, ha="right", color=GREY, transform=axes.transAxes)


def limit_truth(axes: Axes, truth: Floats) -> None:
    """Let the upright axis reach from a little below the lowest of `n` accuracies to above all."""
    bottom, top = float(truth.min()), float(truth.max())
    room = 0.05 * ((top - bottom) or 1.0)
    axes.set_ylim(bottom - room, top + room)
