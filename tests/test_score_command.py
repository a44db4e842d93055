"""`ipl-bench score`: killed and resumed, interrupted, by one worker and two, and reported."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bench import cli
from bench.reports.load import load_studies
from bench.runs import live_store, provenance

pytest.importorskip("torch")

KILLS = 8
TINY = "--dataset noise,size=8 --batch 4 --shape channels=4 --shape cells=1"

SLOW = """
import time
def slow(graph):
    time.sleep(0.004)
    return graph.adjacency.sum() + len(graph.operations)
def fails(graph):
    if "none" in graph.operations:
        raise ArithmeticError
    return 1.0
"""

# Editing the code in the midst of a test is another commit; and where tests run in the
# background, a shell has them ignore interrupts: heed them again.
START = """
import signal
from bench.runs import provenance
signal.signal(signal.SIGINT, signal.default_int_handler)
provenance.commit = lambda: "c0ffee"
from bench.cli import main
main()
"""


def started(command: str, results: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", START, "score", *command.split(), "--results", str(results)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(command: str, results: Path) -> Path:
    """Run a command to its end; its results folder."""
    process = started(command, results)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    (folder,) = (results / "live").iterdir()
    return folder


def scores(folder: Path) -> list[dict[str, Any]]:
    """All rows of a finished run, their seconds apart."""
    rows = pq.read_table(folder / live_store.SCORES).to_pylist()
    return [{k: v for k, v in row.items() if not k.startswith("seconds")} for row in rows]


def streamed(results: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in results.rglob(live_store.STREAM))


@pytest.fixture
def slow(tmp_path: Path) -> str:
    path = tmp_path / "slow_proxies.py"
    path.write_text(SLOW)
    return f"nasbench201 --sample 150 --seeds 2 --proxy {path}:slow --proxy {path}:fails"


def test_killed_at_random_moments_and_resumed(slow: str, tmp_path: Path) -> None:
    whole = scores(finished(slow, tmp_path / "whole"))
    assert len({(row["seed"], row["arch"]) for row in whole}) == len(whole) == 300
    moments = random.Random(0)
    results = tmp_path / "killed"
    most = 0
    for kill in range(KILLS):
        process = started(f"{slow} --resume --workers {1 + kill % 2}", results)
        while process.poll() is None and streamed(results) == most:
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.1))
        assert process.poll() is None, "the run ended before it could be killed"
        process.kill()
        process.communicate(timeout=60)
        assert streamed(results) >= most
        most = streamed(results)
    assert 0 < most < 300
    folder = finished(f"{slow} --resume", results)
    assert scores(folder) == whole
    assert not (folder / live_store.STREAM).exists()
    assert len((folder / "rows.jsonl").read_text().splitlines()) == 1


def test_networks_by_one_worker_and_two_and_killed_in_between(tmp_path: Path) -> None:
    command = f"nasbench201 --sample 16 {TINY} --proxies synflow,nwot,epe_nas,random"
    one = scores(finished(command, tmp_path / "one"))
    two = scores(finished(f"{command} --workers 2", tmp_path / "two"))
    assert one == two
    process = started(command, tmp_path / "killed")
    while process.poll() is None and not streamed(tmp_path / "killed"):
        time.sleep(0.005)
    process.kill()
    process.communicate(timeout=60)
    assert scores(finished(f"{command} --resume", tmp_path / "killed")) == one


@pytest.mark.parametrize("last", ["stream", "parquet", "row"])
def test_killed_while_it_ends_it_ends_again(last: str, slow: str, tmp_path: Path) -> None:
    slow = slow.replace("150", "10")
    folder = finished(slow, tmp_path)
    whole = scores(folder)
    line = (folder / "rows.jsonl").read_text()
    table = pq.read_table(folder / live_store.SCORES).to_pylist()
    names = [key.removeprefix("score:") for key in table[0] if key.startswith("score:")]
    with live_store.Stream.opened(folder / live_store.STREAM) as stream:
        for row in table:
            errors = {n: row[f"error:{n}"] for n in names if row.get(f"error:{n}")}
            parts = {part: {n: row[f"{key}:{n}"] for n in names} for part, key in PARTS.items()}
            stream.append(
                {**parts, **{k: row[k] for k in ("arch", "seed")}, "errors": errors}
                | {"status": "ok", "total_seconds": row["seconds"]}
            )
    if last == "stream":
        (folder / live_store.SCORES).unlink()
    if last != "row":
        (folder / "rows.jsonl").write_text(line[:50])
    assert finished(f"{slow} --resume", tmp_path) == folder
    assert scores(folder) == whole
    assert not (folder / live_store.STREAM).exists()
    assert (folder / "rows.jsonl").read_text().count("\n") == 1


PARTS = {"values": "score", "seconds": "seconds"}


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_in_a_sentence_and_keeps_finished_rows(
    workers: int, slow: str, tmp_path: Path
) -> None:
    process = started(f"{slow} --workers {workers}", tmp_path)
    while process.poll() is None and streamed(tmp_path) < 3:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err == (
        "ipl-bench: interrupted; finished rows are kept, and --resume goes on from them\n"
    )
    assert streamed(tmp_path) >= 3


def run(
    command: str, results: Path, capsys: pytest.CaptureFixture[str], code: int = 0
) -> tuple[list[dict[str, Any]], str]:
    """Run a command in this process: its records, and what it said."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "commit", lambda: "c0ffee")
        words = ["ipl-bench", "score", *command.split(), "--json"]
        patch.setattr(sys, "argv", [*words, "--results", str(results)])
        with pytest.raises(SystemExit) as end:
            cli.main()
    out, err = capsys.readouterr()
    assert end.value.code == code, err
    return [json.loads(line) for line in out.splitlines()], err


def test_a_run_against_a_task_is_reported(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"nasbench201 --sample 12 {TINY} --proxies params,synflow,random"
    records, said = run(f"{command} --against nasbench201/cifar10-valid", tmp_path, capsys)
    assert [row["proxy"] for row in records] == ["params", "synflow", "random"]
    assert all(row["n"] == 12 for row in records)
    assert said.startswith("rows in ")
    (study,) = load_studies(tmp_path)
    (found,) = study.score_sets
    assert (study.name, found.task, len(found.archs)) == ("live", "nasbench201/cifar10-valid", 12)
    folder = next((tmp_path / "live").iterdir())
    by_arch = {row["arch"]: row for row in scores(folder)}
    for i, arch in enumerate(found.archs):
        assert found.scores["params"][i] == by_arch[arch]["score:params"]
    # Once finished, it may be held against another task, and nothing is scored again.
    again = f"{command} --resume --against nasbench201/cifar100"
    content = (folder / live_store.SCORES).read_bytes()
    assert run(again, tmp_path, capsys)[0] == records
    assert (folder / live_store.SCORES).read_bytes() == content
    (study,) = load_studies(tmp_path)
    assert [each.task for each in study.score_sets] == [
        "nasbench201/cifar10-valid",
        "nasbench201/cifar100",
    ]


def test_results_are_not_written_over_nor_gone_on_with_by_another_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = "nasbench201 --sample 3 --proxies random"
    run(command, tmp_path, capsys)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.name != "log.jsonl"}
    _, said = run(command, tmp_path, capsys, code=2)
    assert "holds results already; go on with them by --resume" in said
    _, said = run(command.replace("3", "4") + " --resume", tmp_path, capsys, code=2)
    assert "holds results of archs 3, and here it is 4" in said
    assert {path: path.read_bytes() for path in before} == before
    run(f"{command} --name other", tmp_path, capsys)


def test_networks_that_fail_are_told_when_all_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import bench.networks

    def fails(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(bench.networks, "network", fails)
    command = f"nasbench201 --sample 3 {TINY} --proxies synflow,random"
    _, said = run(command, tmp_path, capsys, code=2)
    assert "3 of 3 networks failed, by MemoryError" in said
    rows = scores(next((tmp_path / "live").iterdir()))
    assert [row["error:synflow"] for row in rows] == ["MemoryError"] * 3
    assert all(row["score:random"] is not None for row in rows)


def test_without_torch_proxies_of_graphs_still_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    records, _ = run("nasbench201 --sample 3 --proxies random,parametric", tmp_path, capsys)
    assert [row["n"] for row in records] == [3, 3]
    for command in ("nasbench201 --sample 3 --name b", "--model json:dumps"):
        _, said = run(f"{command} --proxies synflow", tmp_path, capsys, code=2)
        assert "torch, which is not here; pip install 'ipl-bench[live]'" in said


def test_a_model_is_scored_in_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.py"
    path.write_text(
        "from torch import nn\n"
        "def make():\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 10))\n"
    )
    command = f"--model {path}:make --proxies params,snip --dataset noise,size=8 --batch 4"
    records, _ = run(command, tmp_path / "results", capsys)
    assert [(row["proxy"], row["error"]) for row in records] == [("params", None), ("snip", None)]
    assert list(records[0]) == ["model", "proxy", "seed", "value", "seconds", "error"]
    assert not (tmp_path / "results").exists()
