"""A live run's file read as a table of scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from toy import TOY

from bench.base import Arch, DataError, OptionError, Record
from bench.runs import live, live_scores, live_store, streamed
from bench.runs.live import LiveRun
from bench.runs.live_scores import live_reader, read_live

ARCHS: list[Arch] = [(3, 0, 1), (0, 1, 2), (2, 2, 2)]
OWN = "own.py:falling"
"""A user's proxy, best when low."""


class Falling:
    name = OWN
    higher_is_better = False
    needs = frozenset({"graph"})
    paper = "none"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a finished run of two seeds: scores 1, 2, 3 and 4, 5, 6; the second fails."""
    monkeypatch.setattr(live_scores.members, "proxy", {OWN: Falling()}.__getitem__)
    return write(tmp_path / "mine" / "c0ffee-machine", seeds=(4, 5), distinct=True, whole="toy")


def write(folder: Path, **how: object) -> Path:
    run = LiveRun(
        "toy", len(ARCHS), live.digest(TOY, ARCHS), ("params", OWN), "noise", batch=8, **how
    )  # type: ignore[arg-type]
    plan = [(seed, arch) for seed in run.seeds for arch in ARCHS]
    with (
        streamed.opened(folder) as store,
        live_store.Stream.opened(folder / live_store.STREAM) as stream,
    ):
        for number, (seed, arch) in enumerate(plan, start=1):
            failed = arch == ARCHS[1]
            row: Record = {"arch": TOY.text(arch), "seed": seed, "status": "ok"}
            row["values"] = {"params": None if failed else number, OWN: number / 2}
            row["errors"] = {"params": "ArithmeticError"} if failed else {}
            row["seconds"] = {"params": number / 100, OWN: number / 10}
            stream.append(row | {"total_seconds": number})
        live_store.finish(store, run, stream)
    return folder / live_store.SCORES


def test_scores_are_those_of_the_first_seed(written: Path) -> None:
    table = read_live("the name", written, TOY)
    assert (table.name, table.space, table.dataset) == ("the name", "toy", "noise")
    assert list(table.archs) == ["301", "012", "222"]
    np.testing.assert_array_equal(table.scores["params"], [1.0, -np.inf, 3.0])
    np.testing.assert_array_equal(table.score_seconds["params"], [0.01, 0.02, 0.03])
    assert table.accuracy == {}
    assert table.failures == {"params": {1: "ArithmeticError"}, OWN: {}}
    assert table.notes == "noise, batches of 8, seed 4, the first of 2"


def test_an_own_proxy_is_turned_so_that_larger_is_better(written: Path) -> None:
    table = read_live("the name", written, TOY)
    np.testing.assert_array_equal(table.scores[OWN], [-0.5, -1.0, -1.5])


@pytest.mark.parametrize("distinct", [True, False])
@pytest.mark.parametrize("whole", ["toy", "toy/data", None])
def test_rows_stand_for_classes_where_one_of_each_of_the_space_was_scored(
    distinct: bool, whole: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_scores.members, "proxy", {OWN: Falling()}.__getitem__)
    table = read_live("x", write(tmp_path, seeds=(4,), distinct=distinct, whole=whole), TOY)
    assert table.canonical is (distinct and whole == "toy")
    assert table.notes == "noise, batches of 8, seed 4"


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("results/x/live.parquet", "./results/x/live.parquet"),
        ("./x/live.parquet", "./x/live.parquet"),
        ("../live.parquet", "./../live.parquet"),
        ("/x/live.parquet", "/x/live.parquet"),
    ],
)
def test_a_reader_names_its_file_as_no_file_of_ours(path: str, file: str) -> None:
    reader = live_reader(path, "toy")
    assert (reader.name, reader.space, reader.files) == (path, "toy", (file,))


def test_a_reader_reads_where_the_file_was_found(written: Path) -> None:
    reader = live_reader("results/x/live.parquet", "toy")
    table = reader.read({"./results/x/live.parquet": written}, TOY)
    assert (table.name, len(table.archs)) == ("results/x/live.parquet", 3)


def test_a_run_of_another_space_is_told(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TOY, "name", "tiny", raising=False)
    with pytest.raises(OptionError, match="of the space tiny, got here, which is of toy"):
        read_live("here", written, TOY)


def test_a_file_alone_is_told(written: Path, tmp_path: Path) -> None:
    alone = tmp_path / "other.parquet"
    alone.write_bytes(written.read_bytes())
    with pytest.raises(DataError, match=r"with rows.jsonl beside it, got .*other.parquet without"):
        read_live("x", alone, TOY)


def test_another_file_than_the_run_left_is_told(written: Path) -> None:
    written.write_bytes(written.read_bytes() + b" ")
    with pytest.raises(DataError, match=r"as its live run left it, with SHA-256 \w+, got \w+$"):
        read_live("x", written, TOY)


def test_results_of_no_live_run_are_told(written: Path) -> None:
    rows = written.with_name("rows.jsonl")
    rows.write_text(json.dumps({**json.loads(rows.read_text()), "run": "score/x"}) + "\n")
    with pytest.raises(DataError, match="expected the row of a finished live run"):
        read_live("x", written, TOY)


@pytest.mark.parametrize(
    ("said", "canonical"), [("all", True), ("all of toy/data", False), ("sample=3, seed=0", False)]
)
def test_of_runs_of_before_the_provenance_says_whether_it_was_all(
    said: str, canonical: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_scores.members, "proxy", {OWN: Falling()}.__getitem__)
    path = write(tmp_path, seeds=(4,), distinct=True)
    row = json.loads((tmp_path / "rows.jsonl").read_text())
    del row["whole"]
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=r"provenance\.json to say which architectures"):
        read_live("x", path, TOY)
    (tmp_path / "provenance.json").write_text(json.dumps({"architectures": said}))
    assert read_live("x", path, TOY).canonical is canonical
