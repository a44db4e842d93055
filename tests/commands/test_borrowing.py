"""Commands on tasks that borrow scores, from a live run made here by proxies of the graph."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench import cli
from bench.base import Budget, GraphProxy
from bench.commands import running
from bench.proxies import PROXIES
from bench.reports.correlations import correlate
from bench.runs.classes import of_function
from bench.runs.row import Run, ScoreRun, SearchRun
from bench.runs.tasks import load_task
from bench.spaces.nasbench201 import NASBENCH201
from bench.studies.study import Study
from bench.tables import files

SUITE = "nasbench201/cifar100@nasbench201-suite/cifar10"


@pytest.fixture(autouse=True)
def _place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    load_task.cache_clear()


def records(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["ipl-bench", *words, "--json"])
        with pytest.raises(SystemExit) as end:
            cli.main()
    captured = capsys.readouterr()
    assert end.value.code == 0, captured.err
    return [json.loads(line) for line in captured.out.splitlines()]


@pytest.fixture
def live(data: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The path, from the working folder, of a run that scored one each of all classes."""
    how = ("--all", "--distinct", "--proxies", "parametric,random", "--dataset", "noise")
    records(capsys, "score", "nasbench201", *how, "--name", "mine")
    (path,) = Path("results/mine").glob("*/live.parquet")
    return path.as_posix()


@pytest.fixture
def some(data: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The path of a run that scored a sample, one each of its classes."""
    how = ("--sample", "40", "--distinct", "--proxies", "parametric,random", "--dataset", "noise")
    records(capsys, "score", "nasbench201", *how, "--name", "some")
    (path,) = Path("results/some").glob("*/live.parquet")
    return path.as_posix()


def test_a_class_of_a_sample_is_one_row(some: str) -> None:
    table = load_task(f"nasbench201/cifar100@{some}").table
    scored = pq.read_table(some).to_pydict()
    assert len(scored["arch"]) == 39
    known = dict(zip(scored["arch"], scored["score:random"], strict=True))
    assert dict(zip(table.archs, table.scores["random"].tolist(), strict=True)) == known
    assert table.groups is None


def test_every_member_of_a_class_has_the_score_of_the_one_that_was_scored(live: str) -> None:
    task = load_task(f"nasbench201/cifar100@{live}")
    lender = load_task("nasbench201/cifar100").table
    scored = json.loads(Path(live).with_name("rows.jsonl").read_text())
    assert scored["distinct"] is True
    random = {proxy.name: proxy for proxy in PROXIES}["random"]
    assert isinstance(random, GraphProxy)
    values = dict(zip(task.table.archs, task.table.scores["random"].tolist(), strict=True))
    by_class: dict[tuple[int, ...], set[float]] = {}
    own = 0
    for text, value in values.items():
        arch = NASBENCH201.parse(text)
        by_class.setdefault(NASBENCH201.canonical(arch), set()).add(value)
        own += value == random(NASBENCH201.graph(arch))
    assert len(by_class) == scored["n"]
    assert all(len(scores) == 1 for scores in by_class.values())
    assert own == scored["n"] < len(values), "a score is its class's, which need not be its own"
    members = [
        text for text in lender.archs if NASBENCH201.canonical(NASBENCH201.parse(text)) in by_class
    ]
    assert list(task.table.archs) == members
    assert (task.table.score_seconds["random"] > 0).all()


def test_search_and_correlate_take_it(live: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"nasbench201/cifar100@{live}"
    table = load_task(name).table
    (row,) = records(capsys, "correlate", name, "--proxy", "random", "--resamples", "100")
    assert (row["task"], row["n"], row["truth"]) == (name, len(table.archs), "validation")
    # Cells of one class share the score, so they are drawn together.
    groups = table.groups
    assert groups is not None
    pairs = set(zip(groups.tolist(), of_function(NASBENCH201, table.archs).tolist(), strict=True))
    assert len(pairs) == len(set(groups.tolist())) < len(groups)
    ends = [
        (again["kendall_low"], again["kendall_high"])
        for drawn in (groups, None)
        for again in correlate(
            name,
            table.accuracy["validation"],
            {"random": table.scores["random"]},
            rng=np.random.default_rng(0),
            resamples=100,
            groups=drawn,
        )
    ]
    assert (row["kendall_low"], row["kendall_high"]) == ends[0] != ends[1]
    found = records(
        capsys,
        *("search", name, "--searcher", "rank,proxy=random", "--seeds", "1"),
        *("--budget", f"queries={len(table.archs)}"),
    )
    assert (found[0]["scored"], found[0]["queries"]) == (len(table.archs),) * 2
    assert found[0]["validation"] == table.accuracy["validation"].max()
    assert found[0]["regret"] == 0.0


def test_what_is_borrowed_as_written_is_shared_by_none(data: Path) -> None:
    assert load_task(SUITE).table.groups is None


def test_search_by_jacov_of_another_dataset(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("search", SUITE, "--searcher", "rank,proxy=jacov", "--seeds", "1")
    (row,) = records(capsys, *words, "--budget", "queries=25")
    own, suite = (load_task(name).table for name in SUITE.split("@"))
    jacov = dict(zip(suite.archs, suite.scores["jacov"].tolist(), strict=True))
    accuracy = dict(zip(own.archs, own.accuracy["validation"].tolist(), strict=True))
    best = sorted(jacov, key=jacov.__getitem__, reverse=True)[:25]
    assert len(set(map(jacov.__getitem__, best))) == 25, "ties would come in random order"
    assert (row["task"], row["scored"]) == (SUITE, 9_445)
    assert row["validation"] == max(map(accuracy.__getitem__, best))
    assert row["regret"] == max(map(accuracy.__getitem__, jacov)) - row["validation"]


def test_live_scores_are_compared_with_it(live: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"nasbench201/cifar100@{live}"
    how = ("--sample", "40", "--proxies", "parametric", "--dataset", "noise", "--against", name)
    records(capsys, "score", "nasbench201", *how, "--name", "other")
    (folder,) = Path("results/other").iterdir()
    hashes = json.loads((folder / "provenance.json").read_text())["data_sha256"]
    assert hashes[f"./{live}"] == sha256(Path(live).read_bytes()).hexdigest()
    last = json.loads((folder / "rows.jsonl").read_text().splitlines()[-1])
    assert (last["task"], last["run"]) == (name, f"live/{name}/seed=0")
    assert last["n"] >= 30


def study(names: list[str], results: str) -> tuple[list[str], dict[str, Any], list[dict[str, Any]]]:
    """What running a study of these tasks said, its provenance and its rows."""

    def runs() -> Iterator[Run]:
        for name in names:
            yield ScoreRun(name)
            yield SearchRun(name, "random", Budget(queries=5), 0, 2)

    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "STUDIES", (Study("mini", "a few runs", runs),))
        folder = running.run(
            "mini",
            Path(results),
            workers=1,
            resume=False,
            tell=said.append,
            progress=lambda total: lambda run: None,
        )
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    return said, json.loads((folder / "provenance.json").read_text()), rows


def test_a_study_names_the_task_and_holds_the_hashes_of_both(live: str) -> None:
    name = f"nasbench201/cifar100@{live}"
    said, provenance, rows = study([SUITE, name], "results")
    assert (said, provenance["left_out"]) == ([], {})
    assert [row["task"] for row in rows] == [SUITE] * 3 + [name] * 3
    assert all(row["status"] == "ok" for row in rows)
    hashes = provenance["data_sha256"]
    assert hashes[f"./{live}"] == sha256(Path(live).read_bytes()).hexdigest()
    for path in ("nasbench201/nasbench201_cifar100.csv", "nasbench201/nb201_zc_proxies.csv"):
        assert hashes[path] == files.known()[path].sha256
    _, _, again = study([SUITE, name], "again")
    assert again == rows


def test_a_study_leaves_out_what_borrows_from_a_file_that_is_not_there(data: Path) -> None:
    gone = "nasbench201/cifar100@results/gone/live.parquet"
    said, provenance, rows = study([SUITE, gone], "results")
    assert len(said) == 1
    assert said[0].startswith(f"left out 1 tasks, {gone}; the first because: expected a file")
    assert list(provenance["left_out"]) == [gone]
    assert {row["task"] for row in rows} == {SUITE}


def test_list_tells_how_scores_are_borrowed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["ipl-bench", "list", "tasks"])
        with pytest.raises(SystemExit):
            cli.main()
    assert "TASK@OTHER is TASK with the scores that OTHER records" in capsys.readouterr().err


def test_the_best_is_that_of_the_cells_that_were_scored(some: str) -> None:
    answers = load_task(f"nasbench201/cifar100@{some}").answers
    whole = load_task("nasbench201/cifar100").answers
    assert answers.best < whole.best
    assert answers.best == max(whole.validation[whole.row(arch)] for arch in answers.pool)
    rng = np.random.default_rng(0)
    assert {answers.space.sample(rng) for _ in range(200)} <= set(answers.pool)
