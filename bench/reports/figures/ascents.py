"""A predictor's ways on its map, and what is met on them by score and by accuracy."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.base import Floats
from bench.reports.figures.embedding import shares
from bench.reports.maps import Mapped
from bench.reports.predicted import Paths
from bench.reports.style import (
    BLACK,
    PAGE_INCHES,
    TITLE_POINTS,
    fitted,
    new_figure,
    series_style,
)

_HEIGHT_INCHES = 2.6
_NAME_INCHES = 1.9
_FROM = 0.08
"""How dark the worst architecture is, of 1: seen, but behind everything."""
_TO = 0.55
_COLOURS = tuple(series_style(index)["color"] for index in range(6))
"""Of paths: those before black, which is the median's."""


def ascents(shown: Mapped, paths: Paths, climbed: Floats) -> Figure:
    """Draw `w` paths on a map of `n` architectures; beside it, how they fare place by place.

    Args:
        shown: The map, and the accuracy of its architectures.
        paths: The paths on it.
        climbed: The `n` values of the score that they climb.
    """
    figure = new_figure(PAGE_INCHES, _HEIGHT_INCHES)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.5, 1, 1))
    _cloud(left, shown.places, shares(shown.accuracy))
    for number, places in enumerate(paths.places):
        _path(left, places, _COLOURS[number % len(_COLOURS)])
    left.set_title("map", loc="left")
    left.set_xticks([])
    left.set_yticks([])
    measured = ((middle, paths.score, climbed), (right, f"{shown.split} accuracy", shown.accuracy))
    for axes, name, values in measured:
        _heights(axes, shares(values)[paths.met])
        axes.set_title(fitted(name, _NAME_INCHES, TITLE_POINTS), loc="left")
    middle.set_ylabel("share of architectures below")
    right.tick_params(labelleft=False)
    return figure


def _cloud(axes: Axes, places: Floats, share: Floats) -> None:
    """All architectures, the most accurate darkest and on top; those unknown lightest."""
    order = np.argsort(np.where(np.isnan(share), -1.0, share), kind="stable")
    darkness = _FROM + (_TO - _FROM) * np.nan_to_num(share[order])
    x, y = places[order].T
    axes.scatter(x, y, s=2, c=darkness, cmap="Greys", vmin=0, vmax=1, linewidths=0, rasterized=True)


def _path(axes: Axes, places: Floats, colour: str) -> None:
    x, y = places.T
    axes.plot(x, y, color=colour)
    axes.plot(x[:1], y[:1], "o", color=colour, markerfacecolor="white", markersize=4)
    axes.plot(x[-1:], y[-1:], "o", color=colour, markersize=4)


def _heights(axes: Axes, share: Floats) -> None:
    """The shares of `w` paths, place by place, and their median."""
    for number, each in enumerate(share):
        axes.plot(each, color=_COLOURS[number % len(_COLOURS)], linewidth=0.7)
    known = ~np.isnan(share).all(axis=0)
    axes.plot(np.flatnonzero(known), np.nanmedian(share[:, known], axis=0), color=BLACK, lw=2)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("place on the path")
