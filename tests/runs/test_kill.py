"""The study smoke, killed at random moments and resumed, and by two processes: the same bytes."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

KILLS = 20


def run_smoke(results: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench", "run", "smoke", "--results", str(results), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> None:
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err


def size_of(results: Path) -> int:
    """The bytes of rows so far."""
    return sum(path.stat().st_size for path in results.rglob("rows.jsonl"))


def bytes_of(results: Path) -> dict[str, bytes]:
    """All files but the log, by their path."""
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in sorted(results.rglob("*"))
        if path.is_file() and path.name not in {"log.jsonl", ".lock"}
    }


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("unbroken")


@pytest.fixture
def whole(unbroken: Path, data: Path) -> dict[str, bytes]:
    """What an unbroken run leaves; made by the first test that asks for it."""
    if not any(unbroken.iterdir()):
        finished(run_smoke(unbroken))
    return bytes_of(unbroken)


def test_killed_twenty_times_and_resumed(whole: dict[str, bytes], tmp_path: Path) -> None:
    moments = random.Random(0)
    killed = 0
    while killed < KILLS:
        process = run_smoke(tmp_path, "--resume", "--workers", str(1 + killed % 2))
        if killed % 2:  # while it writes: soon after its next row
            before = size_of(tmp_path)
            while process.poll() is None and size_of(tmp_path) == before:
                time.sleep(0.005)
            time.sleep(moments.uniform(0, 0.3))
        else:  # at its start
            time.sleep(moments.uniform(0, 1))
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=60)
            killed += 1
        else:  # on a busy machine it may outrun us: what it left is judged, and it begins again
            finished(process)
            assert bytes_of(tmp_path) == whole
            shutil.rmtree(tmp_path)
    finished(run_smoke(tmp_path, "--resume"))
    assert bytes_of(tmp_path) == whole


def test_two_workers_leave_the_same_bytes_as_one(whole: dict[str, bytes], tmp_path: Path) -> None:
    finished(run_smoke(tmp_path, "--workers", "2"))
    assert bytes_of(tmp_path) == whole


def test_no_row_stands_twice_and_none_is_missing(whole: dict[str, bytes]) -> None:
    from bench.runs.row import SearchRun
    from bench.studies.smoke import SMOKE

    lines = next(content for name, content in whole.items() if name.endswith("rows.jsonl"))
    rows = [json.loads(line) for line in lines.splitlines()]
    found = Counter((row["run"], row["part"]) for row in rows)
    wanted = {
        (run.key, part)
        for run in SMOKE.runs()
        for part in range(run.seeds if isinstance(run, SearchRun) else 1)
    }
    assert set(found) == wanted
    assert set(found.values()) == {1}
    assert all(row["status"] == "ok" for row in rows)
