"""`make-table` and `retrain`: killed and resumed, interrupted, disk full, and trained again."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy import ARCHS, TOY

from bench import cli
from bench.base import OptionError
from bench.commands import making
from bench.runs import provenance
from bench.runs.train_store import STREAM, TABLE
from bench.spaces.nasbench201 import NASBENCH201 as SPACE
from bench.tables.made import METADATA
from bench.training.recipe import parse

pytest.importorskip("torch")

KILLS = 2
TINY = "training=20,validation=40,test=40,epochs=2,checkpoints=1/2,batch=5"
RECIPE = f"digits,{TINY},skeleton=cells:1/channels:2"
COMMAND = f"nasbench201 --recipe {RECIPE} --sample 24 --stack 3 --repeated 4 --repeat 2"
ROWS = 28

# Editing the code in the midst of a test is another commit; and where tests run in the
# background, a shell has them ignore interrupts: heed them again.
START = """
import resource, signal, sys
from bench.runs import provenance
signal.signal(signal.SIGINT, signal.default_int_handler)
provenance.commit = lambda: "c0ffee"
most = int(sys.argv.pop(1))
if most:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
from bench.cli import main
main()
"""


def started(command: str, results: Path, most_bytes: int = 0) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", START, str(most_bytes), "make-table", *command.split()]
    words += ["--results", str(results)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def streamed(results: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in results.rglob(STREAM))


def main(command: str) -> Any:
    """Run a command in this process: its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "commit", lambda: "c0ffee")
        patch.setattr(sys, "argv", ["ipl-bench", *command.split(), "--json"])
        with pytest.raises(SystemExit) as end:
            cli.main()
    return end.value.code


def run(
    command: str, capsys: pytest.CaptureFixture[str], code: int = 0
) -> tuple[list[dict[str, Any]], str]:
    """Run a command in this process: its records, and what it said."""
    ended = main(command)
    out, err = capsys.readouterr()
    assert ended == code, err
    return [json.loads(line) for line in out.splitlines()], err


def table_in(results: Path) -> Path:
    (path,) = results.glob(f"*/*/{TABLE}")
    return path


def rows(results: Path) -> list[dict[str, Any]]:
    """All rows of a table, their seconds apart."""
    return pq.read_table(table_in(results)).drop_columns(["seconds"]).to_pylist()


def metadata(results: Path) -> bytes:
    return pq.read_schema(table_in(results)).metadata[METADATA]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of COMMAND, uninterrupted."""
    results = tmp_path_factory.mktemp("whole")
    ended = main(f"make-table {COMMAND} --results {results}")
    assert ended == 0
    return results


def test_a_table_has_a_row_a_training_and_tells_how(whole: Path) -> None:
    found = rows(whole)
    assert len(found) == ROWS
    assert [row["seed"] for row in found] == [0] * 24 + [1] * 4
    assert [row["arch"] for row in found[24:]] == [row["arch"] for row in found[:4]]
    assert [row["stack"] for row in found] == [at // 3 for at in range(24)] + [8, 8, 8, 9]
    assert {row["status"] for row in found} == {"ok"}
    for row in found:
        for name, count in (("validation", 40), ("test", 40), ("train", 20), ("test@1", 40)):
            assert (row[name] * count / 100) == pytest.approx(round(row[name] * count / 100))
    told = json.loads(metadata(whole))
    assert (told["recipe"]["dataset"], told["run"]["stack"]) == ("digits", 3)
    assert parse(told["run"]["recipe"]) == parse(RECIPE)
    assert not list(whole.rglob(STREAM))


def test_killed_at_random_moments_and_resumed_the_rows_are_the_same(
    whole: Path, tmp_path: Path
) -> None:
    moments = random.Random(0)
    most = 0
    for kill in range(KILLS):
        process = started(f"{COMMAND} --resume --workers {1 + kill % 2}", tmp_path)
        while process.poll() is None and streamed(tmp_path) == most:
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.05))
        assert process.poll() is None, "the run ended before it could be killed"
        process.kill()
        process.communicate(timeout=60)
        assert streamed(tmp_path) >= most
        most = streamed(tmp_path)
    assert 0 < most < ROWS
    _, err = (process := started(f"{COMMAND} --resume", tmp_path)).communicate(timeout=300)
    assert process.returncode == 0, err
    assert rows(tmp_path) == rows(whole)
    assert metadata(tmp_path) == metadata(whole)
    assert not list(tmp_path.rglob(STREAM))


def test_ctrl_c_ends_in_a_sentence_and_keeps_finished_rows(tmp_path: Path) -> None:
    process = started(COMMAND, tmp_path)
    while process.poll() is None and streamed(tmp_path) < 4:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err == (
        "ipl-bench: interrupted; finished rows are kept, and --resume goes on from them\n"
    )
    # The row that is being written when the interrupt comes is taken back.
    assert streamed(tmp_path) >= 3
    assert not list(tmp_path.rglob(TABLE))


def test_a_disk_that_fills_ends_in_a_sentence_and_finished_rows_are_kept(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = started(COMMAND, tmp_path, most_bytes=3000)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "ipl-bench: could not write" in err
    assert err.count("\n") == 1
    (stream,) = tmp_path.rglob(STREAM)
    assert 0 < streamed(tmp_path) < ROWS
    assert stream.read_bytes().endswith(b"}\n")
    run(f"make-table {COMMAND} --resume --results {tmp_path}", capsys)
    assert rows(tmp_path) == rows(whole)


def test_the_summary_tells_the_spread_and_a_table_is_not_written_over(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = table_in(whole).read_bytes()
    _, said = run(f"make-table {COMMAND} --results {whole}", capsys, code=2)
    assert "holds results already; go on with them by --resume" in said
    records, said = run(f"make-table {COMMAND} --resume --results {whole}", capsys)
    assert [row["epochs"] for row in records] == [1, 2]
    found = rows(whole)
    first = [row["validation"] for row in found[:24]]
    assert records[1]["n"] == 24
    assert records[1]["mean"] == pytest.approx(np.mean(first))
    assert records[1]["sd_of_cells"] == pytest.approx(np.std(first, ddof=1))
    pairs = [(found[at]["validation"], found[24 + at]["validation"]) for at in range(4)]
    within = np.sqrt(np.mean([(one - two) ** 2 / 2 for one, two in pairs]))
    assert records[1]["sd_of_seeds"] == pytest.approx(within)
    more = COMMAND.replace("--repeat 2", "--repeat 3")
    _, said = run(f"make-table {more} --seeds 2 --resume --results {whole}", capsys, code=2)
    assert "holds results of seeds [0], and here it is [0, 1]" in said
    _, said = run(
        f"score nasbench201 --sample 2 --proxies random --dataset noise --name table "
        f"--resume --results {whole}",
        capsys,
        code=2,
    )
    assert "holds results of" in said
    assert table_in(whole).read_bytes() == before


def test_rows_trained_again_are_equal_and_a_changed_one_is_exit_code_1(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records, said = run(f"retrain {table_in(whole)} --sample 3 --seed 1", capsys)
    assert [row["equal"] for row in records] == [True] * 3
    assert {"arch", "seed", "validation", "again", "sd_of_seeds"} <= set(records[0])
    assert "3 of 3 rows are equal bit for bit, on a machine of the recorded kind" in said
    other, _ = run(f"retrain {table_in(whole)} --sample 3 --seed 2", capsys)
    assert [row["arch"] for row in other] != [row["arch"] for row in records]
    table = pq.read_table(table_in(whole))
    moved = pa.array([value + 0.5 for value in table["test"].to_pylist()])
    changed = table.set_column(table.column_names.index("test"), "test", moved)
    pq.write_table(changed, tmp_path / "changed.parquet")
    records, said = run(f"retrain {tmp_path / 'changed.parquet'} --sample 2", capsys, code=1)
    assert [row["changed"] for row in records] == [["test"], ["test"]]
    assert "0 of 2 rows are equal" in said


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("make-table nasbench201 --sample 2 --recipe digits,batch=900", "batch of at most 700"),
        ("make-table nasbench201 --sample 2 --recipe digit", "there is no dataset 'digit'"),
        ("make-table nasbench201 --sample 2 --recipe digits,lr=1", "options among"),
        ("make-table nasbench201", "one of --all, --sample N and --archs FILE"),
        ("make-table darts --sample 2 --stack 2", "networks of nasbench201 to train several"),
        ("make-table nasbench201 --sample 2 --repeated 3", "at most 2 architectures to repeat"),
        ("make-table nasbench201 --sample 2 --repeated 1 --repeat 1", "have 1, got --repeat 1"),
        ("make-table nasbench201 --sample 2 --seed 4294967296", "'--seed': 4294967296 is not in"),
        (
            "make-table nasbench201 --sample 2 --recipe digits,skeleton=channels:0",
            "at least 1, got",
        ),
        ("make-table nasbench201 --sample 2 --name a/b", "--name to be a folder's name"),
        ("make-table nowhere --sample 2", "nowhere"),
        ("retrain nowhere.parquet", "expected a table of make-table"),
    ],
)
def test_what_a_user_can_mend_is_one_sentence_and_nothing_is_written(
    command: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = f" --results {tmp_path}" if command.startswith("make") else ""
    _, said = run(command + where, capsys, code=2)
    assert says in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_users_own_folder_is_trained_on_and_scored_and_a_corrupt_image_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for at in range(40):
        path = tmp_path / "images" / "ab"[at % 2] / f"{at}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.fromarray(rng.integers(256, size=(4, 4, 3), dtype=np.uint8)).save(path)
    recipe = f"{tmp_path / 'images'},classes=2,size=4,training=10,validation=10,test=10,batch=5"
    recipe += ",epochs=1,skeleton=cells:1/channels:1"
    command = f"make-table nasbench201 --recipe {recipe} --sample 1"
    command += f" --results {tmp_path / 'results'}"
    content = path.read_bytes()
    path.write_bytes(content[:-30])
    _, said = run(command, capsys, code=2)
    assert f"image {path} could not be decoded" in said
    path.write_bytes(content)
    records, _ = run(command, capsys)
    assert (records[0]["n"], records[0]["failed"]) == (1, 0)
    live = "--proxies snip --batch 4 --shape channels=1 --shape cells=1"
    command = f"score nasbench201 --sample 2 {live} --dataset {tmp_path / 'images'}"
    records, _ = run(f"{command} --results {tmp_path / 'results'}", capsys)
    assert (records[0]["n"], records[0]["n_failed"]) == (2, 0)


@pytest.mark.parametrize("count", [1, 40, 700])
def test_a_sample_of_distinct_ones_is_as_large_as_asked(count: int) -> None:
    wanted = making.Wanted("digits", seed=3, sample=count, distinct=True)
    found = making.chosen(SPACE, wanted)
    assert len(found) == count
    assert len({SPACE.canonical(arch) for arch in found}) == count
    assert (
        found == making.chosen(SPACE, making.Wanted("digits", 3, sample=800, distinct=True))[:count]
    )


def test_more_distinct_ones_than_there_are_is_told() -> None:
    classes = len({TOY.canonical(arch) for arch in ARCHS})
    assert 1 < classes < len(ARCHS)
    found = making.chosen(TOY, making.Wanted("digits", sample=classes, distinct=True))
    assert len({TOY.canonical(arch) for arch in found}) == classes
    wanted = making.Wanted("digits", sample=classes + 1, distinct=True)
    with pytest.raises(OptionError, match=f"at most {classes} distinct .* got {classes + 1}"):
        making.chosen(TOY, wanted)


def test_a_made_table_is_reported_and_met_by_live_scores_of_its_networks(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    table = table_in(whole)
    how = f"--sample 8 --recipe {RECIPE} --batch 8 --proxies params,nwot --name live"
    run(f"score nasbench201 {how} --against {table} --results {tmp_path}", capsys)
    shutil.copytree(whole / "table", tmp_path / "table")
    rows, err = run(f"report --results {tmp_path} --reports {tmp_path / 'r'} --workers 1", capsys)
    assert [(row["study"], row["task"], row["n"]) for row in rows] == [("live", str(table), 8)]
    assert "left out" not in err
    page = (tmp_path / "r" / "table" / "c0ffee" / "README.md").read_text(encoding="utf-8")
    assert "trained: 24 architectures of nasbench201" in page
    assert "the first 4 by 2 seeds" in page
    (scores,) = tmp_path.glob("live/*/live.parquet")
    both, _ = run(f"correlate {table}@{scores}", capsys)
    assert {(row["proxy"], row["n"], row["truth"]) for row in both} == {
        ("params", 8, "validation"),
        ("nwot", 8, "validation"),
    }
    found, _ = run(
        f"search {table}@{scores} --searcher rank-average,proxies=params+nwot "
        "--budget queries=3 --seeds 1",
        capsys,
    )
    assert (found[0]["status"], found[0]["scored"]) == ("ok", 8)


def test_a_file_that_is_no_made_table_is_no_task(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "plain.parquet"
    pq.write_table(pa.table({"arch": ["a"], "validation": [1.0]}), place)
    _, err = run(f"correlate {place}", capsys, code=2)
    assert "does not say its space; read it by --table FILE --space SPACE" in err
    _, err = run(f"correlate {tmp_path / 'none.parquet'}", capsys, code=2)
    assert "expected a table of make-table, got no file at" in err


def test_options_of_one_value_are_given_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, option in (
        ("score nasbench201 --sample 2 --sample 3 --proxies params", "--sample"),
        ("score nasbench201 --sample 2 --proxies params --proxies nwot", "--proxies"),
        ("search nasbench201/digits --budget queries=2 --budget queries=3", "--budget"),
        ("make-table nasbench201 --recipe digits --recipe cifar10 --sample 1", "--recipe"),
    ):
        _, err = run(f"{words} --results {tmp_path}" if "search" not in words else words, capsys, 2)
        assert f"expected {option} once, got it 2 times" in err


def test_several_models_are_all_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "two_models_of_mine.py").write_text(
        "from torch import nn\n"
        "def net(n): return nn.Sequential(nn.Conv2d(3, n, 3), nn.ReLU(), "
        "nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n, 10))\n"
        "def a(): return net(4)\n"
        "def b(): return net(8)\n"
    )
    file = tmp_path / "two_models_of_mine.py"
    words = "--proxies params --dataset noise,size=8 --batch 4"
    rows, _ = run(f"score --model {file}:a --model {file}:b {words}", capsys)
    # 3 x 3 x 3 weights and a bias a channel, then the head's.
    assert [(row["model"], round(row["value"] * 1e6)) for row in rows] == [
        (f"{file}:a", 4 * 28 + 4 * 10 + 10),
        (f"{file}:b", 8 * 28 + 8 * 10 + 10),
    ]
    rows, err = run(f"score --model {file}:a --model {file}:c {words}", capsys, code=2)
    assert rows == []
    assert "there is no 'c'" in err


def test_a_task_in_place_of_a_space_scores_what_it_knows(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    how = f"--sample 6 --proxies graph-free --results {tmp_path}"
    (tmp_path / "edges_of_mine.py").write_text("def edges(graph): return graph.adjacency.sum()\n")
    how = how.replace("--proxies graph-free", f"--proxy {tmp_path}/edges_of_mine.py:edges")
    how += " --dataset noise,size=8 --batch 4"
    _, err = run(f"score darts {how} --against darts/suite --name far", capsys, code=2)
    assert "knows none of the 6 architectures" in err
    assert "ipl-bench score darts/suite --sample 6" in err
    rows, _ = run(f"score darts/suite {how} --name near", capsys)
    assert [row["n"] for row in rows] == [6]
    (told,) = (
        row
        for path in tmp_path.glob("near/*/rows.jsonl")
        for row in map(json.loads, path.read_text().splitlines())
        if row["kind"] == "score"
    )
    assert (told["task"], told["n"]) == ("darts/suite", 6)
    _, err = run(f"score darts/suite {how.replace('6', '99999')} --name all", capsys, code=2)
    assert "expected a sample of at most the" in err
