from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.base import DataError, Table
from bench.tables.columns import column

TABLE = Table(
    name="a/b",
    space="s",
    dataset="b",
    archs=["x", "y"],
    accuracy={"test": np.array([1.0, 2.0])},
    scores={"snip": np.array([3.0, 4.0])},
    targets={"latency_ms": np.array([5.0, 6.0])},
)


def test_columns_are_found_by_name() -> None:
    assert column(TABLE, "test").tolist() == [1, 2]
    assert column(TABLE, "snip").tolist() == [3, 4]
    assert column(TABLE, "latency_ms").tolist() == [5, 6]
    timed = replace(TABLE, training_seconds=np.array([7.0, 8.0]))
    assert column(timed, "training_seconds").tolist() == [7, 8]


def test_an_absent_accuracy_is_never_replaced() -> None:
    with pytest.raises(DataError, match=r"^a/b has no validation accuracy, only test$"):
        column(TABLE, "validation")
    with pytest.raises(DataError, match="has no test accuracy, only none"):
        column(replace(TABLE, accuracy={}), "test")


def test_an_absent_column_is_told_with_those_that_are_there() -> None:
    with pytest.raises(DataError, match=r"no column 'energy', only test, latency_ms, snip$"):
        column(TABLE, "energy")
    with pytest.raises(DataError, match="no column 'training_seconds'"):
        column(TABLE, "training_seconds")
