"""Reading made tables: a small one written by hand, and all that can be wrong with it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.base import DataError, Table
from bench.spaces.nasbench201 import NASBENCH201
from bench.tables import files
from bench.tables.cache import load
from bench.tables.made import is_made, read_made, reader, with_scores
from bench.tables.user import read_table

ARCHS = [NASBENCH201.text((op,) * 6) for op in (1, 2, 3)]
"""Skips, 1 x 1 and 3 x 3 convolutions everywhere."""
RUN = {
    "space": "nasbench201",
    "distinct": False,
    "seeds": [4, 5],
    "recipe": "digits,epochs=10,checkpoints=3/10",
    "recipe_hash": "0123456789abcdef",
}
TOLD = {"kind": "table", "run": RUN, "recipe": {"dataset": "digits", "epochs": 10}}


def columns(**changes: Any) -> dict[str, Any]:
    """Two architectures by two seeds; the second diverged by the first seed."""
    content: dict[str, Any] = {
        "arch": [ARCHS[0], ARCHS[1], ARCHS[0], ARCHS[1]],
        "seed": [4, 4, 5, 5],
        "status": ["ok", "diverged", "ok", "ok"],
        "error": [None, "the loss was not finite at step 30", None, None],
        "validation": [60.0, None, 99.0, 98.0],
        "test": [59.0, None, 97.0, 96.0],
        "train": [70.0, None, 99.0, 98.0],
        "validation@3": [40.0, 30.0, 45.0, 35.0],
        "test@3": [41.0, 31.0, 46.0, 36.0],
        "train@3": [42.0, 32.0, 47.0, 37.0],
        "seconds": [1.5, 0.5, 1.25, 1.125],
        "stack": [0, 0, 1, 1],
    }
    return content | changes


def write(path: Path, content: dict[str, Any], told: Any = TOLD) -> Path:
    table = pa.table({name: values for name, values in content.items() if values is not None})
    if told is not None:
        table = table.replace_schema_metadata({b"ipl-bench": json.dumps(told)})
    pq.write_table(table, path)
    return path


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return write(tmp_path / "cells.parquet", columns())


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """The second architecture and one that the table lacks, by two seeds; snip failed once."""
    content = {
        "arch": [ARCHS[2], ARCHS[1], ARCHS[2], ARCHS[1]],
        "seed": [0, 0, 1, 1],
        "score:nwot": [7.0, 8.0, 70.0, 80.0],
        "score:snip": [1.0, None, 2.0, 3.0],
        "score:mine.py:width": [1.0, 1.0, 1.0, 1.0],
        "seconds:nwot": [0.25, 0.5, 1.0, 1.0],
        "seconds:snip": [0.25, 0.125, 1.0, 1.0],
        "seconds:mine.py:width": [1.0, 1.0, 1.0, 1.0],
        "seconds": [1.0, 1.0, 1.0, 1.0],
    }
    return write(tmp_path / "live.parquet", content, None)


def read(path: Path) -> Table:
    return read_made(path, NASBENCH201)


def test_accuracies_are_the_first_seeds_and_what_diverged_has_none(made: Path) -> None:
    table = read(made)
    assert table.archs == ARCHS[:2]
    assert list(table.accuracy) == ["train", "validation", "test"]
    np.testing.assert_array_equal(table.accuracy["validation"], [60.0, np.nan])
    np.testing.assert_array_equal(table.accuracy["test"], [59.0, np.nan])
    np.testing.assert_array_equal(table.accuracy["train"], [70.0, np.nan])
    np.testing.assert_array_equal(table.training_seconds, [1.5, 0.5])


def test_earlier_checkpoints_are_targets(made: Path) -> None:
    table = read(made)
    assert set(table.targets) == {"train@3", "validation@3", "test@3"}
    np.testing.assert_array_equal(table.targets["validation@3"], [40.0, 30.0])
    assert table.scores == {}


def test_facts_come_from_the_metadata(made: Path, tmp_path: Path) -> None:
    table = read(made)
    assert (table.name, table.space, table.dataset) == ("cells", "nasbench201", "digits")
    assert (table.metric, table.maximise, table.canonical) == ("accuracy_percent", True, False)
    assert table.notes == (
        "trained by the recipe digits,epochs=10,checkpoints=3/10 (0123456789abcdef), seed 4 of 2"
    )
    distinct = {**TOLD, "run": {**RUN, "distinct": True}}
    assert read(write(tmp_path / "distinct.parquet", columns(), distinct)).canonical


def test_scores_are_brought_to_their_rows(made: Path, scores: Path) -> None:
    table = with_scores(read(made), scores, NASBENCH201)
    assert list(table.scores) == ["nwot", "snip"]
    np.testing.assert_array_equal(table.scores["nwot"], [np.nan, 8.0])
    np.testing.assert_array_equal(table.scores["snip"], [np.nan, -np.inf])
    np.testing.assert_array_equal(table.score_seconds["snip"], [np.nan, 0.125])


def test_scores_of_other_architectures_alone_are_refused(made: Path, tmp_path: Path) -> None:
    content = {"arch": [ARCHS[2]], "seed": [0], "score:nwot": [1.0], "seconds:nwot": [1.0]}
    other = write(tmp_path / "other.parquet", content, None)
    with pytest.raises(DataError, match=r"expected scores of architectures of cells, got none"):
        with_scores(read(made), other, NASBENCH201)
    empty = write(tmp_path / "empty.parquet", {name: [] for name in content}, None)
    with pytest.raises(DataError, match=r"scores of at least one architecture, got none"):
        with_scores(read(made), empty, NASBENCH201)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arch": [ARCHS[0]] * 4}, "every architecture once"),
        ({"seed": [4, 5, 5, 6]}, "by the first seed, 4, got 1 of 2"),
        ({"seed": [6, 6, 6, 6]}, "by the first seed, 4, got 0 of 2"),
        ({"arch": ["x", *ARCHS]}, "row 1 holds no nasbench201 architecture"),
        ({"test": None}, "expected a column 'test'"),
        ({"seconds": None}, "expected a column 'seconds'"),
        ({"validation": [np.inf, 1.0, 1.0, 1.0]}, "an infinity in row 1"),
    ],
)
def test_a_table_that_is_not_whole_is_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "cells.parquet", columns(**changes))
    with pytest.raises(DataError, match=words):
        read(path)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (None, "expected a table of make-table"),
        ([1], "expected a table of make-table"),
        ({"kind": "live"}, "expected a table of make-table"),
        ({"kind": "table", "run": RUN}, "expected metadata of the run and its recipe"),
        ({**TOLD, "run": {**RUN, "seeds": []}}, "expected metadata of the run and its recipe"),
        ({**TOLD, "run": {**RUN, "space": "darts"}}, "a table of nasbench201, got one of darts"),
    ],
)
def test_metadata_that_says_of_no_table_is_refused(told: Any, words: str, tmp_path: Path) -> None:
    path = write(tmp_path / "cells.parquet", columns(), told)
    with pytest.raises(DataError, match=words):
        read(path)


def test_a_torn_file_is_refused(made: Path) -> None:
    made.write_bytes(made.read_bytes()[:-100])
    for reading in (read, is_made):
        with pytest.raises(DataError, match="expected a Parquet file"):
            reading(made)


def test_a_users_own_made_table_needs_no_columns_named(made: Path) -> None:
    assert is_made(made)
    table = read_table(made, NASBENCH201, dataset="cells", maximise=True)
    assert (table.name, table.dataset) == ("cells", "digits")
    assert table.archs == ARCHS[:2]
    assert table.scores == {}
    with pytest.raises(DataError, match="no columns to be named for a made table"):
        read_table(
            made, NASBENCH201, dataset="x", maximise=True, columns={"validation": "validation@3"}
        )


@pytest.fixture
def packaged(
    made: Path, scores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path]:
    """Both files as if they came with the package, without BENCH_DATA."""
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "HERE", tmp_path / "package")
    folder = tmp_path / "package" / "packaged"
    folder.mkdir(parents=True)
    paths = (made.rename(folder / "a.parquet"), scores.rename(folder / "b.parquet"))
    known = {
        f"packaged/{path.name}": files.Source(
            path=f"packaged/{path.name}",
            bytes=path.stat().st_size,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            url=None,
            licence="Apache-2.0",
            what="cells",
            paper="",
            repository="",
            commit="",
            upstream_path="",
            derived=None,
            origin=None,
        )
        for path in paths
    }
    monkeypatch.setattr(files, "known", lambda: known)
    return paths


OURS = reader("nasbench201/digits", "nasbench201", "packaged/a.parquet", "packaged/b.parquet")


def test_packaged_files_need_no_network_and_no_folder(packaged: tuple[Path, Path]) -> None:
    assert all(map(files.available, OURS.files))
    table = load(OURS, NASBENCH201)
    again = load(OURS, NASBENCH201)
    for each in (table, again):
        assert each.name == "nasbench201/digits"
        assert each.sources == OURS.files
        np.testing.assert_array_equal(each.scores["nwot"], [np.nan, 8.0])
        np.testing.assert_array_equal(each.targets["test@3"], [41.0, 31.0])


def test_a_packaged_file_is_verified_like_all_others(packaged: tuple[Path, Path]) -> None:
    content = bytearray(packaged[0].read_bytes())
    content[200] ^= 1
    packaged[0].write_bytes(bytes(content))
    with pytest.raises(DataError, match="is not the published packaged/a.parquet") as caught:
        files.find("packaged/a.parquet")
    assert not isinstance(caught.value, files.MissingError)


def test_a_packaged_file_that_is_gone_is_missing(packaged: tuple[Path, Path]) -> None:
    packaged[1].unlink()
    assert files.here("packaged/b.parquet") is None
    assert not files.available("packaged/b.parquet")
    with pytest.raises(files.MissingError, match="to come with ipl-bench, got an installation"):
        files.find("packaged/b.parquet")
