"""Scores against accuracy: one panel a proxy, the strongest first, failures at the margin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.transforms import Transform

from bench.base import Floats, Record
from bench.reports.load import ScoreSet
from bench.reports.sample import failures_lowest
from bench.reports.style import (
    BLUE,
    COLUMN_INCHES,
    VERMILION,
    metric_label,
    new_figure,
    short_number,
)

_TILES_FROM = 1500
"""From so many points on, panels show how many lie in a tile rather than points."""
_TILES = (34, 30)
_TICKS_APART = 0.24
"""Of the length of the axis, the least distance between two ticks of a logarithmic one."""
_HEAVY = 15.0
_DECADES = 100.0
"""A score's axis is logarithmic where its range is `_HEAVY` times its interquartile range, and
its largest magnitude is `_DECADES` times its small ones."""


def scatter(scores: ScoreSet, records: Sequence[Record], panels: int = 4) -> Figure | None:
    """Plot accuracy against the scores of the proxies of highest Kendall correlation.

    Args:
        scores: The scores of one task.
        records: As from `correlate` for this task; they name the strongest proxies.
        panels: How many proxies to show at most.

    Returns:
        The figure, or None where no proxy has a defined correlation.
    """
    ranked = [r for r in records if r["task"] == scores.task and r["kendall"] is not None]
    ranked = sorted(ranked, key=lambda record: (-record["kendall"], record["proxy"]))[:panels]
    if not ranked:
        return None
    rows = -(-len(ranked) // 2)
    columns = min(2, len(ranked))
    figure = new_figure(COLUMN_INCHES, 0.75 + 1.45 * rows)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    meshes = []
    for axes, record in zip(grid.flat, ranked, strict=False):
        score = failures_lowest(scores.scores[record["proxy"]])
        meshes += _panel(axes, score, scores.target)
        title = f"{record['proxy']}, τ = {short_number(record['kendall'])}"
        if record["n_failed"]:
            title += f"\n{record['n_failed']:,} failed (×)"
        axes.set_title(title, loc="left")
    for axes in grid.flat[len(ranked) :]:
        axes.remove()
    if meshes:
        _count_scale(figure, meshes, list(grid.flat[: len(ranked)]))
    figure.supylabel(f"{scores.truth} {metric_label(scores.metric)}", fontsize=7.5)
    figure.supxlabel(f"score on {scores.task}", fontsize=7.5)
    return figure


def _count_scale(figure: Figure, meshes: Sequence[QuadMesh], panels: Sequence[Axes]) -> None:
    """Give all panels one scale of how many architectures lie in a tile, and show it."""
    norm = LogNorm(1, max(mesh.get_clim()[1] or 1.0 for mesh in meshes))
    for mesh in meshes:
        mesh.set_norm(norm)
    bar = figure.colorbar(
        meshes[0], ax=list(panels), location="top", aspect=50, fraction=0.05, pad=0.02
    )
    bar.outline.set_visible(False)
    bar.set_label("architectures in a tile")


def _panel(axes: Axes, score: Floats, truth: Floats) -> list[QuadMesh]:
    """Draw one proxy's panel; return its mesh, if it has one."""
    known = np.isfinite(truth)
    drawn = known & np.isfinite(score)
    lost = known & np.isneginf(score)
    x, y = score[drawn], truth[drawn]
    edges = _set_scale(axes, x, margin=bool(lost.any()))
    meshes = []
    if x.size >= _TILES_FROM:
        rows = np.linspace(y.min(), y.max(), _TILES[1] + 1)
        tiles, _, _ = np.histogram2d(x, y, bins=(edges, rows))
        shown = np.ma.masked_equal(tiles.T, 0)
        meshes = [axes.pcolormesh(edges, rows, shown, cmap="cividis_r", rasterized=True)]
    else:
        axes.plot(x, y, ".", color=BLUE, markersize=2.5, alpha=0.5, mew=0)
    if lost.any():
        axes.plot(
            np.full(int(lost.sum()), 0.035),
            truth[lost],
            "x",
            color=VERMILION,
            markersize=2.5,
            mew=0.5,
            transform=axes.get_yaxis_transform(),
        )
    bottom, top = float(truth[known].min()), float(truth[known].max())
    room = 0.05 * ((top - bottom) or 1.0)
    axes.set_ylim(bottom - room, top + room)
    return meshes


def _set_scale(axes: Axes, x: Floats, *, margin: bool) -> Floats:
    """Choose the score axis and its limits; return the edges of tiles of equal width on it.

    Logarithmic where scores have a heavy tail, on both sides of zero where they are not all
    positive. `margin` leaves room on the left for architectures without a score.
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
            axes.set_xticks(_decades(low, high, smallest, axes.xaxis.get_transform()))
            axes.set_xticks([], minor=True)
    else:
        axes.locator_params(axis="x", nbins=4)
        axes.ticklabel_format(axis="x", scilimits=(-3, 4), useMathText=True)
    forth = axes.xaxis.get_transform()
    ends = forth.transform(np.array([low, high]))
    span = (ends[1] - ends[0]) or 1.0
    left, right = ends[0] - span * (0.12 if margin else 0.04), ends[1] + span * 0.04
    axes.set_xlim(*forth.inverted().transform(np.array([left, right])))
    edges = forth.inverted().transform(np.linspace(ends[0], ends[0] + span, _TILES[0] + 1))
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)  # rounding loses no point
    return np.asarray(edges, dtype=np.float64)


def _decades(low: float, high: float, smallest: float, forth: Transform) -> list[float]:
    """Zero and powers of ten from `low` to `high`, so far apart that their labels do not touch."""
    largest = max(abs(low), abs(high))
    powers = 10.0 ** np.arange(np.ceil(np.log10(smallest)), np.floor(np.log10(largest)) + 1)
    known = [x for x in (*-powers[::-1], 0.0, *powers) if low <= x <= high]
    ends = forth.transform(np.array([low, high]))
    ticks: list[float] = []
    last = np.inf
    for tick in reversed(known):
        place = float(forth.transform(np.array([tick]))[0])
        if last - place >= _TICKS_APART * (ends[1] - ends[0]):
            ticks.append(float(tick))
            last = place
    return ticks
