from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from bench.base import DataError
from bench.reports.baseline import Baseline, Provenance, Value, exact, near, read, write

LIVE = Value("live", "t", "zen", "float32 of |a~0|", 1 / 3, near(1 / 3, 1e-6), near(1 / 3, 1e-4))
TAU = Value("correlation", "t", "zen", "kendall", 0.25, near(0.25), None, (0.1, 0.4))
WORD = exact("live", "t", "jacov", "float32 of |b~0|", None)
RANK = exact("search", "t", "rank,proxy=zen at queries=5", "most queries", 5)
MEAN = exact("search", "t", "ipl,scored=9 at queries=5", "mean regret", 0.5)
LEARNED = replace(MEAN, seeds=(0.0, 0.25, 1.25))
SPEED = Value("speed", "t", "a over b", "times as fast", 3.0, (1.5, math.inf))
ABOUT = Provenance(("baseline",), {"u": "no file"}, {"f.csv": "0" * 64}, {"torch": None}, "c0ffee")
BASELINE = Baseline((LIVE, TAU, WORD, RANK, LEARNED, SPEED), ABOUT)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    write(tmp_path, BASELINE)
    found = read(tmp_path)
    assert found.provenance == ABOUT
    assert [value.key for value in found.values] == [
        each.key for each in (TAU, WORD, LIVE, LEARNED, RANK, SPEED)
    ]
    tau, word, live, learned, rank, speed = found.values
    assert (tau, word, learned, rank, speed) == (TAU, WORD, LEARNED, RANK, SPEED)
    assert word.value == "undefined"
    assert word.tight is None
    assert live.value == pytest.approx(1 / 3, rel=1e-12)
    assert live.wide == pytest.approx((1 / 3 - 1e-4, 1 / 3 + 1e-4), rel=1e-12)


def test_the_bytes_do_not_depend_on_the_order_of_values(tmp_path: Path) -> None:
    one = write(tmp_path / "one", BASELINE)
    two = write(tmp_path / "two", Baseline(BASELINE.values[::-1], ABOUT))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    lines = (tmp_path / "one" / "values.csv").read_text().splitlines()
    assert lines[1:] == sorted(lines[1:])
    assert lines[2].startswith("live,t,jacov,float32 of |b~0|,undefined,,")
    assert lines[4].endswith(",0 0.25 1.25")
    assert len(lines) == 6


def test_speed_stays_where_none_was_measured(tmp_path: Path) -> None:
    write(tmp_path, BASELINE)
    write(tmp_path, Baseline((TAU,), ABOUT))
    assert read(tmp_path).values == (TAU, SPEED)


def damage(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("values.csv", "0.25", "0.26", "SHA-256"),
        ("values.csv", "kendall", "kendal", "SHA-256"),
        ("provenance.json", '"study": "regression"', '"study": "smoke"', "study 'smoke'"),
        ("provenance.json", '"format": 2', '"format": 1', "in format 1; ipl-bench baseline"),
        ("provenance.json", "{", "", "to be JSON"),
        ("provenance.json", '"environment": {', '"surroundings": {', "a dict 'environment'"),
        ("speed.csv", "kind,task", "task,kind", "to begin with kind,task"),
        ("speed.csv", "speed,", "haste,", "line 2 of"),
        ("speed.csv", "1.5", "", "line 2 of"),
        ("speed.csv", "1.5", "half", "line 2 of"),
        ("speed.csv", ",3,", ",three,", "line 2 of"),
        ("speed.csv", ",3,", ",,", "line 2 of"),
        ("speed.csv", ",3,", ",nan,", "line 2 of"),
        ("speed.csv", ",inf,,,,,", ",inf,,,,,1 nan", "line 2 of"),
        ("speed.csv", ",inf,,,,,", ",inf,,,,,one", "line 2 of"),
        ("speed.csv", "1.5", "nan", "line 2 of"),
        ("speed.csv", "inf", "1", "line 2 of"),
        ("speed.csv", "speed,", "correlation,", "of a kind among speed, benchmark, got"),
        ("speed.csv", "a over b", '"a over b', "a CSV file"),
    ],
)
def test_damage_is_told(tmp_path: Path, name: str, old: str, new: str, message: str) -> None:
    write(tmp_path, BASELINE)
    damage(tmp_path, name, old, new)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_a_value_stands_there_once(tmp_path: Path) -> None:
    write(tmp_path, BASELINE)
    path = tmp_path / "speed.csv"
    path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")
    with pytest.raises(DataError, match="line 3"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["values.csv", "provenance.json"])
def test_a_missing_file_is_told(tmp_path: Path, name: str) -> None:
    write(tmp_path, BASELINE)
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match=f"got no file .*{name}"):
        read(tmp_path)


def test_provenance_holds_no_time_and_no_place(tmp_path: Path) -> None:
    write(tmp_path, BASELINE)
    about = json.loads((tmp_path / "provenance.json").read_text())
    assert set(about) == {
        *("study", "format", "command", "left_out", "data_sha256", "environment"),
        *("commit", "versions", "sha256"),
    }


def test_near_is_relative_but_at_zero() -> None:
    assert near(200.0, 1e-6) == (200 - 2e-4, 200 + 2e-4)
    assert near(0.0, 1e-6) == (-1e-6, 1e-6)
    assert near(-1e-5, 1e-6, least=1e-3) == (-1e-5 - 1e-9, -1e-5 + 1e-9)


@pytest.mark.parametrize("endless", [math.inf, -math.inf])
def test_what_is_endless_is_a_word_that_is_read_back(tmp_path: Path, endless: float) -> None:
    value = exact("task", "t", "o", "m", endless)
    assert (value.value, value.tight) == (str(endless), None)
    write(tmp_path, Baseline((value,), ABOUT))
    assert read(tmp_path).values == (value,)


@pytest.mark.parametrize("nothing", [None, math.nan])
def test_what_is_undefined_is_a_word(nothing: float | None) -> None:
    assert exact("task", "t", "o", "m", nothing).value == "undefined"
