from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from bench.base import DataError
from bench.tables import nasbench101

BITS = {
    0: ("7-1205349-02001", 92.0606, 93.0489, 1768.975952, 8.555530),
    20_000: ("7-1098349-20112", 91.5164, 92.4980, 3127.374023, 14.873994),
    36_202: ("7-1135243-01102", 91.6066, 92.2776, 1588.241943, 6.491146),
    46_201: ("7-1068579-22200", 92.1641, 93.2191, 3822.749023, 21.220234),
}
"""Cell, test, validation and seconds of four lines of validation_30001.csv.gz."""


def test_rows_and_count(table, spaces) -> None:
    got, space = table("nasbench101/cifar10"), spaces["nasbench101"]
    assert len(got.archs) == len(set(got.archs)) == 423_624
    assert got.canonical
    for row, (bits, test, validation, seconds, params) in BITS.items():
        assert space.parse(got.archs[row]) == space.parse(bits)
        assert got.accuracy["test"][row] == pytest.approx(test, abs=2e-4)
        assert got.accuracy["validation"][row] == pytest.approx(validation, abs=2e-4)
        assert got.training_seconds[row] == pytest.approx(seconds, abs=1e-6)
        assert got.scores["params"][row] == pytest.approx(params, abs=1e-9)
    assert got.targets["validation_epoch4"][0] == pytest.approx(36.0477)
    assert got.targets["validation_epoch36"][46_201] == pytest.approx(89.9239)


def test_texts_are_native(table, spaces) -> None:
    got, space = table("nasbench101/cifar10"), spaces["nasbench101"]
    for row in (*range(0, 423_624, 4_999), 6_992):
        assert space.text(space.parse(got.archs[row])) == got.archs[row]
    assert got.archs[6_992] == "(0, 1, 0, 0, 0, 1)"


def test_validation_is_known_of_two_stretches_and_is_not_test(table) -> None:
    got = table("nasbench101/cifar10")
    known = np.flatnonzero(np.isfinite(got.accuracy["validation"]))
    assert known.tolist() == [*range(20_001), *range(36_202, 46_202)]
    np.testing.assert_array_equal(known, np.flatnonzero(np.isfinite(got.training_seconds)))
    assert np.isfinite(got.accuracy["test"]).all()
    same = got.accuracy["validation"][known] == got.accuracy["test"][known]
    assert same.mean() < 0.01
    assert got.accuracy["test"].max() == pytest.approx(94.32, abs=0.005)


def test_proxies_are_joined_by_isomorphism(table, data, spaces) -> None:
    got, space = table("nasbench101/cifar10"), spaces["nasbench101"]
    rows = np.flatnonzero(np.isfinite(got.scores["synflow"]))
    assert len(rows) == 292
    content = json.loads((data / "suite_zero" / "zc_nasbench101.json").read_text())
    first: dict[object, dict[str, float]] = {}
    for text, entry in content["nasbench101"]["cifar10"].items():
        first.setdefault(space.canonical(space.parse(text)), entry)
    assert len(first) == 292
    for row in rows:
        entry = first.pop(space.canonical(space.parse(got.archs[row])))
        assert got.scores["synflow"][row] == entry["synflow"]
        assert got.targets["suite_validation"][row] == entry["val_accuracy"]
    assert first == {}
    # The suite's accuracy is one of three runs: near the table's mean, and rarely the same.
    off = got.targets["suite_validation"][rows] - got.accuracy["test"][rows]
    assert np.abs(np.median(off)) < 1
    assert (off != 0).all()


def test_a_cell_that_is_in_no_row_is_refused(data, spaces, tmp_path: Path, monkeypatch) -> None:
    reader = nasbench101.TABLES[0]
    real = nasbench101._read_cells
    keep = slice(0, 46_202)
    monkeypatch.setattr(
        nasbench101, "_read_cells", lambda path: {k: v[keep] for k, v in real(path).items()}
    )
    paths = {path: data / path for path in reader.files}
    with pytest.raises(DataError, match=re.escape("expected one row of nasbench101/cifar10 for (")):
        reader.read(paths, spaces["nasbench101"])


def test_an_index_that_names_another_cell_is_refused(data, spaces, tmp_path: Path) -> None:
    reader = nasbench101.TABLES[0]
    (tmp_path / "known.csv").write_text(
        "index,adj_bits,ops\n0,1205349,02001\n1,1205349,02001\n", encoding="utf-8"
    )
    paths = {path: data / path for path in reader.files}
    with pytest.raises(DataError, match="got another in row 2"):
        reader.read(paths | {nasbench101.KNOWN: tmp_path / "known.csv"}, spaces["nasbench101"])
