from __future__ import annotations

from bench.base import Budget
from bench.runs.row import NO_QUERIES, PredictRun
from bench.studies.study import predictions


def test_every_predictor_on_every_task_in_blocks_of_seeds() -> None:
    found = list(predictions(["t", "u"], iter(["a", "b"]), seeds=5, block=2))
    blocks = [(0, 2), (2, 2), (4, 1)]
    assert found == [
        PredictRun(task, predictor, NO_QUERIES, *block)
        for task in ("t", "u")
        for predictor in ("a", "b")
        for block in blocks
    ]
    assert len({run.key for run in found}) == len(found)


def test_a_budget_is_handed_on() -> None:
    (run,) = predictions(["t"], ["a"], 1, 1, Budget(queries=7))
    assert run.budget == Budget(queries=7)
