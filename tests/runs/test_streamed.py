"""The folder of a run that streams its rows: one run's, of the same versions and data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.base import DataError
from bench.runs import streamed
from bench.runs.live import LiveRun

STREAM = ".rows.jsonl"
RUN = LiveRun(
    space="toy",
    archs=64,
    archs_sha256="0" * 64,
    proxies=("sum", "never", "half"),
    dataset="noise",
    seeds=(0, 5),
)


@pytest.fixture
def claimed(tmp_path: Path) -> Path:
    with streamed.opened(tmp_path / "mine" / "here") as store:
        streamed.claim(store, RUN, {"data_sha256": {"a": "1"}, "workers": 1}, STREAM)
    return tmp_path / "mine" / "here"


def claim(folder: Path, run: LiveRun, **hashes: str) -> None:
    with streamed.opened(folder) as store:
        streamed.claim(store, run, {"data_sha256": hashes, "workers": 2}, STREAM)


def test_provenance_says_what_a_run_depends_on(claimed: Path) -> None:
    content = json.loads((claimed / "provenance.json").read_text())
    assert content["study"] == "mine"
    assert content["run"]["proxies"] == ["sum", "never", "half"]
    assert content["run"]["threads"] == 1
    assert {"python", "numpy", "torch", "pillow"} <= set(content["versions"])
    assert content["data_sha256"] == {"a": "1"}
    assert {"machine", "commit", "command", "workers"} <= set(content)


def test_a_run_goes_on_as_it_began_and_may_be_held_against_more(claimed: Path) -> None:
    claim(claimed, RUN, a="1", b="2")
    content = json.loads((claimed / "provenance.json").read_text())
    assert content["data_sha256"] == {"a": "1", "b": "2"}
    assert content["workers"] == 1
    log = (claimed / "log.jsonl").read_text().splitlines()
    assert [json.loads(text)["workers"] for text in log] == [1, 2]


def test_another_run_or_other_data_is_refused(claimed: Path) -> None:
    other = LiveRun("toy", 64, RUN.archs_sha256, ("sum",), "noise", seeds=(0, 5))
    with pytest.raises(DataError, match=r"results of proxies .*, and here it is \[\"sum\"\]"):
        claim(claimed, other, a="1")
    with pytest.raises(DataError, match=r"results of a \"1\", and here it is \"2\""):
        claim(claimed, RUN, a="2")


def test_a_run_of_before_there_were_recipes_goes_on_without_one(claimed: Path) -> None:
    path = claimed / "provenance.json"
    content = json.loads(path.read_text())
    del content["run"]["recipe"]
    path.write_text(json.dumps(content))
    claim(claimed, RUN, a="1")
    with pytest.raises(DataError, match=r"results of recipe null, and here it is \"digits\""):
        claim(claimed, replace(RUN, recipe="digits"), a="1")


def test_another_recipe_is_another_run(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "here"
    claim(folder, replace(RUN, recipe="digits"), digits="1")
    with pytest.raises(DataError, match=r"recipe \"digits\", and here it is \"digits,batch=9\""):
        claim(folder, replace(RUN, recipe="digits,batch=9"), digits="1")
    with pytest.raises(DataError, match=r"results of digits \"1\", and here it is \"2\""):
        claim(folder, replace(RUN, recipe="digits"), digits="2")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"run": 3}'])
def test_a_foreign_provenance_is_told(claimed: Path, content: str) -> None:
    (claimed / "provenance.json").write_text(content)
    with pytest.raises(DataError, match="expected the provenance of a run"):
        claim(claimed, RUN, a="1")


def test_rows_without_provenance_are_refused(claimed: Path) -> None:
    (claimed / "provenance.json").unlink()
    (claimed / STREAM).write_text("")
    with pytest.raises(DataError, match=r"holds rows, and no provenance\.json"):
        claim(claimed, RUN, a="1")


def test_a_folder_that_holds_the_rows_of_a_run_is_gone_on_with_by_resume(tmp_path: Path) -> None:
    folder = streamed.folder_for(tmp_path, "mine", resume=False, stream=STREAM)
    folder.mkdir(parents=True)
    assert streamed.folder_for(tmp_path, "mine", resume=False, stream=STREAM) == folder
    (folder / STREAM).touch()
    with pytest.raises(DataError, match="go on with them by --resume"):
        streamed.folder_for(tmp_path, "mine", resume=False, stream=STREAM)
    assert streamed.folder_for(tmp_path, "mine", resume=True, stream=STREAM) == folder


def test_a_run_that_is_not_finished_has_no_row(claimed: Path) -> None:
    (claimed / "rows.jsonl").write_text('{"run": "other"}\n')
    with pytest.raises(DataError, match="expected the row of a finished mine run"):
        streamed.finished(claimed, "mine")
    assert streamed.finished(claimed, "other") == {"run": "other"}


def test_a_file_by_another_spelling_is_gone_on_with_and_another_file_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "here"
    run = replace(RUN, dataset="a/x.npz", recipe="a/x.npz,batch=9")
    claim(folder, run, **{"a/x.npz": "1"})
    other = replace(run, dataset="a/../a/x.npz", recipe="a/../a/x.npz,batch=9")
    claim(folder, other, **{"a/../a/x.npz": "1"})
    with pytest.raises(DataError, match=r"results of recipe \"a/x.npz,batch=9\", and here it is"):
        claim(folder, other, **{"a/../a/x.npz": "2"})
    with pytest.raises(DataError, match=r"results of recipe .*batch=9\", and here .*batch=8"):
        claim(folder, replace(other, recipe="a/../a/x.npz,batch=8"), **{"a/../a/x.npz": "1"})
