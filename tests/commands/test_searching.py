"""What `search` makes of its options where networks are trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import cli
from bench.api import search as searching
from bench.base import BudgetError, OptionError
from bench.runs.oracle import parse_budget
from bench.training.recipe import parse

RECIPE = "digits,epochs=1,training=40,batch=10,skeleton=cells:1/channels:2"
OWN: dict[str, Any] = {
    "tables": (),
    "space": None,
    "dataset": None,
    "columns": (),
    "ignore": (),
    "minimise": False,
}


def run(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[list[dict[str, Any]], str]:
    monkeypatch.setattr("sys.argv", ["ipl-bench", "search", *words.split(), "--json"])
    with pytest.raises(SystemExit):
        cli.main()
    out, err = capsys.readouterr()
    return [json.loads(line) for line in out.splitlines()], err


def test_any_searcher_runs_on_a_space_without_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    words = (
        f"nasbench201 --oracle train --recipe {RECIPE} --searcher random --seeds 1 "
        "--searcher regularised-evolution,population=2,warm=params,warm_pool=3 --budget epochs=4"
    )
    rows, _ = run(words, monkeypatch, capsys)
    assert [row["searcher"].partition(",")[0] for row in rows] == [
        "random",
        "regularised-evolution",
    ]
    assert {row["task"] for row in rows} == {f"nasbench201/train:{parse(RECIPE)}"}
    assert all(row["queries"] == 4 and row["seconds"] > 0 for row in rows)
    assert all(row["regret"] is None and 0 < row["test"] <= 100 for row in rows)
    assert rows[1]["scored"] == 3
    again, _ = run(words, monkeypatch, capsys)
    assert again[0] == rows[0]


def test_a_budget_in_epochs_is_so_many_queries() -> None:
    assert parse_budget("epochs=95", 30).queries == 3
    assert parse_budget("queries=95", 30).queries == 95
    with pytest.raises(BudgetError, match=r"at least the 30 epochs .* got epochs=29"):
        parse_budget("epochs=29", 30)
    with pytest.raises(BudgetError, match=r"seconds=20000 or epochs=3000, got 'epochs=x'"):
        parse_budget("epochs=x", 30)
    with pytest.raises(BudgetError, match="above zero"):
        parse_budget("epochs=-60", 30)
    with pytest.raises(BudgetError, match=r"queries=100 or seconds=20000, got 'epochs=95'"):
        parse_budget("epochs=95")


@pytest.mark.parametrize(
    ("oracle", "recipe", "words"),
    [
        ("train", None, "got --oracle train alone"),
        ("table", "digits", "got --recipe alone"),
        ("train", "digits,epoch=3", "got 'epoch=3'"),
    ],
)
def test_an_oracle_that_trains_needs_a_recipe(oracle: str, recipe: str | None, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        searching.recipe_of(oracle, recipe)


def test_without_training_there_is_no_recipe() -> None:
    assert searching.recipe_of("table", None) is None


def test_a_space_is_needed_and_no_file() -> None:
    with pytest.raises(OptionError, match="at least one SPACE with --oracle train"):
        searching.trained([], parse(RECIPE), OWN)
    with pytest.raises(OptionError, match="got the options of a --table FILE"):
        searching.trained(["nasbench201"], parse(RECIPE), OWN | {"tables": (Path("x.csv"),)})


def test_a_task_is_no_space(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"nasbench201/cifar100 --oracle train --recipe {RECIPE} --searcher random"
    rows, err = run(words, monkeypatch, capsys)
    assert rows == []
    assert "there is no space 'nasbench201/cifar100' (did you mean nasbench201?)" in err
