from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from toy import ARCHS, TOY, toy_table

from bench.base import Arch, Budget, BudgetSpentError, Floats, OptionError, Prediction, Problem
from bench.predictors.forest import _ranks, random_forest
from bench.runs.oracle import Oracle
from bench.runs.tasks import Task


def problem(queries: int = 0, **changes: object) -> tuple[Problem, Oracle]:
    oracle = Oracle(Task(TOY, toy_table(**changes)).answers, Budget(queries=queries))
    return oracle.problem(), oracle


def predicted(queries: int = 0, seed: int = 0, **how: Any) -> tuple[Prediction, Oracle]:
    options = {name: how.pop(name) for name in ("scored", "trees") if name in how}
    given, oracle = problem(queries, **how)
    return random_forest(given, oracle.query, np.random.default_rng(seed), **options), oracle


def test_ranks_are_middles_of_n_equal_parts_and_ties_share_theirs() -> None:
    values = np.array([5.0, 1.0, 5.0, 1e38])
    assert _ranks(values).tolist() == [0.5, 0.125, 0.5, 0.875]
    assert _ranks(np.array([7.0])).tolist() == [0.5]


def test_all_are_read_where_the_pool_has_fewer_and_then_its_order_is_met() -> None:
    found, oracle = predicted(scored=1000, trees=50)
    assert oracle.scored == 64
    good = toy_table().scores["good"]
    assert np.corrcoef(found.scores["good"], good)[0, 1] > 0.95


def test_a_larger_score_is_predicted_larger_whatever_its_scale() -> None:
    good = toy_table().scores["good"]
    first, _ = predicted(scored=64, trees=5, scores={"good": good})
    other, _ = predicted(scored=64, trees=5, scores={"good": 10.0 ** (4 * good)})
    assert (first.scores["good"] == other.scores["good"]).all()


def test_what_failed_or_is_not_recorded_is_left_out_and_told() -> None:
    found, _ = predicted(scored=64, trees=5)
    assert found.facts == {"known:good": 1.0, "known:half": 31 / 64}
    nothing, _ = predicted(scored=64, trees=5, scores={"good": np.full(64, np.nan)})
    assert nothing.scores == {}
    assert nothing.facts == {"known:good": 0.0}


def test_accuracy_is_predicted_from_what_the_budget_holds() -> None:
    found, oracle = predicted(queries=40, scored=50, trees=50)
    assert len(set(oracle.steps)) == 40
    validation = toy_table().accuracy["validation"]
    assert np.corrcoef(found.scores["accuracy"], validation)[0, 1] > 0.8
    assert "accuracy" not in predicted(queries=0, scored=50, trees=5)[0].scores
    assert len(predicted(queries=60, scored=50, trees=5)[1].steps) == 50


def test_no_query_is_asked_for_that_is_not_scored() -> None:
    given, oracle = problem(queries=5)
    asked: list[Arch] = []
    read: list[Arch] = []

    def query(arch: Arch) -> float:
        if len(asked) == 5:
            raise BudgetSpentError
        asked.append(arch)
        return 1.0

    def scores(archs: Sequence[Arch], proxies: Sequence[str]) -> Floats:
        read.extend(archs)
        return oracle.scores(archs, proxies)

    random_forest(
        replace(given, scores=scores), query, np.random.default_rng(0), scored=10, trees=2
    )
    assert asked == read[:5]
    assert len(read) == len(set(read)) == 10
    assert set(read) <= set(ARCHS)


@pytest.mark.parametrize("option", ["scored", "trees"])
def test_senseless_options_are_refused(option: str) -> None:
    with pytest.raises(OptionError, match=f"expected {option} of at least 1, got 0"):
        predicted(**{option: 0})


def test_a_pool_that_cannot_be_listed_is_refused() -> None:
    given, oracle = problem()
    with pytest.raises(OptionError, match="expected a task whose architectures are listed"):
        random_forest(replace(given, pool=None), oracle.query, np.random.default_rng(0))


def test_without_scikit_learn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found: Callable[..., Any] = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name.startswith("sklearn"):
            raise ModuleNotFoundError(name="sklearn")
        return found(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(OptionError, match=r"needs sklearn.* pip install 'ipl-bench\[searchers\]'"):
        predicted(scored=5, trees=2)
