"""Weights: the modes' numbers, and weights found on labels against independent references."""

from __future__ import annotations

import json
import sys
from importlib import resources
from itertools import product

import numpy as np
import pytest
from scipy.stats import kendalltau, rankdata

from bench.base import Budget, DataError, Floats, OptionError, Problem
from bench.runs import members
from bench.runs.oracle import Oracle
from bench.runs.tasks import load_task
from bench.spaces.nasbench201 import NASBENCH201
from bench.studies.ipl_paper import IPL_PAPER
from bench.studies.ipl_race import IPL_RACE
from ipl.options import Options
from ipl.weights import (
    MODES,
    PUBLISHED,
    RIDGE,
    SELECTED,
    _tau,
    found,
    source,
    transferred,
    weights,
)

THIRTEEN = (
    *("epe_nas", "fisher", "flops", "grad_norm", "grasp", "jacov", "l2_norm", "nwot"),
    *("params", "plain", "snip", "synflow", "zen"),
)
PAPER = {
    "jacov": 1.0,
    "synflow": 0.84,
    "flops": 0.609,
    "grasp": 0.441,
    "zen": 0.416,
    "params": -0.587,
    "fisher": -0.342,
    "snip": -0.164,
    "l2_norm": -0.1,
}
"""As the thesis tells them."""


def labelled(n: int = 60, p: int = 4, seed: int = 0) -> tuple[Floats, Floats]:
    """`n x p` scores of which two matter, one of them with the wrong sign, and `n` accuracies."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, p))
    return scores, 2 * scores[:, 0] - scores[:, 1] + 0.3 * rng.normal(size=n)


def test_the_numbers_of_the_modes() -> None:
    names = ("jacov", "grasp", "mine", "snip", "nwot")
    assert weights("equal", names).tolist() == [1, 1, 1, 1, 1]
    assert weights("equal-without-grasp", names).tolist() == [1, 0, 1, 1, 1]
    assert weights("published", names).tolist() == [1, 0.441, 0, -0.164, 0]
    assert weights("selected", names).tolist() == [1, 0, 0, 0, 1]
    assert dict(PUBLISHED) == PAPER
    # Binarised: what is known above one half, and nwot, whose weight is not told.
    assert set(SELECTED) == {name for name, weight in PAPER.items() if weight > 0.5} | {"nwot"}


def test_transferred_weights_are_of_the_first_task_unless_one_is_named() -> None:
    known = transferred("nasbench201-suite/ImageNet16-120")
    assert weights("transferred", ["zen", "mine"], "nasbench201-suite/ImageNet16-120").tolist() == [
        known["zen"],
        0,
    ]
    assert transferred(None) == transferred("nasbench201-suite/cifar10")


def test_transferred_json_is_well_formed() -> None:
    whole = json.loads(resources.files("ipl").joinpath("transferred.json").read_text("utf-8"))
    assert set(whole) == {"made_by", "weights"}
    assert whole["made_by"].startswith("ipl-bench predict TASK --predictor ipl,")
    for task, known in whole["weights"].items():
        assert task in members.names("tables")
        assert set(known) <= set(members.names("proxies"))
        assert set(known) == set(THIRTEEN)
        # The largest is 1 in size, as `found` makes them.
        assert max(map(abs, known.values())) == 1


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "found"])
def test_none_of_its_proxies_is_told(mode: str) -> None:
    names = {"equal": (), "equal-without-grasp": ("grasp",)}.get(mode, ("mine",))
    with pytest.raises(OptionError, match=f"at least one proxy of weights={mode} .*, got only"):
        weights(mode, names)


@pytest.mark.parametrize("mode", ["best", ""])
def test_another_mode_is_refused(mode: str) -> None:
    with pytest.raises(OptionError, match=rf"expected weights among equal, .*got '{mode}'"):
        weights(mode, THIRTEEN)


def test_another_task_is_refused() -> None:
    with pytest.raises(OptionError, match="found on one of nasbench201-suite/cifar10, .*'mnist'"):
        weights("transferred", THIRTEEN, "mnist")


def by_hand(scores: Floats, accuracies: Floats) -> Floats:
    """Ridge regression on squared ranks as an ordinary least squares with rows added."""
    n, p = scores.shape
    wanted = (rankdata(accuracies) / n) ** 2
    rows = np.vstack([scores - scores.mean(0), np.sqrt(RIDGE * n) * np.eye(p)])
    best = np.linalg.lstsq(rows, np.append(wanted - wanted.mean(), np.zeros(p)), rcond=None)[0]
    return np.asarray(best / np.abs(best).max())


@pytest.mark.parametrize("ties", [False, True])
def test_ranks_are_a_ridge_regression_of_squared_ranks(ties: bool) -> None:
    scores, accuracies = labelled()
    accuracies = accuracies.round() if ties else accuracies
    weighed = found(scores, accuracies, rng=np.random.default_rng(0))
    np.testing.assert_allclose(weighed, by_hand(scores, accuracies), rtol=1e-9, atol=1e-12)
    assert np.abs(weighed).max() == 1
    assert weighed[0] == 1
    assert weighed[1] < -0.2


def test_ranks_see_the_order_of_accuracies_alone() -> None:
    scores, accuracies = labelled()
    plain = found(scores, accuracies, rng=np.random.default_rng(0))
    for changed in (np.exp(accuracies), 1e6 * accuracies - 5, np.arctan(accuracies)):
        again = found(scores, changed, rng=np.random.default_rng(9))
        assert again.tobytes() == plain.tobytes()


def test_ranks_of_proxies_that_are_equal_share_the_weight() -> None:
    scores, accuracies = labelled(p=2)
    twice = np.column_stack([scores[:, 0], scores[:, 0]])
    assert found(twice, accuracies, rng=np.random.default_rng(0)) == pytest.approx([1, 1])


@pytest.mark.parametrize("objective", ["ranks", "tau"])
def test_unknown_scores_count_as_zero(objective: str) -> None:
    scores, accuracies = labelled(30)
    holes, zeros = scores.copy(), scores.copy()
    holes[::4, 2], zeros[::4, 2] = np.nan, 0
    told = [
        found(each, accuracies, objective=objective, trials=5, rng=np.random.default_rng(0))
        for each in (holes, zeros)
    ]
    assert told[0].tobytes() == told[1].tobytes()
    assert np.isfinite(told[0]).all()


@pytest.mark.parametrize("step", [0.01, 0.5, 3.0])
def test_tau_is_scipy_s_tau_b(step: float) -> None:
    scores, accuracies = labelled(40)
    accuracies = np.round(accuracies / step) * step
    for weight in product([-1.0, 0.5], repeat=4):
        unified = np.round(scores @ np.array(weight) / step) * step
        wanted = kendalltau(unified, accuracies).statistic
        assert _tau(accuracies)(unified) == pytest.approx(wanted, abs=1e-6)


def test_tau_of_equal_scores_is_zero() -> None:
    assert _tau(np.array([1.0, 2.0, 3.0]))(np.ones(3)) == 0


def test_tpe_finds_better_than_equal_weights() -> None:
    scores, accuracies = labelled()
    weighed = found(scores, accuracies, objective="tau", trials=40, rng=np.random.default_rng(0))
    tau = _tau(accuracies)
    assert np.abs(weighed).max() == 1
    assert tau(scores @ weighed) > tau(scores @ np.ones(4)) + 0.2


def test_tpe_is_never_worse_than_equal_weights() -> None:
    """Equal weights are its first trial, and all that one trial knows."""
    scores, accuracies = labelled(20)
    once = found(scores, accuracies, objective="tau", trials=1, rng=np.random.default_rng(0))
    assert once.tolist() == [1, 1, 1, 1]


def test_same_seed_same_weights_and_another_seed_others() -> None:
    scores, accuracies = labelled(20)
    first, again, other = (
        found(scores, accuracies, objective="tau", trials=15, rng=np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_optuna_is_as_loud_as_it_was() -> None:
    optuna = pytest.importorskip("optuna")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        scores, accuracies = labelled(10)
        found(scores, accuracies, objective="tau", trials=2, rng=np.random.default_rng(0))
        assert optuna.logging.get_verbosity() == optuna.logging.WARNING
    finally:
        optuna.logging.set_verbosity(before)


def test_no_optuna_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    scores, accuracies = labelled(10)
    found(scores, accuracies, rng=np.random.default_rng(0))  # `ranks` does not need it.
    with pytest.raises(OptionError, match=r"needs optuna, .*ipl-bench\[ipl\]'$"):
        found(scores, accuracies, objective="tau", rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"objective": "rho"}, "objective among ranks, tau, got 'rho'"),
        ({"trials": 0}, "trials to be at least 1, got 0"),
    ],
)
def test_senseless_options_are_refused(wrong: dict[str, object], says: str) -> None:
    scores, accuracies = labelled(10)
    with pytest.raises(OptionError, match=says):
        found(scores, accuracies, rng=np.random.default_rng(0), **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("accuracies", [[], [3.0], [3.0, 3.0, 3.0]])
@pytest.mark.parametrize("objective", ["ranks", "tau"])
def test_labels_that_say_nothing_are_told(objective: str, accuracies: list[float]) -> None:
    with pytest.raises(DataError, match="expected labels that differ"):
        found(
            np.zeros((len(accuracies), 2)),
            np.array(accuracies),
            objective=objective,
            rng=np.random.default_rng(0),
        )


def test_scores_that_say_nothing_give_no_weights() -> None:
    told = found(np.full((5, 3), np.nan), np.arange(5.0), rng=np.random.default_rng(0))
    assert told.tolist() == [0, 0, 0]


CIFAR10, IMAGENET = "nasbench201-suite/cifar10", "nasbench201-suite/ImageNet16-120"


def problem_of(dataset: str, space: object = NASBENCH201) -> Problem:
    """A problem of a dataset, of which nothing else is looked at."""
    nothing = None
    return Problem(  # type: ignore[arg-type]
        space, None, Budget(queries=1), (), nothing, nothing, f"a-task/{dataset}", dataset
    )


@pytest.mark.parametrize("dataset", ["cifar10", "cifar10-valid", "my_CIFAR-10 table", "CIFAR10"])
def test_weights_are_not_used_unasked_on_the_labels_they_were_found_on(dataset: str) -> None:
    problem = problem_of(dataset)
    ways = f"say found_on={IMAGENET}, weights=equal, or leak=true"
    for where in (None, CIFAR10):
        with pytest.raises(OptionError, match=ways):
            source("transferred", where, problem)
        assert source("transferred", where, problem, leak=True) == CIFAR10
    assert source("transferred", IMAGENET, problem) == IMAGENET
    assert source("equal", None, problem) is None
    assert source("published", None, problem) is None
    assert source("found", None, problem) == f"a-task/{dataset}"


def test_a_file_whose_name_does_not_say_its_data_gets_no_weights_unasked() -> None:
    for where in (None, IMAGENET):
        with pytest.raises(OptionError, match="got 'mine_acc' .* say which of cifar10, cifar100"):
            source("transferred", where, problem_of("mine_acc"))
    assert source("transferred", None, problem_of("mine_acc"), leak=True) == CIFAR10
    assert source("equal", None, problem_of("mine_acc")) is None


def test_weights_of_other_data_are_used_and_named() -> None:
    for dataset in ("cifar100", "ImageNet16-120", "digits"):
        assert source("transferred", None, problem_of(dataset)) == CIFAR10
    with pytest.raises(OptionError, match=f"say found_on={CIFAR10}, weights=equal"):
        source("transferred", IMAGENET, problem_of("ImageNet16-120"))
    # Other cells, though trained on the same images.
    elsewhere = type("Elsewhere", (), {"name": "darts"})()
    assert source("transferred", None, problem_of("cifar10", elsewhere)) == CIFAR10


def test_the_studies_use_no_tasks_labels_on_itself(data: object) -> None:
    looked_at = 0
    for study in (IPL_RACE, IPL_PAPER):
        for run in study.runs():
            text = getattr(run, "searcher", getattr(run, "predictor", ""))
            if text.partition(",")[0] != "ipl":
                continue
            member = members.searcher if hasattr(run, "searcher") else members.predictor
            said = {it: v for it, v in member(text)[1].items() if it != "learned"}
            chosen = Options(**said)
            problem = Oracle(load_task(run.task).answers, Budget(queries=1)).problem()
            where = source(chosen.weights, chosen.found_on, problem, leak=chosen.leak)
            assert where is None or chosen.weights == "found" or where in (CIFAR10, IMAGENET)
            looked_at += 1
    assert looked_at > 100
