from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau
from toy import TOY, toy_table

from bench.base import DataError, Graph, OptionError, UnknownNameError
from bench.commands.testing import AssertTau, Live, tau
from bench.runs.tasks import Task

TASK = Task(TOY, toy_table())
OTHER = Task(TOY, toy_table(name="toy/other", maximise=False))


def value(graph: Graph) -> float:
    """Exactly the toy's accuracy."""
    a, b, c = map(int, graph.operations[1:-1])
    return 10 * a + 3 * b + c


def cost(graph: Graph) -> float:
    return -value(graph)


cost.higher_is_better = False  # type: ignore[attr-defined]


def constant(graph: Graph) -> float:
    return 1.0


def picky(graph: Graph) -> float:
    """Fail on the better half, which then ranks last."""
    if value(graph) >= 16:
        raise ValueError("no")
    return value(graph)


@pytest.fixture
def assert_tau(tmp_path: Path) -> AssertTau:
    return AssertTau(tmp_path)


def test_tau_of_functions_columns_and_directions() -> None:
    assert tau(value, TASK) == pytest.approx(1)
    assert tau(cost, TASK) == pytest.approx(1)
    assert tau(value, OTHER) == pytest.approx(-1)
    assert np.isnan(tau(constant, TASK))
    # `half` is recorded of the first 32, whose first has failed: pair by pair, of those.
    score = np.where(np.arange(32) == 0, -np.inf, TASK.table.scores["half"][:32])
    truth = TASK.table.accuracy["validation"][:32]
    signs = np.array(
        [
            (np.sign(score[i] - score[j]), np.sign(truth[i] - truth[j]))
            for i in range(32)
            for j in range(i)
        ]
    )
    above = (signs[:, 0] * signs[:, 1]).sum()
    assert tau("half", TASK) == pytest.approx(above / np.sqrt((signs != 0).sum(axis=0).prod()))


def test_failures_rank_last() -> None:
    assert tau(picky, TASK) < 0


def test_bounds_hold_or_are_told_by_task(assert_tau: AssertTau) -> None:
    assert assert_tau(value, [TASK], at_least=1.0) == {"toy/data": pytest.approx(1)}
    with pytest.raises(
        AssertionError, match=r"tau of value on toy/other to be at least 0.5, got -1.000000$"
    ):
        assert_tau(value, [TASK, OTHER], at_least=0.5)
    assert_tau(value, [TASK, OTHER], at_least={"toy/data": 1.0, "toy/other": -1.0})


def test_an_undefined_tau_is_below_every_bound(assert_tau: AssertTau) -> None:
    with pytest.raises(AssertionError, match="at least -1, got nan"):
        assert_tau(constant, [TASK], at_least=-1.0)


def test_a_tau_may_rise_and_not_fall(assert_tau: AssertTau, tmp_path: Path) -> None:
    writing = AssertTau(tmp_path, update=True)
    found = writing("good", [TASK], baseline="taus.json")
    writing("half", [TASK], baseline="taus.json")
    path = tmp_path / "taus.json"
    assert json.loads(path.read_text())["good"] == found
    assert assert_tau("good", [TASK], baseline="taus.json") == found
    content = json.loads(path.read_text())
    for other, holds in ((-0.1, True), (0.1, False)):
        moved = {"toy/data": found["toy/data"] + other}
        path.write_text(json.dumps(content | {"good": moved}))
        if holds:
            assert_tau("good", [TASK], baseline="taus.json")
            continue
        with pytest.raises(AssertionError, match="tau of good on toy/data fell from 0"):
            assert_tau("good", [TASK], baseline=path)


def test_what_a_baseline_lacks_is_told(assert_tau: AssertTau, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="good on toy/data in taus.json, got none; .*--tau-up"):
        assert_tau("good", [TASK], baseline="taus.json")
    assert not (tmp_path / "taus.json").exists()


def test_an_undefined_tau_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="expected a tau of constant"):
        AssertTau(tmp_path, update=True)(constant, [TASK], baseline="taus.json")
    assert json.loads((tmp_path / "taus.json").read_text()) == {"constant": {}}


def test_a_baseline_that_cannot_be_read_is_told(assert_tau: AssertTau, tmp_path: Path) -> None:
    (tmp_path / "taus.json").mkdir()
    with pytest.raises(DataError, match="could not read .*taus.json: Is a directory"):
        assert_tau("good", [TASK], baseline="taus.json")


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"good": 1}', '{"good": {"toy/data": "high"}}', '{"good": {"toy/data": NaN}}'],
)
def test_a_damaged_baseline_is_told(assert_tau: AssertTau, tmp_path: Path, content: str) -> None:
    (tmp_path / "taus.json").write_text(content)
    with pytest.raises(DataError, match="taus.json"):
        assert_tau("good", [TASK], baseline="taus.json")


def test_misuse_is_told(assert_tau: AssertTau) -> None:
    with pytest.raises(OptionError, match="at_least or baseline .* got neither"):
        assert_tau("good", [TASK])
    with pytest.raises(OptionError, match="got no tasks"):
        assert_tau("good", [], at_least=0)
    with pytest.raises(OptionError, match="at_least for toy/data, got it for toy/dat$"):
        assert_tau("good", [TASK], at_least={"toy/dat": 0.5})
    with pytest.raises(UnknownNameError, match="no proxy 'goods'"):
        assert_tau("goods", [TASK], at_least=0)
    with pytest.raises(UnknownNameError, match="no task 'toy/none'"):
        assert_tau("good", ["toy/none"], at_least=0)


def trainable(weights: object, loss_gradients: object) -> float:
    """A function of passes that fails everywhere."""
    raise ZeroDivisionError("nothing")


def test_a_proxy_that_is_computed_live_is_scored_on_a_sample(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from bench.proxies import live as live_proxies
    from bench.runs import live
    from bench.runs.tasks import load_task

    task = load_task("nasbench201/digits")
    known = Task(task.space, dataclasses.replace(task.table, scores={}))
    how = Live(sample=12, dataset="noise,size=8,classes=4", shape=(("channels", 4),), batch=4)
    found = AssertTau(tmp_path)("params", [known], at_least=-1, live=how)
    # Written out: the same twelve, each network made and scored by itself.
    from bench.draws import keyed
    from bench.networks import Weights, network

    order = keyed(0, "sample", known.name).permutation(len(known.table.archs))[:12]
    batches = live.minibatches("noise,size=8,classes=4", 4, 0)
    values = []
    for row in order:
        arch = known.space.parse(known.table.archs[row])
        module = network("nasbench201", arch, Weights(0), classes=4, channels=4)
        proxy = live.scorable("params")
        values.append(live_proxies.score(module, batches, [proxy])["params"].value)
    truth = known.truth()[1][order]
    assert found[known.name] == pytest.approx(kendalltau(values, truth).statistic)
    assert tau("params", known, how) == found[known.name]


def test_a_live_proxy_that_fails_everywhere_is_a_reason() -> None:
    pytest.importorskip("torch")
    how = Live(sample=2, dataset="noise,size=8", shape=(("channels", 2),), batch=4)
    with pytest.raises(DataError, match="of 2 networks .* by trainable, got ZeroDivisionError"):
        tau(trainable, "nasbench201/digits", how)
