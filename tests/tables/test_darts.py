from __future__ import annotations

import numpy as np
import pytest

from bench.base import DataError
from bench.tables import darts
from bench.tables.columns import column


def test_the_suites_table(table) -> None:
    got = table("darts/suite")
    assert len(got.archs) == 725
    assert got.archs[0] == (
        "(((0, 0), (1, 5), (1, 1), (0, 1), (1, 3), (0, 3), (1, 3), (3, 2)),"
        " ((1, 0), (0, 2), (1, 3), (0, 3), (3, 0), (0, 1), (2, 0), (3, 6)))"
    )
    rows = [0, 400, 724]
    assert got.accuracy["validation"][rows].tolist() == [
        93.32119084207302,
        93.74927875401565,
        92.79643529679859,
    ]
    assert got.scores["synflow"][rows].tolist() == [
        52.796010658657906,
        90.17615270825284,
        66.08193568185177,
    ]
    assert got.score_seconds["params"][0] == 0.5217867051251233
    assert "surrogate" in got.notes
    with pytest.raises(DataError, match="darts/suite has no test accuracy, only validation"):
        column(got, "test")


def test_swaps_table(table, spaces) -> None:
    got = table("darts/swap1000")
    assert len(got.archs) == 1_000
    rows = [0, 499, 999]
    assert got.accuracy["test"][rows].tolist() == [85.0, 82.69999694824219, 79.19999694824219]
    cell = (
        "[('none', 0), ('dil_conv_5x5', 0), ('sep_conv_5x5', 0), ('sep_conv_3x3', 1),"
        " ('sep_conv_3x3', 1), ('dil_conv_5x5', 2), ('sep_conv_5x5', 3), ('skip_connect', 4)]"
    )
    first = (
        f"Genotype(normal={cell}, normal_concat=[2, 3, 4, 5],"
        f" reduce={cell}, reduce_concat=[2, 3, 4, 5])"
    )
    assert got.archs[0] == spaces["darts"].text(spaces["darts"].parse(first))
    assert "does not say" in got.notes
    assert list(got.accuracy) == ["test"]


def test_oncenas_table(table) -> None:
    got = table("darts/oncenas545")
    assert len(got.archs) == 545
    rows = [0, 298, 544]
    assert got.accuracy["test"][rows].tolist() == [92.03999747, 91.07999729, 91.4099974]
    assert got.accuracy["train"][rows].tolist() == [86.726, 86.53, 85.318]
    assert got.training_seconds[rows].tolist() == [
        1 * 3600 + 44 * 60 + 56,
        1 * 3600 + 23 * 60 + 40,
        1 * 3600 + 28 * 60 + 58,
    ]
    assert got.targets["train_seconds10"][0] == 20 * 60 + 57
    assert got.targets["valid_acc10"][rows].tolist() == [79.76, 75.81, 76.79]
    assert got.targets["mcu_latency"][rows].tolist() == [406.42, 472.02, 456.13]
    assert got.scores["flops"][0] == 536.55264
    assert got.scores["params"][0] == 3.262942
    with pytest.raises(DataError, match="has no validation accuracy, only train, test"):
        column(got, "validation")


def test_the_three_share_hardly_an_architecture(table, spaces) -> None:
    names = ("darts/suite", "darts/swap1000", "darts/oncenas545")
    archs = [set(table(name).archs) for name in names]
    assert not archs[0] & archs[1]
    assert not archs[0] & archs[2]
    assert not archs[1] & archs[2]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (",92.04,", ",93.04,", "expected valid_acc50 to be test_acc50 rounded, got 1"),
        (",92.04,", ",,", "expected valid_acc50 to be test_acc50 rounded, got nan"),
        (",1:44:56,", ",1:99:56,", "expected H:MM:SS in column 'train_time50', got '1:99:56'"),
        ("('sep_conv_5x5', 0)", "('exec', 0)", "row 1 holds no darts architecture"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(old, new, words, data, spaces, tmp_path) -> None:
    text = (data / darts.ONCENAS).read_text()
    assert old in text
    (tmp_path / "edited.csv").write_text(text.replace(old, new, 1))
    reader = next(it for it in darts.TABLES if it.name == "darts/oncenas545")
    with pytest.raises(DataError, match=words):
        reader.read({darts.ONCENAS: tmp_path / "edited.csv"}, spaces["darts"])


def test_seconds_are_numbers(table) -> None:
    got = table("darts/oncenas545").training_seconds
    assert got.dtype == np.float64
    assert (got > 0).all()
