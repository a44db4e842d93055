from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bench import cli

PLUGIN = '''
import numpy as np
from bench.base import Prediction

def ruler(problem, query, rng, *, proxy: str = "nwot", fail: int = 0):
    """Predict a proxy by the mean of three; of some seeds, one of so many, fail."""
    if fail and rng.integers(2**31) % fail == 0:
        raise ValueError("not this time")
    archs = problem.pool[:3]
    value = problem.scores(archs, (proxy,)).mean()
    asked = [query(arch) for arch in archs[: problem.budget.queries]]
    return Prediction({proxy: np.full(len(problem.pool), value)}, {"asked": len(asked)})
'''


@pytest.fixture
def ruler(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(PLUGIN)
    return f"{tmp_path / 'mine.py'}:ruler"


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["ipl-bench", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
    out, err = capsys.readouterr()
    assert end.value.code == code, err
    return out, err


def test_rows_and_scores_of_several_predictors(
    data: Path, ruler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scores.parquet"
    words = ["predict", "darts/suite", "--predictor", ruler, "--predictor", f"{ruler},proxy=params"]
    words += ["--queries", "2", "--seeds", "2", "--scores", str(path)]
    out, _ = run(capsys, *words, "--json")
    rows = [json.loads(row) for row in out.splitlines()]
    assert [row["seed"] for row in rows] == [0, 1, 0, 1]
    assert [row["predicted"] for row in rows] == [["nwot"]] * 2 + [["params"]] * 2
    assert all((row["queries"], row["scored"], row["n"]) == (2, 3, 725) for row in rows)
    assert all(row["facts"] == {"asked": 2.0} for row in rows)
    table = pq.read_table(path)
    assert table.num_rows == 4 * 725
    names = ["run", "seed", "arch", "scored", "queried", "score:nwot", "score:params"]
    assert table.column_names == names
    first, last = table.slice(0, 1).to_pylist()[0], table.slice(4 * 725 - 1, 1).to_pylist()[0]
    assert first["run"] == f"predict/darts/suite/{ruler}/queries=2/seeds=0-1"
    assert (first["score:params"], last["score:nwot"]) == (None, None)
    assert None not in (first["score:nwot"], last["score:params"])
    assert run(capsys, *words, "--json")[0] == out


def test_a_failed_seed_is_a_row_and_told_at_the_end(
    data: Path, ruler: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", "darts/suite", "--predictor", f"{ruler},fail=2", "--seeds", "8", "--json"]
    out, err = run(capsys, *words, code=2)
    rows = [json.loads(row) for row in out.splitlines()]
    failed = [row for row in rows if row["status"] == "failed"]
    assert len(rows) == 8
    assert 0 < len(failed) < 8
    says = f"{len(failed)} of 8 predictions failed, the first with ValueError: not this time"
    assert err.strip() == f"ipl-bench: {says}"


def test_where_nothing_was_predicted_the_table_says_why_and_nothing_is_written(
    data: Path, ruler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scores.parquet"
    words = ["predict", "darts/suite", "--predictor", f"{ruler},fail=1", "--seeds", "2"]
    out, err = run(capsys, *words, "--scores", str(path), code=2)
    assert out.count("not this time") == 2
    assert "2 of 2 predictions failed" in err
    assert not path.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["darts/suite"], "expected at least one --predictor, one of forest"),
        (["--predictor", "forest"], "expected at least one TASK"),
        (["darts/suite", "--predictor", "forst"], "did you mean forest?"),
        (["darts/suite", "--predictor", "forest,scores=3"], "did you mean scored?"),
        (["darts/suite", "--predictor", "forest", "--queries", "-1"], "--queries"),
    ],
)
def test_mistakes_end_in_one_sentence(
    data: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = run(capsys, "predict", *words, "--json", code=2)
    assert out == ""
    assert says in err
    assert len(err.strip().splitlines()) == 1


def test_a_predictor_that_cannot_start_leaves_rows_that_say_why(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("darts/suite", "--predictor", "forest,scored=0", "--seeds", "1", "--json")
    out, err = run(capsys, "predict", *words, code=2)
    assert '"status": "failed"' in out
    assert "expected scored of at least 1, got 0" in err


def test_a_users_own_table_can_be_predicted(
    ruler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.csv"
    lines = [f"64-41414-{a}_{b}{a}_{b}{a}{b},{a + b}.5,{a}" for a in range(1, 4) for b in range(4)]
    path.write_text("\n".join(["arch,validation,depth", *lines]) + "\n")
    words = ["predict", "--table", str(path), "--space", "transnasbench101-micro"]
    out, _ = run(capsys, *words, "--predictor", f"{ruler},proxy=depth", "--seeds", "1", "--json")
    row = json.loads(out)
    assert (row["status"], row["n"], row["predicted"]) == ("ok", 12, ["depth"])
