"""What a study is: a name, and a deterministic generator of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bench.base import Budget
from bench.runs.row import NO_QUERIES, PredictRun, Run, SearchRun


@dataclass(frozen=True)
class Study:
    """A named plan. `runs` lists it anew at every call, always the same."""

    name: str
    about: str
    runs: Callable[[], Iterator[Run]]

    def tasks(self) -> list[str]:
        """The tasks that the plan needs, in the order of their first run."""
        return list(dict.fromkeys(run.task for run in self.runs()))


def searches(
    tasks: Iterable[str], searchers: Iterable[str], budget: Budget, seeds: int, block: int
) -> Iterator[SearchRun]:
    """Every searcher on every task, `seeds` times, in blocks that are one run each."""
    names = list(searchers)
    for task in tasks:
        for searcher in names:
            for first in range(0, seeds, block):
                yield SearchRun(task, searcher, budget, first, min(block, seeds - first))


def predictions(
    tasks: Iterable[str],
    predictors: Iterable[str],
    seeds: int,
    block: int,
    budget: Budget = NO_QUERIES,
) -> Iterator[PredictRun]:
    """Every predictor on every task, `seeds` times, in blocks that are one run each.

    What was predicted is compared with what a `ScoreRun` of the same task in the same study tells.
    """
    names = list(predictors)
    for task in tasks:
        for predictor in names:
            for first in range(0, seeds, block):
                yield PredictRun(task, predictor, budget, first, min(block, seeds - first))
