"""`ipl-bench demo` on a small task in the place of the packaged one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench import cli
from bench.base import DataError, OptionError, Space, Table, TableReader, UnknownNameError
from bench.commands import demo as demonstrating
from bench.commands.demo import Demo, run
from bench.reports.load import load_studies
from bench.runs import live, members
from bench.runs.tasks import load_task

NAME = "nasbench201/small"
CELLS = 200
PROXY = 'def few_pools(graph):\n    return -sum("pool" in name for name in graph.operations)\n'


def small(paths: object, space: Space) -> Table:
    """Cells whose accuracy is how many convolutions they have, and some noise."""
    rng = np.random.default_rng(0)
    archs = list(dict.fromkeys(space.sample(rng) for _ in range(2 * CELLS)))[:CELLS]
    texts = [space.text(arch) for arch in archs]
    convolutions = np.array([float(text.count("conv")) for text in texts])
    jacov = convolutions + rng.normal(size=CELLS)
    jacov[3] = -np.inf
    return Table(
        name=NAME,
        space=space.name,
        dataset="small",
        archs=texts,
        accuracy={
            "validation": 50 + 5 * convolutions + rng.normal(size=CELLS),
            "test": 50 + 5 * convolutions + rng.normal(size=CELLS),
        },
        scores={"params": convolutions, "jacov": jacov},
    )


@pytest.fixture(autouse=True)
def _task(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    reader = TableReader(NAME, "nasbench201", (), small)
    monkeypatch.setitem(members._BUILT_IN["tables"], NAME, reader)
    monkeypatch.setattr(demonstrating, "TASK", NAME)
    monkeypatch.setattr(demonstrating, "RESAMPLES", 100)
    # The demo needs no table of anybody's, and no network.
    monkeypatch.setenv("BENCH_DATA", "")
    yield
    load_task.cache_clear()


def demo(
    folder: Path, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0
) -> tuple[list[dict[str, Any]], str]:
    """What a demo in a folder prints as JSON, and what it tells."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["ipl-bench", "demo", "--json", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
    out, told = capsys.readouterr()
    assert end.value.code == code, told
    return [json.loads(line) for line in out.splitlines()], told


def test_it_shows_every_kind_of_result_and_names_what_to_do_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(PROXY)
    rows, told = demo(tmp_path, capsys, "--proxy", "mine.py:few_pools")
    correlations = [row for row in rows if "kendall_low" in row and "proxy" in row]
    assert {row["proxy"] for row in correlations} == {
        *("params", "jacov", "parametric", "random", "mine.py:few_pools"),
    }
    taus = [row["kendall"] for row in correlations]
    assert taus == sorted(taus, reverse=True)
    (jacov,) = [row for row in correlations if row["proxy"] == "jacov"]
    assert (jacov["n"], jacov["n_failed"]) == (CELLS, 1)
    searches = [row for row in rows if "searcher" in row]
    assert {row["searcher"] for row in searches} == {
        *("random", "local-search", "rank,proxy=jacov", "regularised-evolution,population=10"),
    }
    assert all((row["seeds"], row["queries"]) == (10, 50) for row in searches)
    scored = [row for row in rows if "arch" in row]
    assert len(scored) == 5
    found = [row["validation"] for row in scored]
    assert found == sorted(found)
    truth = load_task(NAME).table.accuracy["validation"]
    assert (found[0], found[-1]) == (truth.min(), truth.max())
    assert all(list(row)[2:] == list(demonstrating.SCORED_BY) for row in scored)
    for part in ("1. Which", "2. Which", "3. How", "4. The same", "demo --proxy", "README.md"):
        assert part in told

    page = tmp_path / "ipl-bench-demo/reports/demo/README.md"
    assert page.is_file()
    (site,) = page.parent.glob("*/index.html")
    assert "Results made by <code>ipl-bench demo --proxy mine.py:few_pools</code>" in (
        site.read_text()
    )
    (study,) = [it for it in load_studies(tmp_path / "ipl-bench-demo/results") if it.searches]
    assert len(study.searches) == 4 * 10
    (scores,) = tmp_path.glob("ipl-bench-demo/results/demo-live/*/live.parquet")
    assert pq.read_table(scores).num_rows == 5
    about = json.loads((scores.parent / "provenance.json").read_text())
    assert about["run"]["recipe"].split(",")[0] == demonstrating.RECIPE
    assert len({row["zen"] for row in scored}) > 1
    # Nothing else, and nothing left over from making it.
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {
        *("mine.py", "ipl-bench-demo"),
    }
    made = (tmp_path / "ipl-bench-demo/results").iterdir()
    assert {path.name for path in made} == {"demo", "demo-live"}


def quick(folder: Path, *proxies: str) -> list[str]:
    """A demo without tables or live scores; the titles that it shows."""
    shown: list[str] = []

    def show(title: str, only: object, work: Any) -> None:
        shown.append(title)
        list(work())

    run(Demo(folder / "results", folder / "reports", proxies), show)
    return shown


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where PyTorch is not installed."""
    monkeypatch.setitem(sys.modules, "torch", None)


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where matplotlib is not installed."""
    monkeypatch.setitem(sys.modules, "bench.reports.write", None)


@pytest.mark.usefixtures("no_torch", "no_figures")
class TestWithoutExtras:
    def test_what_is_not_installed_is_left_out_and_said(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert quick(tmp_path) == ["correlations", "searches"]
        told = capsys.readouterr().err
        assert "3. Left out: scoring networks needs torch" in told
        assert "4. Left out: figures need" in told

    def test_images_that_cannot_be_had_are_said(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def absent(recipe: object) -> None:
            raise OptionError("the dataset digits needs sklearn")

        monkeypatch.setattr(live, "require_torch", lambda: None)
        monkeypatch.setitem(sys.modules, "bench.runs.recipes", SimpleNamespace(split_of=absent))
        assert quick(tmp_path) == ["correlations", "searches"]
        assert "3. Left out: the dataset digits needs sklearn." in capsys.readouterr().err

    def test_a_proxy_without_a_correlation_is_last(self, tmp_path: Path) -> None:
        mine = tmp_path / "mine.py"
        mine.write_text("def same(graph):\n    return 1\n")
        order: list[tuple[str, float | None]] = []

        def show(title: str, only: object, work: Any) -> None:
            order.extend((row["proxy"], row["kendall"]) for row in work() if "proxy" in row)

        run(Demo(tmp_path / "results", tmp_path / "reports", (f"{mine}:same",)), show)
        assert order[-1] == (f"{mine}:same", None)
        assert len(order) == 5

    def test_a_second_demo_replaces_the_first_with_the_same_bytes(self, tmp_path: Path) -> None:
        quick(tmp_path)
        first = contents(tmp_path)
        quick(tmp_path)
        assert contents(tmp_path) == first
        quick(tmp_path, "parametric")
        assert len(contents(tmp_path)) == len(first)

    def test_a_file_of_somebody_else_is_in_the_way_and_stays(self, tmp_path: Path) -> None:
        foreign = tmp_path / "results" / "demo" / "notes.txt"
        foreign.parent.mkdir(parents=True)
        foreign.write_text("mine")
        with pytest.raises(DataError, match=r"earlier demo wrote, got .*notes\.txt; move it"):
            quick(tmp_path)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [foreign]
        assert foreign.read_text() == "mine"

    def test_a_changed_file_of_the_demo_is_somebodys(self, tmp_path: Path) -> None:
        quick(tmp_path)
        (rows,) = tmp_path.glob("results/demo/*/rows.jsonl")
        rows.write_text(rows.read_text() + "\n")
        with pytest.raises(DataError, match=r"got .*rows\.jsonl"):
            quick(tmp_path)

    def test_a_file_in_the_place_of_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "reports").mkdir()
        (tmp_path / "reports" / "demo").write_text("mine")
        with pytest.raises(DataError, match=r"expected a folder .*demo .* got a file"):
            quick(tmp_path)

    def test_results_and_reports_in_one_folder_would_remove_each_other(
        self, tmp_path: Path
    ) -> None:
        both = tmp_path / "both"
        with pytest.raises(OptionError, match="to be two folders, .* got .*both for both"):
            run(Demo(both, tmp_path / "a" / ".." / "both"), lambda *_: None)
        assert not both.exists()

    def test_a_damaged_list_of_files_is_told(self, tmp_path: Path) -> None:
        listed = tmp_path / "results" / "demo" / "written.sha256"
        listed.parent.mkdir(parents=True)
        listed.write_bytes(b"\xff\n")
        with pytest.raises(DataError, match="expected a hash and a name of a file .* line 1; got"):
            quick(tmp_path)
        assert listed.read_bytes() == b"\xff\n"

    def test_a_proxy_that_cannot_be_loaded_leaves_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(UnknownNameError, match="there is no file"):
            quick(tmp_path, f"{tmp_path}/absent.py:score")
        assert not list(tmp_path.rglob("*.*"))

    def test_an_interrupt_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(demonstrating, "summarise", interrupted)
        with pytest.raises(KeyboardInterrupt):
            quick(tmp_path)
        assert list((tmp_path / "results").iterdir()) == []


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a demo, but for the log of wall-clock seconds and its hash."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if path.name not in ("log.jsonl", "written.sha256")
    }


def test_cells_are_spread_from_worst_to_best() -> None:
    values = np.array([3.0, np.nan, 1.0, 2.0, 5.0, 4.0, 9.0, np.nan, 8.0])
    # Of the known 1, 2, 3, 4, 5, 8, 9 at places 0, 1.5, 3, 4.5 and 6; halves go to even places.
    assert demonstrating._spread(values) == [2, 0, 5, 4, 6]
    assert demonstrating._spread(np.array([2.0, 1.0])) == [1, 0]
    assert demonstrating._spread(np.array([7.0])) == [0]


def test_ctrl_c_ends_in_a_word_and_leaves_nothing(tmp_path: Path) -> None:
    """As a user sends it, while a proxy of theirs is at work."""
    (tmp_path / "slow.py").write_text(
        "import pathlib, time\n"
        "def score(graph):\n"
        "    pathlib.Path('begun').touch()\n"
        "    time.sleep(60)\n"
    )
    code = (
        "import signal, sys; sys.path.insert(0, sys.argv.pop(1)); import test_demo as t\n"
        # A shell's background jobs are born deaf to it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from bench.runs import members\n"
        "from bench.base import TableReader\n"
        "members._BUILT_IN['tables'][t.NAME] = TableReader(t.NAME, 'nasbench201', (), t.small)\n"
        "t.demonstrating.TASK = t.NAME\n"
        "sys.argv = ['ipl-bench', 'demo', '--proxy', 'slow.py:score']\n"
        "t.cli.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    try:
        while not (tmp_path / "begun").exists():
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 2
    assert told.endswith("ipl-bench: interrupted\n")
    assert list((tmp_path / "ipl-bench-demo/results").iterdir()) == []
