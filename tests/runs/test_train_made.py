"""A made table read back: foreign and damaged ones are told, and what seeds and cells matter."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs.small import RECIPE, run_of

from bench.base import DataError
from bench.runs.train_made import Made, read, sd_of_seeds, summary
from bench.runs.train_store import about
from bench.tables.made import METADATA

RUN = replace(run_of(), archs=3, repeated=2, more_seeds=(1, 2))
TOLD = about(RUN, RECIPE, "ab" * 32)
VALIDATION = {"a": [50.0, 53.0, 56.0], "b": [70.0, None, 72.0], "c": [90.5]}


def table(validation: dict[str, list[float | None]] = VALIDATION) -> pa.Table:
    """Three architectures, the first two by three seeds."""
    cells = [(arch, 0) for arch in validation]
    cells += [(arch, seed) for seed in (1, 2) for arch in validation if len(validation[arch]) > 1]
    values = [validation[arch][seed] for arch, seed in cells]
    accuracies = {
        f"{name}{mark}": pa.array(values, pa.float64())
        for mark in ("", "@1")
        for name in ("validation", "test", "train")
    }
    status = ["ok" if value is not None else "diverged" for value in values]
    columns = {"arch": [arch for arch, _ in cells], "seed": [seed for _, seed in cells]}
    rest = {"status": status, "error": [None] * 7, "seconds": [0.5] * 7, "stack": range(7)}
    return pa.table({**columns, **rest, **accuracies})


def written(path: Path, content: pa.Table, told: object = TOLD) -> Path:
    text = told if isinstance(told, str) else json.dumps(told)
    pq.write_table(content.replace_schema_metadata({METADATA: text}), path)
    return path


def test_the_deviation_of_seeds_is_pooled_over_architectures(tmp_path: Path) -> None:
    made = read(written(tmp_path / "t.parquet", table()))
    # About 53: 9 + 0 + 9, with 2 degrees of freedom; about 71: 1 + 1, with 1.
    assert sd_of_seeds(made, "validation") == pytest.approx(np.sqrt((18 + 2) / 3))
    assert sd_of_seeds(Made(made.run, RECIPE, TOLD, made.rows[:3]), "validation") is None


def test_the_summary_is_of_the_first_seed_by_checkpoint(tmp_path: Path) -> None:
    early, last = summary(read(written(tmp_path / "t.parquet", table())))
    assert (early["epochs"], last["epochs"]) == (1, 2)
    between, within = np.std([50, 70, 90.5], ddof=1), np.sqrt(20 / 3)
    assert last == {
        "epochs": 2,
        "n": 3,
        "mean": pytest.approx(210.5 / 3),
        "sd_of_cells": pytest.approx(between),
        "sd_of_seeds": pytest.approx(within),
        "ratio": pytest.approx(between / within),
        "diverged": 1,
        "failed": 0,
        "seconds": 3.5,
    }


def test_where_nothing_can_be_said_the_summary_says_none(tmp_path: Path) -> None:
    nothing = {"a": [None, None, None], "b": [None, None, None], "c": [60.0]}
    _, last = summary(read(written(tmp_path / "t.parquet", table(nothing))))
    assert (last["n"], last["mean"], last["diverged"]) == (1, 60.0, 6)
    assert last["sd_of_cells"] is last["sd_of_seeds"] is last["ratio"] is None
    same = {"a": [5.0, 5.0, 5.0], "b": [5.0, 5.0, 5.0], "c": [60.0]}
    _, last = summary(read(written(tmp_path / "t.parquet", table(same))))
    assert (last["sd_of_seeds"], last["ratio"]) == (0.0, None)


def test_what_is_no_made_table_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with pytest.raises(DataError, match=r"expected a table of make-table, got .*t\.parquet"):
        read(path)
    path.write_bytes(b"PAR1 but no more")
    with pytest.raises(DataError, match="expected a table of make-table"):
        read(path)
    pq.write_table(table(), path)
    with pytest.raises(DataError, match="in its metadata how it was made, got KeyError"):
        read(path)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("[]", "TypeError"),
        ("no JSON", "JSONDecodeError"),
        ({**TOLD, "run": {}}, "TypeError"),
        ({**TOLD, "recipe": {**TOLD["recipe"], "batch": 1}}, "OptionError: expected batch"),
        ({key: value for key, value in TOLD.items() if key != "images_sha256"}, "KeyError"),
        ({**TOLD, "trained_on": None}, "AttributeError"),
    ],
)
def test_damaged_metadata_is_told(told: object, says: str, tmp_path: Path) -> None:
    path = written(tmp_path / "t.parquet", table(), told)
    with pytest.raises(DataError, match=says):
        read(path)


def test_columns_and_rows_that_lack_are_told(tmp_path: Path) -> None:
    path = written(tmp_path / "t.parquet", table().drop_columns(["test@1"]))
    with pytest.raises(DataError, match="expected a column test@1 in"):
        read(path)
    written(path, table().slice(1))
    with pytest.raises(DataError, match="expected 7 rows in .*, got 6"):
        read(path)
