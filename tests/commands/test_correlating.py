"""`correlate` over several tasks and a stranger's table: what lacks a score says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

N = 30
_rng = np.random.default_rng(3)
VALIDATION = _rng.random(N) * 60 + 30
MINE = VALIDATION + _rng.normal(0, 20, N)

Run = Callable[..., tuple[int, list[dict[str, Any]], str]]


def write(name: str, **columns: Any) -> None:
    columns = {"arch": [f"net-{number}" for number in range(N)], "validation": VALIDATION} | columns
    lines = [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    Path(name).write_text("\n".join([",".join(columns), *lines]))


def test_a_proxy_that_one_table_lacks_does_not_end_the_others(run: Run) -> None:
    words = ["correlate", "--space", "opaque", "--resamples", "100", "--json"]
    for name, columns in (("one.csv", {"other": MINE[::-1]}), ("two.csv", {"mine": MINE})):
        words += ["--table", name]
        write(name, **columns)
    code, rows, _ = run(*words, "--proxy", "mine")
    assert code == 0
    assert [(row["task"], row["n"], row["error"]) for row in rows] == [
        ("one", 0, "no such proxy"),
        ("two", N, None),
    ]
    code, rows, err = run(*words, "--proxy", "mine", "--proxy", "snip", "--proxy", "nothing")
    assert code == 2
    assert "there is no proxy 'nothing'" in err
    assert [row["error"] for row in rows[3:]] == [None, "not recorded", "no such proxy"]
    code, rows, err = run(*words, "--proxy", "snip")
    assert (code, rows) == (2, [])
    assert "does not record the proxy snip" in err


def test_a_proxy_that_always_raises_shows_its_reason_and_is_no_success(run: Run) -> None:
    Path("own.py").write_text("def mine(graph):\n    raise RuntimeError('out of\\n luck')\n")
    cells = [f"64-41414-{i // 16}_{i // 4 % 4}{i % 4}_000" for i in range(N)]
    write("own.csv", arch=cells, score=MINE)
    words = ["correlate", "--table", "own.csv", "--space", "transnasbench101-micro"]
    words += ["--proxy", "own.py:mine", "--resamples", "100"]
    reason = f"all {N} failed, {N} with RuntimeError: out of luck"
    code, (row,), err = run(*words, "--json")
    assert code == 2
    assert (row["error"], row["kendall"]) == (reason, None)
    assert row["errors"] == {"RuntimeError: out of luck": N}
    assert reason in err
    code, _, shown = run(*words)
    assert code == 2
    assert "RuntimeError" in shown
    code, rows, _ = run(*words, "--proxy", "score", "--json")
    assert code == 0
    assert [row["error"] for row in rows] == [reason, None]


def test_rows_count_why_recorded_scores_failed(run: Run) -> None:
    mine: list[Any] = MINE.tolist()
    mine[:6] = ["", "", "nan", "inf", "-1e8", "NA"]
    write("own.csv", mine=mine)
    words = ["correlate", "--table", "own.csv", "--space", "opaque", "--resamples", "100", "--json"]
    _, (row,), err = run(*words)
    assert row["errors"] == {"empty": 2, "nan": 2, "inf": 1, "-1e8": 1}
    assert (row["n"], row["n_failed"], err) == (N, 6, "")
    _, (row,), _ = run(*words, "--empty", "unrecorded")
    assert row["errors"] == {"inf": 1, "-1e8": 1}
    assert (row["n"], row["n_failed"]) == (N - 4, 2)


def test_a_column_does_not_inherit_a_built_ins_direction(run: Run) -> None:
    write("own.csv", ntk=MINE)
    words = ["correlate", "--table", "own.csv", "--space", "opaque", "--resamples", "100", "--json"]
    _, (up,), err = run(*words)
    assert "own.csv: ntk is taken as larger is better, where the built-in proxy ntk is" in err
    _, (down,), err = run(*words, "--lower-is-better", "ntk")
    assert up["kendall"] == -down["kendall"] > 0
    assert err == ""


def test_a_table_without_validation_is_searched_by_a_word(run: Run) -> None:
    write("own.csv", mine=MINE)
    text = Path("own.csv").read_text()
    Path("own.csv").write_text(text.replace("validation", "test", 1))
    words = ["search", "--table", "own.csv", "--space", "opaque", "--searcher", "rank,proxy=mine"]
    words += ["--budget", "queries=3", "--seeds", "1", "--json"]
    code, rows, err = run(*words)
    assert (code, rows) == (2, [])
    assert "--search-on test" in err
    for word in (["--search-on", "test"], ["--column", "validation=test"]):
        code, (row,), err = run(*words, *word)
        assert (code, row["searched_on"]) == (0, "test")
        assert row["validation"] == VALIDATION[np.argsort(-MINE)[:3]].max()
        assert "chosen by test accuracy" in err


@pytest.mark.parametrize("searcher", ["local-search", "evolution", "predictor", "bananas"])
def test_a_searcher_that_needs_more_than_an_opaque_table_says_so(searcher: str, run: Run) -> None:
    write("own.csv", jacov=MINE, nwot=MINE[::-1])
    words = ["search", "--table", "own.csv", "--space", "opaque", "--searcher", searcher]
    code, (row,), _ = run(*words, "--budget", "queries=25", "--seeds", "1", "--json")
    assert (code, row["status"]) == (2, "failed")
    assert "The space opaque does not know" in row["error"]


@pytest.mark.parametrize("searcher", ["random", "rank,proxy=jacov", "gaussian-process"])
def test_a_searcher_that_needs_no_more_works_on_an_opaque_table(searcher: str, run: Run) -> None:
    write("own.csv", jacov=MINE, nwot=MINE[::-1])
    words = ["search", "--table", "own.csv", "--space", "opaque", "--searcher", searcher]
    code, (row,), _ = run(*words, "--budget", f"queries={N}", "--seeds", "1", "--json")
    assert (code, row["status"]) == (0, "ok")
    assert row["regret"] == 0


def test_a_target_is_turned_as_reports_turn_it(run: Run) -> None:
    latency = np.exp(MINE / 10)
    write("own.csv", slow=latency, latency_ms=latency, robustness=MINE)
    words = ["correlate", "--space", "opaque", "--table", "own.csv", "--resamples", "100", "--json"]
    words += ["--column", "targets.latency_ms=latency_ms", "--column", "targets.robust=robustness"]
    words += ["--proxy", "slow"]
    code, (cost,), err = run(*words, "--truth", "latency_ms")
    assert code == 0
    assert "own: smaller values of latency_ms are better, by its name" in err
    # The proxy finds the slowest: none of its ten picks is as fast as the eleventh of them.
    assert (cost["kendall"], cost["kendall_top10"]) == (-1.0, -1.0)
    assert cost["best_of_10"] == pytest.approx(np.sort(latency)[-10])
    code, (robust,), err = run(*words, "--truth", "robust")
    assert code == 0
    assert "own: larger values of robust are better, by its name" in err
    assert (robust["kendall"], robust["best_of_10"]) == (1.0, pytest.approx(MINE.max()))
