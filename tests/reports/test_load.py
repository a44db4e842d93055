from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.base import DataError
from bench.reports.load import Study, load_studies, read_rows
from tests.reports.conftest import Results


def only(results: Results) -> Study:
    (study,) = load_studies(results.root)
    return study


def test_what_was_written_is_read_back(results: Results) -> None:
    truth = np.array([1.0, np.nan, 3.0])
    results.add_scores("a/x", {"validation": truth}, {"nwot": np.array([-np.inf, 2.0, np.nan])})
    results.add_searches("a/x", "random", [[1.0, 3.0, 2.0], [2.0, 2.0]], optimum=3.5, test=None)
    (results.folder / "provenance.json").write_text('{"commit": "abc123"}')
    study = only(results)
    assert (study.name, study.commit) == ("made-up", "abc123")
    assert study.machines == ("linux-x86_64-2cpu",)
    assert study.provenance == {"abc123-linux-x86_64-2cpu": {"commit": "abc123"}}
    (scores,) = study.score_sets
    assert scores.archs == ("arch-0", "arch-1", "arch-2")
    np.testing.assert_array_equal(scores.target, truth)
    np.testing.assert_array_equal(scores.scores["nwot"], [-np.inf, 2.0, np.nan])
    first, second = study.searches
    assert (first.seed, first.queries, first.regret, first.seconds) == (0, 3, 0.5, 30.0)
    assert np.isnan(first.test)
    assert first.trace is not None
    assert second.trace is not None
    np.testing.assert_array_equal(first.trace.validation, [1.0, 3.0, 2.0])
    np.testing.assert_array_equal(second.trace.queries, [1, 2])
    np.testing.assert_array_equal(second.trace.seconds, [10.0, 20.0])


def test_failed_rows_are_kept_apart(study: Results) -> None:
    loaded = only(study)
    assert [row["seed"] for row in loaded.failed] == [0, 1]
    assert all(search.searcher != "broken" for search in loaded.searches)


def test_a_torn_last_line_is_left_out(study: Results) -> None:
    before = len(read_rows(study.rows))
    with study.rows.open("a") as file:
        file.write('{"study": "made-up", "mach')
    assert len(read_rows(study.rows)) == before


def test_a_torn_line_in_the_middle_is_an_error(study: Results) -> None:
    with study.rows.open("a") as file:
        file.write('{"study": "made-up", "mach\n')
    number = len(study.rows.read_text().splitlines())
    with pytest.raises(DataError, match=f"expected JSON in .*rows.jsonl, line {number}; got"):
        read_rows(study.rows)


def test_rows_of_a_run_that_was_cut_off_are_left_out(results: Results) -> None:
    facts = {"kind": "search", "task": "a/x", "status": "failed", "parts": 3}
    for part in range(3):
        results.append(run="whole", part=part, seed=part, **facts)
    for part in range(2):
        results.append(run="cut", part=part, seed=part, **facts)
    assert {row["run"] for row in read_rows(results.rows)} == {"whole"}


def test_a_repeated_run_counts_once_and_the_last_counts(results: Results) -> None:
    results.append(kind="score", task="a/x", run="score/a/x", status="failed", error="E: once")
    results.add_scores("a/x", {"validation": np.arange(3.0)}, {"nwot": np.arange(3.0)})
    study = only(results)
    assert len(study.score_sets) == 1
    assert not study.failed


def test_commits_are_never_mixed(study: Results) -> None:
    other = Results(study.root, commit="def456")
    other.add_scores("a/x", {"validation": np.arange(3.0)}, {"nwot": np.arange(3.0)})
    studies = list(load_studies(study.root))
    assert [s.commit for s in studies] == ["abc123", "def456"]
    assert [scores.task for scores in studies[1].score_sets] == ["a/x"]
    assert not studies[1].searches


def test_machines_of_one_commit_are_read_together(study: Results) -> None:
    other = Results(study.root, machine="darwin-arm64-8cpu")
    other.add_scores("a/x", {"validation": np.arange(3.0)}, {"nwot": np.arange(3.0)})
    loaded = only(study)
    assert loaded.machines == ("darwin-arm64-8cpu", "linux-x86_64-2cpu")
    assert "a/x" in [scores.task for scores in loaded.score_sets]


def test_an_attachment_that_changed_is_refused_with_both_hashes(study: Results) -> None:
    path = next((study.folder / "scores").iterdir())
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DataError, match=rf"{path.name} with SHA-256 [0-9a-f]{{64}}; got [0-9a-f]"):
        only(study)


def test_a_missing_attachment_is_named(study: Results) -> None:
    path = next((study.folder / "traces").iterdir())
    path.unlink()
    with pytest.raises(DataError, match="expected the attachment .*traces.*; got no such file"):
        only(study)


@pytest.mark.parametrize("name", ["../../../secret.parquet", "/etc/hosts"])
def test_an_attachment_outside_the_folder_is_refused(results: Results, name: str) -> None:
    results.add_scores("a/x", {"validation": np.arange(3.0)}, {"nwot": np.arange(3.0)})
    row = json.loads(results.rows.read_text())
    results.rows.write_text(json.dumps(row | {"file": name}) + "\n")
    with pytest.raises(DataError, match="expected a file inside"):
        only(results)


def test_an_attachment_of_another_kind_is_refused(results: Results) -> None:
    results.add_scores("a/x", {"validation": np.arange(3.0)}, {"nwot": np.arange(3.0)})
    row = json.loads(results.rows.read_text())
    results.rows.write_text(json.dumps(row | {"proxies": ["nwot", "zen"]}) + "\n")
    with pytest.raises(DataError, match="none called score:zen"):
        only(results)


def test_a_file_that_is_no_parquet_is_refused(results: Results) -> None:
    import hashlib

    results.add_scores("a/x", {"validation": np.arange(3.0)}, {"nwot": np.arange(3.0)})
    row = json.loads(results.rows.read_text())
    (results.folder / row["file"]).write_bytes(b"text")
    row["sha256"] = hashlib.sha256(b"text").hexdigest()
    results.rows.write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match="expected a Parquet file; got"):
        only(results)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]\n", "expected an object .* line 1; got a list"),
        ('{"a": 1}\n', "expected a row of ipl-bench .* line 1; got one without study, "),
    ],
)
def test_foreign_rows_are_refused_in_one_sentence(
    results: Results, text: str, message: str
) -> None:
    results.folder.mkdir(parents=True)
    results.rows.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        only(results)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("commit", ["../up", "", "a/b", ".hidden"])
def test_a_commit_that_is_no_name_of_a_folder_is_refused(results: Results, commit: str) -> None:
    results.append(kind="score", task="a/x", run="r", status="failed", commit=commit)
    with pytest.raises(DataError, match="expected the name of a commit .* line 1; got "):
        only(results)


def test_an_unknown_status_is_refused(results: Results) -> None:
    results.append(kind="score", task="a/x", run="r", status="maybe")
    with pytest.raises(DataError, match="expected status 'ok' or 'failed' .* got 'maybe'"):
        only(results)


def test_no_results_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a study with rows"):
        list(load_studies(tmp_path))
    with pytest.raises(DataError, match="which does not exist"):
        list(load_studies(tmp_path / "nowhere"))


def test_a_task_scored_by_two_runs_is_refused(results: Results) -> None:
    for run in ("one", "two"):
        results.add_scores("a/x", {"validation": np.arange(3.0)}, {"p": np.arange(3.0)}, run=run)
    with pytest.raises(DataError, match="one score row a task .* got several of a/x"):
        only(results)
