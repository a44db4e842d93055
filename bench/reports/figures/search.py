"""Search curves: regret of the best architecture so far against queries or simulated seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from bench.reports.figures._panels import (
    add_legend,
    label_axes,
    marked,
    new_panels,
    pages,
    set_title,
    task_lines,
)
from bench.reports.searches import Curve
from bench.reports.style import (
    GREY,
    axis_texts,
    paired_style,
    plain_number,
    regret_label,
    series_style,
)

_UNITS = {"queries": "queries", "seconds": "simulated seconds (s)"}
_PROXY_OPTIONS = ("warm", "proxy")
"""The options of a searcher that name the proxy it uses."""
_STARTED = "using a proxy"
_LINEAR_BELOW = 0.1
"""From here to zero the axis is linear, if it reaches zero; less where all regrets are small."""
_LOG_FROM = 3.0
"""An axis is logarithmic where its ends are so many times apart."""
_MOST_TICKS = 6


@dataclass(frozen=True)
class _Entry:
    """What a searcher's text says: who it is, and the proxy it uses, if any."""

    name: str
    proxy: str | None


def search_curves(curves: Sequence[Curve], metric: str | None = "accuracy_percent") -> list[Figure]:
    """Plot mean regret so far with its 95 % band: a panel a task, a line a searcher.

    Where every panel knows one proxy at most, colour and marker say which searcher it is, a
    dashed line that it uses the proxy, and the panel's title names the proxy. Otherwise
    every text of a searcher has a look and a legend entry of its own.

    Args:
        curves: As from `bench.reports.searches.curves`, of one unit.
        metric: The name of the tasks' metric, None where they have several.

    Returns:
        As many figures as pages are needed; none where there is no curve.
    """
    entries = {curve.searcher: _entry(curve.searcher) for curve in curves}
    tasks = sorted({curve.task for curve in curves})
    proxies = {task: _proxies(curves, task, entries) for task in tasks}
    told_apart = len(set(entries.values())) == len(entries)
    if not told_apart or any(len(found) > 1 for found in proxies.values()):
        entries = {name: _Entry(name, None) for name in entries}
        proxies = {task: [] for task in tasks}
    parts = pages(tasks, len({entry.name for entry in entries.values()}))
    return [_search_page(curves, part, entries, proxies, metric) for part in parts]


def _entry(searcher: str) -> _Entry:
    base, *options = searcher.split(",")
    read = [option.partition("=") for option in options]
    proxies = [value for name, _, value in read if name in _PROXY_OPTIONS]
    if len(proxies) != 1:
        return _Entry(searcher, None)
    kept = [f"{name}{equals}{value}" for name, equals, value in read if name not in _PROXY_OPTIONS]
    return _Entry(",".join([base, *kept]), proxies[0])


def _proxies(curves: Sequence[Curve], task: str, entries: dict[str, _Entry]) -> list[str]:
    here = [entries[curve.searcher] for curve in curves if curve.task == task]
    return sorted({entry.proxy for entry in here if entry.proxy is not None})


def _search_page(
    curves: Sequence[Curve],
    tasks: Sequence[str],
    entries: dict[str, _Entry],
    proxies: dict[str, list[str]],
    metric: str | None,
) -> Figure:
    names = sorted({entry.name for entry in entries.values()})
    paired = any(entry.proxy is not None for entry in entries.values())
    figure, panels = new_panels(len(tasks), 3 if any(proxies[task] for task in tasks) else 2)
    handles: dict[str, Artist] = {}
    for axes, task in zip(panels, tasks, strict=True):
        here = [curve for curve in curves if curve.task == task]
        for curve in here:
            entry = entries[curve.searcher]
            index = names.index(entry.name)
            dashed = entry.proxy is not None
            style = paired_style(index, dashed=dashed) if paired else series_style(index)
            # Twice as many places as names: a searcher's two lines are marked at different ones.
            place = 2 * index + dashed
            line = _draw(axes, curve, place, 2 * len(names), style)
            if not dashed or entry.name not in handles:
                handles[entry.name] = line
        _set_regret_axis(axes, here)
        title = task_lines(task, f" ({_seeds(here)})")
        set_title(figure, axes, *title, *(f"proxy: {proxy}" for proxy in proxies[task]))
    labels = sorted(handles)
    lines = [handles[label] for label in labels]
    if any(proxies[task] for task in tasks):
        grey = paired_style(0, dashed=True) | {"color": GREY, "marker": ""}
        lines.append(Line2D([], [], **grey))
        labels.append(_STARTED)
    above = add_legend(figure, lines, labels)
    label_axes(figure, _UNITS[curves[0].unit], regret_label(metric), above)
    return figure


def _draw(axes: Axes, curve: Curve, place: int, places: int, style: dict[str, Any]) -> Line2D:
    axes.fill_between(
        curve.at, curve.low, curve.high, color=style["color"], alpha=0.12, linewidth=0
    )
    every = marked(len(curve.at), place, places)
    (line,) = axes.plot(curve.at, curve.mean, markevery=every, label=curve.searcher, **style)
    return line


def _seeds(curves: Sequence[Curve]) -> str:
    counts = sorted({curve.seeds for curve in curves})
    many = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{many} seed" if many == "1" else f"{many} seeds"


def _set_regret_axis(axes: Axes, curves: Sequence[Curve]) -> None:
    """From a little below the lowest band to a little above the highest; from zero if near it."""
    axes.margins(x=0.02)
    low = min(float(curve.low.min()) for curve in curves)
    high = max(float(curve.high.max()) for curve in curves)
    if high <= 0:
        axes.set_ylim(0, 1)
        axes.set_yticks([0.0, 1.0], ["0", "1"])
        return
    threshold = min(_LINEAR_BELOW, 10.0 ** (np.floor(np.log10(high)) - 1))
    if low < threshold:
        axes.set_yscale("symlog", linthresh=threshold, linscale=0.5)
        axes.set_ylim(0, high * 1.15)
        ticks = [0.0, *_round_numbers(threshold, high)]
    elif high > _LOG_FROM * low:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.15, high * 1.15)
        ticks = _round_numbers(low / 1.15, high * 1.15)
    else:
        room = 0.05 * (high - low) or 0.05 * high
        axes.set_ylim(low - room, high + room)
        ticks = list(MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(low - room, high + room))
    bottom, top = axes.get_ylim()
    ticks = [tick for tick in ticks if bottom <= tick <= top]
    even = axes.get_yscale() == "linear"
    axes.set_yticks(ticks, axis_texts(ticks) if even else [plain_number(tick) for tick in ticks])
    axes.yaxis.set_minor_locator(NullLocator())


def _round_numbers(low: float, high: float) -> list[float]:
    """Numbers 1, 2 or 5 times a power of ten within the bounds; powers alone if they are many."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    found: list[float] = []
    for digits in ((1, 2, 5), (1,)):
        found = [float(f"{digit}e{power}") for power in powers for digit in digits]
        found = [number for number in found if low * (1 - 1e-9) <= number <= high]
        if len(found) <= _MOST_TICKS:
            break
    return found
