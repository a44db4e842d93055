"""The noise of training seeds in a table of one's own: spread, ceilings, and proxies below them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.base import Floats, Record
from bench.reports.own_table import SeedNoise
from bench.reports.style import (
    BLUE,
    COLUMN_INCHES,
    GREEN,
    GREY,
    PAGE_INCHES,
    PALE,
    TITLE_POINTS,
    VERMILION,
    fitted,
    metric_label,
    new_figure,
)

_ROW_INCHES = 0.15
_NAME_INCHES = 1.2


def noise_figures(noise: SeedNoise, metric: str = "accuracy_percent") -> list[Figure]:
    """Draw a figure a split: accuracies of every seed, and proxies beside the noise ceiling.

    On the left a column of points is one architecture, in the order of its mean accuracy. On the
    right are Kendall correlations with 95 % intervals; bands are those of the ceilings.

    Args:
        noise: What was measured of a table.
        metric: What the accuracies are.
    """
    figures = []
    for facts in noise.spreads:
        proxies = [r for r in noise.proxies if r["split"] == facts["split"]]
        proxies = [r for r in proxies if r["kendall"] is not None]
        height = max(2.2, 1.1 + _ROW_INCHES * len(proxies))
        figure = new_figure(PAGE_INCHES if proxies else COLUMN_INCHES, height)
        panels = figure.subplots(1, 2 if proxies else 1, squeeze=False)[0]
        _spread(panels[0], noise.repeats.accuracy[facts["split"]])
        title = (
            f"{facts['architectures']:,} architectures, {facts['seeds']} seeds\n"
            f"sd {facts['sd_between']:.2f} between them, {facts['sd_within']:.2f} between seeds"
        )
        panels[0].set_title(title, loc="left")
        panels[0].set_ylabel(f"{facts['split']} {metric_label(metric)}")
        if proxies:
            _ceilings(panels[1], facts)
            _proxies(panels[1], proxies)
        figures.append(figure)
    return figures


def _spread(axes: Axes, table: Floats) -> None:
    several = table[np.isfinite(table).sum(axis=1) >= 2]
    means = np.nanmean(several, axis=1)
    order = np.argsort(means, kind="stable")
    places = np.repeat(np.arange(len(order)), several.shape[1])
    axes.plot(places, several[order].ravel(), ".", color=BLUE, ms=2.5, mew=0, rasterized=True)
    axes.plot(np.arange(len(order)), means[order], "-", color=VERMILION, lw=0.9)
    axes.set_xlabel("architectures by mean accuracy", fontsize=TITLE_POINTS)
    axes.margins(x=0.02)


def _ceilings(axes: Axes, facts: Record) -> None:
    named = (
        ("seed_to_seed", "one seed with another", GREY),
        ("seed_to_rest", "with the mean of the others", GREEN),
    )
    for name, words, colour in named:
        if facts[name] is not None:
            low, high = facts[f"{name}_low"], facts[f"{name}_high"]
            if low is not None:
                axes.axvspan(low, high, color=colour, alpha=0.25, lw=0)
            axes.axvline(facts[name], color=colour, lw=1.0, label=words)
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2)


def _proxies(axes: Axes, records: Sequence[Record]) -> None:
    rows = np.arange(len(records))
    low, middle, high = (
        np.array([r[f"kendall{end}"] for r in records], dtype=np.float64)
        for end in ("_low", "", "_high")
    )
    axes.hlines(rows, low, high, color=BLUE, lw=1.2)
    axes.plot(middle, rows, "o", color=BLUE)
    axes.axvline(0, color=GREY, lw=0.6)
    axes.set_yticks(rows, [fitted(r["proxy"], _NAME_INCHES) for r in records])
    axes.set_ylim(len(records) - 0.5, -0.5)
    axes.set_xlim(min(-0.02, float(np.nanmin([*low, *middle, 0.0])) - 0.02), 1.0)
    axes.grid(axis="y", color=PALE, lw=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel("Kendall τ with the accuracy of one seed", fontsize=TITLE_POINTS)
