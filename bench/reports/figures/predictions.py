"""Predicted against recorded scores: the rank correlation of both with accuracy, as dots."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.base import Record
from bench.reports.figures._panels import add_legend, task_lines
from bench.reports.style import (
    BLACK,
    GREY,
    PAGE_INCHES,
    TITLE_POINTS,
    fitted,
    new_figure,
    series_style,
)

_ACROSS = 3
"""Tasks beside each other."""
_MOST_SERIES = 6
"""Predictors in one figure; more could not be told apart."""
_LINE_INCHES = 0.16
_SERIES_INCHES = 0.06
_NAMES_INCHES = 1.1
"""What the names of scores take beside the first panel."""
_RECORDED = "recorded score"


def prediction_figures(records: Sequence[Record]) -> list[Figure]:
    """Draw the rank correlations with accuracy of predicted and recorded scores, a panel a task.

    Validation accuracy, or test where a task has no other, on architectures that predictors did
    not read. Scores are ordered by their recorded correlation, the highest on top; those that are
    not recorded stand below.

    Args:
        records: As from `bench.reports.predictions.measure_predictions`.

    Returns:
        As many figures as pages are needed; none where no correlation is defined.
    """
    shown = [
        {**record, "split": split}
        for record in records
        if record["archs"] == "unread" and (split := _split(record)) is not None
    ]
    tasks = sorted({record["task"] for record in shown})
    series = list(dict.fromkeys(_series(record) for record in shown))
    figures = []
    for first, start in product(range(0, len(tasks), _ACROSS), range(0, len(series), _MOST_SERIES)):
        here = [
            record
            for record in shown
            if record["task"] in tasks[first : first + _ACROSS]
            and _series(record) in series[start : start + _MOST_SERIES]
        ]
        if here:
            figures.append(_figure(here))
    return figures


def _split(record: Record) -> str | None:
    """The accuracy with which the correlation is shown, if it is known with any."""
    known = [name for name in ("validation", "test") if record[f"kendall_{name}"] is not None]
    return known[0] if known else None


def _series(record: Record) -> str:
    budget = record["budget"]
    return f"{record['predictor']}" if budget == "queries=0" else f"{record['predictor']}, {budget}"


def _figure(records: Sequence[Record]) -> Figure:
    """A page's figure: some tasks, and some predictors."""
    tasks = sorted({record["task"] for record in records})
    series = list(dict.fromkeys(_series(record) for record in records))
    scores = _ordered(records)
    height = 0.75 + len(scores) * (_LINE_INCHES + _SERIES_INCHES * (len(series) - 1))
    across = (PAGE_INCHES - _NAMES_INCHES) / _ACROSS
    figure = new_figure(_NAMES_INCHES + across * len(tasks), height)
    panels = list(figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0])
    handles: dict[str, Artist] = {}
    for axes, task in zip(panels, tasks, strict=True):
        here = [record for record in records if record["task"] == task]
        handles |= _draw(axes, here, scores, series)
        lines = task_lines(task, f", {here[0]['split']}")
        axes.set_title("\n".join(fitted(line, across, TITLE_POINTS) for line in lines), loc="left")
    panels[0].set_yticks(range(len(scores)), [fitted(name, _NAMES_INCHES) for name in scores])
    panels[0].set_ylim(len(scores) - 0.5, -0.5)
    figure.supxlabel("Kendall τ with accuracy", fontsize=TITLE_POINTS)
    entries = [name for name in (*series, _RECORDED) if name in handles]
    add_legend(figure, [handles[name] for name in entries], entries)
    return figure


def _ordered(records: Sequence[Record]) -> list[str]:
    """Names of scores by their highest recorded correlation, then by the highest predicted one."""
    best: dict[str, tuple[float, float]] = {}
    for record in records:
        name, split = record["score"], record["split"]
        own = record[f"recorded_kendall_{split}"]
        found = (-2.0 if own is None else own, record[f"kendall_{split}"])
        best[name] = max(best.get(name, found), found)
    return sorted(best, key=lambda name: (*(-value for value in best[name]), name))


def _draw(
    axes: Axes, records: Sequence[Record], scores: Sequence[str], series: Sequence[str]
) -> dict[str, Artist]:
    """One task's panel; what the legend calls each kind of dot."""
    handles: dict[str, Artist] = {}
    places = np.linspace(-0.3, 0.3, len(series)) if len(series) > 1 else np.zeros(1)
    for record in records:
        index, split = series.index(_series(record)), record["split"]
        row = scores.index(record["score"]) + places[index]
        value = record[f"kendall_{split}"]
        ends = [record[f"kendall_{split}_{end}"] for end in ("low", "high")]
        style = {**series_style(index), "linestyle": ""}
        if None not in ends:
            axes.hlines(row, *ends, color=style["color"], linewidth=0.9)
        (handles[series[index]],) = axes.plot(value, row, markersize=2.8, **style)
        own = record[f"recorded_kendall_{split}"]
        if own is not None:
            (handles[_RECORDED],) = axes.plot(
                own, row, "o", mfc="none", color=BLACK, markersize=4.2, markeredgewidth=0.7
            )
    axes.axvline(0, color=GREY, linewidth=0.6)
    axes.locator_params(axis="x", nbins=4)
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.5)
    axes.set_axisbelow(True)
    return handles
