from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from bench.base import DataError
from bench.reports.write import write_reports
from tests.reports.conftest import Results


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
    write_reports(study.root, reports, resamples=20)
    assert contents(reports) == first
    assert {Path(name).suffix for name in first} == {".md", ".csv", ".tex", ".png", ".pdf"}
    wanted = {"heatmap-1", "top-k-1", "noise", "search-queries-1"}
    wanted |= {"scatter-nasbench201-suite-cifar10", "scatter-nasbench201-cifar10-valid"}
    figures = {Path(name).stem for name in first if name.startswith("made-up/figures/")}
    assert figures == wanted
    page = first["made-up/README.md"].decode()
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert len(links) > 10
    assert {f"made-up/{link}" for link in links} == set(first) - {"made-up/README.md"}
    for text in ("`ipl-bench report`", "`abc123`", "evolution,warm=nwot", "no \\| way_5%", "ceil"):
        assert text in page
    assert str(study.root) not in page


def test_a_study_of_searches_alone_is_reported(results: Results, reports: Path) -> None:
    results.add_searches("a/x", "random", [[1.0, 2.0], [3.0, 1.0]], optimum=4.0)
    write_reports(results.root, reports, resamples=20, command="make report")
    found = set(contents(reports / "made-up"))
    assert "searches.tex" in found
    assert not any(name.startswith("correlations") for name in found)
    page = (reports / "made-up" / "README.md").read_text()
    assert "`make report`" in page
    assert "## Correlations" not in page


def test_each_commit_has_its_own_report(results: Results, reports: Path) -> None:
    for commit in ("abc123", "def456"):
        other = Results(results.root, commit=commit)
        other.add_searches("a/x", "random", [[1.0], [2.0]], optimum=4.0)
    write_reports(results.root, reports, resamples=5)
    for commit in ("abc123", "def456"):
        assert f"`{commit}`" in (reports / "made-up" / commit / "README.md").read_text()


def test_a_study_in_which_all_failed_is_reported(results: Results, reports: Path) -> None:
    results.append(kind="score", task="a/x", run="r", status="failed", error="E: no")
    write_reports(results.root, reports, resamples=5)
    assert sorted(contents(reports / "made-up")) == [
        "README.md", "failures.csv", "failures.md", "failures.tex",
    ]  # fmt: skip


def test_scores_that_say_nothing_are_reported(results: Results, reports: Path) -> None:
    nothing = {"constant": np.ones(4), "never": np.full(4, np.nan), "failed": np.full(4, -np.inf)}
    results.add_scores("a/x", {"validation": np.arange(4.0)}, nothing)
    write_reports(results.root, reports, resamples=5)
    assert "| constant | — |" in (reports / "made-up" / "correlations.md").read_text()


def test_damaged_results_write_nothing(study: Results, reports: Path) -> None:
    path = next((study.folder / "scores").iterdir())
    path.write_bytes(b"")
    with pytest.raises(DataError, match="SHA-256"):
        write_reports(study.root, reports)
    assert not reports.exists()


def test_no_results_is_one_sentence(tmp_path: Path, reports: Path) -> None:
    with pytest.raises(DataError, match="expected a study with rows"):
        write_reports(tmp_path, reports)
