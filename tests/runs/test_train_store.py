"""The stream of trained rows and the table made of it: none lost, none twice, none held."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs.small import ARCHS, RECIPE, SPACE, run_of

from bench.base import DataError, Record
from bench.runs import streamed, train_made, train_store
from bench.runs.train import TrainRun, plan
from bench.runs.train_store import STREAM, TABLE, TrainStream
from bench.tables.made import METADATA

RUN = run_of()
TOLD = train_store.about(RUN, RECIPE, "ab" * 32)


def rows(run: TrainRun = RUN) -> Iterator[Record]:
    """Rows as if trained: accuracies count up; the second diverged, the third failed."""
    number = 0
    for group in plan(run, ARCHS):
        for arch in group.archs:
            accuracy = {
                name: [10.0 * at + number, 20.0 * at + number + 0.1]
                for at, name in enumerate(("train", "validation", "test"))
            }
            if number == 1:
                accuracy = {name: [values[0], float("nan")] for name, values in accuracy.items()}
            if number == 2:
                accuracy = {name: [None, None] for name in accuracy}
            yield {
                "arch": SPACE.text(arch),
                "seed": group.seed,
                "stack": group.stack,
                "status": {1: "diverged", 2: "failed"}.get(number, "ok"),
                "error": {1: "the loss was not finite at step 7", 2: "MemoryError"}.get(number),
                "accuracy": accuracy,
                "seconds": None if number == 2 else 0.5,
            }
            number += 1


def made(folder: Path, run: TrainRun = RUN) -> Path:
    with streamed.opened(folder / "table" / "here") as store:
        with TrainStream.opened(store.folder / STREAM) as stream:
            for row in rows(run):
                stream.append(row)
            train_store.finish(store, run, RECIPE, stream, TOLD)
        return store.folder


def test_rows_are_counted_up_to_the_plan(tmp_path: Path) -> None:
    with TrainStream.opened(tmp_path / STREAM) as stream:
        for count, row in enumerate(rows()):
            assert stream.count(RUN, SPACE, ARCHS) == count
            stream.append(row)
        assert stream.count(RUN, SPACE, ARCHS) == RUN.rows == 6
        stream.append(row)
        with pytest.raises(DataError, match=r"expected line 7 of .*\.table\.jsonl"):
            stream.count(RUN, SPACE, ARCHS)


@pytest.mark.parametrize("content", ["{}\n", "[1]\n", "no row\n"])
def test_foreign_lines_and_rows_of_another_run_are_told(content: str, tmp_path: Path) -> None:
    with TrainStream.opened(tmp_path / STREAM) as stream:
        stream.append(next(rows()))
        with pytest.raises(DataError, match="expected line 1 of"):
            stream.count(replace(RUN, seeds=(3,)), SPACE, ARCHS)
    with (tmp_path / STREAM).open("a") as file:
        file.write(content)
    with (
        TrainStream.opened(tmp_path / STREAM) as stream,
        pytest.raises(DataError, match="expected line 2 of"),
    ):
        stream.count(RUN, SPACE, ARCHS)


def test_the_table_has_every_row_by_column(tmp_path: Path) -> None:
    table = pq.read_table(made(tmp_path) / TABLE)
    assert table.column_names == [
        *("arch", "seed", "status", "error", "validation", "test", "train"),
        *("validation@1", "test@1", "train@1", "seconds", "stack"),
    ]
    for number, (row, wanted) in enumerate(zip(table.to_pylist(), rows(), strict=True)):
        same = ("arch", "seed", "status", "error", "seconds", "stack")
        assert [row[name] for name in same] == [wanted[name] for name in same]
        for name, (early, late) in wanted["accuracy"].items():
            assert row[f"{name}@1"] == early
            assert row[name] == (None if number in {1, 2} else late)


def test_a_table_with_no_error_has_the_same_columns(tmp_path: Path) -> None:
    folder = made(tmp_path, replace(RUN, archs=1, repeated=0, more_seeds=()))
    assert pq.read_schema(folder / TABLE).field("error").type == pa.string()


def test_the_metadata_says_how_each_row_was_trained(tmp_path: Path) -> None:
    folder = made(tmp_path)
    told = json.loads(pq.read_schema(folder / TABLE).metadata[METADATA])
    assert told == TOLD
    assert told["recipe"]["skeleton"] == [["cells", 1], ["channels", 2]]
    assert told["run"]["recipe_hash"] == RECIPE.hash
    assert told["images_sha256"] == "ab" * 32
    assert {"torch", "numpy", "pillow", "scikit-learn"} <= set(told["versions"])
    assert {"commit", "machine", "trained_on"} <= set(told)
    found = train_made.read(folder / TABLE)
    assert (found.run, found.recipe) == (RUN, RECIPE)
    assert asdict(found.recipe) == asdict(RECIPE)


def test_a_finished_run_is_a_row_that_names_its_table(tmp_path: Path) -> None:
    row = streamed.finished(made(tmp_path), train_store.KEY)
    assert (row["kind"], row["task"], row["file"]) == ("table", "nasbench201/digits", TABLE)
    assert (row["n"], row["statuses"]) == (6, {"ok": 4, "diverged": 1, "failed": 1})
    assert (row["errors"], row["seconds"]) == ({"MemoryError": 1}, 2.5)


def test_a_table_that_cannot_be_written_leaves_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", full)
    with pytest.raises(DataError, match=r"could not write .*table\.parquet: No space left"):
        made(tmp_path)
    folder = tmp_path / "table" / "here"
    assert not (folder / TABLE).exists()
    assert not list(folder.glob("*.part"))
    assert (folder / STREAM).read_text().count("\n") == 6


def test_memory_is_flat_in_the_number_of_rows(tmp_path: Path) -> None:
    def peak(seeds: int) -> int:
        run = replace(RUN, seeds=tuple(range(seeds)), repeated=0, more_seeds=())
        tracemalloc.start()
        made(tmp_path / str(seeds), run)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(120)
    assert peak(480) < 1.15 * peak(120)
