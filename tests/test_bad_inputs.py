"""What a user can get wrong: each ends in one clear sentence and exit code 2, nothing lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import cli
from bench.runs.tasks import load_task

NB201 = "|avg_pool_3x3~0|+|nor_conv_1x1~0|none~1|+|none~0|skip_connect~1|none~2|"
OTHER = NB201.replace("avg_pool_3x3", "nor_conv_3x3")
CSV = f"arch,validation,test,mine\n{NB201},90.5,90.0,1.0\n{OTHER},91.5,91.0,2.0\n"
OWN = "correlate --table {folder}/own.csv --space nasbench201"
SCORE = "score nasbench201 --results {folder}/results --dataset noise,size=8"
TEN = SCORE + " --sample 10 --proxies random,parametric"
LIVE = SCORE + " --sample 10 --proxies snip"
MODEL = "score --model {folder}/own.py:make --proxies snip"


def own(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "own.csv").write_text(text)


def json_file(value: object) -> Callable[[Path], object]:
    return lambda folder: (folder / "own.json").write_text(json.dumps(value))


def torn_parquet(folder: Path) -> None:
    table = pa.table({"arch": [NB201, OTHER], "validation": [90.0, 91.0], "mine": [1.0, 2.0]})
    pq.write_table(table, folder / "own.parquet")
    content = (folder / "own.parquet").read_bytes()
    (folder / "own.parquet").write_bytes(content[: len(content) // 2])


def broken_module(folder: Path) -> None:
    (folder / "broken.py").write_text("def mine(graph):\n    return 1.0\n\n1 / 0\n")


def nothing(folder: Path) -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Case:
    name: str
    command: str
    says: str
    prepare: Callable[[Path], object] = nothing


CASES = [
    Case("truncated CSV", OWN, r"own\.csv", own(CSV[:-12])),
    Case("empty CSV", OWN, r"own\.csv", own("")),
    Case("CSV of a header alone", OWN, r"own\.csv.*(no rows|empty|none)", own(CSV[:26])),
    Case("column missing", OWN, r"arch", own(CSV.replace("arch,", "cell,"))),
    Case(
        "mapped column missing",
        OWN + " --column validation=val_acc",
        r"val_acc.*(validation|there)",
        own(CSV),
    ),
    Case("duplicate arch", OWN, r"once.*rows 1 and 2", own(CSV.replace(OTHER, NB201))),
    Case("unreadable arch", OWN, r"(row|line) ", own(CSV.replace(OTHER, "|what~0|"))),
    Case("text for a number", OWN, r"own\.csv", own(CSV.replace("91.5", "good"))),
    Case("no such file", OWN, r"own\.csv"),
    Case(
        "foreign JSON",
        "correlate --table {folder}/own.json --space nasbench201",
        r"own\.json",
        json_file({"title": "not a benchmark", "items": [1, 2, 3]}),
    ),
    Case(
        "truncated JSON",
        "correlate --table {folder}/own.json --space nasbench201",
        r"own\.json",
        lambda folder: (folder / "own.json").write_text('{"cifar10": {"(0, '),
    ),
    Case(
        "truncated Parquet",
        "correlate --table {folder}/own.parquet --space nasbench201",
        r"own\.parquet",
        torn_parquet,
    ),
    Case(
        "pickle",
        "correlate --table {folder}/own.pkl --space nasbench201",
        r"pickle",
        lambda folder: (folder / "own.pkl").write_bytes(b"\x80\x04N."),
    ),
    Case("table without space", "correlate --table {folder}/own.csv", r"--space", own(CSV)),
    Case("unknown space", OWN.replace("201", "202"), r"did you mean nasbench201\?", own(CSV)),
    Case("column without equals", OWN + " --column validation", r"OURS=THEIRS", own(CSV)),
    Case("space without table", "correlate darts/suite --space darts", r"--table"),
    Case("no task", "correlate", r"at least one TASK"),
    Case(
        "unknown task", "correlate nasbench201/cifar-10", r"did you mean nasbench201/cifar10\S*\?"
    ),
    Case("unknown proxy", OWN + " --proxy synflw", r"did you mean synflow\?", own(CSV)),
    Case("unrecorded proxy", OWN + " --proxy snip", r"does not record .*snip", own(CSV)),
    Case("no such module", OWN + " --proxy nowhere_at_all:f", r"nowhere_at_all", own(CSV)),
    Case("no such function", OWN + " --proxy json:nothing", r"no 'nothing' in json", own(CSV)),
    Case(
        "module that raises",
        "correlate darts/oncenas545 --proxy {folder}/broken.py:mine",
        r"ZeroDivisionError",
        broken_module,
    ),
    Case("absent truth", OWN + " --truth latency", r"latency", own(CSV)),
    Case("too few resamples", OWN + " --resamples 1", r"resamples", own(CSV)),
    Case(
        "unknown searcher", "search darts/suite --searcher evolutoin", r"did you mean evolution\?"
    ),
    Case("no searcher", "search darts/suite", r"--searcher"),
    Case(
        "unknown option",
        "search darts/suite --searcher evolution,popluation=3",
        r"did you mean population\?",
    ),
    Case("option without value", "search darts/suite --searcher random,warm", r"option=value"),
    Case("budget 0", "search darts/suite --searcher random --budget queries=0", r"above zero"),
    Case("no budget", "search darts/suite --searcher random --budget plenty", r"queries=100"),
    Case(
        "seconds not recorded",
        "search darts/suite --searcher random --budget seconds=10",
        r"no training seconds",
    ),
    Case("negative seeds", "search darts/suite --searcher random --seeds -3", r"-3"),
    Case("no seeds", "search darts/suite --searcher random --seeds 0", r"0"),
    Case(
        "no validation", "search nasbench201/cifar10 --searcher random", r"has no validation .*test"
    ),
    Case("unknown study", "run smok --results {folder}/results", r"did you mean smoke\?"),
    Case("no workers", "run smoke --workers 0 --results {folder}/results", r"workers"),
    Case("nothing to report", "report --results {folder}/none --reports {folder}/reports", r"none"),
    Case("unknown command", "correlat darts/suite", r"correlat"),
    Case("unknown kind", "list proxys", r"proxys"),
    Case("unknown table", "fetch darts/suit", r"did you mean darts/suite\?"),
    Case("nothing to score", "score", r"SPACE or --model, got none"),
    Case("space and model", MODEL + " nasbench201", r"SPACE or --model, got both"),
    Case("unknown space to score", TEN.replace("201", "202"), r"did you mean nasbench201\?"),
    Case("no architectures", SCORE + " --proxies random", r"--all, --sample N and --archs FILE"),
    Case("all and a sample", TEN + " --all", r"one of --all, --sample N .* got 2"),
    Case("sample above the space", TEN.replace("10", "15626"), r"1 to 15,625 .* got 15,626"),
    Case("sample of none", TEN.replace("10", "0"), r"--sample"),
    Case(
        "all of a space too large",
        "score darts --all --proxies random --results {folder}/results",
        r"at most 100,000 architectures .* darts with 1,076",
    ),
    Case("no proxies", SCORE + " --sample 10", r"--proxies with names"),
    Case("unknown proxy to score", TEN + ",synflw", r"did you mean synflow\?"),
    Case(
        "proxy of tables only",
        TEN + " --proxy {folder}/own.py:mine",
        r"own\.py:mine, whose values stand in tables only",
        lambda folder: (folder / "own.py").write_text(
            "from bench.proxies.recorded import Recorded\n"
            "mine = Recorded('mine', frozenset({'data'}), 'none', 'none')\n"
        ),
    ),
    Case(
        "pass misspelt",
        TEN + " --proxy {folder}/own.py:mine",
        r"did you mean loss_gradients\?",
        lambda folder: (folder / "own.py").write_text("def mine(loss_gradient):\n    return 1.0\n"),
    ),
    Case("unknown dataset", TEN.replace("noise,size=8", "cifar-10"), r"did you mean cifar10\?"),
    Case(
        "no images",
        TEN.replace("noise,size=8", "{folder}/own.npz"),
        r"own\.npz, which does not exist",
    ),
    Case("zero batch", TEN + " --batch 0", r"--batch"),
    Case(
        "batch above the data",
        LIVE.replace("noise,size=8", "imagenet16-120") + " --batch 107",
        r"got a file of 106",
    ),
    Case("no such shape", LIVE + " --shape chanels=4", r"chanels"),
    Case("shape of no sense", LIVE + " --shape channels=0", r"channels"),
    Case("shape without value", LIVE + " --shape channels", r"NAME=NUMBER"),
    Case("shape twice", LIVE + " --shape cells=1 --shape cells=2", r"cells twice"),
    Case("no threads", TEN + " --threads 0", r"threads"),
    Case("no seeds to score", TEN + " --seeds 0", r"--seeds"),
    Case("results of no name", TEN + " --name a/b", r"a folder's name, got 'a/b'"),
    Case("unknown task to hold against", TEN + " --against nasbench201/cifar", r"did you mean"),
    Case(
        "task of another space",
        TEN + " --against darts/suite",
        r"of the space nasbench201, got darts/suite",
    ),
    Case(
        "no file of architectures",
        SCORE + " --archs {folder}/own.txt --proxies random",
        r"own\.txt",
    ),
    Case(
        "foreign file of architectures",
        SCORE + " --archs {folder}/own.txt --proxies random",
        r"line 2 of \S+own\.txt",
        lambda folder: (folder / "own.txt").write_text(f"{NB201}\n|what~0|\n"),
    ),
    Case(
        "architecture twice",
        SCORE + " --archs {folder}/own.txt --proxies random",
        r"lines 1 and 3",
        lambda folder: (folder / "own.txt").write_text(f"{NB201}\n{OTHER}\n{NB201}\n"),
    ),
    Case("no such model", MODEL, r"no file \S+own\.py"),
    Case("model of no module", MODEL.replace("{folder}/own.py:make", "resnet"), r"module:object"),
    Case(
        "model that fails",
        MODEL,
        r"made no model: ZeroDivisionError",
        lambda folder: (folder / "own.py").write_text("def make():\n    return 1 / 0\n"),
    ),
    Case("sample of a model", MODEL + " --sample 3", r"--model alone"),
]


def ended(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Run a command in this process: its exit code, stdout and stderr."""
    monkeypatch.setattr(sys, "argv", ["ipl-bench", *command.split()])
    with pytest.raises(SystemExit) as end:
        cli.main()
    out, err = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, out, err


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_clear_sentence_and_exit_code_2(
    case: Case,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    case.prepare(tmp_path)
    code, out, err = ended(case.command.format(folder=tmp_path), monkeypatch, capsys)
    assert code == 2
    assert out == ""
    assert err.startswith("ipl-bench: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert re.search(case.says, err), err
    assert not list(tmp_path.rglob("*.jsonl"))


def test_a_searcher_that_cannot_start_fails_by_itself(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its rows tell why; the command ends as a failure, and others' rows are there."""
    command = "search darts/suite --searcher evolution,population=0 --searcher random --seeds 1"
    code, out, err = ended(f"{command} --budget queries=3 --json", monkeypatch, capsys)
    assert code == 2
    assert "expected population to be at least 1, got 0" in err
    assert [json.loads(line)["status"] for line in out.splitlines()] == ["failed", "ok"]


def test_there_are_twenty_and_more() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 20


def test_a_wrong_hash_is_refused_by_name_with_both(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = tmp_path / "darts" / "data-545.csv"
    copy.parent.mkdir()
    content = bytearray((data / "darts" / "data-545.csv").read_bytes())
    content[1000] ^= 1
    copy.write_bytes(content)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    load_task.cache_clear()
    code, out, err = ended("correlate darts/oncenas545", monkeypatch, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "darts/data-545.csv" in err
    assert len(set(re.findall(r"\b[0-9a-f]{64}\b", err))) == 2


def test_results_that_are_there_are_not_written_over(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from bench.runs.provenance import commit, machine

    folder = tmp_path / "smoke" / f"{commit()}-{machine()}"
    folder.mkdir(parents=True)
    (folder / "rows.jsonl").write_text("")
    code, _, err = ended(f"run smoke --results {tmp_path}", monkeypatch, capsys)
    assert code == 2
    assert "--resume" in err
    assert (folder / "rows.jsonl").read_text() == ""


def test_a_results_folder_that_cannot_be_written_is_named(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    results.chmod(0o555)
    if os.access(results, os.W_OK):  # the superuser may write anywhere: say no in its place
        refuse = PermissionError(13, "Permission denied", str(results))

        def mkdir(path: Path, *args: object, **how: object) -> None:
            raise refuse

        monkeypatch.setattr(Path, "mkdir", mkdir)
    code, _, err = ended(f"run smoke --results {results}", monkeypatch, capsys)
    results.chmod(0o755)
    assert code == 2
    assert "could not write" in err
    assert "Permission denied" in err


def test_scores_that_cannot_be_written_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results").write_text("a file, where a folder should be")
    code, out, err = ended(TEN.format(folder=tmp_path), monkeypatch, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.match(r"ipl-bench: could not write \S+: Not a directory", err)


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_in_a_sentence_and_keeps_finished_rows(
    data: Path, tmp_path: Path, workers: int
) -> None:
    # Where the tests run in the background, a shell has them ignore interrupts: heed them again.
    start = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [sys.executable, "-c", f"{start}; from bench.cli import main; main()", "run", "smoke"]
    command += ["--results", str(tmp_path), "--workers", str(workers)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    # Two rows: an interrupt may come in the middle of a write, which is then taken back.
    while sum(path.read_text().count("\n") for path in tmp_path.rglob("rows.jsonl")) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline, "no two rows were written within a minute"
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert out == ""
    assert err.splitlines()[-1].startswith("ipl-bench: interrupted; finished runs are kept")
    assert "Traceback" not in err
    rows = next(tmp_path.rglob("rows.jsonl")).read_text().splitlines()
    assert rows
    assert all(json.loads(row)["status"] == "ok" for row in rows)
    shutil.rmtree(tmp_path)
