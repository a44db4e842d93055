from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from bench.base import DataError, Space, Table, TableReader
from bench.spaces import TRANSNASBENCH101_MICRO
from bench.tables import TABLES, cache, files

FILE = "darts/data-545.csv"
ARCH = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
MADE = Table(
    name="made/up",
    space="nasbench201",
    dataset="up",
    archs=[ARCH, "snö"],
    accuracy={"test": np.array([1e38, np.nan])},
    scores={"a/b": np.array([-np.inf, 5e-324]), "scores": np.array([np.nan, 0.1])},
    score_seconds={"a/b": np.array([1.0, 2.0])},
    targets={"fgsm@Linf_eps-1.0": np.array([1.0, np.nan])},
    training_seconds=np.array([3.0, 4.0]),
    groups=np.array([5, 5]),
    metric="loss",
    maximise=False,
    canonical=True,
    sources=(FILE,),
    notes='a "note"\nof two lines',
)


@pytest.fixture
def space(spaces):
    return spaces["nasbench201"]


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A reader of `MADE` that counts how often its sources are read."""
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        cache.files, "fetch", lambda paths, progress: {it: Path(it) for it in paths}
    )
    reads: list[object] = []

    def read(paths, space) -> Table:
        reads.append(paths)
        return MADE

    return TableReader("made/up", "nasbench201", (FILE,), read), reads


def assert_same(one: Table, other: Table) -> None:
    for field in dataclasses.fields(Table):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, dict):
            assert list(a) == list(b)
            for name in a:
                np.testing.assert_array_equal(a[name], b[name])
        elif isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
        else:
            assert list(a) == list(b) if field.name == "archs" else a == b


def cached(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "tables").iterdir())


def test_a_table_comes_back_whole_and_its_sources_are_read_once(reader, space, tmp_path) -> None:
    made, reads = reader
    assert_same(cache.load(made, space), MADE)
    assert_same(cache.load(made, space), MADE)
    assert len(reads) == 1
    assert len(cached(tmp_path)) == 1


def test_a_table_without_training_seconds_comes_back_without(reader, space) -> None:
    bare = dataclasses.replace(MADE, training_seconds=None, scores={}, score_seconds={}, targets={})
    made = dataclasses.replace(reader[0], read=lambda paths, space: bare)
    cache.load(made, space)
    assert_same(cache.load(made, space), bare)


def test_another_parser_source_or_name_is_another_entry(reader, space, monkeypatch) -> None:
    made, reads = reader
    cache.load(made, space)
    monkeypatch.setattr(cache, "PARSER_VERSION", cache.PARSER_VERSION + 1)
    cache.load(made, space)
    assert len(reads) == 2
    changed = dataclasses.replace(files.source(FILE), sha256="0" * 64)
    monkeypatch.setattr(files, "known", lambda: {FILE: changed})
    cache.load(made, space)
    assert len(reads) == 3
    cache.load(dataclasses.replace(made, name="made/down"), space)
    assert len(reads) == 4


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"x" * 500, "cut", "flipped"])
def test_a_damaged_entry_is_made_again(damage, reader, space, tmp_path, caplog) -> None:
    made, reads = reader
    cache.load(made, space)
    (place,) = cached(tmp_path)
    whole = bytearray(place.read_bytes())
    at = whole.index("snö".encode())
    flipped = bytes(whole[:at] + b"S" + whole[at + 1 :])
    damages = {"cut": bytes(whole[:-100]), "flipped": flipped}
    place.write_bytes(damages.get(damage, damage))
    assert_same(cache.load(made, space), MADE)
    assert len(reads) == 2
    assert "again from its sources" in caplog.text
    assert_same(cache.load(made, space), MADE)
    assert len(reads) == 2


def test_an_entry_of_another_make_is_made_again(reader, space, tmp_path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    made, reads = reader
    cache.load(made, space)
    (place,) = cached(tmp_path)
    pq.write_table(pa.table({"arch": ["x"]}), place)
    assert_same(cache.load(made, space), MADE)
    assert len(reads) == 2


def test_a_cache_that_cannot_be_written_warns_once(
    reader, space, tmp_path, monkeypatch, caplog
) -> None:
    made, reads = reader
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        assert_same(cache.load(made, space), MADE)
        assert_same(cache.load(made, space), MADE)
    assert len(reads) == 2
    assert caplog.text.count("parsed tables are not cached") == 1


def test_a_reader_without_files_is_read_every_time(reader, space, tmp_path) -> None:
    made, reads = reader
    bare = dataclasses.replace(made, files=())
    cache.load(bare, space)
    cache.load(bare, space)
    assert len(reads) == 2
    assert not (tmp_path / "cache" / "tables").exists()


def test_the_wrong_space_is_refused(reader, spaces) -> None:
    with pytest.raises(DataError, match="made/up: expected space 'nasbench201', got 'darts'"):
        cache.load(reader[0], spaces["darts"])


def test_a_warm_cache_is_quick_and_needs_no_sources(table, spaces, monkeypatch) -> None:
    name = "nasbench201/cifar10-valid"
    table(name)
    monkeypatch.setenv("BENCH_DATA", "/nowhere")
    made = next(it for it in TABLES if it.name == name)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        assert len(cache.load(made, spaces["nasbench201"]).archs) == 15_625
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.1


def test_a_name_longer_than_a_file_s_is_cached_too(reader, space, tmp_path) -> None:
    made, reads = reader
    longer = [dataclasses.replace(made, name=f"{'long/' * 100}{end}") for end in "ab"]
    for _ in range(2):
        for each in longer:
            cache.load(each, space)
    assert len(reads) == len(cached(tmp_path)) == 2


def test_a_plugin_reads_its_own_file_by_its_absolute_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("64-41414-0_00_000,1.5\n64-41414-1_11_111,2.5\n")

    def read(paths: Mapping[str, Path], space: Space) -> Table:
        rows = [line.split(",") for line in paths[str(path)].read_text().splitlines()]
        return Table(
            name="mine/own",
            space=space.name,
            dataset="own",
            archs=[arch for arch, _ in rows],
            accuracy={"test": np.array([float(value) for _, value in rows])},
        )

    reader = TableReader("mine/own", TRANSNASBENCH101_MICRO.name, (str(path),), read)
    for _ in range(2):
        assert cache.load(reader, TRANSNASBENCH101_MICRO).accuracy["test"].tolist() == [1.5, 2.5]
    path.write_text("64-41414-0_00_000,9.5\n")
    assert cache.load(reader, TRANSNASBENCH101_MICRO).accuracy["test"].tolist() == [9.5]
    path.unlink()
    with pytest.raises(DataError, match="a file of a plugin.s or your own, got none"):
        cache.load(reader, TRANSNASBENCH101_MICRO)
