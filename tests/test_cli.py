"""The command line as a user meets it: what stands on stdout, in JSON and as tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bench import __version__, cli


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["ipl-bench", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
    out, err = capsys.readouterr()
    assert end.value.code == 0, err
    return out


def records(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(capsys, *words, "--json").splitlines()]


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert "correlate" in run(capsys, "--help")
    assert __version__ in run(capsys, "--version")


def test_no_command_shows_the_commands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["ipl-bench"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert "correlate " in capsys.readouterr().err


@pytest.mark.parametrize("kind", cli.KINDS)
def test_every_list_is_json_and_a_table(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = records(capsys, "list", kind)
    assert found
    shown = run(capsys, "list", kind)
    assert all(row["name"] in shown for row in found)


def test_correlate_has_the_fields_it_promises(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = records(capsys, "correlate", "darts/suite", "--resamples", "100", "--proxy", "params")
    (row,) = rows
    promised = [
        "task",
        "proxy",
        "n",
        "n_failed",
        "kendall",
        "kendall_low",
        "kendall_high",
        "spearman",
    ]
    assert list(row)[:4] == promised[:4]
    assert set(promised) <= set(row)
    assert row["n"] == 725
    assert row["kendall_low"] < row["kendall"] < row["kendall_high"]


def test_correlate_is_the_same_twice_and_another_seed_moves_intervals_only(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["correlate", "darts/suite", "--resamples", "100", "--proxy", "synflow"]
    first, again = records(capsys, *words), records(capsys, *words)
    other = records(capsys, *words, "--seed", "1")
    assert first == again
    assert first[0]["kendall"] == other[0]["kendall"]
    assert first[0]["kendall_low"] != other[0]["kendall_low"]


def test_latency_is_a_truth_like_another(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["nasbench201/cifar10-valid", "--proxy", "params", "--truth", "fgsm@Linf_eps-8.0"]
    (row,) = records(capsys, "correlate", *words, "--resamples", "100")
    assert row["truth"] == "fgsm@Linf_eps-8.0"


def test_search_has_the_fields_it_promises_and_keeps_its_traces(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "deep" / "trace.parquet"
    words = ["search", "nasbench201/cifar100", "--searcher", "random", "--seeds", "3"]
    words += ["--searcher", "rank,proxy=naswot", "--budget", "queries=7", "--trace", str(trace)]
    rows = records(capsys, *words)
    assert [(row["searcher"], row["seed"]) for row in rows] == [
        (searcher, seed) for searcher in ("random", "rank,proxy=naswot") for seed in range(3)
    ]
    assert {"task", "searcher", "seed", "queries", "validation", "test", "regret"} <= set(rows[0])
    assert rows[-1]["scored"] == 15_625
    columns = pq.read_table(trace).to_pydict()
    assert len(columns["step"]) == 2 * 3 * 7
    assert list(columns) == [
        *("run", "seed", "step", "arch", "validation", "queries", "seconds", "scored"),
    ]
    best = max(columns["validation"][:7])
    assert rows[0]["validation"] == best


def test_a_users_table_is_searched_and_correlated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.csv"
    lines = [f"64-41414-{i // 16}_{i // 4 % 4}{i % 4}_000,{i},{-i}" for i in range(64)]
    path.write_text("\n".join(["net,loss,score", *lines]))
    own = ["--table", str(path), "--space", "transnasbench101-micro", "--minimise"]
    own += ["--column", "arch=net", "--column", "validation=loss"]
    (row,) = records(capsys, "correlate", *own, "--resamples", "100")
    assert (row["task"], row["proxy"], row["n"], row["kendall"]) == ("mine", "score", 64, 1.0)
    rows = records(capsys, "search", *own, "--searcher", "rank,proxy=score", "--seeds", "1")
    assert (rows[0]["validation"], rows[0]["regret"], rows[0]["queries"]) == (0.0, 0.0, 64)


def test_what_a_proxy_prints_is_no_row(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "talks.py"
    lines = ("def mine(graph):", "    print('hello')", "    return sum(map(len, graph.operations))")
    path.write_text("\n".join(lines))
    words = ["correlate", "darts/oncenas545", "--proxy", f"{path}:mine", "--resamples", "100"]
    assert records(capsys, *words)[0]["proxy"].endswith("talks.py:mine")


def test_markup_in_a_users_names_is_shown_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.csv"
    lines = [f"64-41414-{i}_00_000,{i},{i}" for i in range(4)]
    path.write_text("\n".join(["arch,validation,[/b]red[mean]", *lines]))
    own = ["--table", str(path), "--space", "transnasbench101-micro", "--resamples", "100"]
    assert "[/b]red[mean]" in run(capsys, "correlate", *own)


def test_an_accuracy_does_not_become_a_proxy_unnoticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.csv"
    lines = [f"64-41414-{i}_00_000,{i},{i},{i}" for i in range(4)]
    path.write_text("\n".join(["arch,validation,test_acc,latest", *lines]))
    words = ["correlate", "--table", str(path), "--space", "transnasbench101-micro"]
    monkeypatch.setattr(sys, "argv", ["ipl-bench", *words, "--resamples", "100"])
    with pytest.raises(SystemExit):
        cli.main()
    told = capsys.readouterr().err
    assert "no proxy: 'test_acc' (an accuracy or loss by its name)" in told
    assert "latest" not in told


def test_fetch_says_where_files_are(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = records(capsys, "fetch", "darts/suite", "nasbench101/cifar10")
    assert {row["file"] for row in rows} >= {"suite_zero/zc_nasbench301.json"}
    assert all(Path(row["place"]).is_file() for row in rows)
