"""Every figure of a race, with its name and caption."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from bench.reports.figures.race import profile_figure, rank_figure, scored_figures
from bench.reports.figures.search import search_curves
from bench.reports.page import Picture
from bench.reports.race import Race
from bench.reports.style import plain_number

SCORED_MARKS = (25, 50, 100)
"""At these marks regret is drawn against the number of scored architectures."""
_TICKS = (1, 3, 10, 30, 100, 300, 1000)
_SECTION = "race"
_STATISTICS = {"iqm": "Interquartile mean", "mean": "Mean"}
_BANDS = {"iqm": "", "mean": ", with its 95 % band, from ten seeds on"}


def race_figures(race: Race, metric: str | None) -> Iterator[tuple[Picture, Figure]]:
    """Ranks, curves and profiles of every group, then regret against scored architectures.

    Args:
        race: The race.
        metric: The name of the tasks' metric, None where they have several.
    """
    for group in race.groups:
        who = (
            "Searchers that score as many architectures as they like."
            if group.label == "all"
            else f"Searchers that score at most {group.label} architectures."
        )
        yield from _rank_picture(race, group.label, who)
        for name, words in _STATISTICS.items():
            lines = [line for line in race.curves[name] if line.searcher in group.searchers]
            caption = (
                f"{who} {words} over seeds of the validation regret of the best architecture so "
                f"far{_BANDS[name]}. Dashed lines in panels that name a proxy are searchers that "
                "use it."
            )
            for number, figure in enumerate(search_curves(lines, metric), start=1):
                _log_queries(figure)
                picture = Picture(f"race-{group.label}-{name}-{number}", _SECTION, caption)
                yield picture, figure
        drawn = profile_figure(race.profiles, group.searchers)
        if drawn is not None:
            caption = (
                f"{who} The share of runs, of all tasks together, whose regret is at most that "
                "many times the unit of the task (see the table of interquartile means). A failed "
                "run never gets there."
            )
            yield Picture(f"race-{group.label}-profile", _SECTION, caption), drawn
    for mark in (mark for mark in SCORED_MARKS if mark in race.marks):
        caption = (
            f"Mean validation regret after {mark} queries against the number of architectures "
            "whose proxies were read, with 95 % bands over seeds. Dotted lines score "
            "none. An axis is linear up to its first tick above zero, and logarithmic from there."
        )
        for number, figure in enumerate(scored_figures(race.regrets, mark, metric), start=1):
            yield Picture(f"race-scored-{mark}-{number}", _SECTION, caption), figure


def _log_queries(figure: Figure) -> None:
    """Give the first tens of queries, where a race is decided, as much room as the last ones."""
    for axes in figure.axes:
        low, high = axes.dataLim.intervalx
        axes.set_xscale("log")
        ticks = [tick for tick in _TICKS if low <= tick <= high]
        axes.set_xticks(ticks, [plain_number(tick) for tick in ticks])
        axes.xaxis.set_minor_locator(NullLocator())


def _rank_picture(race: Race, label: str, who: str) -> Iterator[tuple[Picture, Figure]]:
    drawn = rank_figure(race.ranks, race.tests, label)
    if drawn is not None:
        caption = (
            f"{who} Average rank over tasks and seeds (points, 95 % intervals), and "
            "over tasks alone (diamonds). Upright bars join searchers whose ranks over tasks lie "
            "no farther apart than Nemenyi's critical difference (CD) at 5 %."
        )
        yield Picture(f"race-{label}-ranks", _SECTION, caption), drawn
