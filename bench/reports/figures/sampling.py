"""How far a correlation of a few networks may lie from that of all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from bench.base import Record
from bench.reports.figures._panels import (
    add_legend,
    label_axes,
    new_panels,
    pages,
    set_title,
    task_lines,
)
from bench.reports.style import plain_number, series_style


def sampling_figures(records: Sequence[Record]) -> list[Figure]:
    """Plot tau against the number of networks that it is measured on: a panel a task.

    Bands hold 95 % of random subsets; dotted lines are the ends, on average, of the interval that
    a subset gives for itself; a marker at the right is tau of all architectures.

    Args:
        records: As from `bench.reports.sampling.sample_networks`, of any number of tasks.

    Returns:
        As many figures as pages are needed.
    """
    known = [record for record in records if record["kendall_mean"] is not None]
    tasks = {task: list(group) for task, group in groupby(known, key=lambda r: r["task"])}
    names = sorted({record["proxy"] for record in known})
    return [_page({t: tasks[t] for t in part}, names) for part in pages(list(tasks), len(names))]


def _page(tasks: dict[str, list[Record]], names: Sequence[str]) -> Figure:
    figure, panels = new_panels(len(tasks))
    handles: dict[str, Artist] = {}
    for axes, (task, here) in zip(panels, tasks.items(), strict=True):
        for name in dict.fromkeys(record["proxy"] for record in here):
            of_one = [record for record in here if record["proxy"] == name]
            handles[name] = _draw(axes, of_one, names.index(name))
        sizes = sorted({record["networks"] for record in here})
        most = max(record["architectures"] for record in here)
        axes.set_xscale("log")
        axes.set_xlim(0.85 * sizes[0], 1.25 * most)
        axes.set_xticks(shown := sizes[::2], [plain_number(size) for size in shown])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.locator_params(axis="y", nbins=5)
        set_title(figure, axes, *task_lines(task, f", n = {most:,}"))
    entries = [name for name in names if name in handles]
    above = add_legend(figure, [handles[name] for name in entries], entries)
    label_axes(figure, "networks that τ is measured on", "Kendall τ with accuracy", above)
    return figure


def _draw(axes: Axes, records: Sequence[Record], index: int) -> Artist:
    style = series_style(index)
    at = np.array([record["networks"] for record in records])
    mean, low, high, own_low, own_high = (
        np.array([record[name] for record in records])
        for name in ("kendall_mean", "kendall_low", "kendall_high", "own_low", "own_high")
    )
    axes.fill_between(at, low, high, color=style["color"], alpha=0.15, linewidth=0)
    for end in (own_low, own_high):
        axes.plot(at, end, color=style["color"], linestyle=":", linewidth=0.7)
    whole = records[0]
    axes.plot(whole["architectures"], whole["kendall"], **style | {"linestyle": "none"})
    (line,) = axes.plot(at, mean, **style)
    return line
