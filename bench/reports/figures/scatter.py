"""Scores against accuracy: one panel a proxy, the strongest first, failures at the margin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator
from matplotlib.transforms import Transform

from bench.base import Floats, Record
from bench.reports.load import ScoreSet
from bench.reports.sample import failures_lowest
from bench.reports.style import (
    BLUE,
    COLUMN_INCHES,
    TITLE_POINTS,
    VERMILION,
    axis_texts,
    fitted,
    metric_label,
    new_figure,
    plain_number,
    short_number,
    text_inches,
)

_TILES_FROM = 1500
"""From so many points on, panels show how many lie in a tile rather than points."""
_TILES = (34, 30)
_PANEL_INCHES = 1.25
"""How wide a panel is, at the least."""
_GAP_INCHES = 0.06
"""Between the texts of two ticks, at the least."""
_UNLIKE = 2.0
"""Panels share an axis of accuracy unless one spans so many times what another does."""
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
    shown = [_shown(scores, record) for record in ranked]
    spans = [float(np.ptp(truth)) for _, truth in shown]
    shared = max(spans) <= _UNLIKE * min(spans)
    grid = figure.subplots(rows, columns, sharey=shared, squeeze=False)
    meshes = []
    for axes, record, (score, truth) in zip(grid.flat, ranked, shown, strict=False):
        meshes += _panel(axes, score, truth)
        _limit_truth(axes, np.concatenate([t for _, t in shown]) if shared else truth)
        tau = f", τ = {short_number(record['kendall'])}"
        room = _PANEL_INCHES - text_inches(tau, TITLE_POINTS)
        title = fitted(record["proxy"], room, TITLE_POINTS) + tau
        if record["n_failed"]:
            title += f"\n{record['n_failed']:,} failed (×)"
        axes.set_title(title, loc="left")
    for axes in grid.flat[len(ranked) :]:
        axes.remove()
    if meshes:
        _count_scale(figure, meshes, list(grid.flat[: len(ranked)]))
    figure.supylabel(f"{scores.truth} {metric_label(scores.metric)}", fontsize=TITLE_POINTS)
    below = fitted(f"score on {scores.task}", COLUMN_INCHES - 0.5, TITLE_POINTS)
    figure.supxlabel(below, fontsize=TITLE_POINTS)
    return figure


def _shown(scores: ScoreSet, record: Record) -> tuple[Floats, Floats]:
    """Scores, -inf where failed, and accuracies of the architectures that a panel shows."""
    score = failures_lowest(scores.scores[record["proxy"]])
    here = np.isfinite(scores.target) & ~np.isnan(score)
    return score[here], scores.target[here]


def _limit_truth(axes: Axes, truth: Floats) -> None:
    bottom, top = float(truth.min()), float(truth.max())
    room = 0.05 * ((top - bottom) or 1.0)
    axes.set_ylim(bottom - room, top + room)


def _count_scale(figure: Figure, meshes: Sequence[QuadMesh], panels: Sequence[Axes]) -> None:
    """Give all panels one scale of how many architectures lie in a tile, and show it."""
    norm = LogNorm(1, max(mesh.get_clim()[1] or 1.0 for mesh in meshes))
    for mesh in meshes:
        mesh.set_norm(norm)
    bar = figure.colorbar(
        meshes[0], ax=list(panels), location="top", aspect=50, fraction=0.05, pad=0.02
    )
    bar.outline.set_visible(False)
    bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
    bar.set_label("architectures in a tile")


def _panel(axes: Axes, score: Floats, truth: Floats) -> list[QuadMesh]:
    """Draw one proxy's panel; return its mesh, if it has one."""
    drawn, lost = np.isfinite(score), np.isneginf(score)
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
        ticks = _decades(low, high, low if low > 0 else smallest, axes.xaxis.get_transform())
        axes.set_xticks(ticks, [_decade_text(tick) for tick in ticks])
    else:
        axes.set_xticks(*_round_ticks(low, high))
    axes.xaxis.set_minor_locator(NullLocator())
    forth = axes.xaxis.get_transform()
    ends = forth.transform(np.array([low, high]))
    span = (ends[1] - ends[0]) or 1.0
    left, right = ends[0] - span * (0.12 if margin else 0.04), ends[1] + span * 0.04
    axes.set_xlim(*forth.inverted().transform(np.array([left, right])))
    edges = forth.inverted().transform(np.linspace(ends[0], ends[0] + span, _TILES[0] + 1))
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)  # rounding loses no point
    return np.asarray(edges, dtype=np.float64)


def _round_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Round numbers from `low` to `high` and their texts, as many as do not touch."""
    for most in (4, 3, 2, 1):
        found = MaxNLocator(most, steps=[1, 2, 5, 10]).tick_values(low, high)
        ticks = [float(tick) for tick in found if low <= tick <= high]
        texts = axis_texts(ticks)
        places = [(tick - low) / ((high - low) or 1.0) for tick in ticks]
        if ticks and _apart(places, texts):
            return ticks, texts
    return [(low + high) / 2], [plain_number(float(f"{(low + high) / 2:.4g}"))]


def _apart(places: Sequence[float], texts: Sequence[str]) -> bool:
    """Whether texts centred at places, in parts of the axis, leave a gap between them."""
    widths = [text_inches(text) for text in texts]
    gaps = np.diff(places) * _PANEL_INCHES - (np.array(widths[1:]) + np.array(widths[:-1])) / 2
    return bool(np.all(gaps >= _GAP_INCHES))


def _decades(low: float, high: float, smallest: float, forth: Transform) -> list[float]:
    """Zero and every power of ten, or every second, ..., so that their texts do not touch."""
    first = int(np.ceil(np.log10(smallest)))
    last = int(np.floor(np.log10(max(abs(low), abs(high)))))
    ends = forth.transform(np.array([low, high]))
    for stride in range(1, last - first + 2):
        powers = [float(f"1e{power}") for power in range(last, first - 1, -stride)]
        known = [x for x in (*(-x for x in powers), 0.0, *reversed(powers)) if low <= x <= high]
        places = (forth.transform(np.array(known)) - ends[0]) / (ends[1] - ends[0])
        if _apart(list(places), [_decade_text(x) for x in known]):
            return known
    return known[-1:]


def _decade_text(value: float) -> str:
    return plain_number(value, 1e3)
