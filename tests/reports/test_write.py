from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from bench.base import DataError, UnknownNameError
from bench.reports import style, write
from bench.reports._written import replace_files
from bench.reports.load import Study, load_studies
from bench.reports.numbers import measure
from bench.reports.pictures import figures_of
from bench.reports.predictions import measure_predictions
from bench.reports.race import Race, measure_race
from bench.reports.write import write_reports
from tests.reports.conftest import Results


@pytest.fixture(autouse=True)
def _coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw figures of few pixels: what is looked at here is which files there are."""
    monkeypatch.setattr(style, "DOTS_PER_INCH", 60)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"


def test_reports_come_back_byte_for_byte(study: Results, reports: Path) -> None:
    written = write_reports(study.root, reports, resamples=20)
    first = contents(reports)
    assert sorted(first) == sorted(str(path.relative_to(reports)) for path in written)
    shutil.rmtree(reports)
    write_reports(study.root, reports, resamples=20, workers=2)
    assert contents(reports) == first
    first = {name.removeprefix("made-up/"): content for name, content in first.items()}
    suffixes = {".md", ".csv", ".tex", ".png", ".pdf", ".sha256", ".html"}
    assert {Path(name).suffix for name in first} == suffixes
    assert b"](abc123/README.md): 2 tasks with scores, 8 searches, 2 failed" in first["README.md"]
    wanted = {"heatmap-1", "best-of-k-1", "top-k-1", "noise", "search-queries-1", "sampling-1"}
    wanted |= {"proxy-pairs-nasbench201-suite-cifar10"}
    wanted |= {"scatter-nasbench201-suite-cifar10", "scatter-nasbench201-cifar10-valid"}
    wanted |= {f"race-all-{name}" for name in ("ranks", "iqm-1", "mean-1", "profile")}
    figures = {Path(name).stem for name in first if name.startswith("abc123/figures/")}
    assert figures == wanted
    page = first["abc123/README.md"].decode()
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert len(links) > 10
    pages = {"README.md", "abc123/README.md", "written.sha256"}
    assert {f"abc123/{link}" for link in links} == set(first) - pages
    for text in ("`ipl-bench report`", "`abc123`", "evolution,warm=nwot", "no \\| way_5%", "ceil"):
        assert text in page
    assert str(study.root) not in page


def test_targets_and_made_tables_are_reported_and_every_number_has_its_rows(
    results: Results, reports: Path
) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(80, 4, 60)
    archs = [f"arch-{i}" for i in range(60)]
    results.add_scores("s/x", {"validation": truth}, {"a": truth, "b": -truth, "c": truth**2})
    columns = {"arch": archs * 2, "seed": [0] * 60 + [1] * 60}
    values = {"validation": np.tile(truth, 2) + rng.normal(size=120)}
    made = results.attach("table.parquet", columns | values)
    results.append(kind="table", task="s/x", run="table", **made)
    with_targets = {
        "arch": archs,
        "validation": truth,
        "target:latency_ms": truth,
        "score:a": truth,
    }
    row = results.attach("scores/s_y.parquet", with_targets)
    facts = {"space": "s", "dataset": "y", "truth": "validation", "metric": "accuracy_percent"}
    facts |= {"task": "s/y", "run": "score/s/y", "proxies": ["a"]}
    results.append(kind="score", maximise=True, **facts, **row)
    write_reports(results.root, reports, resamples=10)
    folder = reports / "made-up" / "abc123"
    figures = {path.stem for path in (folder / "figures").iterdir()}
    assert {"targets-s-y-1", "fronts-s-y-1", "own-noise-1", "proxy-pairs-s-x"} <= figures
    page = (folder / "README.md").read_text()
    for name in ("fronts.csv", "targets.tex", "own-noise-proxies.csv", "sources.csv"):
        assert f"]({name})" in page
        assert (folder / name).is_file()
    (first, _, third) = csv.DictReader((folder / "sources.csv").read_text().splitlines())
    assert (first["run"], first["kind"], third["kind"]) == ("score/s/x", "score", "table")
    assert third["sha256"] == made["sha256"]
    assert third["folder"] == results.folder.name
    (row_of_a, *_) = csv.DictReader((folder / "targets.csv").read_text().splitlines())
    assert (row_of_a["proxy"], row_of_a["kendall"], row_of_a["inverted"]) == ("a", "-1.0", "True")


def test_sums_are_made_by_one_thread_each(
    results: Results, reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[int] = set()

    def counted(*said: Any, **more: Any) -> Race | None:
        threads.update(each["num_threads"] for each in threadpool_info())
        return measure_race(*said, **more)

    monkeypatch.setattr(write, "measure_race", counted)
    results.append(kind="score", task="a/x", run="r", status="failed", error="E: no")
    with threadpool_limits(2, "blas"):
        write_reports(results.root, reports, resamples=5)
    assert threads == {1}


def test_a_study_of_searches_alone_is_reported(results: Results, reports: Path) -> None:
    results.add_searches("a/x", "random", [[1.0, 2.0], [3.0, 1.0]], optimum=4.0)
    write_reports(results.root, reports, resamples=20, command="make report")
    found = set(contents(reports / "made-up" / "abc123"))
    assert "searches.tex" in found
    assert not any(name.startswith("correlations") for name in found)
    assert "`make report`" in (reports / "made-up" / "README.md").read_text()
    page = (reports / "made-up" / "abc123" / "README.md").read_text()
    assert "`make report`" in page
    assert "## Correlations" not in page


def test_a_commits_report_stays_where_it_is_when_others_come(
    results: Results, reports: Path
) -> None:
    folder = reports / "made-up"
    found = []
    for commit in ("def456", "abc123-dirty"):
        other = Results(results.root, commit=commit)
        other.add_searches("a/x", "random", [[1.0], [2.0]], optimum=4.0)
        write_reports(results.root, reports, resamples=5)
        found.append(contents(folder / "def456"))
        assert f"`{commit}`" in (folder / commit / "README.md").read_text()
        assert f"[`{commit}`]({commit}/README.md)" in (folder / "README.md").read_text()
    assert found[0] == found[1]
    assert {path.name for path in folder.iterdir()} == {
        "README.md", "abc123-dirty", "def456", "written.sha256",
    }  # fmt: skip


def test_what_is_no_longer_written_is_removed_and_nothing_else(
    results: Results, reports: Path
) -> None:
    results.add_searches("a/x", "random", [[1.0], [2.0]], optimum=4.0)
    results.append(kind="score", task="a/x", run="r", status="failed", error="E: no")
    write_reports(results.root, reports, resamples=5)
    folder = reports / "made-up"
    figures = folder / "abc123" / "figures"
    assert sorted(contents(figures)) == ["search-queries-1.pdf", "search-queries-1.png"]
    (folder / "abc123" / "notes.md").write_text("mine")
    (folder / "abc123" / "searches.tex").write_text("mine now")
    results.rows.write_text("")
    results.append(kind="score", task="a/x", run="r", status="failed", error="E: no")
    write_reports(results.root, reports, resamples=5)
    assert not figures.exists()
    assert sorted(contents(folder)) == [
        "README.md", *(f"abc123/{name}" for name in (
            "README.md", "failures.csv", "failures.md", "failures.tex", "index.html", "notes.md",
            "searches.tex", "sources.csv",
        )), "written.sha256",
    ]  # fmt: skip
    assert (folder / "abc123" / "searches.tex").read_text() == "mine now"


def test_the_report_of_a_commit_without_results_is_removed(results: Results, reports: Path) -> None:
    for commit in ("abc123", "def456"):
        other = Results(results.root, commit=commit)
        other.append(kind="score", task="a/x", run="r", status="failed", error="E: no")
    write_reports(results.root, reports, resamples=5)
    shutil.rmtree(results.folder)
    write_reports(results.root, reports, resamples=5)
    assert not (reports / "made-up" / "abc123").exists()
    assert (reports / "made-up" / "def456" / "README.md").exists()


@pytest.mark.parametrize("name", ["../secret", "/etc/hosts"])
def test_a_list_that_names_a_file_elsewhere_is_refused(
    results: Results, reports: Path, name: str
) -> None:
    results.append(kind="score", task="a/x", run="r", status="failed", error="E: no")
    listed = reports / "made-up" / "written.sha256"
    listed.parent.mkdir(parents=True)
    listed.write_text(f"{'0' * 64}  {name}\n")
    with pytest.raises(DataError, match="expected a hash and a name .* line 1; got '0000"):
        write_reports(results.root, reports, resamples=5)


def test_a_file_behind_a_link_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    theirs = tmp_path / "theirs" / "a.md"
    replace_files(tmp_path / "ours", {"linked/a.md": b"text"})
    shutil.rmtree(tmp_path / "ours" / "linked")
    theirs.write_bytes(b"text")
    (tmp_path / "ours" / "linked").symlink_to(theirs.parent)
    replace_files(tmp_path / "ours", {})
    assert theirs.read_bytes() == b"text"


def test_a_crash_leaves_no_file_unknown(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()  # a folder where a file should go
    with pytest.raises(DataError, match="could not write"):
        replace_files(tmp_path, {"a": b"text", "b": b"text"})
    assert (tmp_path / "a").exists()
    replace_files(tmp_path, {"c": b"text"})
    assert sorted(contents(tmp_path)) == ["c", "written.sha256"]


@pytest.mark.parametrize(
    ("metrics", "label"),
    [
        (("accuracy_percent", "accuracy_percent", "ssim"), "accuracy (percentage points)"),
        (("accuracy_percent", "ssim", "ssim"), "metric of the task"),
        (("accuracy_percent",), "metric of the task"),
    ],
)
def test_the_regret_axis_is_in_the_metric_of_the_tasks_that_were_searched(
    results: Results, metrics: tuple[str, ...], label: str
) -> None:
    for task, metric in zip(("a/x", "a/y", "a/never-searched"), metrics, strict=False):
        results.add_scores(task, {"validation": np.arange(9.0)}, {}, metric=metric)
    for task in ("a/x", "a/y"):
        results.add_searches(task, "random", [[1.0], [2.0]], optimum=4.0)
    (study,) = load_studies(results.root)
    figures = {
        picture.name: figure
        for picture, figure in figures_of(
            study,
            measure(study, seed=0, resamples=5),
            measure_predictions(study),
            None,
        )
    }
    beside = figures["search-queries-1"].get_supylabel()
    assert " ".join(beside.split()) == f"validation regret, {label}"


def test_a_study_in_which_all_failed_is_reported(results: Results, reports: Path) -> None:
    results.append(kind="score", task="a/x", run="r", status="failed", error="E: no")
    write_reports(results.root, reports, resamples=5)
    assert sorted(contents(reports / "made-up" / "abc123")) == [
        "README.md", "failures.csv", "failures.md", "failures.tex", "index.html", "sources.csv",
    ]  # fmt: skip


def test_scores_that_say_nothing_are_reported(results: Results, reports: Path) -> None:
    nothing = {"constant": np.ones(4), "never": np.full(4, np.nan), "failed": np.full(4, -np.inf)}
    results.add_scores("a/x", {"validation": np.arange(4.0)}, nothing)
    write_reports(results.root, reports, resamples=5)
    assert "| constant | — |" in (reports / "made-up" / "abc123" / "correlations.md").read_text()


def test_damaged_results_write_nothing(study: Results, reports: Path) -> None:
    path = next((study.folder / "scores").iterdir())
    path.write_bytes(b"")
    with pytest.raises(DataError, match="SHA-256"):
        write_reports(study.root, reports)
    assert not reports.exists()


def test_no_results_is_one_sentence(tmp_path: Path, reports: Path) -> None:
    with pytest.raises(DataError, match="expected a study with rows"):
        write_reports(tmp_path, reports)


def test_studies_are_reported_by_name_with_the_bytes_they_have_among_all(
    study: Results, reports: Path, tmp_path: Path
) -> None:
    shutil.copytree(study.root / "made-up", study.root / "other")
    rows = study.root / "other" / study.folder.name / "rows.jsonl"
    rows.write_text(rows.read_text().replace('"study": "made-up"', '"study": "other"'))
    write_reports(study.root, reports, resamples=5)
    assert {path.name for path in reports.iterdir()} == {"made-up", "other"}
    write_reports(study.root, tmp_path / "one", ["other"], resamples=5)
    assert {path.name for path in (tmp_path / "one").iterdir()} == {"other"}
    assert contents(tmp_path / "one" / "other") == contents(reports / "other")
    with pytest.raises(UnknownNameError, match=r"there is no study 'othr' \(did you mean other\?"):
        write_reports(study.root, reports, ["other", "othr"], resamples=5)


def test_a_study_that_cannot_be_reported_is_named_and_the_others_are_reported(
    study: Results, reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("damaged", "odd"):
        shutil.copytree(study.root / "made-up", study.root / name)
        rows = study.root / name / study.folder.name / "rows.jsonl"
        rows.write_text(rows.read_text().replace('"study": "made-up"', f'"study": "{name}"'))
    next((study.root / "damaged" / study.folder.name / "scores").iterdir()).write_bytes(b"")
    page = write.page

    def faulty(study: Study, *rest: object) -> str:
        if study.name == "odd":
            raise KeyError("dataset")
        return page(study, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(write, "page", faulty)
    told: dict[str, str] = {}
    write_reports(study.root, reports, resamples=5, left_out=told.__setitem__)
    assert {path.name for path in reports.iterdir()} == {"made-up"}
    assert list(told) == ["damaged", "odd"]
    assert "SHA-256" in told["damaged"]
    assert told["odd"] == "KeyError: 'dataset'"
