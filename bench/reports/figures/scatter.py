"""Scores of few architectures against accuracy: a point each, a panel a proxy, the best first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.base import Floats, Record
from bench.reports.figures._scales import limit_truth, set_score_scale
from bench.reports.sample import failures_lowest
from bench.reports.score_sets import ScoreSet
from bench.reports.style import (
    BLUE,
    COLUMN_INCHES,
    TITLE_POINTS,
    VERMILION,
    fitted,
    metric_label,
    new_figure,
    short_number,
    text_inches,
)

_PANEL_INCHES = 1.25
"""How wide a panel is, at the least."""
_UNLIKE = 2.0
"""Panels share an axis of accuracy unless one spans so many times what another does."""


def scatter(scores: ScoreSet, records: Sequence[Record], panels: int = 4) -> Figure | None:
    """Plot accuracy against the scores of the proxies of highest Kendall correlation.

    Args:
        scores: The scores of one task.
        records: As from `correlate` for this task; they name the strongest proxies.
        panels: How many proxies to show at most.

    Returns:
        The figure, or None where no proxy has a defined correlation.
    """
    ranked = strongest(scores.task, records, panels)
    if not ranked:
        return None
    rows = -(-len(ranked) // 2)
    columns = min(2, len(ranked))
    figure = new_figure(COLUMN_INCHES, 0.75 + 1.45 * rows)
    shown = [shown_scores(scores, record) for record in ranked]
    spans = [float(np.ptp(truth)) for _, truth in shown]
    shared = max(spans) <= _UNLIKE * min(spans)
    grid = figure.subplots(rows, columns, sharey=shared, squeeze=False)
    for axes, record, (score, truth) in zip(grid.flat, ranked, shown, strict=False):
        _panel(axes, score, truth)
        limit_truth(axes, np.concatenate([t for _, t in shown]) if shared else truth)
        tau = f", τ = {short_number(record['kendall'])}"
        room = _PANEL_INCHES - text_inches(tau, TITLE_POINTS)
        title = fitted(record["proxy"], room, TITLE_POINTS) + tau
        if record["n_failed"]:
            title += f"\n{record['n_failed']:,} failed (×)"
        axes.set_title(title, loc="left")
    for axes in grid.flat[len(ranked) :]:
        axes.remove()
    figure.supylabel(f"{scores.truth} {metric_label(scores.metric)}", fontsize=TITLE_POINTS)
    below = fitted(f"score on {scores.task}", COLUMN_INCHES - 0.5, TITLE_POINTS)
    figure.supxlabel(below, fontsize=TITLE_POINTS)
    return figure


def strongest(task: str, records: Sequence[Record], most: int) -> list[Record]:
    """The records of a task's proxies of highest Kendall correlation, the best first."""
    ranked = [r for r in records if r["task"] == task and r["kendall"] is not None]
    return sorted(ranked, key=lambda record: (-record["kendall"], record["proxy"]))[:most]


def shown_scores(scores: ScoreSet, record: Record) -> tuple[Floats, Floats]:
    """Scores, -inf where failed, and accuracies of the architectures that a panel shows."""
    score = failures_lowest(scores.scores[record["proxy"]])
    here = np.isfinite(scores.target) & ~np.isnan(score)
    return score[here], scores.target[here]


def _panel(axes: Axes, score: Floats, truth: Floats) -> None:
    drawn, lost = np.isfinite(score), np.isneginf(score)
    set_score_scale(axes, score[drawn], _PANEL_INCHES, margin=bool(lost.any()))
    axes.plot(score[drawn], truth[drawn], ".", color=BLUE, markersize=2.5, alpha=0.5, mew=0)
    mark_failures(axes, truth[lost])


def mark_failures(axes: Axes, truth: Floats) -> None:
    """Cross the accuracies of architectures whose score failed, at the left margin."""
    if truth.size:
        axes.plot(
            np.full(truth.size, 0.035),
            truth,
            "x",
            color=VERMILION,
            markersize=2.5,
            mew=0.5,
            transform=axes.get_yaxis_transform(),
        )
