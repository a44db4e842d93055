"""The check of a GPU: whole, without one and on a bare machine; and with parts that go wrong."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

pytest.importorskip("triton")

import torch
from gpu import broken_parts, profiled_parts
from torch import Tensor

from bench.base import OptionError
from bench.gpu import check, kernels, measures, parts
from bench.gpu.check import NO_DEVICE, Check
from bench.gpu.parts import PARTS
from bench.kernels import KERNELS, saliency
from bench.networks import Stack, Weights
from bench.reports.gpu import gpu_tables
from bench.reports.load import load_studies
from bench.reports.write import write_reports

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
        "e/two": "the part ended without it",
    }


def test_what_the_time_does_not_reach_says_so(on_a_gpu: None, tmp_path: Path) -> None:
    rows = broken(tmp_path, seconds=1)
    said = "the time for all, 1 s, was over before this part"
    assert {row["error"] for row in rows.values()} == {said}


def test_a_check_that_is_cut_off_leaves_a_row_for_every_figure(tmp_path: Path) -> None:
    """As by `timeout`: parts that run are ended, and what is missing says so."""
    folder = tmp_path / "here"
    command = [sys.executable, "-m", "bench.gpu", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        told = process.stderr.readline()
        assert told.startswith(f"device: {NO_DEVICE}; rows: ")
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode == 1, rest
    rows = rows_of(folder)
    assert sorted(row["figure"] for row in rows) == sorted(
        figure for part in PARTS for figure in part.units
    )
    assert {row["error"] for row in rows} == {"stopped by SIGTERM"}


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


NCU = """==PROF== Connected to process 7 (/usr/bin/python3)
what the program prints
==PROF== Disconnected from process 7
"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size",\
"Grid Size","Device","CC","Section Name","Metric Name","Metric Unit","Metric Value"
"0","7","python3","127.0.0.1","_pack","1","7","(128, 1, 1)","(64, 16, 1)","0","9.0",\
"Command line profiler metrics","gpu__time_duration.sum","ns","9,999"
"1","7","python3","127.0.0.1","_pack","1","7","(128, 1, 1)","(64, 16, 1)","0","9.0",\
"Command line profiler metrics","gpu__time_duration.sum","ns","5,216"
"1","7","python3","127.0.0.1","_pack","1","7","(128, 1, 1)","(64, 16, 1)","0","9.0",\
"Command line profiler metrics","gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed",\
"%","61.25"
"2","7","python3","127.0.0.1","_differ","1","7","(256, 1, 1)","(64, 16, 1)","0","9.0",\
"Command line profiler metrics","launch__registers_per_thread","register/thread","n/a"
"""


def test_counters_are_read_from_what_ncu_prints() -> None:
    told = parts.read_counters(NCU)
    assert told == {"_pack": {"nanoseconds": 5216.0, "of_peak": 61.25}}
    assert parts.read_counters("==ERROR== ERR_NVGPUCTRPERM") == {}


def test_the_sweep_is_planned_by_what_was_timed() -> None:
    gigabyte = 2.0**30
    told = {
        5: {"value": 40.0, "host": 100.0, "peak_bytes": 3 * gigabyte},
        25: {"value": 150.0, "host": 100.0, "peak_bytes": 15 * gigabyte},
        125: {"value": 200.0, "host": 100.0, "peak_bytes": 80 * gigabyte},
        50: {"value": 900.0, "host": 900.0, "peak_bytes": 1 * gigabyte},
    }
    # One process of 125 fits and its host holds it back; of 25 seven fit, on 16 processors.
    assert measures.plan_sweep(told, 16, 139 * gigabyte) == (7, 25)
    assert measures.plan_sweep(told, 2, 139 * gigabyte)[0] == 1
    failed = {25: {"value": None, "error": "out of memory"}}
    assert measures.plan_sweep(failed, 16, 139 * gigabyte) == (1, 25)


@pytest.mark.parametrize("size", [size for size in measures.SIZES if size > 1])
def test_stacks_take_turns_in_one_module(size: int) -> None:
    stacks = measures.stacks_of(size)
    first, second = next(stacks), next(stacks)
    assert len(first) == len(second) == size
    Stack(first, Weights(0), channels=1, cells=1).refill(second)


def test_the_sweep_scores_every_cell_once() -> None:
    for size in (5, 25, 125):
        cells = [arch for stack in measures.stacks_of(size) for arch in stack]
        assert len(set(cells)) == len(cells) == measures.WHOLE


def test_a_kernel_that_is_wrong_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A launcher that is off in one value of one case, or has a NaN where there is none."""
    real = saliency.saliency_sums

    def off(by: float) -> None:
        def sums(*inputs: Tensor, implementation: str | None = None) -> Any:
            found = real(*inputs, implementation="torch")
            if implementation == "triton" and found.products.numel() == 2:
                found.gradient_squares[1] *= by
            return found

        monkeypatch.setattr(saliency, "saliency_sums", sums)

    off(1.0)
    assert kernels.check("saliency", torch.float32, "cpu", large=False).difference == 0
    off(1 + 1e-6)
    verdict = kernels.check("saliency", torch.float32, "cpu", large=False)
    assert verdict.difference == pytest.approx(1e-6, rel=1e-3)
    assert verdict.shape == "(2, 20000), (2, 20000)"
    off(float("nan"))
    assert math.isnan(kernels.check("saliency", torch.float32, "cpu", large=False).difference)


def test_a_score_beyond_its_tolerance_fails_its_row(tmp_path: Path) -> None:
    setting = measures.Setting("cpu", tmp_path, monotonic() + 60)
    for shard in range(2):
        list(measures.refer(setting, shard))
    path = tmp_path / "reference-0.json"
    told = json.loads(path.read_text("utf-8"))
    (text,) = told
    told[text]["l2_norm"][0] *= 1 + 1e-6
    path.write_text(json.dumps(told), "utf-8")
    rows = {row["figure"]: row for row in measures.agree(setting)}
    failed = {figure for figure, row in rows.items() if "error" in row}
    assert failed == {"agreement/stack-float64/l2_norm", "agreement/alone-float64/l2_norm"}
    row = rows["agreement/stack-float64/l2_norm"]
    assert row["value"] == pytest.approx(1e-6, rel=1e-3)
    assert row["error"].startswith("expected a difference of at most 1e-09, got 1e-06 at |")
    assert row["cells"] == 2


COMPILES = """
from bench.gpu import kernels
import torch

def adds(x, n, block: "tl.constexpr"):
    at = tl.program_id(0) * n.to(tl.int64) + tl.arange(0, block)
    tl.store(x + at, tl.load(x + at) + 1)

seen = {}
compiler = kernels._Compiler(adds, seen)
for n in (2, 2, 1):
    compiler[(1,)](torch.ones(8), n, block=8)
for found in seen.values():
    print(found)
"""


def test_a_kernel_that_does_not_compile_for_a_size_of_one_is_seen(tmp_path: Path) -> None:
    """Triton makes a constant of an integer of 1; each program is compiled once."""
    (tmp_path / "adds.py").write_text(COMPILES, "utf-8")
    kept = {name: it for name, it in os.environ.items() if name != "TRITON_INTERPRET"}
    own = {"PYTHONPATH": str(ROOT), "TRITON_CACHE_DIR": str(tmp_path / "triton")}
    done = subprocess.run(
        [sys.executable, str(tmp_path / "adds.py")],
        capture_output=True,
        text=True,
        env={**kept, **own, "TRITON_DEFAULT_FP_FUSION": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    well, failed = done.stdout.splitlines()
    assert re.fullmatch(
        r"Compiled\(kernel='adds', dtype='float32', shared=\d+, registers=\d+, spills=0\)", well
    )
    assert failed.startswith("('adds', 'CompilationError: ")
    assert "has no attribute" in failed


def test_every_kernel_is_checked() -> None:
    for known in (kernels.DTYPES, kernels.TOLERANCES, parts.FUNCTIONS):
        assert known.keys() == KERNELS.keys()
    for kernel, functions in parts.FUNCTIONS.items():
        module = import_module(f"bench.kernels.{kernel}")
        assert all(callable(vars(module)[function]) for function in functions)
        assert kernels.TOLERANCES[kernel].keys() == set(kernels.DTYPES[kernel])


def test_the_report_draws_a_roofline_of_what_was_measured(on_a_gpu: None, tmp_path: Path) -> None:
    results, reports = tmp_path / "results", tmp_path / "reports"
    Check(results / "gpu/h200", 120, profiled_parts.PARTS, "gpu.profiled_parts").run()
    written = {path.name: path for path in write_reports(results, reports, workers=1)}
    assert written["roofline-1.png"].stat().st_size > 1000
    page = next(path for path in reports.glob("gpu/*/README.md")).read_text("utf-8")
    assert "Measured ceilings, seconds a network of each pass over a stack" in page
    assert "on H200." in page
    assert "gpu/stack of 5: seconds a network by pass" in page
    rows = {row["figure"]: row for row in rows_of(results / "gpu/h200") if row["kind"] == "gpu"}
    assert rows["profile/flops"]["value"] > 1e9
    forward = rows["profile/pass/forward"]
    assert forward["value"] > 0
    assert 0 < forward["flops_per_second"] < rows["profile/flops"]["value"]
    # A CPU runs no kernel in Triton.
    assert rows["profile/kernel/saliency_sums"]["error"] == "the part ended without it"
