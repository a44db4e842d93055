from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.base import DataError
from bench.tables.suite_zero import read_suite_zero

CELL = "(4, 0, 3, 1, 4, 3)"
TEXT = "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"
OTHER = "(1, 1, 1, 1, 1, 1)"
NEW = {
    CELL: {
        "idx": "7",
        "arch": CELL,
        "val_accuracy": 84.99,
        "snip": {"score": 1.5, "time": 0.25},
        "jacov": {"score": -1e8, "time": 0.5},
    },
    OTHER: {"id": 8, "val_accuracy": 10.0, "snip": {"score": 2.5}},
}
OLD = {CELL: {"val_accuracy": 84.99, "snip": 1.5}, OTHER: {"val_accuracy": 10.0, "snip": 2.5}}


@pytest.fixture
def read(tmp_path: Path, spaces):
    def reading(content: object, dataset: str = "cifar10", space: str = "nasbench201"):
        path = tmp_path / "zc.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_suite_zero(path, spaces[space], dataset)

    return reading


def test_the_newer_generation(read) -> None:
    table = read({"cifar10": NEW})
    assert table.archs[0] == TEXT
    assert table.accuracy["validation"].tolist() == [84.99, 10]
    assert sorted(table.scores) == ["jacov", "snip"]
    np.testing.assert_array_equal(table.scores["jacov"], [-np.inf, np.nan])
    np.testing.assert_array_equal(table.scores["snip"], [1.5, 2.5])
    np.testing.assert_array_equal(table.score_seconds["snip"], [0.25, np.nan])
    np.testing.assert_array_equal(table.score_seconds["jacov"], [0.5, np.nan])
    assert (table.metric, table.maximise) == ("accuracy_percent", True)


def test_the_older_generation_and_the_outer_level(read) -> None:
    table = read({"nasbench201": {"cifar10": OLD}})
    assert table.scores["snip"].tolist() == [1.5, 2.5]
    assert table.score_seconds == {}


@pytest.mark.parametrize("outer", [False, True])
@pytest.mark.parametrize("entries", [OLD, NEW], ids=["old", "new"])
def test_any_generation_may_have_any_nesting(outer: bool, entries, read) -> None:
    content = {"cifar10": entries, "cifar100": entries}
    table = read({"nasbench201": content} if outer else content)
    assert table.scores["snip"].tolist() == [1.5, 2.5]


def test_regressions_are_not_called_accuracy(read) -> None:
    assert read({"normal": OLD}, "normal").metric == "ssim"
    assert read({"room_layout": OLD}, "room_layout").metric == "negative_loss"


def test_nan_and_infinity_in_json_are_failures(read) -> None:
    text = json.dumps({"cifar10": {CELL: {"a": float("nan")}, OTHER: {"a": float("inf")}}})
    table = read(text)
    np.testing.assert_array_equal(table.scores["a"], [-np.inf, -np.inf])
    assert table.accuracy == {}


def test_a_score_of_null_is_not_recorded(read) -> None:
    table = read({"cifar10": {CELL: {"a": None}, OTHER: {"a": {"score": None, "time": 1}}}})
    assert np.isnan(table.scores["a"]).all()


def test_cells_that_prune_to_one_are_one_and_the_first_counts(read) -> None:
    # Input to output, once with an idle vertex.
    plain = "(0, 1, 0, 0, 0, 1)"
    idle = "(0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 1)"
    table = read({"cifar10": {idle: {"snip": 1.0}, plain: {"snip": 2.0}}}, space="nasbench101")
    assert list(table.archs) == [plain]
    assert table.scores["snip"].tolist() == [1]
    assert "1 repeats" in table.notes


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "expected JSON, got a damaged file"),
        ("[" * 100_000, "expected JSON, got a damaged file"),
        ([1, 2], "got a list"),
        ({"cifar100": OLD}, "got the keys 'cifar100'"),
        ({"a": {"cifar10": OLD}, "b": {"cifar10": OLD}}, "got 2 datasets of that name"),
        ({"cifar10": [1]}, "got something else under 'cifar10'"),
        ({"cifar10": {}}, "got something else under 'cifar10'"),
        ({"cifar10": {CELL: 3}}, "got something else under 'cifar10'"),
        ({"cifar10": {"(9, 9)": {"snip": 1}}}, "row 1 holds no nasbench201 architecture"),
        ({"cifar10": {CELL: {"snip": "high"}}}, "expected a number for snip of .*, got 'high'"),
        ({"cifar10": {CELL: {"snip": True}}}, "got True"),
        ('{"cifar10": {"x": {"a": 1}, "x": {"a": 2}}}', "the key 'x' stands there twice"),
    ],
)
def test_foreign_and_damaged_files_say_what_is_wrong(content: object, words: str, read) -> None:
    with pytest.raises(DataError, match=words):
        read(content)


def test_a_file_that_is_not_there(tmp_path: Path, spaces) -> None:
    with pytest.raises(DataError, match="expected to read"):
        read_suite_zero(tmp_path / "no.json", spaces["nasbench201"], "cifar10")


@pytest.mark.parametrize(
    ("file", "space", "dataset", "count", "proxies"),
    [
        ("zc_nasbench101", "nasbench101", "cifar10", 301, 11),
        ("zc_nasbench201", "nasbench201", "cifar10", 724, 12),
        ("zc_nasbench201", "nasbench201", "cifar100", 725, 12),
        ("zc_nasbench201", "nasbench201", "ImageNet16-120", 724, 12),
        ("zc_transbench101_micro", "transnasbench101-micro", "jigsaw", 711, 11),
        ("zc_transbench101_macro", "transnasbench101-macro", "room_layout", 725, 11),
    ],
)
def test_real_files(file, space, dataset, count, proxies, data, spaces) -> None:
    table = read_suite_zero(data / "suite_zero" / f"{file}.json", spaces[space], dataset)
    assert len(table.archs) == len(set(table.archs)) == count
    assert len(table.scores) == proxies
    assert np.isfinite(table.accuracy["validation"]).all()
    for values in table.scores.values():
        assert not np.isnan(values).any()
        assert not np.isposinf(values).any()
