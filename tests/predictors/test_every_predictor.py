"""A contract over all predictors: what the bench relies on, whatever they do inside."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from toy import TOY, toy_table

from bench.base import Budget, Prediction, Table
from bench.predictors import PREDICTORS
from bench.runs import members
from bench.runs.predict import Predicted, predict_once
from bench.runs.row import PredictRun
from bench.runs.tasks import Task

FEW = {"forest": "scored=20,trees=5"}
"""What makes a predictor read a few of the toy's architectures, and quick."""


def texts() -> Iterator[str]:
    for name in PREDICTORS:
        yield f"{name},{FEW[name]}"


def done(text: str, seed: int = 0, queries: int = 0, table: Table | None = None) -> Predicted:
    predictor, options = members.predictor(text)
    run = PredictRun("toy/data", text, Budget(queries=queries), seed, 1)
    return predict_once(Task(TOY, table or toy_table()).answers, run, predictor, options, seed)


def prediction(
    text: str, seed: int = 0, queries: int = 0, table: Table | None = None
) -> Prediction:
    found = done(text, seed, queries, table)
    assert found.error is None
    assert found.prediction is not None
    return found.prediction


def bits(found: Prediction) -> dict[str, bytes]:
    return {name: values.tobytes() for name, values in found.scores.items()}


@pytest.mark.parametrize("text", list(texts()))
@pytest.mark.parametrize("queries", [0, 10])
def test_same_seed_same_bits_and_another_seed_others(text: str, queries: int) -> None:
    first, again, other = (prediction(text, seed, queries) for seed in (1, 1, 2))
    assert bits(first) == bits(again)
    assert first.facts == again.facts
    assert bits(first).keys() == bits(other).keys()
    assert bits(first) != bits(other)


@pytest.mark.parametrize("text", list(texts()))
def test_global_random_state_is_left_alone(text: str) -> None:
    np.random.seed(5)  # noqa: NPY002 - it is what is being watched
    before = repr(np.random.get_state())  # noqa: NPY002
    prediction(text)
    assert repr(np.random.get_state()) == before  # noqa: NPY002


@pytest.mark.parametrize("text", list(texts()))
@pytest.mark.parametrize("queries", [0, 1, 7])
def test_the_budget_is_kept_to(text: str, queries: int) -> None:
    found = done(text, queries=queries)
    assert found.error is None
    assert len(found.oracle.steps) <= queries


@pytest.mark.parametrize("text", list(texts()))
def test_few_are_read_and_all_are_predicted_better_than_by_chance(text: str) -> None:
    found = done(text)
    assert found.prediction is not None
    assert 0 < found.oracle.scored < 64
    good = toy_table().scores["good"]
    assert np.corrcoef(found.prediction.scores["good"], good)[0, 1] > 0.5


@pytest.mark.parametrize("text", list(texts()))
def test_less_is_better_is_the_mirror_image(text: str) -> None:
    up = toy_table()
    down = toy_table(accuracy={"validation": -up.accuracy["validation"]}, maximise=False)
    assert bits(prediction(text, queries=10, table=up)) == bits(
        prediction(text, queries=10, table=down)
    )


@pytest.mark.parametrize("text", list(texts()))
def test_a_pool_is_kept_to(text: str) -> None:
    validation = toy_table().accuracy["validation"].copy()
    validation[::3] = np.nan
    found = done(text, queries=5, table=toy_table(accuracy={"validation": validation}))
    assert found.prediction is not None
    assert {len(values) for values in found.prediction.scores.values()} == {42}
    assert all(row % 3 for row in (*found.oracle.scored_rows.tolist(), *found.oracle.steps))


@pytest.mark.parametrize("text", list(texts()))
def test_constant_scores_and_a_pool_of_one_are_predicted_too(text: str) -> None:
    flat = toy_table(scores={"good": np.ones(64)}, accuracy={"validation": np.ones(64)})
    values = prediction(text, queries=3, table=flat).scores["good"]
    assert np.unique(values).size == 1
    validation = np.full(64, np.nan)
    validation[9] = 3.0
    alone = toy_table(accuracy={"validation": validation})
    assert prediction(text, queries=3, table=alone).scores["good"].shape == (1,)


@pytest.mark.parametrize("text", list(texts()))
def test_it_has_a_docstring_and_options_with_defaults(text: str) -> None:
    member, _ = members.predictor(text)
    assert member.__doc__
    assert None not in members.options(member).values()
