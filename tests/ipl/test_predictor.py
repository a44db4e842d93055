"""The predictor: its columns, what it pays for, and unified scores by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import kendalltau

from bench.base import Budget, DataError, Floats, OptionError, Prediction
from bench.runs import members
from bench.runs.oracle import Oracle
from bench.runs.predict import Predicted, predict_once
from bench.runs.row import PredictRun
from bench.runs.tasks import Task
from ipl import predictor
from ipl.predictor import predict
from ipl.weights import PUBLISHED, transferred
from ipl.weights import found as found_weights

QUICK = {"scored": 30, "width": 32, "members": 1}
NAMES = ("jacov", "nwot", "synflow", "snip")


def predicted(
    task: Task, seed: int = 0, queries: int = 0, **how: object
) -> tuple[Prediction, Oracle]:
    oracle = Oracle(task.answers, Budget(queries=queries))
    found = predict(oracle.problem(), oracle.query, np.random.default_rng(seed), **(QUICK | how))
    return found, oracle


def bits(found: Prediction) -> dict[str, bytes]:
    return {name: values.tobytes() for name, values in found.scores.items()}


def z_scores(task: Task) -> dict[str, Floats]:
    """Of the whole pool; what is failed is NaN. No value of the toy is near the clip."""
    found = {}
    for name, values in task.table.scores.items():
        known = np.isfinite(values)
        standard = (values - values[known].mean()) / values[known].std()
        # Less is better of none of these four.
        found[name] = np.where(known, standard, np.nan)
    return found


def weighed(scores: Mapping[str, Floats], weights: Mapping[str, float]) -> Floats:
    """The weighted sum; what is failed is as bad as the worst of the others."""
    parts = []
    for name, values in scores.items():
        part = weights.get(name, 0.0) * values
        parts.append(np.where(np.isnan(part), np.nanmin(part), part))
    return np.asarray(sum(parts))


def test_a_column_for_each_proxy_and_mode(task: Task) -> None:
    found, oracle = predicted(task)
    modes = ("equal", "equal-without-grasp", "published", "selected", "transferred")
    assert tuple(found.scores) == (*NAMES, *(f"unified:{mode}" for mode in modes))
    assert all(values.shape == (64,) for values in found.scores.values())
    assert all(np.isfinite(values).all() for values in found.scores.values())
    # All of the pool is trained on, so nothing is held out to reconstruct.
    assert list(found.facts) == ["validity", "validity_standard", "uniqueness", "novelty"]
    assert all(0 <= share <= 1 for share in found.facts.values())
    assert (oracle.scored, oracle.steps) == (30, [])


def test_unified_columns_are_weighed_sums_of_the_predicted(task: Task) -> None:
    found, _ = predicted(task)
    proxies = {name: found.scores[name] for name in NAMES}
    for mode, weights in {
        "equal": dict.fromkeys(NAMES, 1.0),
        "published": PUBLISHED,
        "selected": dict.fromkeys(("flops", "synflow", "jacov", "nwot"), 1.0),
        "transferred": transferred(None),
    }.items():
        np.testing.assert_allclose(found.scores[f"unified:{mode}"], weighed(proxies, weights))


def test_proxies_are_predicted(task: Task) -> None:
    found, _ = predicted(task)
    for name in ("jacov", "nwot", "snip"):
        assert kendalltau(found.scores[name], task.table.scores[name]).statistic > 0.5


@pytest.mark.parametrize("holes", [False, True])
def test_unlearned_scores_are_the_recorded_ones_weighed(task: Task, holes: bool) -> None:
    if holes:
        scores = {name: values.copy() for name, values in task.table.scores.items()}
        scores["snip"][5], scores["jacov"][::7] = -np.inf, np.nan
        task = Task(task.space, replace(task.table, scores=scores))
    found, oracle = predicted(task, learned=False, transform="z-score", scored=64)
    standard = z_scores(task)
    assert set(found.scores) == {
        *("unified:equal", "unified:equal-without-grasp", "unified:published"),
        *("unified:selected", "unified:transferred"),
    }
    np.testing.assert_allclose(
        found.scores["unified:published"],
        weighed(standard, {"jacov": 1.0, "synflow": 0.840, "snip": -0.164}),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        found.scores["unified:equal"], weighed(standard, dict.fromkeys(NAMES, 1.0)), atol=1e-12
    )
    np.testing.assert_allclose(
        found.scores["unified:transferred"], weighed(standard, transferred(None)), atol=1e-12
    )
    assert oracle.scored == 64


def test_unlearned_transforms_are_fitted_on_the_scored_alone(task: Task) -> None:
    """By rank among 10: each value has one of 21 places, so of 64 many are equal."""
    one = Task(task.space, replace(task.table, scores={"jacov": np.arange(64.0)}))
    found, _ = predicted(one, learned=False, scored=10)
    column = found.scores["unified:equal"]
    places = [NormalDist().inv_cdf((place + 1) / 22) for place in range(21)]
    assert set(np.round(column, 9)) <= set(np.round(places, 9))
    assert len(set(column)) == 21
    assert (np.diff(column) >= 0).all()


def test_grasp_is_left_out_of_one_mode(task: Task) -> None:
    more = task.table.scores | {"grasp": np.arange(64.0) % 9}
    found, _ = predicted(
        Task(task.space, replace(task.table, scores=more)), learned=False, transform="raw"
    )
    equal, without = (found.scores[f"unified:{mode}"] for mode in ("equal", "equal-without-grasp"))
    np.testing.assert_allclose(equal - without, np.arange(64) % 9)


def test_modes_that_know_none_of_the_proxies_have_no_column(task: Task) -> None:
    mine = {"mine": task.table.scores["nwot"], "fisher": task.table.scores["jacov"]}
    found, _ = predicted(Task(task.space, replace(task.table, scores=mine)))
    assert [name.partition(":")[2] for name in found.scores if ":" in name] == [
        *("equal", "equal-without-grasp", "published", "transferred")
    ]


@pytest.mark.parametrize("learned", [True, False])
def test_labels_are_queries_and_find_weights(task: Task, learned: bool) -> None:
    found, oracle = predicted(task, queries=20, learned=learned, labels=20)
    assert len(oracle.steps) == len(set(oracle.steps)) == 20
    weights = {name: v for name, v in found.facts.items() if name.startswith("weight:")}
    assert list(weights) == [f"weight:{name}" for name in NAMES]
    assert max(map(abs, weights.values())) == 1
    column = found.scores["unified:found"]
    assert column.shape == (64,)
    assert kendalltau(column, task.table.accuracy["validation"]).statistic > 0.5
    if learned:
        scores = np.stack([found.scores[name] for name in NAMES], axis=1)
        np.testing.assert_allclose(column, scores @ np.array(list(weights.values())))
        told = np.array([task.answers.validation[row] for row in oracle.steps])
        wanted = found_weights(scores[oracle.steps], told, rng=np.random.default_rng(0))
        np.testing.assert_allclose(list(weights.values()), wanted)


def test_labels_are_drawn_uniformly_and_differently(task: Task) -> None:
    drawn = [
        tuple(predicted(task, seed, 5, learned=False, labels=5)[1].steps) for seed in range(30)
    ]
    assert len(set(drawn)) == 30
    # 150 uniform draws of 0 to 63: the mean is 31.5, its deviation 18.5 / sqrt(150).
    assert abs(np.mean(drawn) - 31.5) < 4 * 18.5 / 150**0.5


def run(task: Task, text: str, queries: int = 0) -> Predicted:
    predictor, options = members.predictor(text)
    how = PredictRun("toy/data", text, Budget(queries=queries), 0, 1)
    return predict_once(task.answers, how, predictor, options, 0)


def test_paths_go_up_the_unified_score_over_the_map(task: Task) -> None:
    found, _ = predicted(task, weights="equal")
    assert found.map is not None
    assert found.paths is not None
    paths, pool = found.paths, list(task.answers.pool)
    assert paths.score == "unified:equal"
    steps = 1 + 40 // 4
    assert paths.places.shape == (6, steps, 2)
    assert [len(path) for path in paths.met] == [steps] * 6
    at = [[pool.index(arch) for arch in path] for path in paths.met]
    starts = [path[0] for path in at]
    assert len(set(starts)) == 6
    # A start lies where the map has its architecture; the float32 latent is projected alike.
    np.testing.assert_allclose(paths.places[:, 0], found.map[starts], atol=1e-6)
    climbed = found.scores["unified:equal"]
    assert climbed[[path[-1] for path in at]].mean() > climbed[starts].mean()
    assert not np.array_equal(paths.places[:, 0], paths.places[:, -1])


def test_paths_are_of_the_seed(task: Task) -> None:
    first, again, other = (predicted(task, seed)[0].paths for seed in (1, 1, 2))
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.places.tobytes() == again.places.tobytes()
    assert first.met == again.met
    assert first.met != other.met


def test_paths_are_drawn_last_and_change_nothing_that_is_predicted(task: Task) -> None:
    with_paths, without = (predicted(task, weights=mode)[0] for mode in ("equal", "found"))
    assert with_paths.paths is not None
    assert without.paths is None
    assert bits(with_paths) == bits(without)
    assert with_paths.facts == without.facts


def test_a_senseless_ascent_is_refused_before_anything_is_learnt(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "shared", lambda *_, **__: pytest.fail("learnt"))
    with pytest.raises(OptionError, match="expected steps and keep to be at least 1, got 0"):
        predicted(task, steps=0)


def test_without_a_learner_or_the_weights_there_are_no_paths(task: Task) -> None:
    assert predicted(task, learned=False)[0].paths is None
    assert predicted(task, queries=9, labels=9, weights="found")[0].paths is not None
    assert predicted(task, weights="found")[0].paths is None


def test_the_bench_runs_it_by_name(task: Task) -> None:
    done = run(task, "ipl,learned=false,labels=8", queries=8)
    assert done.error is None
    assert done.prediction is not None
    assert len(done.oracle.steps) == 8


def test_more_labels_than_the_budget_fail(task: Task) -> None:
    done = run(task, "ipl,learned=false,labels=8", queries=7)
    assert done.prediction is None
    assert done.error == "BudgetSpentError: the budget of 7 queries is spent"
    assert len(done.oracle.steps) == 7


@pytest.mark.parametrize("learned", [True, False])
def test_same_seed_same_bits_and_another_seed_others(task: Task, learned: bool) -> None:
    first, again, other = (bits(predicted(task, seed, learned=learned)[0]) for seed in (1, 1, 2))
    assert first == again
    assert first.keys() == other.keys()
    assert first != other


def test_accuracies_that_were_not_asked_for_change_nothing(task: Task) -> None:
    first, oracle = predicted(task, queries=9, labels=9)
    garbage = np.where(
        np.isin(np.arange(64), oracle.steps), task.table.accuracy["validation"], -1e6
    )
    poisoned = replace(task.table, accuracy={"validation": garbage})
    again, other = predicted(Task(task.space, poisoned), queries=9, labels=9)
    assert other.steps == oracle.steps
    assert bits(first) == bits(again)


@pytest.mark.parametrize("text", ["ipl,learned=maybe", "ipl,learned=1", "ipl,learned=True"])
def test_learned_is_true_or_false(text: str) -> None:
    with pytest.raises(OptionError, match="expected learned as true or false, got"):
        members.predictor(text)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"transform": "log"}, "expected transform among"),
        ({"found_on": "mnist"}, "expected weights found on one of"),
        ({"labels": 1}, "expected labels to be 0, or at least 2"),
        ({"objective": "rho", "labels": 5}, "expected objective among"),
    ],
)
@pytest.mark.parametrize("learned", [True, False])
def test_senseless_options_are_refused(
    task: Task, how: dict[str, object], says: str, learned: bool
) -> None:
    with pytest.raises(OptionError, match=says):
        predicted(task, queries=9, learned=learned, **how)


def test_a_space_that_cannot_be_listed_is_told(task: Task) -> None:
    oracle = Oracle(task.answers, Budget(queries=9))
    problem = replace(oracle.problem(), pool=None)
    with pytest.raises(DataError, match="expected a pool to predict, got the whole space toy"):
        predict(problem, oracle.query, np.random.default_rng(0))


@pytest.mark.parametrize("learned", [True, False])
def test_a_pool_of_one_is_predicted(task: Task, learned: bool) -> None:
    validation = np.full(64, np.nan)
    validation[7] = 1.0
    alone = Task(task.space, replace(task.table, accuracy={"validation": validation}))
    found, oracle = predicted(alone, learned=learned)
    assert all(values.shape == (1,) for values in found.scores.values())
    assert all(np.isfinite(values).all() for values in found.scores.values())
    assert oracle.scored == 1
