"""Top-k curves: the best accuracy among the k architectures that a proxy scores highest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench.base import Floats, Record
from bench.metrics.top import best_of_top_k
from bench.reports.figures._panels import (
    add_legend,
    label_axes,
    marked,
    new_panels,
    pages,
    set_title,
    task_lines,
)
from bench.reports.load import ScoreSet
from bench.reports.sample import failures_lowest
from bench.reports.style import BLACK, GREY, metric_label, plain_number, series_style


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
    return [_top_page(part, names) for part in pages(shown, len(names) + 2)]


def _top_page(shown: Sequence[ScoreSet], names: Sequence[str]) -> Figure:
    figure, panels = new_panels(len(shown))
    handles: dict[str, Artist] = {}
    for axes, scores in zip(panels, shown, strict=True):
        _top_panel(axes, scores, names)
        set_title(figure, axes, *task_lines(scores.task, f", {scores.truth}"))
        drawn, labels = axes.get_legend_handles_labels()
        handles |= dict(zip(map(str, labels), drawn, strict=True))
    metrics = sorted({metric_label(scores.metric) for scores in shown})
    entries = [name for name in (*names, "random", "optimum") if name in handles]
    above = add_legend(figure, [handles[name] for name in entries], entries)
    below = "k, the number of highest-scored architectures"
    label_axes(figure, below, f"best of k, {' or '.join(metrics)}", above)
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
        every = marked(len(sizes), index, len(names))
        axes.plot(sizes, sign * best, label=name, markevery=every, **series_style(index))
        lowest = min(lowest, float(best[min(3, len(best) - 1)]))
    axes.plot(ks, sign * chance, color=GREY, linestyle=":", label="random")
    optimum = float(truth.max())
    axes.axhline(sign * optimum, color=BLACK, linewidth=0.7, label="optimum")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
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
