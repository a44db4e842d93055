from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.base import DataError
from bench.reports.baseline_benchmarks import read_benchmarks


def written(path: Path, *benchmarks: tuple[str | None, str, float]) -> Path:
    content = [
        {"group": group, "name": name, "stats": {"min": seconds, "mean": 9.0}}
        for group, name, seconds in benchmarks
    ]
    path.write_text(json.dumps({"machine_info": {}, "benchmarks": content}))
    return path


def test_each_of_a_group_is_compared_with_the_first_by_name(tmp_path: Path) -> None:
    path = written(
        tmp_path / "b.json",
        ("all 13", "ours", 2.0),
        ("all 13", "naive", 8.0),
        ("alone", "one", 1.0),
        (None, "b", 4.0),
        ("all 13", "other", 4.0),
        (None, "a", 2.0),
    )
    found = {(value.task, value.of): value for value in read_benchmarks(path)}
    assert {key: value.value for key, value in found.items()} == {
        ("all 13", "other over naive"): 2.0,
        ("all 13", "ours over naive"): 4.0,
        ("no group", "b over a"): 0.5,
    }
    assert {value.kind for value in found.values()} == {"benchmark"}
    assert found["all 13", "ours over naive"].tight == (2.0, float("inf"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "as pytest --benchmark-json"),
        ("[]", "no object"),
        ("{}", "KeyError: 'benchmarks'"),
        ('{"benchmarks": [{"group": "g", "name": "n"}]}', "KeyError: 'stats'"),
        ('{"benchmarks": [{"group": "g", "name": "n", "stats": {"min": 0}}]}', "0.0 seconds"),
        ('{"benchmarks": [{"group": "g", "name": "n", "stats": null}]}', "TypeError"),
        ('{"benchmarks": []}', "got 0 benchmarks"),
    ],
)
def test_another_file_is_told(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_benchmarks(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="could not read"):
        read_benchmarks(tmp_path / "none.json")
