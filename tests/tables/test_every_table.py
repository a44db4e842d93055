"""What holds of every table that comes with the bench."""

from __future__ import annotations

import numpy as np
import pytest

from bench.base import TableReader
from bench.tables import TABLES
from bench.tables.cache import load
from bench.tables.columns import ACCURACIES, column
from bench.tables.files import known

NAMES = [
    "nasbench201/digits",
    "nasbench201/cifar10-valid",
    "nasbench201/cifar10",
    "nasbench201/cifar100",
    "nasbench201/ImageNet16-120",
    "nasbench201-suite/cifar10",
    "nasbench201-suite/ImageNet16-120",
    "nasbench101/cifar10",
    *(
        f"transnasbench101-micro/{it}"
        for it in ("class_scene", "class_object", "autoencoder", "normal")
    ),
    *(
        f"transnasbench101-macro/{it}"
        for it in ("class_scene", "class_object", "autoencoder", "normal")
    ),
    "transnasbench101-suite/class_scene",
    "darts/suite",
    "darts/swap1000",
    "darts/oncenas545",
]
SMALL = [it for it in TABLES if it.space not in ("nasbench101", "nasbench201")]
every = pytest.mark.parametrize("reader", TABLES, ids=lambda it: it.name)


def test_the_list_is_complete_and_without_repeats() -> None:
    assert [it.name for it in TABLES] == NAMES


@every
def test_every_source_is_listed(reader: TableReader) -> None:
    assert reader.files
    assert len(set(reader.files)) == len(reader.files)
    assert set(reader.files) <= known().keys()


@every
def test_contract(reader: TableReader, table, spaces) -> None:
    got, space = table(reader.name), spaces[reader.space]
    n = len(got.archs)
    assert (got.name, got.space) == (reader.name, reader.space)
    assert set(got.sources) == set(reader.files)
    assert len(set(got.archs)) == n > 0
    for row in range(0, n, max(1, n // 97)):
        assert space.text(space.parse(got.archs[row])) == got.archs[row]
    assert set(got.accuracy) <= set(ACCURACIES)
    assert got.accuracy
    assert got.notes
    assert set(got.score_seconds) <= set(got.scores)
    names = [*got.accuracy, *got.scores, *got.targets, "training_seconds"]
    assert len(set(names)) == len(names)
    for name in names[:-1]:
        values = column(got, name)
        assert values.shape == (n,)
        assert values.dtype == np.float64
        assert not np.isposinf(values).any(), name
        assert not np.isnan(values).all(), name
        assert not (values == -1e8).any(), name


@every
def test_only_scores_fail(reader: TableReader, table) -> None:
    got = table(reader.name)
    for values in (*got.accuracy.values(), *got.targets.values(), *got.score_seconds.values()):
        assert not np.isinf(values).any()
    for name in ("train", "test"):
        if name in got.accuracy:
            assert np.isfinite(got.accuracy[name]).all()
    for values in got.score_seconds.values():
        assert (values[~np.isnan(values)] > 0).all()
    if got.training_seconds is not None:
        assert (got.training_seconds[~np.isnan(got.training_seconds)] > 0).all()


@every
def test_splits_differ(reader: TableReader, table) -> None:
    accuracy = table(reader.name).accuracy
    names = list(accuracy)
    for i, one in enumerate(names):
        for other in names[:i]:
            both = np.isfinite(accuracy[one]) & np.isfinite(accuracy[other])
            assert np.mean(accuracy[one][both] != accuracy[other][both]) > 0.9


@pytest.mark.parametrize("reader", SMALL, ids=lambda it: it.name)
def test_the_cached_table_is_the_one_that_was_read(
    reader: TableReader, data, table, spaces
) -> None:
    cached = load(reader, spaces[reader.space])
    again = reader.read({path: data / path for path in reader.files}, spaces[reader.space])
    assert list(again.archs) == list(cached.archs)
    for group in ("accuracy", "scores", "score_seconds", "targets"):
        one, other = getattr(again, group), getattr(cached, group)
        assert list(one) == list(other)
        for name, values in one.items():
            np.testing.assert_array_equal(values, other[name])
