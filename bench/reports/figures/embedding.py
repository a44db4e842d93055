"""A predictor's map of a pool: where its latent puts architectures, by accuracy and by score."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.base import Floats
from bench.reports.maps import Mapped
from bench.reports.style import GREY, PAGE_INCHES, TITLE_POINTS, fitted, new_figure

_HEIGHT_INCHES = 3.1
_COLOURS = "viridis"
_NAME_INCHES = 2.6


def embedding(shown: Mapped) -> Figure:
    """Draw a map twice, coloured by the rank of accuracy, and by that of a predicted score.

    Ranks, because accuracies crowd at their top. The best are drawn last, over the others;
    architectures whose accuracy is unknown are grey.
    """
    figure = new_figure(PAGE_INCHES, _HEIGHT_INCHES)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    coloured = ((f"{shown.split} accuracy", shown.accuracy), (shown.score, shown.values))
    for axes, (name, values) in zip(panels, coloured, strict=True):
        _draw(axes, shown.places, values)
        axes.set_title(fitted(name, _NAME_INCHES, TITLE_POINTS), loc="left")
    bar = figure.colorbar(panels[1].collections[-1], ax=panels, shrink=0.8, pad=0.02)
    bar.set_label("share of architectures below")
    return figure


def _draw(axes: Axes, places: Floats, values: Floats) -> None:
    known = np.isfinite(values)
    if not known.all():
        x, y = places[~known].T
        axes.scatter(x, y, s=2, color=GREY, linewidths=0, rasterized=True)
    order = np.argsort(values[known], kind="stable")
    share = shares(values[known][order])
    x, y = places[known][order].T
    axes.scatter(x, y, s=2, c=share, cmap=_COLOURS, vmin=0, vmax=1, linewidths=0, rasterized=True)
    axes.set_xticks([])
    axes.set_yticks([])


def shares(values: Floats) -> Floats:
    """For each of `n` values, the share of the other known ones below it; NaN where unknown."""
    known = np.isfinite(values)
    found = np.full(len(values), np.nan)
    below = np.searchsorted(np.sort(values[known]), values[known], side="left")
    found[known] = below / max(int(known.sum()) - 1, 1)
    return found
