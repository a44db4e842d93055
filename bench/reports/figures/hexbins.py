"""Scores of thousands of architectures against accuracy: hexagons, and ranks at the margins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from bench.base import Floats, Record
from bench.reports.figures._scales import count_left_out, set_score_scale, worth_showing
from bench.reports.figures.scatter import mark_failures, shown_scores, strongest
from bench.reports.score_sets import ScoreSet
from bench.reports.style import (
    BLUE,
    COLUMN_INCHES,
    GREY,
    PAGE_INCHES,
    PALE,
    TITLE_POINTS,
    fitted,
    metric_label,
    new_figure,
    plain_number,
    short_number,
    text_inches,
)

HEXBINS_FROM = 1500
"""From so many architectures on, points would hide one another."""
_PANELS = 3
_ACROSS = 28
"""Hexagons from the least score to the largest."""
_PANEL_INCHES = 1.2
"""How wide the hexagons' part of a panel is, at the least."""
_TITLE_INCHES = 1.6
_HEIGHT_INCHES = 2.6
_BEST = 0.1
"""Dashed lines part the best tenth, by score and by accuracy, from the rest."""


def hexbins(scores: ScoreSet, records: Sequence[Record]) -> Figure | None:
    """Plot accuracy against the scores of the proxies of highest Kendall correlation.

    A hexagon's shade says how many architectures lie in it. At the margins stands the share of
    architectures below: the rank of a score (above), and of an accuracy (to the right).

    Args:
        scores: The scores of one task.
        records: As from `correlate` for this task; they name the strongest proxies.

    Returns:
        The figure, or None where no proxy has a defined correlation.
    """
    ranked = strongest(scores.task, records, _PANELS)
    if not ranked:
        return None
    figure = new_figure(PAGE_INCHES if len(ranked) > 1 else COLUMN_INCHES, _HEIGHT_INCHES)
    grid = figure.subplots(
        2,
        2 * len(ranked),
        squeeze=False,
        width_ratios=[4.0, 1.0] * len(ranked),
        height_ratios=[1.0, 4.0],
    )
    meshes = []
    for place, record in enumerate(ranked):
        above, corner = grid[0, 2 * place : 2 * place + 2]
        joint, beside = grid[1, 2 * place : 2 * place + 2]
        corner.set_axis_off()
        score, truth = shown_scores(scores, record)
        sign = 1.0 if scores.maximise else -1.0
        mesh, places = _joint(joint, score, truth, sign)
        meshes.append(mesh)
        _ranks_above(above, joint, score, places)
        _ranks_beside(beside, joint, truth)
        count_left_out(corner, truth, joint.get_ylim())
        above.set_title(_title(record), loc="left")
    _count_scale(figure, meshes, list(grid[1]))
    figure.supylabel(f"{scores.truth} {metric_label(scores.metric)}", fontsize=TITLE_POINTS)
    below = fitted(f"score on {scores.task}", figure.get_figwidth() - 0.5, TITLE_POINTS)
    figure.supxlabel(below, fontsize=TITLE_POINTS)
    return figure


def _title(record: Record) -> str:
    tau = f", τ = {short_number(record['kendall'])}"
    title = fitted(record["proxy"], _TITLE_INCHES - text_inches(tau, TITLE_POINTS), TITLE_POINTS)
    failed = f"; {record['n_failed']:,} failed (×)" if record["n_failed"] else ""
    return f"{title}{tau}\nn = {record['n']:,}{failed}"


def _joint(axes: Axes, score: Floats, truth: Floats, sign: float) -> tuple[PolyCollection, Floats]:
    """Draw the hexagons of one proxy, on an axis that is even in what its scale makes of scores.

    Returns:
        The hexagons, and where the scores that did not fail stand on the axis.
    """
    drawn, lost = np.isfinite(score), np.isneginf(score)
    set_score_scale(axes, score[drawn], _PANEL_INCHES, margin=bool(lost.any()))
    forth = axes.xaxis.get_transform()
    ticks, ends = (forth.transform(np.asarray(x)) for x in (axes.get_xticks(), axes.get_xlim()))
    texts = [label.get_text() for label in axes.get_xticklabels()]
    places, heights = forth.transform(score[drawn]), truth[drawn]
    axes.set_xscale("linear")
    bottom, top = worth_showing(truth, sign)
    extent = (*_spread(places), bottom, top)
    shown = (heights >= bottom) & (heights <= top)
    mesh = axes.hexbin(
        places[shown],
        heights[shown],
        gridsize=(_ACROSS, _ACROSS // 2),
        extent=extent,
        mincnt=1,
        cmap="cividis_r",
        linewidths=0.1,
    )
    mark_failures(axes, truth[lost & (truth >= bottom) & (truth <= top)])
    axes.set_xlim(*ends)
    axes.set_xticks(ticks, texts)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom, top)
    heights_shown = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(bottom, top)
    axes.set_yticks([tick for tick in heights_shown if bottom <= tick <= top])
    best = np.where(lost, -np.inf, score)
    bound = float(np.quantile(best, 1 - _BEST, method="higher"))
    if np.isfinite(bound):
        axes.axvline(forth.transform(np.array([bound]))[0], **_dashed())
    axes.axhline(sign * float(np.quantile(sign * truth, 1 - _BEST)), **_dashed())
    return mesh, places


def _dashed() -> dict[str, Any]:
    return {"color": GREY, "linewidth": 0.6, "linestyle": (0, (3, 2))}


def _spread(values: Floats) -> tuple[float, float]:
    """The ends of values; a little room where all are equal."""
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    if not low < high:
        middle = low if np.isfinite(low) else 0.0
        return middle - 0.5, middle + 0.5
    return low, high


def _ranks_above(axes: Axes, joint: Axes, score: Floats, places: Floats) -> None:
    """The rank of every score: failures are the lowest, and the line begins above them."""
    failed = score.size - places.size
    shares = np.arange(failed + 1, score.size + 1) / max(score.size, 1)
    axes.fill_between(np.sort(places), shares, step="post", color=PALE, linewidth=0)
    axes.step(np.sort(places), shares, where="post", color=BLUE, linewidth=0.8)
    axes.set_xlim(*joint.get_xlim())
    axes.set_xticks(joint.get_xticks(), [])
    axes.set_ylim(0, 1)
    axes.set_yticks([0.0, 1.0], ["0", "1"])
    axes.set_ylabel("rank", labelpad=3)


def _ranks_beside(axes: Axes, joint: Axes, truth: Floats) -> None:
    ordered = np.sort(truth)
    shares = np.arange(1, ordered.size + 1) / max(ordered.size, 1)
    axes.fill_betweenx(ordered, shares, step="post", color=PALE, linewidth=0)
    axes.step(shares, ordered, where="pre", color=BLUE, linewidth=0.8)
    axes.set_ylim(*joint.get_ylim())
    axes.set_yticks(joint.get_yticks(), [])
    axes.set_ylim(*joint.get_ylim())
    axes.set_xlim(0, 1)
    axes.set_xticks([0.0, 1.0], ["0", "1"])
    axes.set_xlabel("rank", labelpad=1)


def _count_scale(figure: Figure, meshes: Sequence[PolyCollection], panels: Sequence[Axes]) -> None:
    """Give all panels one scale of how many architectures lie in a hexagon, and show it."""
    norm = LogNorm(1, max(2.0, *(float(mesh.get_clim()[1] or 1.0) for mesh in meshes)))
    for mesh in meshes:
        mesh.set_norm(norm)
    bar = figure.colorbar(meshes[0], ax=list(panels), location="right", aspect=25, pad=0.01)
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
    bar.set_label("architectures in a hexagon")
