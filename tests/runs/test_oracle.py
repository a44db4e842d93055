from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from toy import ARCHS, TOY, toy_table

from bench.base import ArchError, Budget, BudgetError, BudgetSpentError, DataError, Problem, Table
from bench.runs.oracle import Oracle, parse_budget
from bench.runs.tasks import Task


def oracle(table: Table | None = None, **budget: float) -> Oracle:
    limit = Budget(**budget) if budget else Budget(queries=5)  # type: ignore[arg-type]
    return Oracle(Task(TOY, table or toy_table()).answers, limit)


def test_a_query_answers_validation_and_never_test() -> None:
    asked = oracle()
    assert asked.query((1, 2, 3)) == 10 + 6 + 3
    shown = {name for name in dir(asked.problem()) if not name.startswith("_")}
    about = {"task", "dataset"}  # names, by which a searcher knows whose labels it must not use
    assert shown == {"space", "pool", "budget", "proxies", "scores", "features"} | about


def test_features_cost_nothing_and_lead_to_no_table() -> None:
    asked = oracle(seconds=25.0)
    features = asked.problem().features
    assert features([(0, 0, 0), (1, 2, 3)], "one-hot").shape == (2, 5 * (6 + 5))
    assert not hasattr(features, "__self__")
    assert asked.scored == 0
    asked.query((0, 0, 0))
    assert asked.clock == [10.0]


def test_the_budget_of_queries_holds_and_repeats_count() -> None:
    asked = oracle(queries=3)
    for _ in range(3):
        assert not asked.spent
        asked.query((0, 0, 0))
    assert asked.spent
    with pytest.raises(BudgetSpentError, match="budget of 3 queries is spent"):
        asked.query((0, 0, 1))
    assert len(asked.steps) == 3


def test_a_budget_of_seconds_charges_training_and_proxies() -> None:
    asked = oracle(seconds=25.0)
    asked.scores([(0, 0, 0), (0, 0, 1)], ["good"])
    asked.query((0, 0, 0))
    assert asked.clock == [11.0]
    asked.query((3, 0, 0))
    assert asked.clock == [11.0, 24.0]
    with pytest.raises(BudgetSpentError, match="seconds is spent"):
        asked.query((0, 0, 0))
    assert asked.clock == [11.0, 24.0]
    with pytest.raises(BudgetSpentError):
        asked.scores([ARCHS[i] for i in range(3)], ["good"])


def test_seconds_need_a_table_that_records_them() -> None:
    with pytest.raises(BudgetError, match="records no training seconds"):
        oracle(toy_table(training_seconds=None), seconds=10.0)
    with pytest.raises(BudgetError, match="does not record the seconds"):
        oracle(seconds=1000.0).scores([(0, 0, 1)], ["half"])


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_budget_in_seconds_must_be_able_to_end(seconds: float) -> None:
    with pytest.raises(DataError, match="training seconds above zero"):
        oracle(toy_table(training_seconds=np.full(64, seconds)), seconds=10.0)


def test_an_unknown_training_time_hides_no_senseless_one() -> None:
    seconds = np.full(64, 5.0)
    seconds[0], seconds[9] = np.nan, -1.0
    with pytest.raises(DataError, match="training seconds above zero in toy/data, got -1"):
        oracle(toy_table(training_seconds=seconds), seconds=10.0)


def test_unrecorded_seconds_are_unknown_and_not_zero() -> None:
    asked = oracle(toy_table(training_seconds=None))
    asked.query((0, 0, 0))
    assert isnan(asked.clock[0])
    asked = oracle()
    asked.scores([(0, 0, 1)], ["half"])
    asked.query((0, 0, 0))
    assert isnan(asked.clock[0])


def test_scores_are_counted_by_different_architectures() -> None:
    asked = oracle()
    values = asked.scores([(0, 0, 1), (1, 1, 1), (0, 0, 1)], ["good"])
    np.testing.assert_array_equal(values, [[1.0], [3.0], [1.0]])
    asked.scores([(1, 1, 1), (2, 2, 2)], ["good", "half"])
    assert asked.scored == 3
    assert asked.scores([], ["good"]).shape == (0, 1)
    assert asked.scores([(0, 0, 0)], []).shape == (1, 0)


def test_failed_and_unrecorded_scores_are_nan() -> None:
    values = oracle().scores([(0, 0, 0), (3, 3, 3), (0, 1, 0)], ["half"])[:, 0]
    assert isnan(values[0])
    assert isnan(values[1])
    assert values[2] == 1.0


def test_what_was_read_and_told_nothing_is_known() -> None:
    """`half` failed for 000 and is not recorded from 200 on; `good` is there for all."""
    asked = oracle(toy_table(failures={"half": {0: "empty"}}))
    assert asked.nothing_read is None
    asked.scores([(0, 0, 0)], [])
    asked.query((0, 0, 0))
    assert (asked.nothing_read, asked.unscored_queries) == (None, 0), "no proxy was read"
    asked.scores([(3, 3, 3)], ["half"])
    assert asked.nothing_read == (
        "none of its proxies gave a score of any of the 2 architectures read: half is recorded "
        "for none of them"
    )
    found = oracle(toy_table(failures={"half": {0: "empty"}}))
    found.scores([(0, 0, 0), (3, 3, 3)], ["half"])
    found.query((3, 3, 3))
    assert found.nothing_read is not None
    assert found.nothing_read.endswith("of any of the 2 architectures read: half, 1 with empty")
    assert found.unscored_queries == 1
    found.scores([(3, 3, 3)], ["good", "half"])
    assert (found.nothing_read, found.unscored_queries) == (None, 0)


def test_a_computed_proxy_costs_nothing_but_is_counted() -> None:
    asked = oracle(seconds=100.0)
    first = asked.scores(ARCHS[:4], ["random"])
    again = asked.scores(ARCHS[:4], ["random"])
    np.testing.assert_array_equal(first, again)
    assert len(set(first[:, 0].tolist())) == 4
    asked.query((0, 0, 0))
    assert (asked.clock, asked.scored) == ([10.0], 4)


def test_a_proxy_that_is_not_recorded_is_named_with_those_that_are() -> None:
    with pytest.raises(DataError, match=r"records no proxy synflow; it records good, half"):
        oracle().scores([(0, 0, 0)], ["synflow"])


def test_answers_are_oriented_where_less_is_better() -> None:
    loss = toy_table(maximise=False)
    task = Task(TOY, loss)
    asked = Oracle(task.answers, Budget(queries=2))
    assert asked.query((3, 3, 3)) < asked.query((0, 0, 0))
    assert task.answers.best == 0.0


def test_a_partial_table_is_a_pool() -> None:
    validation = toy_table().accuracy["validation"].copy()
    validation[:60] = np.nan
    asked = oracle(toy_table(accuracy={"validation": validation}))
    problem = asked.problem()
    assert isinstance(problem, Problem)
    assert list(problem.pool or ()) == ARCHS[60:]
    rng = np.random.default_rng(0)
    drawn = {problem.space.sample(rng) for _ in range(100)}
    assert drawn == set(ARCHS[60:])
    with pytest.raises(ArchError, match="does not know the architecture 000"):
        asked.query((0, 0, 0))
    with pytest.raises(ArchError, match="three digits"):
        asked.query((9, 9))
    assert asked.steps == []


def test_a_table_of_classes_answers_for_every_member_of_a_class() -> None:
    classes = [i for i, arch in enumerate(ARCHS) if list(arch) == sorted(arch)]
    whole = toy_table()
    table = toy_table(
        archs=[whole.archs[i] for i in classes],
        accuracy={name: values[classes] for name, values in whole.accuracy.items()},
        scores={},
        score_seconds={},
        training_seconds=None,
        canonical=True,
    )
    asked = oracle(table)
    assert asked.query((3, 1, 2)) == asked.query((1, 2, 3)) == 19.0


@pytest.mark.parametrize(
    ("text", "budget"),
    [("queries=7", Budget(queries=7)), ("seconds=1.5", Budget(seconds=1.5))],
)
def test_budgets_are_read(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget


@pytest.mark.parametrize(
    "text", ["queries=0", "queries=-1", "seconds=0", "seconds=nan", "seconds=inf", "seconds=-3"]
)
def test_budgets_above_zero_only(text: str) -> None:
    with pytest.raises(BudgetError, match="expected a budget above zero"):
        parse_budget(text)


@pytest.mark.parametrize("text", ["", "100", "queries", "queries=x", "queries=1.5", "epochs=3"])
def test_budgets_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(BudgetError, match="expected a budget as queries=100"):
        parse_budget(text)
