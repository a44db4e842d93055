"""The check of a GPU: whole, without one and on a bare machine; and with parts that go wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("triton")

from gpu import broken_parts

from bench.base import OptionError
from bench.gpu import check
from bench.gpu.check import NO_DEVICE, Check
from bench.gpu.parts import PARTS
from bench.reports.gpu import gpu_tables
from bench.reports.load import load_studies

ROOT = Path(__file__).resolve().parents[2]
BARE = """
import sys

class Bare:
    ALLOWED = sys.stdlib_module_names | {
        "bench", "torch", "triton", "numpy",
        # What torch cannot be imported without.
        "sympy", "mpmath", "typing_extensions", "networkx", "jinja2", "markupsafe", "filelock",
        "fsspec", "setuptools", "_distutils_hack", "torchgen", "functorch", "cuda", "nvidia",
    }

    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in self.ALLOWED or top.startswith("_"):
            return self.finder.find_spec(name, path, target)
        return None

sys.meta_path[:] = [Bare(finder) for finder in sys.meta_path]
"""
"""A machine where nothing else is installed."""


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "rows.jsonl").read_text("utf-8").splitlines()]


def script(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(ROOT / "tools/gpu.sh"), *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": "", **environment},
        check=False,
    )


def test_the_whole_without_a_gpu_on_a_bare_machine(tmp_path: Path) -> None:
    """Every figure has its row, and every part that can be tried was; in five minutes."""
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "sitecustomize.py").write_text(BARE, "utf-8")
    folder = tmp_path / "results/gpu/here"
    started = monotonic()
    done = script(str(folder), PYTHONPATH=str(bare))
    lacks = subprocess.run(
        [sys.executable, "-c", "import click"], env={"PYTHONPATH": str(bare)}, check=False
    )
    assert lacks.returncode == 1
    assert monotonic() - started < 300
    rows = rows_of(folder)
    assert [row for row in rows if row["status"] == "failed"] == []
    assert done.returncode == 0, done.stderr
    figures = [figure for part in PARTS for figure in part.units]
    assert sorted(row["figure"] for row in rows) == sorted(figures)
    for row in rows:
        if row["of"] == "compiled":
            assert row["value"] > 0
            assert row["spilled_bytes"] is not None
            assert row["note"] is None
        else:
            assert (row["value"], row["note"]) == (None, NO_DEVICE)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 200_000
    (study,) = load_studies(tmp_path / "results")
    assert len(study.checks) == len(rows)
    assert study.failed == ()
    # Another run fills the same rows.
    check._check_folder(folder)


def test_parts_that_can_be_tried_without_a_gpu() -> None:
    """All but ncu, and but the cells that a rehearsal does not have."""
    untried = {part.name for part in PARTS if not part.rehearsed}
    assert untried == {"ncu", *(f"reference-{shard}" for shard in range(2, 10))}
    assert len({figure for part in PARTS for figure in part.units}) == sum(
        len(part.units) for part in PARTS
    )


@pytest.fixture
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were one: parts' processes are told so, and the broken ones do not look."""
    facts = {"device": "H200", "torch": "2", "triton": "3", "cuda": "13", "driver": "5"}
    monkeypatch.setattr(check, "_facts", lambda _: {**facts, "errors": None})
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))


def broken(folder: Path, seconds: float = 120) -> dict[str, dict[str, Any]]:
    """By figure the rows of a check of broken parts."""
    found = Check(folder, seconds, broken_parts.PARTS, "gpu.broken_parts")
    failed = found.run()
    rows = [row for row in rows_of(folder) if row["kind"] == "gpu"]
    assert failed == sum(row["status"] == "failed" for row in rows)
    return {row["figure"]: row for row in rows}


def test_a_part_that_breaks_leaves_its_rows_and_the_others(on_a_gpu: None, tmp_path: Path) -> None:
    rows = broken(tmp_path)
    values = {figure: row["value"] for figure, row in rows.items()}
    assert values == {
        "a/one": 1.5, "a/two": None, "b/one": 2.5, "b/two": None, "c/one": 3.5, "c/two": None,
        "d/one": 4.5, "d/two": None, "e/one": 5.5, "e/two": None,
    }  # fmt: skip
    assert rows["a/one"]["cells"] == 3
    assert {row["device"] for row in rows.values()} == {"H200"}
    errors = {figure: row["error"] for figure, row in rows.items() if row["error"]}
    assert errors == {
        "a/two": "no number",
        "b/two": "ZeroDivisionError: by nothing",
        "c/two": "killed by SIGSEGV",
        "d/two": "stopped at its limit of 12 s",
        "e/two": "the part's time was over before it",
    }


def test_what_the_time_does_not_reach_says_so(on_a_gpu: None, tmp_path: Path) -> None:
    rows = broken(tmp_path, seconds=1)
    said = "the time for all, 1 s, was over before this part"
    assert {row["error"] for row in rows.values()} == {said}


def test_rows_of_profile_are_those_that_the_report_draws(on_a_gpu: None, tmp_path: Path) -> None:
    folder = tmp_path / "gpu/h200"
    broken(folder)
    (study,) = load_studies(tmp_path)
    (row,) = study.profiles
    assert (row["run"], row["what"], row["seconds"], row["part"]) == ("gpu/a", "pass", 2.0, 0)
    assert len(study.checks) == 10


def test_values_that_a_gpu_gave_are_not_overwritten(on_a_gpu: None, tmp_path: Path) -> None:
    broken(tmp_path, seconds=1)
    with pytest.raises(OptionError, match=r"a new folder, .* got .*, whose rows.jsonl a GPU gave"):
        Check(tmp_path, 1).run()


def test_without_a_gpu_a_part_that_breaks_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    facts = dict.fromkeys(("device", "torch", "triton", "cuda", "driver", "errors"))
    monkeypatch.setattr(check, "_facts", lambda _: facts)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))
    rows = broken(tmp_path)
    assert {row["value"] for row in rows.values()} == {None}
    errors = {figure: row["error"] for figure, row in rows.items()}
    assert errors["a/one"] is None
    assert errors["a/two"] == "in a rehearsal: no number"
    assert errors["b/two"] == "ZeroDivisionError: by nothing"
    assert errors["e/two"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "expected a folder for the rows, got none"),
        (("here", "--parts", "sweep,nothing"), "expected parts among probe, .*, got 'nothing'"),
        (("here", "--seconds", "0"), "expected seconds above 0, got 0"),
        (("/proc/nowhere",), "expected a folder that can be written to, got /proc/nowhere: "),
    ],
)
def test_what_cannot_be_done_is_one_sentence(words: tuple[str, ...], said: str) -> None:
    done = script(*words)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert re.search(said, done.stderr)


def test_a_python_without_torch_is_told() -> None:
    done = subprocess.run(
        ["/bin/bash", str(ROOT / "tools/gpu.sh"), "here"],
        capture_output=True,
        text=True,
        env={"PATH": str(ROOT / "nowhere") + ":/usr/bin:/bin", "PYTHON": "false"},
        check=False,
    )
    if done.returncode == 0:
        pytest.skip("the system's own Python has torch")
    assert done.returncode == 2
    assert "expected a Python with torch and numpy" in done.stderr


def test_tables_show_values_and_reasons(on_a_gpu: None, tmp_path: Path) -> None:
    common = {"kind": "gpu", "device": "H200", "unit": "s", "note": None, "error": None}
    rows = [
        {**common, "figure": "throughput/graphs/25", "value": 12345.6, "unit": "networks/s"},
        {**common, "figure": "throughput/graphs/5", "value": None, "error": "it broke"},
        {**common, "figure": "agreement/stack-float64/snip", "value": 1e-11, "tolerance": 1e-9},
        {**common, "figure": "throughput/graphs/difference", "value": 0.5, "unit": "of 1"},
    ]
    agreement, throughput = gpu_tables(rows)
    assert "H200" in throughput.caption
    assert [[cell.text for cell in row] for row in throughput.rows] == [
        ["graphs/5", "it broke", "—", "s"],
        ["graphs/25", "", "12,346", "networks/s"],
        ["graphs/difference", "", "0.5", "of 1"],
    ]
    assert [[cell.text for cell in row] for row in agreement.rows] == [
        ["snip", "", "1e-11", "—", "—", "—"]
    ]
    assert all(len(row) == len(agreement.columns) for row in agreement.rows)
    assert gpu_tables([]) == []
