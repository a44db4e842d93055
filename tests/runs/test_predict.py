from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from toy import ARCHS, TOY, toy_table

from bench.base import (
    Arch,
    Budget,
    BudgetSpentError,
    DataError,
    OptionError,
    Paths,
    Prediction,
    Problem,
    Table,
)
from bench.runs import members, pool, predict
from bench.runs.oracle import Oracle
from bench.runs.predict import run_predict
from bench.runs.row import NO_QUERIES, Outcome, PredictRun, Run, ScoreRun, line
from bench.runs.store import Store
from bench.runs.tasks import Task

Query = Callable[[Arch], float]
Function = Callable[[Problem, Query, np.random.Generator], Any]


def plain(problem: Problem, query: Query, rng: np.random.Generator) -> Prediction:
    """Read `good` of three, ask for two of them, and say something of all."""
    assert problem.pool is not None
    archs = problem.pool[:3]
    problem.scores(archs, ("good",))
    for arch in archs[1:]:
        query(arch)
    values = rng.random(len(problem.pool))
    return Prediction({"good": values, "own": -values}, {"weight:good": 0.5})


@pytest.fixture
def table() -> Table:
    return toy_table()


@pytest.fixture(autouse=True)
def _toy(
    request: pytest.FixtureRequest, table: Table, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    if "data" in request.fixturenames:  # a test on a real task
        yield
        return
    task = Task(TOY, table)
    found = members.predictor

    def predictor(text: str) -> tuple[Any, dict[str, Any]]:
        return (Given.function, {}) if text == "given" else found(text)

    with monkeypatch.context() as patch:
        patch.setattr(predict, "load_task", lambda name: task)
        patch.setattr(members, "predictor", predictor)
        yield


class Given:
    """Holds the predictor of a test."""

    function: Function = staticmethod(plain)


def predicted(function: Function = plain, queries: int = 2, seeds: int = 1) -> Outcome:
    Given.function = staticmethod(function)
    return run_predict(PredictRun("toy/data", "given", Budget(queries=queries), 7, seeds))


def error_of(function: Function, queries: int = 2) -> str:
    """What a predictor's failed row says; such a row is the same whatever else was amiss."""
    outcome = predicted(function, queries)
    (row,) = outcome.rows
    assert row["status"] == "failed"
    assert not row.keys() & {"predicted", "facts", "n"}
    assert outcome.attachment is None
    assert "\n" not in row["error"]
    return str(row["error"])


def columns_of(outcome: Outcome) -> dict[str, list[Any]]:
    assert outcome.attachment is not None
    columns: dict[str, list[Any]] = pq.read_table(
        io.BytesIO(outcome.attachment.content)
    ).to_pydict()
    return columns


def test_a_row_says_what_was_read_and_what_the_predictor_tells() -> None:
    # Half a second for each of three scores, and ten for each of two architectures trained.
    assert predicted().rows == [
        {
            "kind": "predict",
            "task": "toy/data",
            "predictor": "given",
            "budget": "queries=2",
            "seed": 7,
            "status": "ok",
            "error": None,
            "queries": 2,
            "seconds": 21.5,
            "scored": 3,
            "n": 64,
            "predicted": ["good", "own"],
            "weights_found_on": None,
            "facts": {"weight:good": 0.5},
        }
    ]


def test_the_file_holds_every_seed_and_architecture_and_what_was_read() -> None:
    outcome = predicted(seeds=2)
    assert [row["seed"] for row in outcome.rows] == [7, 8]
    columns = columns_of(outcome)
    assert list(columns) == ["seed", "arch", "scored", "queried", "score:good", "score:own"]
    assert columns["seed"] == [7] * 64 + [8] * 64
    assert columns["arch"] == [TOY.text(arch) for arch in ARCHS] * 2
    assert columns["scored"] == ([True] * 3 + [False] * 61) * 2
    assert columns["queried"] == ([False, True, True] + [False] * 61) * 2
    for start, seed in ((0, 7), (64, 8)):
        values = np.random.default_rng(seed).random(64).tolist()
        assert columns["score:good"][start : start + 64] == values


def test_architectures_are_kept_once_as_a_dictionary() -> None:
    outcome = predicted(seeds=2)
    assert outcome.attachment is not None
    file = pq.ParquetFile(io.BytesIO(outcome.attachment.content))
    assert str(file.schema_arrow.field("arch").type).startswith("dictionary<values=string")


@pytest.mark.parametrize(
    "table",
    [toy_table(accuracy={"validation": np.where(np.arange(64) % 3, np.arange(64.0), np.nan)})],
)
def test_rows_of_a_partial_table_are_those_that_can_be_asked(table: Table) -> None:
    columns = columns_of(predicted())
    asked = [arch for row, arch in enumerate(ARCHS) if row % 3]
    assert columns["arch"] == [TOY.text(arch) for arch in asked]
    assert columns["scored"] == [True] * 3 + [False] * 39
    assert columns["queried"] == [False, True, True] + [False] * 39


@pytest.mark.parametrize("table", [toy_table(score_seconds={})])
def test_seconds_that_nobody_recorded_are_null(table: Table) -> None:
    assert json.loads(line(predicted().rows[0]))["seconds"] is None


def test_nothing_read_costs_nothing() -> None:
    def blind(problem: Problem, query: Query, rng: np.random.Generator) -> Prediction:
        return Prediction({"good": np.zeros(64)}, {})

    row = predicted(blind, queries=0).rows[0]
    assert (row["queries"], row["seconds"], row["scored"], row["facts"]) == (0, 0.0, 0, {})


def test_a_seed_that_failed_is_not_in_the_file_and_the_others_are() -> None:
    def moody(problem: Problem, query: Query, rng: np.random.Generator) -> Prediction:
        value = rng.random()
        if value == np.random.default_rng(8).random():
            raise ZeroDivisionError("oh")
        names = ("good", "rare") if value == np.random.default_rng(9).random() else ("good",)
        return Prediction({name: np.full(64, value) for name in names}, {})

    outcome = predicted(moody, seeds=3)
    assert [row["status"] for row in outcome.rows] == ["ok", "failed", "ok"]
    assert outcome.rows[1]["error"] == "ZeroDivisionError: oh"
    columns = columns_of(outcome)
    assert columns["seed"] == [7] * 64 + [9] * 64
    assert np.isnan(columns["score:rare"][:64]).all()
    assert np.isfinite(columns["score:rare"][64:]).all()


def giving(found: Any) -> Function:
    return lambda problem, query, rng: found


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (None, "expected a Prediction, got NoneType"),
        ({"good": np.zeros(64)}, "expected a Prediction, got dict"),
        (Prediction({}, {"fact": 1.0}), "expected predicted scores of at least one name, got none"),
        (
            Prediction({"good": np.zeros(63)}, {}),
            "expected 64 values of good, one for each architecture of the pool, got shape (63,)",
        ),
        (
            Prediction({"good": np.zeros((64, 1))}, {}),
            "expected 64 values of good, one for each architecture of the pool, got shape (64, 1)",
        ),
        (
            Prediction({"fine": np.zeros(64), "good": np.full(64, np.nan)}, {}),
            "expected finite values of good, got 64 of 64 that are not",
        ),
        (
            Prediction({"good": np.array([np.inf, -np.inf, *range(62)])}, {}),
            "expected finite values of good, got 2 of 64 that are not",
        ),
        (
            Prediction({"good": np.zeros(64)}, {"ratio": float("nan")}),
            "expected a finite number as the fact ratio, got nan",
        ),
        (
            Prediction({"good": np.zeros(64)}, {"ratio": float("inf")}),
            "expected a finite number as the fact ratio, got inf",
        ),
    ],
)
def test_what_is_amiss_with_a_prediction_is_said_in_a_sentence(found: Any, says: str) -> None:
    assert error_of(giving(found)) == says


@pytest.mark.parametrize(
    "found",
    [
        Prediction({"good": np.array(["a"] * 64)}, {}),
        Prediction({"good": np.zeros(64)}, {"text": "high"}),  # type: ignore[dict-item]
    ],
)
def test_what_is_no_number_at_all_fails_too(found: Prediction) -> None:
    assert error_of(giving(found)).startswith("ValueError: could not convert string to float")


def test_a_predictor_that_raises_or_exits_is_a_failed_row_with_what_it_spent() -> None:
    def raising(error: BaseException) -> Function:
        def function(problem: Problem, query: Query, rng: np.random.Generator) -> Prediction:
            plain(problem, query, rng)
            raise error

        return function

    assert error_of(raising(KeyError("x"))) == "KeyError: 'x'"
    assert error_of(raising(SystemExit(0))) == "SystemExit: 0"
    row = predicted(raising(ValueError("no"))).rows[0]
    assert (row["queries"], row["scored"], row["seconds"]) == (2, 3, 21.5)


def test_an_architecture_outside_the_space_is_the_predictors_failure() -> None:
    def lost(problem: Problem, query: Query, rng: np.random.Generator) -> Prediction:
        query((9, 9, 9))
        return Prediction({}, {})

    assert error_of(lost).startswith("ArchError: expected three digits")


def test_a_predictor_cannot_overspend() -> None:
    assert error_of(plain, queries=1) == "BudgetSpentError: the budget of 1 queries is spent"
    assert error_of(plain, queries=0) == "BudgetSpentError: the budget of 0 queries is spent"

    def greedy(problem: Problem, query: Query, rng: np.random.Generator) -> Prediction:
        assert problem.pool is not None
        answers = []
        for arch in problem.pool:
            try:
                answers.append(query(arch))
            except BudgetSpentError:
                break
        return Prediction({"good": np.zeros(64)}, {"asked": float(len(answers))})

    row = predicted(greedy, queries=5).rows[0]
    assert (row["queries"], row["facts"]) == (5, {"asked": 5.0})


def test_seconds_are_charged_for_scores_and_answers() -> None:
    def read(count: int) -> Function:
        def function(problem: Problem, query: Query, rng: np.random.Generator) -> Prediction:
            problem.scores(ARCHS[:count], ("good",))
            return Prediction({"good": np.zeros(64)}, {})

        return function

    Given.function = staticmethod(read(20))
    run = PredictRun("toy/data", "given", Budget(seconds=10.0), 0, 1)
    assert run_predict(run).rows[0]["seconds"] == 10.0
    Given.function = staticmethod(read(21))
    (row,) = run_predict(run).rows
    assert row["error"] == "BudgetSpentError: the budget of 10.0 seconds is spent"


def test_answers_are_oriented_and_nothing_handed_over_leads_to_a_table() -> None:
    seen: list[Any] = []

    def nosy(problem: Problem, query: Query, rng: np.random.Generator) -> Prediction:
        seen.extend([*vars(problem).values(), query])
        return Prediction({"good": np.zeros(64)}, {})

    predicted(nosy)
    assert not any(isinstance(value, Task | Oracle) for value in seen)
    assert not any(hasattr(value, "__self__") for value in seen)


def test_what_a_predictor_changes_later_is_not_changed_here() -> None:
    kept = np.zeros(64)
    facts = {"a": 1.0}

    def hoarder(problem: Problem, query: Query, rng: np.random.Generator) -> Prediction:
        kept[:] += 1
        facts["a"] += 1
        return Prediction({"good": kept}, facts)

    outcome = predicted(hoarder, seeds=2)
    assert columns_of(outcome)["score:good"] == [1.0] * 64 + [2.0] * 64
    assert [row["facts"] for row in outcome.rows] == [{"a": 2.0}, {"a": 3.0}]


@pytest.mark.parametrize("error", [OptionError("no"), DataError("no")])
def test_a_refusal_is_the_predictors_failed_rows_and_ends_nothing_else(error: Exception) -> None:
    def refusing(problem: Problem, query: Query, rng: np.random.Generator) -> Prediction:
        raise error

    rows = predicted(refusing, seeds=2).rows
    assert [row["status"] for row in rows] == ["failed", "failed"]
    assert {row["error"] for row in rows} == {f"{type(error).__name__}: no"}


@pytest.mark.parametrize("table", [toy_table(accuracy={"validation": np.full(64, np.nan)})])
def test_an_empty_pool_is_said(table: Table) -> None:
    (row,) = pool.do(PredictRun("toy/data", "given", NO_QUERIES, 0, 1)).rows
    assert row["error"] == (
        "DataError: expected a task with the validation accuracy of one architecture at least, "
        "got toy/data with none"
    )


@pytest.mark.parametrize("table", [toy_table(), toy_table(training_seconds=None)])
def test_the_same_run_gives_the_same_bytes(table: Table) -> None:
    run = PredictRun("toy/data", "forest,scored=20,trees=3", Budget(queries=5), 3, 2)
    first, second = run_predict(run), run_predict(run)
    assert [line(row) for row in first.rows] == [line(row) for row in second.rows]
    assert first.attachment is not None
    assert second.attachment is not None
    assert first.attachment.content == second.attachment.content


def test_blocks_of_seeds_are_the_seeds_one_by_one() -> None:
    def rows(first: int, seeds: int) -> list[Any]:
        text = "forest,scored=20,trees=2"
        return run_predict(PredictRun("toy/data", text, NO_QUERIES, first, seeds)).rows

    assert rows(0, 3) == [rows(seed, 1)[0] for seed in range(3)]


def test_a_key_tells_runs_apart() -> None:
    run = PredictRun("a/b", "forest,scored=5", NO_QUERIES, 3, 4)
    assert run.key == "predict/a/b/forest,scored=5/queries=0/seeds=3-6"


PLUGIN = '''
from bench.base import Prediction

def eager(problem, query, rng, *, many: int = 5):
    """Read the first few."""
    problem.scores(problem.pool[:many], problem.proxies[:1])
    for arch in problem.pool[:2]:
        query(arch)
    return Prediction({"mine": rng.random(len(problem.pool))}, {"many": many})
'''


def bytes_of(results: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in sorted(results.rglob("*"))
        if path.is_file() and path.name not in {"log.jsonl", ".lock"}
    }


def test_resumed_or_by_two_processes_it_is_the_same_bytes(data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN)
    text = f"{tmp_path / 'mine.py'}:eager,many=7"
    plan: list[Run] = [ScoreRun("darts/suite")]
    plan += [PredictRun("darts/suite", text, Budget(queries=2), first, 2) for first in (0, 2)]
    plan += [PredictRun("darts/suite", text, NO_QUERIES, 0, 1)]

    def done(name: str, runs: list[Run], workers: int) -> dict[str, bytes]:
        with Store.opened(tmp_path / name, {"study": "s"}) as store:
            pool.execute(runs, store, workers=workers)
        return bytes_of(tmp_path / name)

    whole = done("whole", plan, 2)
    rows = [json.loads(row) for row in whole["rows.jsonl"].splitlines()]
    assert [row["status"] for row in rows] == ["ok"] * 5 + ["failed"]
    assert rows[1]["facts"] == {"many": 7.0}
    for count in range(1, len(plan)):
        done("resumed", plan[:count], 1)
        with (tmp_path / "resumed" / "rows.jsonl").open("a") as file:
            file.write('{"study": "s", "run": "predict/da')
    assert done("resumed", plan, 2) == whole
    assert "wall_seconds" not in whole["rows.jsonl"].decode()


def drawn(places: Any) -> Function:
    def function(problem: Problem, query: Query, rng: np.random.Generator) -> Prediction:
        found = plain(problem, query, rng)
        return Prediction(found.scores, found.facts, places)

    return function


def test_a_map_is_kept_beside_the_scores() -> None:
    places = np.arange(2.0 * len(ARCHS)).reshape(-1, 2)
    columns = columns_of(predicted(drawn(places), seeds=2))
    assert columns["map:x"] == [*places[:, 0]] * 2
    assert columns["map:y"] == [*places[:, 1]] * 2
    assert "map:x" not in columns_of(predicted())


FLAT = np.zeros((len(ARCHS), 2))


def walked(paths: Any, score: str = "good", places: Any = FLAT) -> Function:
    def function(problem: Problem, query: Query, rng: np.random.Generator) -> Prediction:
        found = plain(problem, query, rng)
        assert problem.pool is not None
        met = [[problem.pool[i] if isinstance(i, int) else i for i in path] for path in paths[1]]
        return Prediction(found.scores, found.facts, places, Paths(score, paths[0], met))

    return function


def test_paths_are_told_in_the_row_an_architecture_by_its_place_in_the_pool() -> None:
    places = np.random.default_rng(3).normal(size=(2, 3, 2))
    (row,) = predicted(walked((places, [[4, 0, 1], [2, 2, 3]]))).rows
    assert row["paths"] == {
        "score": "good",
        "places": places.tolist(),
        "archs": [[4, 0, 1], [2, 2, 3]],
    }
    assert "paths" not in predicted().rows[0]


NOWHERE = np.zeros((1, 2, 2))


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (walked((NOWHERE, [[0, 1]]), places=None), "expected paths on a map, got paths and no map"),
        (walked((NOWHERE, [[0, 1]]), score="none"), "along a predicted score, got some along none"),
        (walked((NOWHERE, [[0, 1, 2]])), r"got shape \(1, 2, 2\) with 1 of 3 architectures"),
        (walked((np.zeros((2, 2, 2)), [[0, 1], [0]])), "with 2 of 1, 2 architectures"),
        (walked((np.zeros((0, 2, 2)), [])), "with 0 of no architectures"),
        (walked((np.zeros((2, 0, 2)), [[], []])), "with 2 of 0 architectures"),
        (walked((NOWHERE * np.nan, [[0, 1]])), "expected finite places of paths, got 4 of 4"),
        (walked((NOWHERE, [[0, ("strange",)]])), "expected paths through the pool, got 1 places"),
    ],
)
def test_paths_that_are_none_fail_the_seed(function: Function, says: str) -> None:
    assert re.search(says, error_of(function))


@pytest.mark.parametrize("places", [np.zeros((3, 2)), np.full((len(ARCHS), 2), np.nan)])
def test_a_map_that_is_none_fails_the_seed(places: Any) -> None:
    assert error_of(drawn(places)).startswith(f"expected a map of {len(ARCHS)} x 2 finite places")
