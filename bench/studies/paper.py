"""paper: the numbers to publish, as smoke with 500 seeds and 300 queries, and simulated time."""

from __future__ import annotations

from collections.abc import Iterator

from bench.base import Budget
from bench.runs.row import Run, ScoreRun
from bench.studies.smoke import BASIC, COMPUTED, SCORED, WARM, warmed
from bench.studies.study import Study, searches

TIMED = (
    "transnasbench101-micro/class_scene",
    "transnasbench101-macro/class_scene",
    "nasbench101/cifar10",
)
"""Tasks that record training seconds, so that a search can be charged in them."""


def runs() -> Iterator[Run]:
    """Correlations, then 500 seeds by queries, then 500 seeds by simulated seconds."""
    for task in (*SCORED, "nasbench201/cifar10"):
        yield ScoreRun(task, COMPUTED)
    for task, proxy in WARM.items():
        yield from searches([task], warmed(proxy), Budget(queries=300), seeds=500, block=50)
    for task in TIMED:
        yield from searches([task], BASIC, Budget(seconds=200_000), seeds=500, block=50)


PAPER = Study(
    "paper", "all recorded correlations; searchers with 500 seeds, by queries and time", runs
)
