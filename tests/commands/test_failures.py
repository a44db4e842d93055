"""Failures that look like winners: heads that reach them, and commands without a result.

Every right value is computed here by hand or by scipy, from the columns that the test wrote.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench import cli
from bench.api import members as listing
from bench.commands import reporting

N = 40
_rng = np.random.default_rng(8)
VALIDATION = np.round(_rng.random(N) * 60 + 30, 3)
MINE = VALIDATION + _rng.normal(0, 20, N)
BEST = int(VALIDATION.argmax())
HEADS = ("best_of_10", "best_of_10_expected", "tied_at_10", "regret_at_10")

Run = Callable[..., tuple[int, list[dict[str, Any]], str]]


def write(name: str, **columns: Any) -> None:
    columns = {"arch": [f"net-{number}" for number in range(N)], "validation": VALIDATION} | columns
    lines = [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    Path(name).write_text("\n".join([",".join(columns), *lines]))


def correlated(run: Run, *words: str, code: int = 0) -> tuple[dict[str, Any], str]:
    how = ("--space", "opaque", "--resamples", "100", "--json")
    found, (row,), err = run("correlate", "--table", "own.csv", *how, *words)
    assert found == code
    return row, err


def only(rows: np.ndarray, values: np.ndarray = MINE) -> list[Any]:
    """The values of some rows, and nothing for the others."""
    return [value if fine else "" for value, fine in zip(values, rows, strict=True)]


def first(count: int) -> np.ndarray:
    """The rows of the `count` least values of MINE: good architectures are not among them."""
    return np.argsort(np.argsort(MINE)) < count


def test_a_proxy_that_fails_on_the_best_cell_alone(run: Run) -> None:
    write("own.csv", mine=only(np.arange(N) != BEST))
    row, err = correlated(run)
    last = np.where(np.arange(N) == BEST, -1e9, MINE)
    assert row["kendall"] == pytest.approx(stats.kendalltau(last, VALIDATION).statistic)
    assert row["best_of_10"] == VALIDATION[np.argsort(-last)[:10]].max() < VALIDATION.max()
    assert row["regret_at_10"] == pytest.approx(VALIDATION.max() - row["best_of_10"])
    for name in ("kendall_top10", "spearman_top10", "ndcg"):
        assert row[name] is row.get(f"{name}_low") is row.get(f"{name}_high") is None
    assert row["undefined"] == (
        "kendall_top10, spearman_top10, ndcg: the head reaches into the failures, 1 of 40 "
        "architectures (1 with empty)"
    )
    assert f"own: mine has no {row['undefined']}" in err


def test_a_constant_that_is_nan_on_half(run: Run) -> None:
    """Twenty tie at the tenth place; which of them, nobody knows, but none is a failure."""
    half = np.arange(N) % 2 == 0
    write("own.csv", mine=["1.0" if fine else "nan" for fine in half])
    row, _ = correlated(run)
    assert (row["n_failed"], row["tied_at_10"]) == (20, 20)
    ordered = np.sort(VALIDATION[half])[::-1]
    # The i-th best of twenty is the best of ten drawn where the other nine are below it.
    chance = np.array([math.comb(19 - i, 9) for i in range(20)]) / math.comb(20, 10)
    assert row["best_of_10_expected"] == pytest.approx(ordered @ chance)
    assert row["overlap_top100"] is None
    assert "best_of_10" not in (row["undefined"] or "")


@pytest.mark.parametrize("scored", [9, 10, 11])
def test_the_border_between_the_scored_and_the_failed(scored: int, run: Run) -> None:
    """Ten scores fill ten places; the sentinel of published files, -1e8, is no eleventh."""
    mine: list[Any] = only(first(scored))
    mine[int(np.argmax(~first(scored)))] = "-1e8"
    write("own.csv", mine=mine)
    row, err = correlated(run)
    assert row["n_failed"] == N - scored
    if scored < 10:
        assert [row[name] for name in HEADS] == [None] * 4
        assert [row.get(f"{name}_high") for name in HEADS] == [None] * 4
        assert "best_of_10, best_of_10_expected, tied_at_10, regret_at_10" in err
        assert f"{N - scored} of 40 architectures ({N - scored - 1} with empty, 1 with -1e8)" in err
    else:
        chosen = np.argsort(-np.where(first(scored), MINE, -np.inf), kind="stable")[:10]
        assert row["best_of_10"] == VALIDATION[chosen].max()
        assert row["tied_at_10"] == 1


def test_losses_whose_proxy_failed_too_often(run: Run) -> None:
    """With --minimise too: the best loss of the failures, 30, is not shown as found."""
    write("own.csv", mine=only(first(6)))
    row, _ = correlated(run, "--minimise")
    assert [row[name] for name in HEADS] == [None] * 4
    write("own.csv", mine=only(first(30), -MINE))
    row, _ = correlated(run, "--minimise")
    chosen = np.argsort(np.where(first(30), MINE, np.inf))[:10]
    assert row["best_of_10"] == VALIDATION[chosen].min()


def test_what_is_not_recorded_is_no_failure_and_no_winner(run: Run) -> None:
    write("own.csv", mine=only(first(12)))
    row, _ = correlated(run, "--empty", "unrecorded")
    assert (row["n"], row["n_failed"], row["undefined"]) == (12, 0, None)
    least = VALIDATION[first(12)]
    assert row["best_of_10"] == least[np.argsort(-MINE[first(12)])[:10]].max()
    write("own.csv", mine=only(first(5)))
    row, _ = correlated(run, "--empty", "unrecorded")
    assert [row["n"], *(row[name] for name in HEADS)] == [5, *[None] * 4]
    row, _ = correlated(run, "--empty", "failed")
    assert [row["n"], *(row[name] for name in HEADS)] == [40, *[None] * 4]


def test_all_failed_on_the_screen_and_in_the_row(run: Run) -> None:
    write("own.csv", mine=["inf"] * N)
    row, err = correlated(run, "--column", "proxies.mine=mine", code=2)
    assert row["error"] == "all 40 failed, 40 with inf"
    assert [row[name] for name in (*HEADS, "ndcg", "precision_at_10pct")] == [None] * 6
    assert "no score to show: mine on own: all 40 failed, 40 with inf" in err


PROXIES = """
seen = []

def never(graph):
    raise RuntimeError("no such\\n layer")

def rarely(graph):
    if "nor_conv_3x3" in graph.operations:
        raise RuntimeError("no such layer")
    return float(len(graph.operations))

def infinite(graph):
    return float("inf")

def later(graph):
    # The first twelve calls, of the first seed, give a score.
    seen.append(graph)
    if len(seen) > 12:
        raise RuntimeError("too late")
    return float(len(seen) % 7)
"""
SCORE = ("score", "nasbench201", "--sample", "12", "--dataset", "noise", "--name")


@pytest.fixture
def own(run: Run, tmp_path: Path) -> str:
    (tmp_path / "failing.py").write_text(PROXIES)
    return "failing.py"


def records(path: str) -> list[dict[str, str]]:
    (found,) = Path("reports").glob(path)
    return list(csv.DictReader(found.read_text(encoding="utf-8").splitlines()))


def test_scores_that_all_failed_end_in_2_and_so_does_their_report(
    own: str, run: Run, data: Path
) -> None:
    against = ("--against", "nasbench201/cifar10-valid")
    words = (*SCORE, "all", "--proxy", f"{own}:never", *against)
    code, (row,), err = run(*words, "--json")
    assert (code, row["n_failed"]) == (2, 12)
    assert row["errors"] == {"RuntimeError: no such layer": 12}
    assert "no score to show: failing.py:never failed on all 12, 12 with RuntimeError: no" in err
    code, _, said = run("report", "all", "--workers", "1")
    assert code == 2
    assert "nothing to show: all: no proxy has a score of any architecture" in said
    assert "12 with RuntimeError: no such layer" in said
    (record,) = records("all/*/correlations.csv")
    assert {record[name] for name in (*HEADS, "kendall", "ndcg")} == {""}
    assert record["undefined"].endswith("12 of 12 architectures")
    (failure,) = records("all/*/failures.csv")
    assert failure["error"] == "12 with RuntimeError: no such layer"
    page = next(Path("reports").glob("all/*/README.md")).read_text()
    assert "| failing.py:never | — | — | — | — | 12 | 12 |" in page
    assert "Best of 10 is —: fewer than ten have a score" in page
    latex = next(Path("reports").glob("all/*/correlations.tex")).read_text()
    assert "Best of 10 is ---: fewer than ten" in latex


def test_a_report_of_some_failures_is_one(own: str, run: Run, data: Path) -> None:
    proxies = ("--proxy", f"{own}:rarely", "--proxy", f"{own}:infinite", "--proxies", "random")
    code, rows, _ = run(
        *SCORE, "some", *proxies, "--against", "nasbench201/cifar10-valid", "--json"
    )
    failed = {row["proxy"]: row["n_failed"] for row in rows}
    assert (code, failed["failing.py:infinite"], failed["random"]) == (0, 12, 0)
    assert 2 < failed["failing.py:rarely"] < 12
    assert run("report", "some", "--workers", "1")[0] == 0
    found = {record["proxy"]: record for record in records("some/*/correlations.csv")}
    assert found["random"]["best_of_10"]
    assert not found["failing.py:rarely"]["best_of_10"]
    reasons = {record["what"]: record["error"] for record in records("some/*/failures.csv")}
    assert reasons["failing.py:infinite"] == "12 with non-finite"


def test_a_proxy_that_failed_in_one_seed_alone(own: str, run: Run, data: Path) -> None:
    words = (*SCORE, "seeds", "--proxy", f"{own}:later", "--seeds", "2")
    code, (row,), _ = run(*words, "--against", "nasbench201/cifar10-valid", "--json")
    assert (code, row["n"], row["n_failed"]) == (0, 24, 12)
    assert row["errors"] == {"RuntimeError: too late": 12}
    assert run("report", "seeds", "--workers", "1")[0] == 0
    (shown,) = records("seeds/*/correlations.csv")
    assert shown["n_failed"] == "0"
    assert float(shown["best_of_10"]) > 0
    (over,) = records("seeds/*/seeds.csv")
    assert (over["kendall_mean"], over["seed_share"]) == ("", "")


def test_scores_against_no_task_are_no_report_and_say_so(own: str, run: Run) -> None:
    assert run(*SCORE, "bare", "--proxies", "random")[0] == 0
    code, _, said = run("report", "bare", "--workers", "1")
    assert code == 2
    assert "bare: it holds scores of no task; ipl-bench score --against TASK says" in said


CELLS = [f"64-41414-{i // 16}_{i // 4 % 4}{i % 4}_000" for i in range(N)]


@pytest.fixture
def cells(own: str) -> tuple[str, ...]:
    write("own.csv", arch=CELLS, score=MINE, lost=["nan"] * N, some=only(first(4)))
    table = ("--table", "own.csv", "--space", "transnasbench101-micro", "--seeds", "2")
    return (*table, "--column", "proxies.lost=lost")


@pytest.mark.parametrize(
    ("searcher", "reason"),
    [
        ("rank,proxy=failing.py:never", "failing.py:never, 40 with RuntimeError: no such layer"),
        ("rank,proxy=failing.py:infinite", "failing.py:infinite, 40 with non-finite"),
        ("rank,proxy=lost", "lost, 40 with nan"),
        ("rank-average,proxies=lost+failing.py:never", "lost, 40 with nan"),
        ("evolution,warm=lost,warm_pool=9", "lost, 9 with nan"),
    ],
)
def test_a_searcher_whose_proxy_always_fails_has_found_nothing(
    searcher: str, reason: str, cells: tuple[str, ...], run: Run
) -> None:
    words = ("search", *cells, "--searcher", searcher, "--budget", "queries=12")
    code, rows, err = run(*words, "--json")
    assert code == 2
    for row in rows:
        assert (row["status"], row["queries"]) == ("failed", 12)
        assert row["error"].startswith("none of its proxies gave a score of any of the ")
        assert row["error"].endswith(reason)
        assert "regret" not in row
    assert "2 of 2 searches failed" in err
    _, _, shown = run(*words)
    assert "none of its proxies gave a score" in shown.split("2 of 2 searches")[0]


def test_queries_of_what_has_no_score_are_counted(cells: tuple[str, ...], run: Run) -> None:
    """Four have a score: the other eight of twelve queries are chance, and the row says so."""
    words = ("search", *cells, "--searcher", "rank,proxy=some", "--searcher", "rank,proxy=score")
    code, rows, err = run(*words, "--budget", "queries=12", "--json")
    assert code == 0
    assert [row.get("unscored_queries") for row in rows] == [8, 8, None, None]
    assert "own: 16 of 24 queries of rank,proxy=some were of architectures that its" in err


def test_a_predictor_that_learnt_nothing_says_why(cells: tuple[str, ...], run: Run) -> None:
    write("own.csv", arch=CELLS, lost=["nan"] * N)
    code, rows, err = run("predict", *cells, "--predictor", "forest,trees=2", "--json")
    assert code == 2
    for row in rows:
        assert row["status"] == "failed"
        assert row["error"].endswith("of the 40 architectures read: lost, 40 with nan")
    assert "2 of 2 predictions failed" in err


def report_of(folder: Path, name: str, **files: str) -> list[Path]:
    place = folder / name / "c0ffee"
    place.mkdir(parents=True)
    written = []
    for file, text in files.items():
        written.append(place / f"{file}.csv")
        written[-1].write_text(text)
    return written


SOURCES = "kind,task,status\nsearch,a/x,{}\n"
FAILURES = 'kind,task,what,failed,of,error\nsearch,a/x,rank queries=5,1,,"E: no"\n'


def test_a_report_of_failed_runs_alone_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = report_of(tmp_path, "bad", sources=SOURCES.format("failed"), failures=FAILURES)
    with pytest.raises(
        cli.BenchError,
        match=r"nothing to show: bad: none of its 1 runs succeeded; the first, rank .* E: no",
    ):
        reporting.end(bad)
    good = report_of(tmp_path, "good", sources=SOURCES.format("ok"))
    reporting.end(good)
    assert capsys.readouterr().err == ""
    reporting.end([*good, *bad])
    assert capsys.readouterr().err.startswith("nothing to show of bad: none of its 1 runs")


def test_a_task_that_was_searched_alone_is_in_the_gist(tmp_path: Path) -> None:
    searches = "task,searcher,regret\na/x,random,2.0\na/x,rank,1.0\n"
    written = report_of(tmp_path, "mine", searches=searches)
    assert list(reporting.summary(written)) == [
        {"study": "mine", "task": "a/x", "best_searcher": "rank", "regret": 1.0}
    ]


def test_the_space_of_names_is_listed() -> None:
    *_, last = listing.rows("spaces")
    assert (last["name"], last["size"], last["forms"]) == ("opaque", None, ["text"])
