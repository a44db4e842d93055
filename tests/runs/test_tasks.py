"""Tasks by name, those that borrow scores among them, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from toy import ARCHS, TOY, toy_table

from bench.base import (
    ArchError,
    Budget,
    BudgetSpentError,
    DataError,
    OptionError,
    Space,
    Table,
    TableReader,
    UnknownNameError,
)
from bench.runs import members, tasks
from bench.runs.oracle import Oracle
from bench.runs.row import SearchRun
from bench.runs.score import with_something
from bench.runs.search import judged, search_once
from bench.runs.tasks import Task, load_task, task_reader
from bench.tables.borrowed import borrow

SUITE = "nasbench201-suite/cifar10"


def lent(scores: Mapping[str, float], *, canonical: bool = False) -> Table:
    values = np.array(list(scores.values()))
    return Table(
        name="toy/other",
        space="toy",
        dataset="other",
        archs=list(scores),
        accuracy={},
        scores={"params": values},
        score_seconds={"params": np.full(len(values), 0.25)},
        canonical=canonical,
    )


def borrowing(scores: Mapping[str, float], table: Table | None = None, **how: bool) -> Task:
    return Task(TOY, borrow("toy/data@toy/other", table or toy_table(), lent(scores, **how), TOY))


def test_a_table_s_name_is_a_task_s() -> None:
    assert task_reader(SUITE) is members.reader(SUITE)


def test_scores_of_another_table_come_with_its_files() -> None:
    reader = task_reader(f"nasbench201/cifar100@{SUITE}")
    assert (reader.name, reader.space) == (f"nasbench201/cifar100@{SUITE}", "nasbench201")
    parts = [members.reader(name).files for name in ("nasbench201/cifar100", SUITE)]
    assert reader.files == (*parts[0], *parts[1])


def test_scores_of_a_live_run_come_with_its_file_and_nothing_is_read() -> None:
    reader = task_reader("nasbench201/cifar100@results/x@home/live.parquet")
    files = members.reader("nasbench201/cifar100").files
    assert reader.files == (*files, "./results/x@home/live.parquet")


def test_a_plugin_s_table_may_have_such_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(paths: Mapping[str, Path], space: Space) -> Table:
        return toy_table(name="mine@home", space="nasbench201")

    own = TableReader("mine@home", "nasbench201", (), read)
    monkeypatch.setattr(members, "_BUILT_IN", {**members._BUILT_IN, "tables": {own.name: own}})
    assert task_reader("mine@home") is own


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nasbench201/cifar1000@x.parquet", r"no task 'nasbench201/cifar1000' \(did you mean"),
        ("@nasbench201/cifar100", "no task ''"),
        ("nasbench201/cifar100@", "no task or live.parquet ''"),
        (f"nasbench201/cifar100@{SUITE}0", rf"no task or live.parquet '{SUITE}0' \(did you mean"),
        (f"nasbench201/cifar100@{SUITE}@{SUITE}", rf"no task or live.parquet '{SUITE}@{SUITE}'"),
    ],
)
def test_unknown_names_are_told(name: str, told: str) -> None:
    with pytest.raises(UnknownNameError, match=told):
        task_reader(name)


def test_scores_of_another_space_are_told() -> None:
    with pytest.raises(OptionError, match=r"expected scores of the space darts .* of nasbench201$"):
        task_reader(f"darts/oncenas545@{SUITE}")


def test_a_file_that_is_not_there_is_told(data: Path) -> None:
    with pytest.raises(DataError, match=r"or your own, got none at none/live.parquet"):
        load_task("nasbench201/cifar100@none/live.parquet")


def test_what_is_no_parquet_is_told(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("live.parquet").write_text("no Parquet")
    with pytest.raises(DataError, match=r"expected live.parquet of a live run, with rows.jsonl"):
        load_task("nasbench201/cifar100@live.parquet")
    Path("rows.jsonl").write_text("no JSON\n")
    with pytest.raises(DataError, match=r"live.parquet could not be read: JSONDecodeError"):
        load_task("nasbench201/cifar100@live.parquet")


def test_what_was_not_scored_cannot_be_asked_and_is_no_best() -> None:
    task = borrowing({"333": np.nan, "301": 1.0, "012": -np.inf, "100": 3.0})
    answers = task.answers
    assert set(answers.pool) == {(3, 0, 1), (0, 1, 2), (1, 0, 0)}
    assert answers.best == 31.0
    asked = Oracle(answers, Budget(queries=2))
    with pytest.raises(ArchError, match="toy/data@toy/other does not know the architecture 333"):
        asked.query((3, 3, 3))
    assert asked.query((1, 0, 0)) == 10.0
    problem = asked.problem()
    rng = np.random.default_rng(0)
    assert {problem.space.sample(rng) for _ in range(50)} == set(answers.pool)
    assert set(problem.space.neighbours((1, 0, 0))) == {(3, 0, 1), (0, 1, 2)}


def test_borrowed_scores_are_charged_and_failures_are_nan() -> None:
    task = borrowing({"301": 1.0, "012": -np.inf, "100": 3.0})
    asked = Oracle(task.answers, Budget(seconds=11.5))
    assert asked.problem().proxies == ("params",)
    values = asked.scores([(1, 0, 0), (0, 1, 2)], ["params"])
    np.testing.assert_array_equal(values, [[3.0], [np.nan]])
    asked.query((1, 0, 0))
    assert asked.clock == [11.5]
    with pytest.raises(BudgetSpentError):
        asked.scores([(1, 0, 0)], ["params"])
    with pytest.raises(DataError, match="records no proxy jacov; it records params"):
        asked.scores([(1, 0, 0)], ["jacov"])


def test_the_whole_space_stays_one_where_every_class_was_scored() -> None:
    classes = {TOY.text(arch): float(sum(arch)) for arch in ARCHS if list(arch) == sorted(arch)}
    task = borrowing(classes, canonical=True)
    assert task.answers.space is TOY
    asked = Oracle(task.answers, Budget(queries=1))
    assert asked.scores([(3, 1, 2), (0, 2, 0)], ["params"]).tolist() == [[6.0], [2.0]]


def test_a_pool_of_one_can_be_searched() -> None:
    task = borrowing({"301": 1.0})
    run = SearchRun(task.name, "rank,proxy=params", Budget(queries=3), 0, 1)
    factory, options = members.searcher(run.searcher)
    row = judged(task, run, search_once(task.answers, run, factory, options, 0))
    assert (row["task"], row["arch"], row["queries"]) == ("toy/data@toy/other", "301", 1)
    assert (row["regret"], row["test_regret"]) == (0.0, 0.0)


def test_nothing_to_ask_for_is_told() -> None:
    accuracy = {name: values.copy() for name, values in toy_table().accuracy.items()}
    accuracy["validation"][:60] = np.nan
    task = borrowing({"012": 1.0, "301": 2.0}, toy_table(accuracy=accuracy))
    assert task.truth()[0] == "test"
    with pytest.raises(DataError, match="be asked for in toy/data@.*, got none of its 2 arch"):
        task.answers  # noqa: B018 - it is built when first looked at


def test_scores_are_compared_with_test_where_validation_is_rare() -> None:
    accuracy = {name: values.copy() for name, values in toy_table().accuracy.items()}
    accuracy["validation"][:60] = np.nan
    accuracy["test"][63] = np.nan
    task = borrowing({"012": 1.0, "330": 2.0, "333": 3.0}, toy_table(accuracy=accuracy))
    assert with_something(task).tolist() == [0, 1]


def test_a_table_is_read_from_both_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_task.cache_clear()
    name = f"nasbench201/cifar100@{SUITE}"
    task = load_task(name)
    assert task.name == task.table.name == name
    assert len(task.answers.pool) == 9_445
    monkeypatch.setattr(tasks, "load", None)
    assert load_task(name) is task


def test_truth_is_validation_unless_test_is_known_of_more() -> None:
    whole = toy_table().accuracy
    holed = {name: np.where(np.arange(64) == 5, np.nan, values) for name, values in whole.items()}

    def truth(**accuracy: object) -> str:
        return Task(TOY, toy_table(accuracy=accuracy)).truth()[0]

    assert truth(**whole) == "validation"
    assert truth(**holed) == "validation"
    assert truth(validation=holed["validation"], test=whole["test"]) == "test"
    assert truth(validation=whole["validation"], test=holed["test"]) == "validation"
    assert truth(test=whole["test"]) == "test"
    with pytest.raises(DataError, match="has no test accuracy"):
        truth(validation=holed["validation"])
