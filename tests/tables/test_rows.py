from __future__ import annotations

import numpy as np
import pytest

from bench.base import DataError
from bench.tables._rows import Rows, check_index, parse_all, spread

ONE = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
TWO = "|none~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"
TUPLES = {ONE: "(1, 1, 1, 1, 1, 1)", TWO: "(1, 1, 1, 1, 1, 0)"}


def test_columns_of_another_order_and_form_find_their_rows(spaces) -> None:
    space = spaces["nasbench201"]
    rows = Rows(parse_all([ONE, TWO], space, "a.csv"), space, "a")
    where = rows.find([TUPLES[TWO]], "b.csv")
    assert where.tolist() == [1]
    np.testing.assert_array_equal(rows.spread(np.array([5.0]), where), [np.nan, 5])


def test_errors_name_file_and_row(spaces) -> None:
    space = spaces["nasbench201"]
    with pytest.raises(DataError, match=r"a\.csv: row 2 holds no nasbench201 architecture"):
        parse_all([ONE, "__import__('os')"], space, "a.csv")
    with pytest.raises(DataError, match="in rows 1 and 3"):
        Rows(parse_all([ONE, TWO, TUPLES[ONE]], space, "a.csv"), space, "a.csv")
    rows = Rows(parse_all([ONE], space, "a.csv"), space, "the table")
    with pytest.raises(DataError, match=r"b\.csv: expected architectures of the table, got .*skip"):
        rows.find([TWO], "b.csv")


def test_an_index_must_count() -> None:
    check_index(np.arange(5.0), "a.csv")
    with pytest.raises(DataError, match="got index 0 in row 2"):
        check_index(np.zeros(5), "a.csv")
    with pytest.raises(DataError, match="got index nan in row 1"):
        check_index(np.array([np.nan]), "a.csv")


def test_spread_leaves_the_rest_unknown() -> None:
    got = spread(np.array([1.0, -np.inf]), np.array([3, 0]), 5)
    np.testing.assert_array_equal(got, [-np.inf, np.nan, np.nan, 1, np.nan])
