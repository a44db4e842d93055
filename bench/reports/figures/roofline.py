"""Where the time of scoring goes, and how near each operation comes to what the machine can do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.base import Record
from bench.reports.style import BLACK, BLUE, GREY, PAGE_INCHES, VERMILION, new_figure

_SHOWN = 10
_SUMMED = ("seconds", "flops", "bytes")
_MARKS = {"operation": ("o", BLUE), "kernel": ("D", VERMILION)}


def rooflines(rows: Sequence[Record]) -> Iterator[Figure]:
    """For every run of `ipl-bench profile`: seconds a pass, and operations under the roof.

    Args:
        rows: Its rows, as `bench.proxies.profile` says.
    """
    for run, group in groupby(rows, key=lambda row: str(row["run"])):
        of = list(group)
        figure = new_figure(PAGE_INCHES, 2.9)
        left, right = figure.subplots(1, 2, width_ratios=[0.7, 1.0])
        _passes(left, [row for row in of if row["what"] == "pass"])
        _roof(right, of)
        left.set_title(run.removeprefix("profile/"), loc="left")
        yield figure


def _passes(axes: Axes, rows: Sequence[Record]) -> None:
    names = [str(row["pass"]).replace("_", " ") for row in rows]
    seconds = [row["seconds"] for row in rows]
    axes.barh(range(len(rows)), seconds, color=BLUE, height=0.7)
    axes.set_yticks(range(len(rows)), names)
    axes.invert_yaxis()
    axes.set_xlabel("seconds a network")


def _roof(axes: Axes, rows: Sequence[Record]) -> None:
    limits = next(row for row in rows if row["what"] == "ceilings")
    points = _points(rows)
    top, slope = limits["flops_per_second"] / 1e9, limits["bytes_per_second"] / 1e9
    low = 0.5 * min(point.intensity for point in points)
    high = 2 * max(*(point.intensity for point in points), 2 * top / slope)
    along = np.geomspace(low, high, 200)
    axes.plot(along, np.minimum(top, slope * along), color=BLACK, linewidth=1.2)
    axes.text(high, 1.15 * top, f"{top:.0f} GFLOP/s", ha="right", va="bottom")
    middle = (low * top / slope) ** 0.5
    axes.text(0.8 * middle, 1.3 * slope * middle, f"{slope:.0f} GB/s", ha="right", va="bottom")
    for number, point in enumerate(points, start=1):
        mark, colour = _MARKS[point.what]
        share = f" ({100 * point.share:.0f} %)" if point.what == "operation" else ""
        label = f"{number}  {point.name.replace('_', ' ')}{share}"
        at = (point.intensity, point.rate)
        axes.scatter(*at, s=14, marker=mark, color=colour, alpha=0.8, lw=0, label=label)
        axes.annotate(str(number), at, (3, 2), textcoords="offset points", color=GREY)
    axes.set(xscale="log", yscale="log", xlim=(low, high))
    axes.set_xlabel("floating-point operations a byte")
    axes.set_ylabel("GFLOP/s")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1.0)


@dataclass(frozen=True)
class _Point:
    """An operation of all passes together, or a kernel."""

    what: str
    name: str
    intensity: float
    rate: float
    """GFLOP/s."""
    share: float
    """Of the seconds of all operations."""


def _points(rows: Sequence[Record]) -> list[_Point]:
    """The dearest operations, passes taken together, and the kernels that were measured."""
    whole = sum(row["seconds"] for row in rows if row["what"] == "operation")
    by_name: dict[str, list[Record]] = {}
    for row in rows:
        if row["what"] == "operation":
            by_name.setdefault(row["name"], []).append(row)
    points = []
    for name, of in by_name.items():
        seconds, flops, moved = (sum(row[key] for row in of) for key in _SUMMED)
        if flops:
            rate = flops / seconds / 1e9
            points.append(_Point("operation", name, flops / moved, rate, seconds / whole))
    points.sort(key=lambda point: -point.share)
    measured = [row for row in rows if row["what"] == "kernel" and row.get("flops")]
    kernels = [
        _Point("kernel", row["name"], row["intensity"], row["flops_per_second"] / 1e9, 0.0)
        for row in measured
    ]
    return points[:_SHOWN] + kernels
