from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.base import BenchError, Budget, DataError
from bench.commands import running
from bench.reports.load import load_study
from bench.runs.provenance import folder_of
from bench.runs.row import Run, ScoreRun, SearchRun
from bench.runs.tasks import load_task
from bench.studies.study import Study
from bench.tables import files
from bench.tables.download import MissingError


def runs() -> Iterator[Run]:
    yield ScoreRun("darts/oncenas545", ("random",))
    yield ScoreRun("darts/suite")
    yield SearchRun("darts/suite", "random", Budget(queries=5), 0, 3)
    yield ScoreRun("darts/swap1000", ("random",))


@pytest.fixture(autouse=True)
def _study(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(running, "STUDIES", (Study("mini", "a few runs", runs),))
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    load_task.cache_clear()


def run(results: Path, **how: bool) -> list[str]:
    said: list[str] = []
    running.run(
        "mini",
        results,
        workers=1,
        resume=how.get("resume", False),
        tell=said.append,
        progress=lambda total: lambda run: None,
    )
    return said


def rows(results: Path) -> list[dict[str, object]]:
    (path,) = results.glob("mini/*/rows.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_everything_is_here(data: Path, tmp_path: Path) -> None:
    assert run(tmp_path / "results") == []
    found = rows(tmp_path / "results")
    assert [row["task"] for row in found] == [
        *("darts/oncenas545", "darts/suite", "darts/suite", "darts/suite", "darts/suite"),
        "darts/swap1000",
    ]
    (provenance,) = (tmp_path / "results").glob("mini/*/provenance.json")
    content = json.loads(provenance.read_text())
    assert content["left_out"] == {}
    assert (
        content["data_sha256"]["darts/data-545.csv"] == files.known()["darts/data-545.csv"].sha256
    )


def test_what_cannot_be_had_is_left_out_and_said_and_no_address_is_tried_twice(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = tmp_path / "some" / "darts"
    some.mkdir(parents=True)
    shutil.copy(data / "darts" / "DARTS_archs_CIFAR10.csv", some)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "some"))
    tried: list[str] = []

    def unreachable(wanted: files.Source, url: str, place: Path, progress: object) -> None:
        tried.append(url)
        raise MissingError(f"could not reach {url}") from ConnectionError()

    monkeypatch.setattr(files, "_download", unreachable)
    said = run(tmp_path / "results")
    assert len(tried) == 1
    assert len(said) == 1
    assert said[0].startswith("left out 2 tasks, darts/oncenas545, darts/suite; the first because")
    assert [row["task"] for row in rows(tmp_path / "results")] == ["darts/swap1000"]


def test_a_damaged_file_is_an_error_and_no_missing_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = tmp_path / "some" / "darts"
    some.mkdir(parents=True)
    (some / "DARTS_archs_CIFAR10.csv").write_text("not,what,was,published\n")
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "some"))

    def unreachable(wanted: files.Source, url: str, place: Path, progress: object) -> None:
        raise MissingError(f"could not reach {url}") from ConnectionError()

    monkeypatch.setattr(files, "_download", unreachable)
    # The tasks before it are missing, and the network is known to be away by then.
    with pytest.raises(DataError, match="is not the published darts/DARTS_archs_CIFAR10.csv"):
        run(tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_nothing_can_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))

    def unreachable(wanted: files.Source, url: str, place: Path, progress: object) -> None:
        raise MissingError(f"could not reach {url}") from ConnectionError()

    monkeypatch.setattr(files, "_download", unreachable)
    with pytest.raises(DataError, match=r"none of the 3 tasks .* could not reach"):
        run(tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_failed_rows_are_told_when_all_is_done(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def some() -> Iterator[Run]:
        yield ScoreRun("darts/suite", ("snip_of_mine",))
        yield ScoreRun("darts/oncenas545")

    monkeypatch.setattr(running, "STUDIES", (Study("mini", "a few runs", some),))
    with pytest.raises(BenchError, match=r"failed rows in .*: 1, the first .*no proxy"):
        run(tmp_path / "results")
    assert [row["status"] for row in rows(tmp_path / "results")] == ["failed", "ok"]


def test_results_of_other_versions_are_not_gone_on_with(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "results")
    monkeypatch.setattr(running, "versions", lambda: {"numpy": "0.1"})
    with pytest.raises(DataError, match=r"holds results of numpy .*, and here it is 0.1"):
        run(tmp_path / "results", resume=True)


def test_a_finished_study_is_not_done_again_by_resume(data: Path, tmp_path: Path) -> None:
    run(tmp_path / "results")
    before = rows(tmp_path / "results")
    run(tmp_path / "results", resume=True)
    assert rows(tmp_path / "results") == before
    with pytest.raises(DataError, match="--resume"):
        run(tmp_path / "results")


@pytest.mark.parametrize("content", ["", "[]", '{"versions": 3}', '{"versions": {"numpy"'])
def test_a_damaged_provenance_is_one_sentence(content: str, data: Path, tmp_path: Path) -> None:
    run(tmp_path / "results")
    (path,) = (tmp_path / "results").glob("mini/*/provenance.json")
    path.write_text(content)
    with pytest.raises(DataError, match=r"expected the provenance of a study, got .*json: \w+"):
        run(tmp_path / "results", resume=True)


@pytest.mark.parametrize("failed", [{"a": 7}, {"a": 7, "b": 6}, {}])
def test_scores_are_no_failure_while_one_is_left(failed: dict[str, int], tmp_path: Path) -> None:
    assert running.failures(scores_of(tmp_path, failed)) == []


def test_a_run_of_scores_that_all_failed_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    (row,) = running.failures(scores_of(tmp_path, {"a": 7, "b": 7}))
    assert (row["status"], row["error"]) == ("failed", "no score: a, 7 with ValueError: why")


def scores_of(folder: Path, failed: dict[str, int]) -> Path:
    """A file with the row of two proxies and seven architectures, so many of which failed."""
    errors = {name: {"ValueError: why": count} for name, count in failed.items()}
    row = {"kind": "score", "status": "ok", "n": 7, "proxies": ["a", "b"], "errors": errors}
    search = {"kind": "search", "status": "ok"}
    path = folder / "rows.jsonl"
    path.write_text(f"{json.dumps(row)}\n{json.dumps(search)}\n")
    return path


def test_half_a_study_of_another_processor_is_not_gone_on_with(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(tmp_path) == []
    (mine,) = tmp_path.glob("mini/*")
    before = (mine / "rows.jsonl").read_bytes()
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")
    with pytest.raises(DataError, match=f"got {mine.name} alone, of another processor"):
        run(tmp_path, resume=True)
    # Renamed to this machine's, it says itself whose it is.
    moved = mine.rename(folder_of(tmp_path, "mini"))
    with pytest.raises(DataError, match=r"holds results of the machine .*, and this one is .*-as-"):
        run(tmp_path, resume=True)
    # Beside it, one can begin, and both are read.
    moved.rename(mine)
    assert run(tmp_path) == []
    assert (mine / "rows.jsonl").read_bytes() == before
    (study,) = load_study(tmp_path, "mini")
    assert len(study.machines) == 2
