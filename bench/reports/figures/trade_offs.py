"""Accuracy against what it costs, with the Pareto front, and where proxies lead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from bench.base import Bools, Floats, Record
from bench.metrics.pareto import pareto_front
from bench.reports.figures._panels import add_legend, label_axes, new_panels, pages, set_title
from bench.reports.figures._scales import count_left_out, worth_showing
from bench.reports.figures.heatmap import heatmaps
from bench.reports.figures.scatter import strongest
from bench.reports.sample import failures_lowest
from bench.reports.score_sets import ScoreSet
from bench.reports.style import (
    BLACK,
    GREY,
    metric_label,
    plain_number,
    series_style,
)
from bench.reports.targets import (
    accuracy_name,
    cost_of,
    shown_targets,
    smaller_is_better,
)

_PROXIES = 3
_PICKS = 10
_MOST = 8
"""Targets in a heat map."""
_WIDE = 8.0
"""An axis of costs is logarithmic where its ends are so many times apart."""
_CLOUD = "#B8B8B8"


def target_heatmaps(
    each: ScoreSet, records: Sequence[Record], correlations: Sequence[Record]
) -> list[Figure]:
    """Draw proxies' correlations with accuracy beside those with targets, by what is better.

    Args:
        each: The scores of a task, with targets.
        records: As from `bench.reports.targets.score_targets`, of this task.
        correlations: As from `correlate`, of this task.

    Returns:
        A figure of costs, and one of the other targets, as far as there are any.
    """
    truth = accuracy_name(each)
    ranked = [record["proxy"] for record in strongest(each.task, correlations, len(correlations))]
    found = []
    for names in shown_targets(records).values():
        shown = names[:_MOST]
        # Failures are counted where proxies are shown with accuracy on many tasks.
        cells = [r | {"task": r["target"]} for r in records if r["target"] in shown]
        cells += [r | {"task": truth} for r in correlations if r["task"] == each.task]
        cells = [r | {"n_failed": 0} for r in cells]
        known = int(np.isfinite(each.target).sum())
        cells.append({"task": truth, "proxy": truth, "n": known, "n_failed": 0, "kendall": 1.0})
        found += heatmaps(cells, order=[truth, *ranked], columns=[truth, *shown])
    return found


def front_figures(
    each: ScoreSet, records: Sequence[Record], correlations: Sequence[Record]
) -> list[Figure]:
    """Plot accuracy against targets: the front, and the architectures that proxies score highest.

    Args:
        each: The scores of a task, with targets.
        records: As from `bench.reports.targets.score_targets`, of this task.
        correlations: As from `correlate`; they name the strongest proxies.

    Returns:
        As many figures as pages are needed; none where no target is known.
    """
    shown = [name for names in shown_targets(records).values() for name in names]
    proxies = [r["proxy"] for r in strongest(each.task, correlations, _PROXIES)]
    return [_page(each, part, proxies) for part in pages(shown, 3)]


def _page(each: ScoreSet, targets: Sequence[str], proxies: Sequence[str]) -> Figure:
    figure, panels = new_panels(len(targets), 1)
    handles: dict[str, Artist] = {}
    for axes, target in zip(panels, targets, strict=True):
        handles |= _panel(axes, each, target, proxies)
        set_title(figure, axes, target)
    above = add_legend(figure, list(handles.values()), list(handles))
    beside = f"{each.truth} {metric_label(each.metric)}"
    label_axes(figure, "target, named above each panel", beside, above)
    return figure


def _panel(axes: Axes, each: ScoreSet, target: str, proxies: Sequence[str]) -> dict[str, Artist]:
    values = each.targets[target]
    known = np.isfinite(values) & np.isfinite(each.target)
    values, truth = values[known], each.target[known]
    sign = 1.0 if each.maximise else -1.0
    dots: dict[str, Any] = {"linestyle": "none", "marker": ".", "color": _CLOUD, "mew": 0}
    axes.plot(values, truth, **dots, markersize=1.0, rasterized=True, zorder=1)
    front = np.flatnonzero(pareto_front(cost_of(target, values), sign * truth))
    front = front[np.lexsort((truth[front], values[front]))]
    where = "steps-post" if smaller_is_better(target) else "steps-pre"
    line = axes.plot(values[front], truth[front], color=BLACK, lw=1.0, drawstyle=where, zorder=3)
    handles: dict[str, Artist] = {
        "architectures": Line2D([], [], **dots, markersize=6.0),
        "Pareto front": line[0],
    }
    for index, name in enumerate(proxies):
        picks = _picks(each.scores[name][known])
        style = series_style(index) | {"linestyle": "none", "markersize": 4.0, "zorder": 4}
        style |= {"markerfacecolor": "none", "markeredgewidth": 0.9}
        handles[f"{_PICKS} highest by {name}"] = axes.plot(values[picks], truth[picks], **style)[0]
    _scale(axes, values, truth, sign)
    return handles


def _picks(score: Floats) -> Bools:
    """The highest-scored of `n`, more where several are tied for the last place."""
    ranked = np.where(np.isnan(score), -np.inf, failures_lowest(score))
    bound = np.sort(ranked)[-min(_PICKS, ranked.size)]
    picked: Bools = (ranked >= bound) & np.isfinite(ranked)
    return picked


def _scale(axes: Axes, values: Floats, truth: Floats, sign: float) -> None:
    """Show what is worth it, on axes that fit that."""
    bottom, top = worth_showing(truth, sign)
    axes.set_ylim(bottom, top)
    count_left_out(axes, truth, (bottom, top))
    axes.locator_params(axis="y", nbins=4)
    values = values[(truth >= bottom) & (truth <= top)]
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > _WIDE * low:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(low / 1.2, high * 1.2)
    else:
        room = 0.04 * ((high - low) or 1.0)
        axes.set_xlim(low - room, high + room)
    axes.grid(color=GREY, alpha=0.15, linewidth=0.5)
