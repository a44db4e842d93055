from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bench.base import DataError
from bench.tables._frame import clean_scores, read_csv, read_parquet


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_cells_are_read_with_quotes_and_byte_order_mark(tmp_path: Path) -> None:
    frame = read_csv(write(tmp_path / "a.csv", '\ufeffnet,x\r\n"(1, 2)",1e38\r\n"(3, 4)",\r\n'))
    assert frame.rows == 2
    assert frame.texts("net") == ["(1, 2)", "(3, 4)"]
    np.testing.assert_array_equal(frame.numbers("x"), [1e38, np.nan])


def test_gzipped_csv_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"x\n1\n"))
    assert read_csv(path).numbers("x").tolist() == [1]
    path.write_bytes(gzip.compress(b"x\n1\n" * 99)[:-9])
    with pytest.raises(DataError, match="damaged"):
        read_csv(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "got an empty file"),
        ("x,y\n1,2\n3\n", "expected 2 cells in every row, got 1 in row 2"),
        ("x,y\n1,2,3\n", "got 3 in row 1"),
        ('x,y\n1,"2', "damaged"),
        ("x,x\n1,2\n", "got 'x' twice"),
    ],
)
def test_a_damaged_csv_says_what_is_wrong(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        read_csv(write(tmp_path / "a.csv", text))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"x\n\xff\xfe\x00")
    with pytest.raises(DataError, match="damaged"):
        read_csv(tmp_path / "a.csv")


def test_a_missing_column_is_told_with_the_nearest(tmp_path: Path) -> None:
    frame = read_csv(write(tmp_path / "a.csv", "val_acc,net\n1,2\n"))
    with pytest.raises(DataError, match="'val_accs', got val_acc, net; did you mean 'val_acc'"):
        frame.numbers("val_accs")


def test_a_cell_that_is_no_number_is_named(tmp_path: Path) -> None:
    frame = read_csv(write(tmp_path / "a.csv", "x\n1\n\nabc\n"))
    with pytest.raises(DataError, match="numbers in column 'x', got 'abc' in row 2"):
        frame.numbers("x")


def test_parquet_null_is_missing_and_nan_is_failed(tmp_path: Path) -> None:
    column = pa.array([1, None, float("nan"), -1e8, float("inf"), float("-inf")], pa.float64())
    pq.write_table(pa.table({"x": column}), tmp_path / "a.parquet")
    scores = read_parquet(tmp_path / "a.parquet").scores("x")
    np.testing.assert_array_equal(scores, [1, np.nan, -np.inf, -np.inf, -np.inf, -np.inf])


def test_csv_empty_is_missing_and_nan_is_failed(tmp_path: Path) -> None:
    frame = read_csv(
        write(tmp_path / "a.csv", "x,y\n1,0\n,0\nnan,0\n-100000000.0,0\ninf,0\n-inf,0\n")
    )
    np.testing.assert_array_equal(
        frame.scores("x"), [1, np.nan, -np.inf, -np.inf, -np.inf, -np.inf]
    )


@pytest.mark.parametrize("content", [b"", b"PAR1", b"arch,x\n1,2\n"])
def test_a_file_that_is_no_parquet_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(DataError, match="expected a Parquet file"):
        read_parquet(tmp_path / "a.parquet")


@given(hnp.arrays(np.float64, st.integers(0, 30), elements=st.floats(allow_nan=True)))
def test_cleaning_leaves_finite_scores_and_makes_all_others_failed(values) -> None:
    cleaned = clean_scores(values)
    good = np.isfinite(values) & (values != -1e8)
    np.testing.assert_array_equal(cleaned[good], values[good])
    assert (cleaned[~good] == -np.inf).all()
    np.testing.assert_array_equal(clean_scores(cleaned), cleaned)


def test_scores_near_the_sentinel_are_scores() -> None:
    near = np.array([-1e8 - 1, -99999999.9, -1e38, 1e8])
    np.testing.assert_array_equal(clean_scores(near), near)
