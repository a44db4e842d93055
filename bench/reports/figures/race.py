"""A race's figures: average ranks, regret against scored architectures, and profiles of runs.

Curves of regret against queries are those of `bench.reports.figures.search`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from bench.base import Floats, Record
from bench.metrics.ranking import cliques
from bench.reports.figures._panels import (
    add_legend,
    label_axes,
    marked,
    new_panels,
    pages,
    set_title,
    task_lines,
)
from bench.reports.style import (
    BLACK,
    BLUE,
    GREY,
    PAGE_INCHES,
    PALE,
    fitted,
    new_figure,
    plain_number,
    regret_label,
    series_style,
)

_ROW_INCHES = 0.14
_NAME_INCHES = 1.55
"""The most that a searcher's name takes beside its rank."""
_ACROSS = 2
_PLACES = 7
"""So many places a marker may have on a line across, so that lines do not hide each other's."""
_LOG_WITHIN = 100.0
"""An axis is logarithmic where its ends are at most so many times apart, and has no zero."""


def rank_figure(ranks: Sequence[Record], tests: Sequence[Record], group: str) -> Figure | None:
    """Plot the average ranks of a group's searchers: a panel a number of queries.

    Points are average ranks over tasks and seeds with their 95 % intervals, and diamonds the
    ranks of task means, which the critical difference is of: searchers joined by an upright bar
    lie no farther apart than that.

    Args:
        ranks: Records of `bench.reports.race_ranks.rank`, of any groups.
        tests: Its tests.
        group: The label of the group to show.

    Returns:
        The figure; None where nothing is ranked.
    """
    shown = [r for r in ranks if r["group"] == group and r["rank"] is not None]
    marks = sorted({r["queries"] for r in shown})
    if not marks:
        return None
    by_mark = {mark: [r for r in shown if r["queries"] == mark] for mark in marks}
    most = max(map(len, by_mark.values()))
    rows = -(-len(marks) // _ACROSS)
    figure = new_figure(PAGE_INCHES, rows * (0.62 + most * _ROW_INCHES))
    grid = figure.subplots(rows, min(len(marks), _ACROSS), squeeze=False)
    for axes in grid.flat[len(marks) :]:
        axes.remove()
    for axes, mark in zip(grid.flat, marks, strict=False):
        test = next((t for t in tests if t["group"] == group and t["queries"] == mark), None)
        difference = None if test is None else test["critical_difference"]
        _rank_panel(axes, by_mark[mark], difference)
        tasks = by_mark[mark][0]["tasks"]
        told = "" if difference is None else f", CD {difference:.2f}"
        plural = "" if tasks == 1 else "s"
        axes.set_title(f"{mark} queries, {tasks} task{plural}{told}", loc="left")
    figure.supxlabel("average rank, 1 is best")
    return figure


def _rank_panel(axes: Axes, records: Sequence[Record], difference: float | None) -> None:
    ordered = sorted(records, key=lambda r: (r["task_rank"], r["rank"], r["searcher"]))
    places = np.arange(len(ordered))
    low, high, middle = (
        np.array([r[name] for r in ordered], dtype=np.float64)
        for name in ("rank_low", "rank_high", "rank")
    )
    axes.hlines(places, low, high, color=BLUE, linewidth=1.2)
    axes.plot(middle, places, "o", color=BLUE)
    task_ranks = [r["task_rank"] for r in ordered]
    axes.plot(task_ranks, places, "D", mfc="white", color=BLACK, markersize=3.4, zorder=1.5)
    right = len(ordered) + 0.3
    for column, (first, last) in enumerate(cliques(task_ranks, difference or 0.0)):
        if difference is not None:
            x = right + 0.35 * (column % 4)
            axes.vlines(x, first - 0.3, last + 0.3, color=GREY, linewidth=2.0)
    axes.set_yticks(places, [fitted(r["searcher"], _NAME_INCHES) for r in ordered])
    axes.set_ylim(len(ordered) - 0.5, -0.5)
    axes.set_xlim(0.7, right + 1.5)
    step = max(1, len(ordered) // 6)
    axes.set_xticks(range(1, len(ordered) + 1, step))
    axes.grid(axis="y", color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)


@dataclass(frozen=True)
class _Line:
    """A family on one task: `a` numbers of scored architectures, and `3 x a` regrets."""

    scored: Floats
    regret: Floats


def scored_figures(records: Sequence[Record], mark: int, metric: str | None) -> list[Figure]:
    """Plot mean regret against how many architectures were scored: a panel a task, one mark.

    A family that scores nothing is a dotted line across; families and numbers are as they stand
    in the searchers' names, the place on the axis is what was read.

    Args:
        records: `Race.regrets`.
        mark: The number of queries.
        metric: The name of the tasks' metric, None where they have several.

    Returns:
        As many figures as pages are needed; none unless some family was run at two numbers.
    """
    here = [r for r in records if r["queries"] == mark and r["regret_mean"] is not None]
    families = sorted({r["family"] for r in here})
    lines: dict[str, dict[str, _Line]] = {}
    for task in dict.fromkeys(r["task"] for r in here):
        of_task = [r for r in here if r["task"] == task]
        lines[task] = {
            name: _line([r for r in of_task if r["family"] == name])
            for name in families
            if any(r["family"] == name for r in of_task)
        }
    tasks = [
        task
        for task, each in lines.items()
        if any((line.scored > 0).sum() > 1 for line in each.values())
    ]
    return [
        _scored_page({task: lines[task] for task in part}, families, mark, metric)
        for part in pages(tasks, len(families))
    ]


def _line(records: Sequence[Record]) -> _Line:
    # Zero has no place on a logarithmic axis: a family that scores is shown where it does.
    scoring = [r for r in records if r["scored"]]
    ordered = sorted(scoring or records, key=lambda r: r["scored"] or 0.0)
    values = [[r["regret_mean"] if r[n] is None else r[n] for r in ordered] for n in _ENDS]
    return _Line(np.array([r["scored"] or 0.0 for r in ordered]), np.array(values))


_ENDS = ("regret_mean", "regret_mean_low", "regret_mean_high")


def _scored_page(
    lines: Mapping[str, Mapping[str, _Line]],
    families: Sequence[str],
    mark: int,
    metric: str | None,
) -> Figure:
    figure, panels = new_panels(len(lines))
    handles: dict[str, Artist] = {}
    for axes, (task, here) in zip(panels, lines.items(), strict=True):
        scores = np.concatenate([line.scored[line.scored > 0] for line in here.values()])
        left, right = float(scores.min()) / 1.3, float(scores.max()) * 1.3
        for name, line in here.items():
            style = series_style(families.index(name))
            value, low, high = line.regret
            if line.scored.max() > 0:
                if line.scored.size == 1:
                    style["linestyle"] = "none"
                axes.fill_between(
                    line.scored, low, high, color=style["color"], alpha=0.12, linewidth=0
                )
                (handles[name],) = axes.plot(line.scored, value, **style)
            else:
                style |= {"linestyle": ":", "markevery": [1 + families.index(name) % _PLACES]}
                across = np.geomspace(left, right, _PLACES + 2)
                (handles[name],) = axes.plot(across, np.full(across.size, value[0]), **style)
        axes.set_xscale("log")
        axes.set_xlim(left, right)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        _regret_axis(axes, np.concatenate([line.regret.ravel() for line in here.values()]))
        set_title(figure, axes, *task_lines(task, ""))
    names = [name for name in families if name in handles]
    above = add_legend(figure, [handles[name] for name in names], names)
    below = f"architectures whose proxies were read, {mark} queries"
    label_axes(figure, below, regret_label(metric), above)
    return figure


def _regret_axis(axes: Axes, values: Floats) -> None:
    """Logarithmic; where that would hide values near zero, linear below a hundredth of the top."""
    low, high = float(values.min()), float(values.max())
    if high <= 0:
        axes.set_ylim(-0.05, 1)
        axes.set_yticks([0.0, 1.0], ["0", "1"])
        return
    if low * _LOG_WITHIN >= high:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.15, high * 1.15)
        ticks = _round_numbers(low / 1.15, high * 1.15)
    else:
        bound = 10.0 ** np.ceil(np.log10(high / _LOG_WITHIN))
        axes.set_yscale("symlog", linthresh=bound, linscale=0.5)
        axes.set_ylim(-0.1 * bound, high * 1.2)
        ticks = [0.0, *_round_numbers(bound, high * 1.2)]
    axes.set_yticks(ticks, [plain_number(tick) for tick in ticks])
    axes.yaxis.set_minor_locator(NullLocator())


def _round_numbers(low: float, high: float) -> list[float]:
    """Numbers 1, 2 or 5 times a power of ten within the bounds."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    found = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    return [number for number in found if low <= number <= high]


def profile_figure(
    profiles: Mapping[int, Mapping[str, Floats]], searchers: Sequence[str]
) -> Figure | None:
    """Plot the share of runs at or below a regret, in units of the task: a panel a mark.

    Args:
        profiles: `Race.profiles`.
        searchers: Those to show.

    Returns:
        The figure; None where fewer than two of them have a profile.
    """
    shown = {
        mark: {name: here[name] for name in searchers if name in here}
        for mark, here in profiles.items()
    }
    shown = {mark: here for mark, here in shown.items() if len(here) > 1}
    if not shown:
        return None
    names = [name for name in searchers if any(name in here for here in shown.values())]
    figure, panels = new_panels(len(shown), 1)
    handles: dict[str, Artist] = {}
    for axes, (mark, here) in zip(panels, shown.items(), strict=True):
        for name, (at, share) in here.items():
            index = names.index(name)
            style = series_style(index)
            every = marked(len(at), index, len(names))
            (handles[name],) = axes.plot(at, share, markevery=every, **style)
        axes.set_xlim(0, _last_change(list(here.values())))
        axes.set_ylim(0, 1.02)
        set_title(figure, axes, f"{mark} queries")
    above = add_legend(figure, [handles[name] for name in names], names)
    label_axes(figure, "regret in units of its task", "share of runs at or below", above)
    return figure


def _last_change(profiles: Sequence[Floats]) -> float:
    """The threshold from which on no share grows by more than a hundredth."""
    at = profiles[0][0]
    ends = [
        right
        for left, right in pairwise(range(len(at)))
        if any(each[1][right] - each[1][left] > 0.01 for each in profiles)
    ]
    return float(at[max(ends, default=len(at) - 1)])
