"""What the searchers with a model do, and the published figures that some of them meet."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from toy import ARCHS, TOY, toy_table

from bench.base import Arch, Budget, DataError, OptionError, Problem
from bench.runs import members
from bench.runs.oracle import Oracle
from bench.runs.row import SearchRun
from bench.runs.search import search_once
from bench.runs.tasks import Task, load_task
from bench.searchers._categories import Categories
from bench.searchers.optuna_gp import OptunaGp
from bench.searchers.optuna_tpe import OptunaTpe
from bench.searchers.rank_average import RankAverage

VALIDATION = dict(zip(ARCHS, toy_table().accuracy["validation"].tolist(), strict=True))
MODELS = ["gaussian-process", "bananas", "npenas", "predictor", "optuna-tpe"]


def problem(**changes: object) -> Problem:
    return Oracle(Task(TOY, toy_table(**changes)).answers, Budget(queries=1)).problem()


def asked(text: str, count: int, given: Problem | None = None, seed: int = 0) -> list[Arch]:
    factory, options = members.searcher(text)
    searcher = factory(given or problem(), np.random.default_rng(seed), **options)
    order = []
    for _ in range(count):
        arch = searcher.ask()
        searcher.tell(arch, VALIDATION[arch])
        order.append(arch)
    return order


def regrets(task: str, text: str, seeds: int, at: tuple[int, ...]) -> list[float]:
    """Mean validation regret after so many queries."""
    answers = load_task(task).answers
    factory, options = members.searcher(text)
    run = SearchRun(task, text, Budget(queries=max(at)), 0, seeds)
    curves = []
    for seed in range(seeds):
        done = search_once(answers, run, factory, options, seed)
        assert done.error is None
        curves.append(np.maximum.accumulate([answers.validation[i] for i in done.oracle.steps]))
    return [float(answers.best - np.mean([curve[n - 1] for curve in curves])) for n in at]


def test_rank_average_goes_down_the_mean_of_ranks() -> None:
    table = toy_table()
    first, _, last = np.array(ARCHS, dtype=float).T
    # One proxy knows the first digit, one the last: both best, then sums of the two.
    scores = dict(table.scores) | {"first": first * 1e9, "last": last}
    order = asked("rank-average,proxies=first+last", 64, problem(scores=scores))
    sums = [arch[0] + arch[2] for arch in order]
    assert sums == sorted(sums, reverse=True)
    assert sorted(order) == ARCHS


def test_rank_average_of_scored_knows_no_others() -> None:
    oracle = Oracle(Task(TOY, toy_table()).answers, Budget(queries=64))
    searcher = RankAverage(oracle.problem(), np.random.default_rng(0), proxies="good", scored=9)
    assert oracle.scored == 9
    assert len({searcher.ask() for _ in range(9)}) == 9
    with pytest.raises(StopIteration):
        searcher.ask()


def test_rank_average_says_which_proxy_is_not_recorded() -> None:
    with pytest.raises(DataError, match="records no proxy jacov; it records good, half"):
        asked("rank-average", 1)


@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_asked_twice_and_all_in_the_end(name: str) -> None:
    options = "" if name == "optuna-tpe" else ",batch=20"
    order = asked(name + options, 64)
    assert sorted(order) == ARCHS
    factory, given = members.searcher(name + options)
    searcher = factory(problem(), np.random.default_rng(0), **given)
    for arch in order:
        assert searcher.ask() == arch
        searcher.tell(arch, VALIDATION[arch])
    with pytest.raises(StopIteration):
        searcher.ask()


@pytest.mark.parametrize("name", MODELS)
def test_a_pool_of_one_is_searched(name: str) -> None:
    validation = np.full(64, np.nan)
    validation[7] = 1.0
    alone = problem(accuracy={"validation": validation})
    assert asked(name, 1, alone) == [ARCHS[7]]
    with pytest.raises(StopIteration):
        asked(name, 2, alone)


@pytest.mark.parametrize(
    "text",
    ["gaussian-process", "bananas,features=one-hot", "npenas", "predictor", "optuna-tpe"],
)
def test_it_beats_random_draws(text: str) -> None:
    """Of 26 draws without repeats, 41 % hold the best of the 64: five in a row do in 1 %."""
    assert all((3, 3, 3) in asked(text, 26, seed=seed) for seed in range(5))


@pytest.mark.parametrize("text", ["bananas,drawn=0,batch=4", "npenas,batch=4"])
def test_evolving_searchers_ask_for_mutants_of_the_best(text: str) -> None:
    order = asked(text, 22)
    for start in (10, 14, 18):
        best = sorted(order[:start], key=lambda arch: -VALIDATION[arch])[:10]
        for arch in order[start : start + 4]:
            assert any(sum(x != y for x, y in zip(arch, p, strict=True)) == 1 for p in best)


@pytest.mark.parametrize("name", ["gaussian-process", "bananas", "npenas", "predictor"])
def test_with_proxies_alone_the_scored_are_the_candidates(name: str) -> None:
    oracle = Oracle(Task(TOY, toy_table()).answers, Budget(queries=64))
    text = f"{name},features=proxies,proxies=good,scored=15"
    assert len(set(asked(text, 15, oracle.problem()))) == 15
    assert oracle.scored == 15
    with pytest.raises(StopIteration):
        asked(text, 16)


@pytest.mark.parametrize("name", ["bananas", "npenas", "predictor"])
def test_with_graphs_too_the_search_begins_with_the_scored_and_leaves_them(name: str) -> None:
    oracle = Oracle(Task(TOY, toy_table()).answers, Budget(queries=64))
    order = asked(f"{name},features=proxies+one-hot,proxies=good,scored=15", 30, oracle.problem())
    assert oracle.scored == 15
    assert len(set(order)) == 30


def test_categories_are_entries_or_else_the_graph() -> None:
    assert Categories(problem()).choices == {str(i): (0, 1, 2, 3) for i in range(3)}
    chains = load_chains()
    categories = Categories(chains)
    assert chains.pool is not None
    codes = [tuple(categories.parameters(arch).values()) for arch in chains.pool]
    assert len(set(codes)) == len(chains.pool)


def load_chains() -> Problem:
    """A space whose tuples have several lengths: the toy's without zeros at the end."""

    class Chains(type(TOY)):  # type: ignore[misc]
        def check(self, arch: Arch) -> None:
            """Any digits will do."""

        def graph(self, arch: Arch):  # type: ignore[no-untyped-def]
            graph = TOY.graph(arch)
            return type(graph)(graph.operations, np.eye(len(arch) + 2, k=1, dtype=bool))

    archs = [arch for arch in ARCHS if arch[2]] + [arch[:2] for arch in ARCHS if not arch[2]]
    table = toy_table(archs=["".join(map(str, arch)) for arch in archs])
    return Oracle(Task(Chains(), table).answers, Budget(queries=1)).problem()


def test_the_nearest_that_is_left_is_taken() -> None:
    categories = Categories(problem())
    rng = np.random.default_rng(0)
    assert categories.nearest([1, 2, 3], rng) == (1, 2, 3)
    ring = {categories.nearest([1, 2, 3], rng) for _ in range(9)}
    assert ring == set(TOY.neighbours((1, 2, 3)))
    rest = [categories.nearest([1, 2, 3], rng) for _ in range(54)]
    assert None not in rest
    assert categories.nearest([1, 2, 3], rng) is None


def test_optuna_leaves_its_log_level_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    import optuna

    before = optuna.logging.get_verbosity()
    asked("optuna-tpe", 12)
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("gaussian-process", "sklearn.gaussian_process"),
        ("bananas", "sklearn.ensemble"),
        ("npenas", "sklearn.ensemble"),
        ("predictor", "sklearn.ensemble"),
        ("optuna-tpe", "optuna"),
        ("optuna-gp", "torch"),
    ],
)
def test_a_missing_library_is_told_in_one_sentence(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(OptionError, match=f"needs {module}, which is not installed"):
        asked(name, 1)


def test_a_space_that_cannot_be_listed_is_refused_by_optuna() -> None:
    from dataclasses import replace

    for member in (OptunaTpe, OptunaGp):
        with pytest.raises(OptionError, match="can be listed"):
            member(replace(problem(), pool=None), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("nasbench201/cifar10-valid", [0.17, 0.07, 0.00, 0.00]),
        ("nasbench201/ImageNet16-120", [2.57, 0.18, 0.00, 0.00]),
    ],
)
def test_rank_average_meets_the_reference(task: str, expected: list[float], data: Path) -> None:
    """Regret at 10, 25, 50 and 100 queries; as good as no ties, so seeds hardly matter."""
    found = regrets(task, "rank-average", 2, (10, 25, 50, 100))
    np.testing.assert_allclose(found, expected, atol=0.005)


def test_a_gaussian_process_on_proxies_all_but_solves_cifar10(data: Path) -> None:
    """The reference has .00 after 50 queries, and random search .70."""
    proxies = "epe_nas+fisher+flops+grad_norm+grasp+jacov+l2_norm+nwot+params+plain+snip+synflow"
    text = f"gaussian-process,proxies={proxies}+zen"
    (found,) = regrets("nasbench201/cifar10-valid", text, 2, (60,))
    assert found < 0.35
