"""The correlation heat map: proxies down, tasks across, a value and its interval in every cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bench.base import Record
from bench.reports.style import (
    COLUMN_INCHES,
    GREY,
    PAGE_INCHES,
    PALE,
    fitted,
    new_figure,
    short_number,
    text_inches,
)

_CELL_INCHES = 0.6
_SCALE_INCHES = 0.6
"""How high the scale below the cells is."""
_NAME_INCHES = 1.2
"""The most that the name of a proxy takes."""
_LINE_INCHES = 0.115
_TASK_INCHES = 1.4
"""The most that a line of a task's name takes."""
_NAMES = {"kendall": "Kendall τ", "spearman": "Spearman ρ", "pearson": "Pearson r"}

# Red and blue are told apart by colour-blind readers; the sign is printed in the cell too.
_COLOURS = "RdBu"


def heatmaps(
    records: Sequence[Record],
    metric: str = "kendall",
    order: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> list[Figure]:
    """Draw the correlations of proxies on tasks, over as many figures as fit a page's width.

    Args:
        records: As from `bench.reports.correlations.correlate`, for any number of tasks.
        metric: Which of their metrics to show.
        order: Proxies from top to bottom; by their mean over tasks, best first, if None. A figure
            leaves out those that none of its tasks has.
        columns: Tasks from left to right; in alphabetical order if None.
    """
    tasks = sorted({record["task"] for record in records}) if columns is None else list(columns)
    cells = {(record["task"], record["proxy"]): record for record in records}
    proxies = list(order) if order is not None else _by_mean(records, metric)
    most = int((PAGE_INCHES - _margin(proxies)) // _CELL_INCHES)
    count = -(-len(tasks) // most)
    size = -(-len(tasks) // count) if count else 0
    parts = [tasks[i * size : (i + 1) * size] for i in range(count)]
    return [_heatmap(cells, part, proxies, metric) for part in parts]


def _margin(proxies: Sequence[str]) -> float:
    widths = [min(text_inches(name), _NAME_INCHES) for name in proxies]
    return max(widths, default=0.0) + 0.12


def _by_mean(records: Sequence[Record], metric: str) -> list[str]:
    values: dict[str, list[float]] = {}
    for record in records:
        known = values.setdefault(record["proxy"], [])
        if record[metric] is not None:
            known.append(record[metric])
    means = {name: sum(known) / len(known) if known else -2.0 for name, known in values.items()}
    return sorted(means, key=lambda name: (-means[name], name))


def _heatmap(
    cells: dict[tuple[str, str], Record], tasks: Sequence[str], proxies: Sequence[str], metric: str
) -> Figure:
    proxies = [name for name in proxies if any((task, name) in cells for task in tasks)]
    here = [cells[task, proxy] for task in tasks for proxy in proxies if (task, proxy) in cells]
    lines = 3 if any(record["n_failed"] for record in here) else 2
    natural = _margin(proxies) + len(tasks) * _CELL_INCHES
    width = COLUMN_INCHES if natural <= COLUMN_INCHES else PAGE_INCHES
    labels = [_task_label(task, here) for task in tasks]
    above = max(text_inches(line) for label in labels for line in label.split("\n"))
    height = _SCALE_INCHES + above + len(proxies) * (lines * _LINE_INCHES + 0.05)
    figure = new_figure(width, height)
    axes = figure.add_subplot()
    colours = mpl.colormaps[_COLOURS]
    for x, task in enumerate(tasks):
        for y, proxy in enumerate(proxies):
            _cell(axes, x, y, cells.get((task, proxy)), metric, colours)
    axes.set_xlim(-0.5, len(tasks) - 0.5)
    axes.set_ylim(len(proxies) - 0.5, -0.5)
    axes.set_xticks(range(len(tasks)), labels, rotation=90)
    axes.set_yticks(range(len(proxies)), [fitted(name, _NAME_INCHES) for name in proxies])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(-1, 1), colours)
    bar = figure.colorbar(
        scale, ax=axes, orientation="horizontal", fraction=0.05, pad=0.02, aspect=40
    )
    bar.set_ticks([-1.0, -0.5, 0.0, 0.5, 1.0])
    bar.outline.set_visible(False)
    bar.set_label(f"{_NAMES.get(metric, metric)} [95 % interval]; failures rank last")
    return figure


def _task_label(task: str, records: Sequence[Record]) -> str:
    most = max((record["n"] for record in records if record["task"] == task), default=0)
    lines = task.replace("/", "/\n", 1).split("\n")
    return "\n".join([*(fitted(line, _TASK_INCHES) for line in lines), f"n = {most:,}"])


def _cell(axes: Axes, x: int, y: int, record: Record | None, metric: str, colours: Any) -> None:
    value = None if record is None else record[metric]
    box = Rectangle((x - 0.5, y - 0.5), 1, 1, edgecolor="white", linewidth=0.8)
    axes.add_patch(box)
    if record is None or value is None:
        box.set(facecolor="white", hatch="/////", edgecolor=PALE)
        text = "not\nrecorded" if record is None else "undefined"
        axes.text(x, y, text, ha="center", va="center", color=GREY, linespacing=1.0)
        return
    shade = colours((value + 1) / 2)
    box.set_facecolor(shade)
    text = short_number(value)
    if record.get(f"{metric}_low") is not None:
        low, high = short_number(record[f"{metric}_low"]), short_number(record[f"{metric}_high"])
        text += f"\n[{low},{high}]"
    if record["n_failed"]:
        text += f"\n{record['n_failed']:,} failed"
    axes.text(x, y, text, ha="center", va="center", color=ink_on(shade), linespacing=1.0)


def ink_on(shade: Sequence[float]) -> str:
    """The colour, of black and white, that is read on a shade."""
    return "white" if _luminance(shade) < 0.18 else "black"


def _luminance(shade: Sequence[float]) -> float:
    """The relative luminance of a colour, as WCAG 2 defines it for contrast."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in shade[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
