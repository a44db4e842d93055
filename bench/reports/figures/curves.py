"""Search curves (regret against queries or seconds) and top-k curves (best of k against k)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench.base import Floats, Record
from bench.metrics.top import best_of_top_k
from bench.reports.load import ScoreSet
from bench.reports.sample import failures_lowest
from bench.reports.searches import Curve
from bench.reports.style import (
    BLACK,
    COLUMN_INCHES,
    GREY,
    PAGE_INCHES,
    metric_label,
    new_figure,
    series_style,
)

_T = TypeVar("_T")

_ACROSS = 3
_PANELS_A_PAGE = 12
_SMALLEST_REGRET = 0.1
"""Below this, the regret axis is linear, so that a regret of zero has a place."""
_UNITS = {"queries": "queries", "seconds": "simulated seconds (s)"}


def search_curves(curves: Sequence[Curve], metric: str = "accuracy_percent") -> list[Figure]:
    """Plot mean regret so far with its 95 % band: a panel a task, a line a searcher.

    Args:
        curves: As from `bench.reports.searches.curves`, of one unit.
        metric: The name of the tasks' metric.

    Returns:
        As many figures as pages are needed; none where there is no curve.
    """
    names = sorted({curve.searcher for curve in curves})
    tasks = sorted({curve.task for curve in curves})
    return [_search_page(curves, part, names, metric) for part in _pages(tasks)]


def _search_page(
    curves: Sequence[Curve], tasks: Sequence[str], names: Sequence[str], metric: str
) -> Figure:
    figure, panels = _panels(len(tasks), len(names))
    for axes, task in zip(panels, tasks, strict=True):
        here = [curve for curve in curves if curve.task == task]
        for curve in here:
            style = series_style(names.index(curve.searcher))
            axes.fill_between(
                curve.at, curve.low, curve.high, color=style["color"], alpha=0.15, linewidth=0
            )
            every = _marked(len(curve.at), names.index(curve.searcher), len(names))
            axes.plot(curve.at, curve.mean, label=curve.searcher, markevery=every, **style)
        seeds = sorted({curve.seeds for curve in here})
        count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        axes.set_title(_two_lines(f"{task} ({count} seeds)"), loc="left")
        axes.set_yscale("symlog", linthresh=_SMALLEST_REGRET, linscale=0.5)
        top = max(float(curve.high.max()) for curve in here)
        axes.set_ylim(0, top * 1.15 or 1.0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.margins(x=0.02)
    _common_labels(
        figure, panels, names, _UNITS[curves[0].unit], f"validation regret, {metric_label(metric)}"
    )
    return figure


def _pages(panels: Sequence[_T]) -> list[Sequence[_T]]:
    return [panels[i : i + _PANELS_A_PAGE] for i in range(0, len(panels), _PANELS_A_PAGE)]


def top_curves(
    score_sets: Sequence[ScoreSet], records: Sequence[Record], lines: int = 5
) -> list[Figure]:
    """Plot the best accuracy among the k highest-scored against k: a panel a task.

    The lines are the `lines` proxies of highest mean Kendall correlation, the optimum, and what
    a uniformly drawn k are expected to hold. Ties in the score count as drawn at random.

    Returns:
        As many figures as pages are needed; none where there is no score.
    """
    names = _strongest(records, lines)
    shown = [scores for scores in score_sets if scores.scores.keys() & set(names)]
    return [_top_page(part, names) for part in _pages(shown)]


def _top_page(shown: Sequence[ScoreSet], names: Sequence[str]) -> Figure:
    figure, panels = _panels(len(shown), len(names) + 2)
    for axes, scores in zip(panels, shown, strict=True):
        _top_panel(axes, scores, names)
    metrics = sorted({metric_label(scores.metric) for scores in shown})
    _common_labels(
        figure,
        panels,
        [*names, "random", "optimum"],
        "k, the number of highest-scored architectures",
        f"best of k, {' or '.join(metrics)}",
    )
    return figure


def _top_panel(axes: Axes, scores: ScoreSet, names: Sequence[str]) -> None:
    sign = 1.0 if scores.maximise else -1.0
    known = np.isfinite(scores.target)
    truth = sign * scores.target[known]
    ks = _sizes(truth.size)
    chance = random_best(truth, ks)
    lowest = float(chance[0])
    for index, name in enumerate(names):
        if name not in scores.scores:
            continue
        score = failures_lowest(scores.scores[name][known])
        recorded = ~np.isnan(score)
        sizes = ks[ks <= recorded.sum()]
        best = np.array([best_of_top_k(score[recorded], truth[recorded], int(k)) for k in sizes])
        every = _marked(len(sizes), index, len(names))
        axes.plot(sizes, sign * best, label=name, markevery=every, **series_style(index))
        lowest = min(lowest, float(best[min(3, len(best) - 1)]))
    axes.plot(ks, sign * chance, color=GREY, linestyle=":", label="random")
    optimum = float(truth.max())
    axes.axhline(sign * optimum, color=BLACK, linewidth=0.7, label="optimum")
    axes.set_xscale("log")
    axes.set_title(_two_lines(f"{scores.task}, {scores.truth}"), loc="left")
    room = 0.06 * ((optimum - lowest) or 1.0)
    axes.set_ylim(*sorted((sign * (lowest - room), sign * (optimum + room))))


def random_best(truth: Floats, sizes: Sequence[int] | Floats) -> Floats:
    """The expected maximum of k of the `n` values, drawn without replacement, for every k.

    With values sorted, the i-th smallest (from 1) is the maximum of k with probability
    C(i - 1, k - 1) / C(n, k).
    """
    ordered = np.sort(truth)
    n = ordered.size
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])  # log of i!
    expected = []
    for k in np.asarray(sizes, dtype=np.int64):
        i = np.arange(k, n + 1)
        chance = np.exp(logs[i - 1] - logs[k - 1] - logs[i - k] - (logs[n] - logs[k] - logs[n - k]))
        expected.append(float(chance @ ordered[k - 1 :] / chance.sum()))
    return np.array(expected)


def _sizes(n: int) -> Floats:
    return np.unique(np.round(np.geomspace(1, n, 40)).astype(np.int64)).astype(np.float64)


def _strongest(records: Sequence[Record], most: int) -> list[str]:
    values: dict[str, list[float]] = {}
    for record in records:
        if record["kendall"] is not None:
            values.setdefault(record["proxy"], []).append(record["kendall"])
    return sorted(values, key=lambda name: (-float(np.mean(values[name])), name))[:most]


def _two_lines(title: str) -> str:
    """A panel is too narrow for the name of a task in one line."""
    return title.replace("/", "/\n", 1)


def _marked(points: int, index: int, lines: int) -> tuple[int, int]:
    """Where to put markers: about five a line, shifted so that lines do not hide each other."""
    step = max(points // 5, 1)
    return (index * step // max(lines, 1), step)


def _panels(count: int, entries: int) -> tuple[Figure, list[Axes]]:
    across = min(count, _ACROSS)
    rows = -(-count // across)
    width = COLUMN_INCHES if across == 1 else PAGE_INCHES
    legend_rows = -(-entries // (2 if across == 1 else 4))
    figure = new_figure(width, 0.4 + 1.8 * rows + 0.14 * legend_rows)
    grid = figure.subplots(rows, across, squeeze=False)
    for axes in grid.flat[count:]:
        axes.remove()
    return figure, list(grid.flat[:count])


def _common_labels(
    figure: Figure, panels: Sequence[Axes], names: Sequence[str], below: str, beside: str
) -> None:
    figure.supxlabel(below, fontsize=7.5)
    figure.supylabel(beside, fontsize=7.5)
    handles: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(str(label), handle)
    shown = [name for name in names if name in handles]
    across = 2 if len(panels) == 1 else 4
    lines = [handles[name] for name in shown]
    figure.legend(lines, shown, loc="outside upper center", ncols=across)
