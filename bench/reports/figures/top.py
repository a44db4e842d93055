"""What the k architectures that a proxy scores highest hold, against k.

Best of k: the best accuracy among them. Top k: how many of the truly best k are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench.base import Floats, Ints, Record
from bench.metrics._counts import Metric
from bench.metrics.top import best_of_top_k, top_overlap
from bench.reports.figures._panels import (
    add_legend,
    label_axes,
    marked,
    new_panels,
    pages,
    set_title,
    task_lines,
)
from bench.reports.sample import failures_lowest
from bench.reports.score_sets import ScoreSet
from bench.reports.style import BLACK, GREY, metric_label, plain_number, series_style


def best_curves(
    score_sets: Sequence[ScoreSet], records: Sequence[Record], lines: int = 5
) -> list[Figure]:
    """Plot the best accuracy among the k highest-scored against k: a panel a task.

    The lines are the `lines` proxies of highest mean Kendall correlation, the optimum, and what
    a uniformly drawn k are expected to hold. Ties in the score count as drawn at random.

    Returns:
        As many figures as pages are needed; none where there is no score.
    """
    return _figures(score_sets, records, lines, _best_panel, "best of k")


def overlap_curves(
    score_sets: Sequence[ScoreSet], records: Sequence[Record], lines: int = 5
) -> list[Figure]:
    """Plot the share of the truly best k among the k highest-scored against k: a panel a task.

    Lines are those of `best_curves`; a uniformly drawn k are expected to hold k / n of the best.
    Ties, in the score or the truth, count as drawn at random.

    Returns:
        As many figures as pages are needed; none where there is no score.
    """
    return _figures(score_sets, records, lines, _overlap_panel, None)


def _figures(
    score_sets: Sequence[ScoreSet],
    records: Sequence[Record],
    lines: int,
    panel: Callable[[Axes, ScoreSet, Sequence[str]], None],
    beside: str | None,
) -> list[Figure]:
    """A page for every few tasks; `beside` stands before the metric, or None for a share."""
    names = _strongest(records, lines)
    shown = [scores for scores in score_sets if scores.scores.keys() & set(names)]
    figures = []
    for part in pages(shown, len(names) + 2):
        figure, panels = new_panels(len(part))
        handles: dict[str, Artist] = {}
        for axes, scores in zip(panels, part, strict=True):
            panel(axes, scores, names)
            set_title(figure, axes, *task_lines(scores.task, f", {scores.truth}"))
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
            drawn, labels = axes.get_legend_handles_labels()
            handles |= dict(zip(map(str, labels), drawn, strict=True))
        entries = [name for name in (*names, "random", "optimum") if name in handles]
        above = add_legend(figure, [handles[name] for name in entries], entries)
        metrics = " or ".join(sorted({metric_label(scores.metric) for scores in part}))
        told = "share of the truly best k" if beside is None else f"{beside}, {metrics}"
        label_axes(figure, "k, the number of highest-scored architectures", told, above)
        figures.append(figure)
    return figures


def _lines(
    scores: ScoreSet, names: Sequence[str], metric: Metric
) -> Iterator[tuple[int, str, Ints, Floats]]:
    """A metric of the k highest-scored, for every proxy that is recorded: place, name, k, value."""
    known = np.isfinite(scores.target)
    truth = (1.0 if scores.maximise else -1.0) * scores.target[known]
    ks = _sizes(truth.size)
    for index, name in enumerate(names):
        if name not in scores.scores:
            continue
        score = failures_lowest(scores.scores[name][known])
        recorded = ~np.isnan(score)
        sizes = ks[ks <= recorded.sum()]
        values = [metric(score[recorded], truth[recorded], int(k)) for k in sizes]
        yield index, name, sizes, np.array(values)


def _draw(axes: Axes, line: tuple[int, str, Ints, Floats], lines: int, sign: float = 1.0) -> None:
    index, name, sizes, values = line
    every = marked(len(sizes), index, lines)
    axes.plot(sizes, sign * values, label=name, markevery=every, **series_style(index))


def _best_panel(axes: Axes, scores: ScoreSet, names: Sequence[str]) -> None:
    sign = 1.0 if scores.maximise else -1.0
    truth = sign * scores.target[np.isfinite(scores.target)]
    ks = _sizes(truth.size)
    chance = random_best(truth, ks)
    lowest = float(chance[0])
    for line in _lines(scores, names, best_of_top_k):
        _draw(axes, line, len(names), sign)
        if len(line[3]):
            lowest = min(lowest, float(line[3][min(3, len(line[3]) - 1)]))
    axes.plot(ks, sign * chance, color=GREY, linestyle=":", label="random")
    optimum = float(truth.max())
    axes.axhline(sign * optimum, color=BLACK, linewidth=0.7, label="optimum")
    room = 0.06 * ((optimum - lowest) or 1.0)
    axes.set_ylim(*sorted((sign * (lowest - room), sign * (optimum + room))))


def _overlap_panel(axes: Axes, scores: ScoreSet, names: Sequence[str]) -> None:
    for line in _lines(scores, names, top_overlap):
        _draw(axes, line, len(names))
    ks = _sizes(int(np.isfinite(scores.target).sum()))
    axes.plot(ks, ks / ks[-1], color=GREY, linestyle=":", label="random")
    axes.set_ylim(-0.02, 1.02)


def random_best(truth: Floats, sizes: Sequence[int] | Ints) -> Floats:
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


def _sizes(n: int) -> Ints:
    """Forty numbers at the most from 1 to `n`, evenly apart on a logarithmic axis."""
    return np.unique(np.round(np.geomspace(1, n, 40)).astype(np.int64))


def _strongest(records: Sequence[Record], most: int) -> list[str]:
    values: dict[str, list[float]] = {}
    for record in records:
        if record["kendall"] is not None:
            values.setdefault(record["proxy"], []).append(record["kendall"])
    return sorted(values, key=lambda name: (-float(np.mean(values[name])), name))[:most]
