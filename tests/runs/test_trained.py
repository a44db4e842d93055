"""An oracle that trains: what it answers, charges and keeps, and what becomes of divergence."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from bench.base import ArchError, Budget, BudgetSpentError, OptionError, UnknownNameError
from bench.runs import members
from bench.runs.oracle import Oracle, QueryFailedError
from bench.runs.row import SearchRun
from bench.runs.search import judged, search_all, traces

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from bench.networks import Weights, network
from bench.runs import trained
from bench.runs.recipes import split_of
from bench.runs.trained import TrainedTask
from bench.training.recipe import Recipe, parse
from bench.training.trainer import Trained, train

SPACE = members.space("nasbench201")
TINY = "digits,epochs=2,checkpoints=1/2,training=40,batch=10,skeleton=cells:1/channels:2"
ARCH, OTHER = (3, 1, 2, 0, 1, 3), (1, 1, 1, 1, 1, 1)


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Trained]:
    """What was trained since, one after the other."""
    done: list[Trained] = []

    def counting(*what: Any) -> Trained:
        done.append(train(*what))
        return done[-1]

    monkeypatch.setattr(trained, "train", counting)
    return done


@pytest.fixture
def diverging(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have every so-manyth training diverge, and none take any time."""

    def every(nth: int) -> None:
        done = 0

        def fake(module: object, split: object, recipe: Recipe, seed: int) -> Trained:
            nonlocal done
            done += 1
            fails = done % nth == 0
            values = (10.0, math.nan if fails else 10.0 + done)
            accuracy = dict.fromkeys(("train", "validation", "test"), values)
            status = "diverged" if fails else "ok"
            reason = "the loss was not finite at step 7" if fails else ""
            return Trained(status, reason, recipe.checkpoints, accuracy, 2.0)

        monkeypatch.setattr(trained, "train", fake)

    return every


def task(text: str = TINY) -> TrainedTask:
    return TrainedTask(SPACE, parse(text))


def search(of: TrainedTask, searcher: str, seeds: int = 1, **budget: float) -> list[dict[str, Any]]:
    run = SearchRun(of.name, searcher, Budget(**budget), 0, seeds)  # type: ignore[arg-type]
    return [judged(of, run, each) for each in search_all(of, run)]


def stored() -> list[Path]:
    folder = Path(trained.TrainedStore(parse(TINY), SPACE.name, 0)._folder)
    return sorted(folder.glob("*.json"))


def test_an_answer_is_the_validation_accuracy_of_the_network_trained_alone() -> None:
    oracle = Oracle(task().answers, Budget(queries=1))
    recipe = parse(TINY)
    module = network("nasbench201", ARCH, Weights(0), **recipe.shape)
    alone = train(module, split_of(recipe), recipe, 0)
    assert oracle.query(ARCH) == alone.accuracy["validation"][-1]
    assert alone.accuracy["validation"][-1] != alone.accuracy["test"][-1]
    assert oracle.clock[0] > 0


def test_a_budget_of_seconds_is_charged_as_measured(diverging: Callable[[int], None]) -> None:
    diverging(100)
    oracle = Oracle(task().answers, Budget(seconds=5.0))
    oracle.query(ARCH)
    oracle.query(OTHER)
    assert oracle.clock == [2.0, 4.0]
    with pytest.raises(BudgetSpentError):
        oracle.query(ARCH)


def test_nothing_is_trained_once_the_queries_are_spent(counted: list[Trained]) -> None:
    oracle = Oracle(task().answers, Budget(queries=1))
    oracle.query(ARCH)
    with pytest.raises(BudgetSpentError):
        oracle.query(OTHER)
    assert len(counted) == 1


def test_what_was_trained_is_not_trained_again_and_costs_the_same(counted: list[Trained]) -> None:
    first = search(task(), "regularised-evolution,population=2,sample=1", seeds=2, queries=4)
    before = len(counted)
    assert 1 < before <= 8
    again = search(task(), "regularised-evolution,population=2,sample=1", seeds=2, queries=4)
    assert again == first
    assert len(counted) == before == len(stored())


@pytest.mark.parametrize("how", ["random", "evolution,population=2,warm=params,warm_pool=4"])
def test_nothing_but_validation_at_the_end_moves_a_search_by_queries(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained now, read from the cache, or on a slower machine with other secrets: all the same."""

    def asked() -> list[list[Any]]:
        of = task()
        run = SearchRun(of.name, how, Budget(queries=4), 5, 1)
        trace = traces(of, run.key, search_all(of, run))
        return [trace.column(name).to_pylist() for name in ("arch", "validation")]

    def poisoned(*what: Any) -> Trained:
        done = train(*what)
        accuracy = {
            "train": (math.nan, -1e3),
            "validation": (1e3, done.accuracy["validation"][-1]),
            "test": (1e3, math.nan),
        }
        return replace(done, seconds=1e6, accuracy=accuracy)

    fresh = asked()
    assert asked() == fresh
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "slow"))
    monkeypatch.setattr(trained, "train", poisoned)
    assert asked() == fresh
    monkeypatch.setattr(trained, "train", train)
    assert asked() == fresh


def test_a_table_is_put_together_but_once_for_all_traces(
    diverging: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    diverging(100)
    of = task()
    run = SearchRun(of.name, "random", Budget(queries=5), 0, 2)
    searches = search_all(of, run)
    whole, read = of.table, []
    monkeypatch.setattr(TrainedTask, "table", property(lambda self: read.append(1) or whole))
    traces(of, run.key, searches)
    assert len(read) == 1


def test_isomorphic_cells_are_networks_of_their_own(counted: list[Trained]) -> None:
    one, other = (0, 1, 0, 1, 0, 0), (0, 0, 1, 0, 1, 0)
    oracle = Oracle(task().answers, Budget(queries=2))
    oracle.query(one)
    oracle.query(other)
    assert len(counted) == 2


def test_where_nothing_can_be_kept_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file"))
    oracle = Oracle(task().answers, Budget(queries=2))
    oracle.query(ARCH)
    oracle.query(OTHER)
    assert len(oracle.steps) == 2
    assert caplog.text.count("trained networks are not kept") == 1


def test_a_network_that_diverged_is_charged_and_has_no_answer() -> None:
    of = task(TINY + ",learning_rate=1e30")
    oracle = Oracle(of.answers, Budget(queries=2))
    with pytest.raises(QueryFailedError, match="its network diverged"):
        oracle.query(ARCH)
    assert len(oracle.steps) == len(oracle.clock) == 1
    assert oracle.clock[0] > 0
    assert math.isnan(of.table.accuracy["validation"][0])


def test_searchers_are_not_told_of_failures_and_no_number_stands_for_them(
    diverging: Callable[[int], None],
) -> None:
    diverging(2)
    of = task()
    run = SearchRun(of.name, "regularised-evolution,population=3", Budget(queries=9), 0, 1)
    (done,) = search_all(of, run)
    row = judged(of, run, done)
    assert row["status"] == "ok"
    assert row["queries"] == 9
    assert row["failed_queries"] == sum(
        math.isnan(of.answers.validation[step]) for step in done.oracle.steps
    )
    assert row["failed_queries"] >= 1
    answered = [value for value in of.answers.validation if not math.isnan(value)]
    assert row["validation"] == row["test"] == max(answered)
    trace: pa.Table = traces(of, run.key, [done])
    assert trace.column("validation").null_count == row["failed_queries"]
    assert not any(map(math.isnan, trace.column("validation").drop_null().to_pylist()))


@pytest.mark.parametrize("searcher", ["random", "local-search", "evolution,population=2"])
def test_a_search_of_nothing_but_failures_fails(
    searcher: str, diverging: Callable[[int], None]
) -> None:
    diverging(1)
    (row,) = search(task(), searcher, queries=5)
    assert (row["status"], row["error"]) == ("failed", "all of its 5 queries failed")
    assert row["failed_queries"] == 5
    assert row["seconds"] == 10.0
    assert "validation" not in row


def test_regret_is_unknown(diverging: Callable[[int], None]) -> None:
    diverging(100)
    (row,) = search(task(), "random", queries=3)
    assert row["regret"] is None
    assert row["test_regret"] is None
    assert row["test"] == row["validation"] == 13.0
    assert "failed_queries" not in row


def test_there_is_no_pool_and_the_space_is_whole() -> None:
    problem = Oracle(task().answers, Budget(queries=1)).problem()
    assert problem.pool is None
    assert problem.space is SPACE
    with pytest.raises(ArchError):
        Oracle(task().answers, Budget(queries=1)).query((9,) * 6)


def test_live_proxies_are_the_untrained_networks_own_and_cost_their_seconds() -> None:
    of = task()
    oracle = Oracle(of.answers, Budget(seconds=1000.0))
    assert {"synflow", "nwot"} <= set(oracle.problem().proxies)
    assert "parametric" not in oracle.problem().proxies
    values = oracle.scores([ARCH, OTHER, ARCH], ["params", "nwot", "random"])
    assert values.shape == (3, 3)
    np.testing.assert_array_equal(values[0], values[2])
    weights = network("nasbench201", ARCH, Weights(0), **of.recipe.shape).parameters()
    assert values[0, 0] == pytest.approx(sum(each.numel() for each in weights) / 1e6)
    first = oracle.seconds
    assert first > 0
    # Read again, they cost what they took before; a proxy of the graph costs nothing.
    oracle.scores([ARCH], ["random"])
    assert oracle.seconds == first
    oracle.scores([ARCH, OTHER, ARCH], ["params", "nwot"])
    assert oracle.seconds == pytest.approx(2 * first)
    assert oracle.scored == 2


def test_a_proxy_that_needs_a_table_or_does_not_exist_is_refused() -> None:
    oracle = Oracle(task().answers, Budget(queries=1))
    with pytest.raises(OptionError, match="ranks a population"):
        oracle.scores([ARCH], ["az_nas"])
    with pytest.raises(UnknownNameError):
        oracle.scores([ARCH], ["no_such_proxy"])


def test_features_have_the_columns_of_the_whole_space() -> None:
    problem = Oracle(task().answers, Budget(queries=1)).problem()
    both = problem.features([ARCH, OTHER], "graph")
    np.testing.assert_array_equal(problem.features([OTHER], "graph")[0], both[1])


def test_features_of_a_space_that_cannot_be_listed_are_refused() -> None:
    darts = TrainedTask(members.space("darts"), parse("digits,skeleton=channels:4"))
    problem = Oracle(darts.answers, Budget(queries=1)).problem()
    arch = problem.space.sample(np.random.default_rng(0))
    with pytest.raises(OptionError, match="at most 100,000 architectures .* got darts"):
        problem.features([arch], "graph")


def test_what_the_space_cannot_build_is_told_before_anything_is_trained() -> None:
    with pytest.raises(OptionError, match="sized by"):
        TrainedTask(SPACE, replace(parse(TINY), skeleton=(("layers", 3),)))
