"""The architectures that the page shows: the best of each task, and the picks of its members.

Nothing is computed anew: the best, and what proxies and searchers pick, are looked up in the
columns that runs recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from bench.base import ArchError, Bools, Floats, Ints, Space
from bench.reports.load import Search, Study
from bench.reports.score_sets import ScoreSet
from bench.reports.searches import parse_budget
from bench.reports.site.boards import Board, Column, Entry, commonest, count, key
from bench.reports.site.cells import draw
from bench.reports.tables import number
from bench.runs import members
from bench.runs.tasks import task_reader

BEST = 5
"""How many of the best architectures of a task are shown."""
_LETTERS = 44
"""The most letters of an architecture's text that a row shows."""


@dataclass(frozen=True)
class Score:
    """A proxy's score of an architecture, and its place among those of the task, 1 the highest."""

    proxy: str
    value: str
    place: str


@dataclass(frozen=True)
class Card:
    """What is shown of an architecture when it is pointed at."""

    label: str
    task: str
    text: str
    drawing: str
    """An `svg` element; empty where its space is not known here."""
    accuracies: tuple[tuple[str, str], ...]
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class _Pick:
    """An architecture that is shown, and why; `kind` is best, proxy or searcher."""

    task: str
    why: str
    kind: str
    arch: str
    validation: float | None
    test: float | None


@dataclass(frozen=True, eq=False)
class Shown:
    """The board of architectures, and the cards that its entries open."""

    board: Board
    cards: Mapping[str, Card]


def shown(study: Study, command: str) -> Shown | None:
    """The architectures of a study; None where it has none.

    Args:
        study: The study.
        command: What made the results.
    """
    sets = {each.task: each for each in study.score_sets}
    spaces = {task: each.space for task, each in sets.items()}
    picks = [pick for each in study.score_sets for pick in _of_task(each)]
    picks += _of_searchers(study)
    if not picks:
        return None
    picks.sort(key=lambda pick: pick.task)  # stable: why they are shown stays in order
    looked_up = {task: _Scores(each) for task, each in sets.items()}
    drawn = cache(_drawing)
    cards: dict[str, Card] = {}
    names: dict[tuple[str, str], str] = {}
    rows = []
    for pick in picks:
        at = (pick.task, pick.arch)
        if at not in names:
            names[at] = f"card-{len(names)}"
            cards[names[at]] = _card(
                names[at],
                pick,
                drawn(spaces.get(pick.task) or _space_of(pick.task), pick.arch),
                looked_up.get(pick.task),
            )
        place = looked_up[pick.task].place(pick.arch) if pick.task in looked_up else None
        rows.append(_row(pick, names[at], place))
    return Shown(_board(rows, command), cards)


def _board(rows: Sequence[tuple[Entry, ...]], command: str) -> Board:
    columns = (
        Column("picked by", "key"),
        Column("task", "key", chosen=commonest(rows, 1)),
        Column("kind", "key", chosen=""),
        Column("architecture", "key"),
        Column("place", "count"),
        Column("validation", "count", descending=True),
        Column("test", "count", descending=True),
    )
    return Board(
        "architectures",
        "Architectures",
        f"The {BEST} best of each task by what correlations are taken against, the one that each "
        "proxy scores highest (the first, where several tie), and the best that each searcher "
        "found with its largest budget, over seeds. Point at an architecture, or move to it by "
        "keyboard, to see its cell, accuracy and scores.",
        columns,
        tuple(rows),
        order=-1,
        command=command,
    )


def _row(pick: _Pick, card: str, place: int | None) -> tuple[Entry, ...]:
    short = pick.arch if len(pick.arch) <= _LETTERS else f"{pick.arch[: _LETTERS - 1]}…"
    return (
        key(pick.why),
        key(pick.task),
        key(pick.kind),
        Entry(short, pick.arch, card=card),
        count(place),
        count(pick.validation, 2),
        count(pick.test, 2),
    )


class _Scores:
    """What one task's scores say of an architecture; places are found once for all."""

    def __init__(self, of: ScoreSet) -> None:
        self.of = of
        self._rows = {arch: row for row, arch in enumerate(of.archs)}
        self._truth = _places(of.target if of.maximise else -of.target)

    def row(self, arch: str) -> int | None:
        return self._rows.get(arch)

    def place(self, arch: str) -> int | None:
        """The place of an architecture by accuracy, 1 the best; None where it is not known."""
        row = self.row(arch)
        return None if row is None or not self._truth[row] else int(self._truth[row])

    def scores(self, arch: str) -> Iterator[Score]:
        """What every proxy says of an architecture."""
        row = self.row(arch)
        for name, values in self.of.scores.items() if row is not None else ():
            yield Score(name, *_told(values, float(values[row])))


def _told(values: Floats, value: float) -> tuple[str, str]:
    """A score as text, and its place among the `n` values of all."""
    if np.isnan(value):
        return "not recorded", ""
    if not np.isfinite(value):
        return "failed", ""
    above = int((values > value).sum())
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}"), f"{above + 1:,}"


def _places(values: Floats) -> Ints:
    """The place of each of `n` values, 1 the largest, ties sharing the best; 0 where unknown."""
    known = np.isfinite(values)
    ordered = np.sort(-values[known])
    places = np.zeros(len(values), dtype=np.int64)
    places[known] = np.searchsorted(ordered, -values[known], side="left") + 1
    return places


def _of_task(each: ScoreSet) -> Iterator[_Pick]:
    """The best architectures of a task, and the one that each proxy scores highest."""
    truth = each.target if each.maximise else -each.target
    known = np.isfinite(truth)
    order = np.argsort(np.where(known, -truth, np.inf), kind="stable")
    for place, row in enumerate(order[: min(BEST, int(known.sum()))].tolist(), start=1):
        yield _pick(each, f"best {place}", "best", row)
    for name, scores in each.scores.items():
        scored: Bools = np.isfinite(scores)
        if scored.any():
            yield _pick(each, name, "proxy", int(np.argmax(np.where(scored, scores, -np.inf))))


def _pick(each: ScoreSet, why: str, kind: str, row: int) -> _Pick:
    validation, test = (_known(each.accuracy.get(name), row) for name in ("validation", "test"))
    return _Pick(each.task, why, kind, each.archs[row], validation, test)


def _known(values: Floats | None, row: int) -> float | None:
    return None if values is None or not np.isfinite(values[row]) else float(values[row])


def _of_searchers(study: Study) -> Iterator[_Pick]:
    """The best that each searcher found on each task with its largest budget, over seeds."""
    best: dict[tuple[str, str], tuple[tuple[float, ...], Search]] = {}
    for each in study.searches:
        if not each.arch:
            continue
        at = (each.task, each.searcher)
        unit, amount = parse_budget(each.budget)
        rank = (
            float(unit == "queries"),
            amount,
            -np.inf if np.isnan(each.regret) else -each.regret,
            -float(each.seed),
        )
        if at not in best or rank > best[at][0]:
            best[at] = rank, each
    for (task, searcher), (_, each) in sorted(best.items(), key=lambda item: item[0]):
        validation, test = (None if np.isnan(v) else v for v in (each.validation, each.test))
        yield _Pick(task, searcher, "searcher", each.arch, validation, test)


@cache
def _space_of(task: str) -> str | None:
    """The name of a task's space; None for a task that is not known here."""
    name = task.partition("@")[0]
    return task_reader(name).space if members.known("tables", name) else None


def _drawing(space: str | None, text: str) -> str:
    """The cell of an architecture; empty where its space is not known, or does not know it."""
    if space is None or not members.known("spaces", space):
        return ""
    found: Space = members.space(space)
    try:
        return draw(found.graph(found.parse(text)), f"The cell of {text}")
    except ArchError:  # a table of another version of the space: its text is still shown
        return ""


def _card(label: str, pick: _Pick, drawing: str, scores: _Scores | None) -> Card:
    accuracies = [
        (name, number(value, 2))
        for name, value in (("validation", pick.validation), ("test", pick.test))
        if value is not None
    ]
    place = None if scores is None else scores.place(pick.arch)
    if scores is not None and place is not None:
        accuracies.append(("place", f"{place:,} of {len(scores.of.archs):,}"))
    listed = () if scores is None else tuple(scores.scores(pick.arch))
    return Card(label, pick.task, pick.arch, drawing, tuple(accuracies), listed)
