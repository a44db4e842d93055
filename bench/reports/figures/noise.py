"""What the noise of one training run does to a proxy's correlation, as a dumbbell plot."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.base import Record
from bench.reports.style import BLUE, GREY, PAGE_INCHES, VERMILION, new_figure


def noise_figure(records: Sequence[Record]) -> Figure | None:
    """Plot each proxy's rank correlation against one-run and against seed-mean accuracy.

    For every pair of tasks, a left panel holds the two correlations and a right one their
    difference with its paired 95 % interval.

    Args:
        records: As from `bench.reports.noise.compare_truths`.

    Returns:
        The figure, or None where there is nothing to compare.
    """
    shown = [record for record in records if record["difference"] is not None]
    if not shown:
        return None
    pairs = sorted({(record["one_run"], record["seed_mean"]) for record in shown})
    proxies = _order(shown)
    height = 1.07 + 0.155 * len(proxies)
    figure = new_figure(PAGE_INCHES if len(pairs) > 1 else PAGE_INCHES / 2, height)
    grid = figure.subplots(
        1, 2 * len(pairs), sharey=True, squeeze=False, width_ratios=[1.6, 1.0] * len(pairs)
    )[0]
    for index, pair in enumerate(pairs):
        here = [r for r in shown if (r["one_run"], r["seed_mean"]) == pair]
        _dumbbells(grid[2 * index], here, proxies)
        _differences(grid[2 * index + 1], here, proxies)
        title = f"one run: {pair[0]}\nmean: {pair[1]}, n = {here[0]['n']:,}"
        grid[2 * index].set_title(title, loc="left")
    grid[0].set_yticks(range(len(proxies)), proxies)
    grid[0].set_ylim(len(proxies) - 0.5, -0.5)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _order(records: Sequence[Record]) -> list[str]:
    best: dict[str, float] = {}
    for record in records:
        name = record["proxy"]
        best[name] = max(best.get(name, -2.0), record["seed_mean_spearman"])
    return sorted(best, key=lambda name: (-best[name], name))


def _dumbbells(axes: Axes, records: Sequence[Record], proxies: Sequence[str]) -> None:
    rows = [proxies.index(record["proxy"]) for record in records]
    one = [record["one_run_spearman"] for record in records]
    mean = [record["seed_mean_spearman"] for record in records]
    axes.hlines(rows, one, mean, color=GREY, linewidth=1.2)
    axes.plot(one, rows, "o", mfc="white", color=VERMILION, label="one training run")
    axes.plot(mean, rows, "D", color=BLUE, label="mean over training seeds", markersize=2.8)
    axes.set_xlabel("Spearman ρ")
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.5)
    axes.set_axisbelow(True)


def _differences(axes: Axes, records: Sequence[Record], proxies: Sequence[str]) -> None:
    rows = [proxies.index(record["proxy"]) for record in records]
    middle = [record["difference"] for record in records]
    # Without an interval there is a point alone.
    ends = [(record["low"], record["high"]) for record in records]
    known = [(m, m) if None in end else end for m, end in zip(middle, ends, strict=True)]
    reach = [
        [max(m - low, 0.0) for m, (low, _) in zip(middle, known, strict=True)],
        [max(high - m, 0.0) for m, (_, high) in zip(middle, known, strict=True)],
    ]
    axes.axvline(0, color=GREY, linewidth=0.6)
    axes.errorbar(middle, rows, xerr=reach, fmt="o", color="black", ms=2, lw=0.8, capsize=1.5)
    axes.set_xlabel("ρ, mean − one run")
    axes.locator_params(axis="x", nbins=3)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.5)
    axes.set_axisbelow(True)
