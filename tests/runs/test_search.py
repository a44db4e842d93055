from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from toy import ARCHS, TOY, toy_table

from bench.base import Arch, BenchError, Budget, Problem, Record, Table
from bench.runs import members, pool, score, search
from bench.runs.oracle import Oracle, parse_budget
from bench.runs.row import Outcome, ScoreRun, SearchRun, budget_text, line
from bench.runs.search import run_search
from bench.runs.store import Store
from bench.runs.tasks import Task


class Listed:
    """Ask for given architectures in turn, then misbehave as told."""

    order: tuple[Arch, ...] = ()
    then: Exception = StopIteration()

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        self.left = list(self.order)

    def ask(self) -> Arch:
        if not self.left:
            raise self.then
        return self.left.pop(0)

    def tell(self, arch: Arch, validation: float) -> None:
        pass


@pytest.fixture
def table() -> Table:
    return toy_table()


@pytest.fixture(autouse=True)
def _toy(table: Table, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    task = Task(TOY, table)
    for module in (search, score):
        monkeypatch.setattr(module, "load_task", lambda name: task)
    found = members.searcher

    def searcher(text: str) -> tuple[Any, dict[str, Any]]:
        return (Listed, {}) if text == "listed" else found(text)

    monkeypatch.setattr(members, "searcher", searcher)
    yield
    Listed.order, Listed.then = (), StopIteration()


def listed(*order: Arch, then: Exception | None = None, queries: int = 10) -> Outcome:
    Listed.order = order
    Listed.then = then or StopIteration()
    return run_search(SearchRun("toy/data", "listed", Budget(queries=queries), 7, 1))


def trace_of(outcome: Outcome) -> dict[str, list[Any]]:
    assert outcome.attachment is not None
    columns: dict[str, list[Any]] = pq.read_table(
        io.BytesIO(outcome.attachment.content)
    ).to_pydict()
    return columns


def test_the_pick_is_the_best_validation_and_its_test_is_looked_up() -> None:
    row = listed((0, 0, 1), (3, 3, 0), (0, 0, 0)).rows[0]
    assert row == {
        "kind": "search",
        "task": "toy/data",
        "searcher": "listed",
        "budget": "queries=10",
        "seed": 7,
        "status": "ok",
        "error": None,
        "queries": 3,
        "seconds": 33.0,
        "scored": 0,
        "arch": "330",
        "validation": 39.0,
        "test": 38.0,
        "regret": 3.0,
        "test_regret": 3.0,
    }


def test_the_earliest_of_equals_is_picked() -> None:
    # 10 a + 3 b + c: 013 and 020 are both 6.
    assert listed((0, 1, 3), (0, 2, 0)).rows[0]["arch"] == "013"
    assert listed((0, 2, 0), (0, 1, 3)).rows[0]["arch"] == "020"


def test_a_trace_has_one_row_a_query() -> None:
    trace = trace_of(listed((0, 0, 1), (3, 3, 0), (0, 0, 1)))
    assert trace == {
        "run": ["search/toy/data/listed/queries=10/seeds=7-7"] * 3,
        "seed": [7] * 3,
        "step": [0, 1, 2],
        "arch": ["001", "330", "001"],
        "validation": [1.0, 39.0, 1.0],
        "queries": [1, 2, 3],
        "seconds": [10.0, 23.0, 33.0],
        "scored": [0, 0, 0],
    }


@pytest.mark.parametrize("table", [toy_table(training_seconds=None)])
def test_unknown_seconds_are_null(table: Table) -> None:
    outcome = listed((0, 0, 1))
    assert json.loads(line(outcome.rows[0]))["seconds"] is None
    assert trace_of(outcome)["seconds"] == [None]


@pytest.mark.parametrize(
    "table",
    [toy_table(maximise=False, accuracy={"validation": toy_table().accuracy["validation"]})],
)
def test_less_is_better_and_no_test_is_recorded(table: Table) -> None:
    row = listed((3, 3, 3), (0, 0, 2)).rows[0]
    assert (row["arch"], row["validation"], row["regret"]) == ("002", 2.0, 2.0)
    assert (row["test"], row["test_regret"]) == (None, None)


def test_a_searcher_that_raises_is_a_failed_row_and_its_trace_is_kept() -> None:
    outcome = listed((0, 0, 1), then=ZeroDivisionError("oh"))
    row = outcome.rows[0]
    assert (row["status"], row["error"]) == ("failed", "ZeroDivisionError: oh")
    assert row["queries"] == 1
    assert not row.keys() & {"validation", "test", "regret", "arch"}
    assert trace_of(outcome)["arch"] == ["001"]


def test_an_architecture_outside_the_space_is_the_searchers_failure() -> None:
    row = listed((9, 9, 9)).rows[0]
    assert row["error"].startswith("ArchError: expected three digits")


def test_a_stop_in_tell_is_a_failure_and_no_clean_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def tell(self: Listed, arch: Arch, validation: float) -> None:
        raise StopIteration

    monkeypatch.setattr(Listed, "tell", tell)
    row = listed((0, 0, 1)).rows[0]
    assert (row["status"], row["queries"]) == ("failed", 1)


def test_an_exit_is_the_searchers_failure() -> None:
    assert listed((0, 0, 1), then=SystemExit(0)).rows[0]["error"] == "SystemExit: 0"


def test_a_searcher_cannot_disturb_the_next_one() -> None:
    problem = Oracle(search.load_task("toy/data").answers, Budget(queries=1)).problem()
    assert isinstance(problem.pool, tuple)
    assert not any(isinstance(value, Task | Oracle) for value in vars(problem).values())
    assert not hasattr(problem.scores, "__self__")


def test_a_proxy_that_is_better_when_low_is_turned_round(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(graph: Any) -> float:
        if graph.operations[1] == "0":
            raise ValueError
        return float(graph.operations[1])

    found = {
        "up": members.FunctionProxy("up", lambda graph: -down(graph)),
        "down": members.FunctionProxy("down", down, higher_is_better=False),
    }
    monkeypatch.setattr(members, "proxy", found.__getitem__)
    columns = trace_of(score.run_score(ScoreRun("toy/data", ("up", "down"))))
    assert columns["score:up"] == columns["score:down"]
    assert columns["score:down"][0] == -np.inf
    assert columns["score:down"][-1] == -3.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(10.0, "seconds=10"), (1234567.0, "seconds=1234567"), (0.1, "seconds=0.1")],
)
def test_budgets_are_written_in_full(seconds: float, text: str) -> None:
    assert budget_text(Budget(seconds=seconds)) == text
    assert parse_budget(text) == Budget(seconds=seconds)


def test_a_plan_with_a_run_twice_is_refused(tmp_path: Path) -> None:
    run = ScoreRun("toy/data")
    with (
        Store.opened(tmp_path, {"study": "s"}) as store,
        pytest.raises(BenchError, match="every run of a plan once"),
    ):
        pool.execute([run, run], store)


def test_an_error_with_any_text_is_written(tmp_path: Path) -> None:
    outcome = listed((0, 0, 1), then=ValueError("\udcff\n\x00"))
    with Store.opened(tmp_path, {"study": "s"}) as store:
        store.append("run", outcome)
    with Store.opened(tmp_path, {"study": "s"}) as store:
        assert store.done == {"run"}


def test_no_query_at_all_is_a_failure() -> None:
    assert listed().rows[0]["error"] == "it ended before its first query"


def test_a_searcher_cannot_overspend() -> None:
    row = listed(*ARCHS, queries=5).rows[0]
    assert row["queries"] == 5


def test_seconds_end_a_search_before_they_are_overspent() -> None:
    run = SearchRun("toy/data", "random", Budget(seconds=100.0), 0, 3)
    for row in run_search(run).rows:
        assert 87 < row["seconds"] <= 100


def test_blocks_of_seeds_are_the_seeds_one_by_one() -> None:
    def rows(first: int, seeds: int) -> list[Record]:
        run = SearchRun("toy/data", "regularised-evolution", Budget(queries=20), first, seeds)
        return run_search(run).rows

    assert rows(0, 4) == [rows(seed, 1)[0] for seed in range(4)]


def test_scores_carry_failures_and_gaps_as_they_are() -> None:
    outcome = score.run_score(ScoreRun("toy/data", ("random", "parametric")))
    row = outcome.rows[0]
    assert (row["n"], row["truth"]) == (64, "validation")
    assert row["proxies"] == ["good", "half", "random", "parametric"]
    columns = trace_of(outcome)
    assert columns["arch"] == [TOY.text(arch) for arch in ARCHS]
    assert columns["score:half"][0] == -np.inf
    assert np.isnan(columns["score:half"][32:]).all()
    assert columns["seconds:good"] == [0.5] * 64
    assert columns["score:parametric"] == [3.0] * 64
    assert len(set(columns["score:random"])) == 64


def test_a_proxy_that_raises_is_counted_by_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def picky(graph: Any) -> float:
        return {"0": 1 / int(graph.operations[2]) if graph.operations[2] != "3" else np.nan}["0"]

    monkeypatch.setattr(members, "proxy", lambda name: members.FunctionProxy(name, picky))
    outcome = score.run_score(ScoreRun("toy/data", ("picky",)))
    reasons = {"ZeroDivisionError: division by zero": 16, "non-finite": 16}
    assert outcome.rows[0]["errors"] == {"picky": reasons}
    assert (np.array(trace_of(outcome)["score:picky"]) == -np.inf).sum() == 32


@pytest.mark.parametrize("table", [toy_table(), toy_table(training_seconds=None)])
def test_the_same_run_gives_the_same_bytes(table: Table) -> None:
    run = SearchRun("toy/data", "evolution,warm=good", Budget(queries=30), 3, 5)
    first, second = run_search(run), run_search(run)
    assert [line(row) for row in first.rows] == [line(row) for row in second.rows]
    assert first.attachment is not None
    assert second.attachment is not None
    assert first.attachment.content == second.attachment.content


def test_a_run_that_fails_as_a_whole_is_a_failed_row_for_every_seed() -> None:
    run = SearchRun("toy/data", "nobody", Budget(queries=30), 3, 5)
    rows = pool.do(run).rows
    assert [row["seed"] for row in rows] == [3, 4, 5, 6, 7]
    assert all(row["error"].startswith("UnknownNameError: there is no searcher") for row in rows)
    assert pool.do(ScoreRun("toy/data", ("snip",))).rows[0]["status"] == "failed"


class Reading(Listed):
    """Read a proxy by name before anything is asked."""

    order = (ARCHS[5],)
    wanted = "good"
    weights_found_on = "another/task"

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        super().__init__(problem, rng)
        problem.scores(ARCHS[:2], [self.wanted])


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("nowhere", "UnknownNameError: there is no proxy 'nowhere'"),
        ("nwot", "DataError: the task toy/data records no proxy nwot; it records good, half"),
    ],
)
def test_a_proxy_that_is_not_there_is_that_searchers_failed_rows(
    wanted: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reading, "wanted", wanted)
    monkeypatch.setattr(members, "searcher", lambda text: (Reading, {}))
    rows = run_search(SearchRun("toy/data", "reading", Budget(queries=1), 0, 2)).rows
    assert [(row["seed"], row["status"], row["queries"]) for row in rows] == [
        (0, "failed", 0),
        (1, "failed", 0),
    ]
    assert all(row["error"].startswith(says) for row in rows)


def test_a_row_says_on_whose_labels_the_searchers_weights_were_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = SearchRun("toy/data", "reading", Budget(queries=1), 0, 1)
    monkeypatch.setattr(members, "searcher", lambda text: (Reading, {}))
    (row,) = run_search(run).rows
    assert (row["status"], row["weights_found_on"]) == ("ok", "another/task")
    monkeypatch.setattr(members, "searcher", lambda text: (Listed, {}))
    monkeypatch.setattr(Listed, "order", (ARCHS[5],))
    (row,) = run_search(run).rows
    assert "weights_found_on" not in row
