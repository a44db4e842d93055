from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from bench.base import DataError
from bench.tables.user import read_table

ONE, TWO = '"naslib:(4, 0, 3, 1, 4, 3)"', '"naslib:(1, 1, 1, 1, 1, 1)"'
TEXT = "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"
PLAIN = f"arch,validation,snip\n{ONE},80,1.5\n{TWO},10,\n"


@pytest.fixture
def read(tmp_path: Path, spaces):
    def reading(text: str, file: str = "mine.csv", **options):
        path = tmp_path / file
        path.write_text(text, encoding="utf-8")
        options = {"dataset": "cifar10", "maximise": True} | options
        return read_table(path, spaces["nasbench201"], **options)

    return reading


def test_a_plain_file(read) -> None:
    table = read(PLAIN)
    assert (table.name, table.space, table.dataset) == ("mine", "nasbench201", "cifar10")
    assert table.archs[0] == TEXT
    assert table.accuracy["validation"].tolist() == [80, 10]
    np.testing.assert_array_equal(table.scores["snip"], [1.5, -np.inf])
    assert (table.metric, table.maximise, table.training_seconds) == (
        "accuracy_percent",
        True,
        None,
    )


def test_columns_are_mapped_and_the_others_are_proxies(read) -> None:
    table = read(
        f"net,val_acc,test,hours,ms,comment,snip\n{ONE},1,2,3,4,good,5\n",
        columns={
            "arch": "net",
            "validation": "val_acc",
            "training_seconds": "hours",
            "targets.latency_ms": "ms",
        },
        ignore=["comment"],
        maximise=False,
        metric="error",
        name="ours/cifar10",
    )
    assert {it: values.tolist() for it, values in table.accuracy.items()} == {
        "validation": [1],
        "test": [2],
    }
    assert table.training_seconds is not None
    assert table.training_seconds.tolist() == [3]
    assert {it: values.tolist() for it, values in table.targets.items()} == {"latency_ms": [4]}
    assert list(table.scores) == ["snip"]
    assert (table.metric, table.maximise, table.name) == ("error", False, "ours/cifar10")


def test_parquet_gives_the_same_table(read, tmp_path, spaces) -> None:
    wanted = read(PLAIN)
    pq.write_table(pa.csv.read_csv(tmp_path / "mine.csv"), tmp_path / "mine.parquet")
    got = read_table(
        tmp_path / "mine.parquet", spaces["nasbench201"], dataset="cifar10", maximise=True
    )
    assert list(got.archs) == list(wanted.archs)
    np.testing.assert_array_equal(got.scores["snip"], wanted.scores["snip"])
    np.testing.assert_array_equal(got.accuracy["validation"], wanted.accuracy["validation"])


def test_json_is_the_suites(read) -> None:
    entries = {ONE.strip('"'): {"val_accuracy": 80.0, "snip": 1.5, "zen": 2.0}}
    table = read(json.dumps({"cifar10": entries}), "zc.json", ignore=["zen"])
    assert table.accuracy["validation"].tolist() == [80]
    assert list(table.scores) == ["snip"]
    assert table.name == "zc"
    with pytest.raises(DataError, match="expected a column .x., got arch, val_accuracy"):
        read(json.dumps({"cifar10": entries}), "zc.json", columns={"test": "x"})


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("arch,snip\n1,2\n", {}, "expected a column train, validation or test, got arch, snip"),
        ("net,test\n1,2\n", {}, "expected a column 'arch', got net, test"),
        (PLAIN, {"columns": {"test": "validaton"}}, "did you mean 'validation'"),
        (PLAIN, {"columns": {"tset": "validation"}}, "expected a role among .*, got 'tset'"),
        (
            PLAIN,
            {"columns": {"validation": "validation", "test": "validation"}},
            "expected every column in one role",
        ),
        (PLAIN, {"ignore": ["snap"]}, "did you mean 'snip'"),
        ("arch,validation\n", {}, "expected at least one row, got none"),
        ("", {}, "got an empty file"),
        (f"arch,test\n{ONE},1\n{TWO},2\n{ONE},3\n", {}, r"avg_pool_3x3~0.* in rows 1 and 3"),
        (f"arch,test\n{ONE},\n{TWO},inf\n", {}, "got 1 that are not, the first inf in row 2"),
        (f"arch,test\n{ONE},1\nconv,2\n", {}, "row 2 holds no nasbench201 architecture"),
        (f"arch,test\n{ONE},1\n{TWO}", {}, "expected 2 cells in every row, got 1 in row 2"),
        (f"arch,test,x\n{ONE},1,2\n{TWO},2,abc\n", {}, "column 'x', got 'abc' in row 2"),
        (f"arch,test\n{ONE},high\n", {}, "column 'test', got 'high' in row 1"),
    ],
)
def test_errors_say_what_is_wrong(text: str, options: dict, words: str, read) -> None:
    with pytest.raises(DataError, match=words):
        read(text, **options)


def test_other_files_are_refused(read, tmp_path, spaces) -> None:
    with pytest.raises(DataError, match="can run any code"):
        read("", "table.pkl")
    with pytest.raises(DataError, match=r"ending in \.csv.*got table\.xlsx"):
        read("", "table.xlsx")
    with pytest.raises(DataError, match="expected a Parquet file"):
        read(PLAIN, "table.parquet")
    with pytest.raises(DataError, match="layout with dataset 'cifar10'"):
        read('{"results": [1, 2]}', "table.json")
    with pytest.raises(DataError, match="got no file at"):
        read_table(tmp_path / "no.csv", spaces["nasbench201"], dataset="x", maximise=True)
