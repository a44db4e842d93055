"""The stream of live rows and what is written from it: none lost, none twice, none held."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy import ARCHS, TOY

from bench.base import DataError, Record
from bench.runs import live, live_store, streamed
from bench.runs.live import LiveRun
from bench.runs.live_store import STREAM, Gist, Stream
from bench.runs.row import line

RUN = LiveRun(
    space="toy",
    archs=64,
    archs_sha256=live.digest(TOY, ARCHS),
    proxies=("sum", "never", "half"),
    dataset="noise",
    seeds=(0, 5),
)


def rows(count: int = 128) -> Iterator[Record]:
    """Rows of RUN: `sum` is of digits, `never` fails in two ways, `half` for one network in two."""
    for place in range(count):
        arch = ARCHS[place % 64]
        errors = {"never": "undefined: so" if arch[0] else "LinAlgError"}
        if arch[2] % 2:
            errors["half"] = "non-finite"
        values = {"sum": float(sum(arch)), "never": None, "half": 0.1 * arch[1]}
        yield {
            "arch": TOY.text(arch),
            "seed": (0, 5)[place // 64 % 2],
            "status": "ok",
            "values": {name: None if name in errors else values[name] for name in values},
            "errors": errors,
            "seconds": {"sum": 0.5, "never": 0.25, "half": 0.125},
            "total_seconds": 0.75,
        }


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    with Stream.opened(tmp_path / STREAM) as stream:
        assert stream.count(RUN, TOY, ARCHS) == 0
        for row in rows(70):
            stream.append(row)
        assert list(stream.rows()) == list(rows(70))
        assert stream.count(RUN, TOY, ARCHS) == 70
    with Stream.opened(tmp_path / STREAM) as stream:
        assert stream.count(RUN, TOY, ARCHS) == 70


def test_cut_at_any_byte_whole_rows_are_kept_and_the_rest_comes_again(tmp_path: Path) -> None:
    content = "".join(map(line, rows(2))).encode()
    ends = [i + 1 for i, byte in enumerate(content) if byte == ord("\n")]
    for cut in range(len(content) + 1):
        (tmp_path / STREAM).write_bytes(content[:cut])
        with Stream.opened(tmp_path / STREAM) as stream:
            kept = stream.count(RUN, TOY, ARCHS)
            assert kept == sum(end <= cut for end in ends)
            for row in list(rows(2))[kept:]:
                stream.append(row)
        assert (tmp_path / STREAM).read_bytes() == content


def test_a_long_torn_row_is_cut_off(tmp_path: Path) -> None:
    whole = line(next(rows())).encode()
    (tmp_path / STREAM).write_bytes(whole + b"x" * 200_000)
    with Stream.opened(tmp_path / STREAM) as stream:
        assert stream.count(RUN, TOY, ARCHS) == 1
    (tmp_path / STREAM).write_bytes(b"x" * 200_000)
    with Stream.opened(tmp_path / STREAM) as stream:
        assert stream.count(RUN, TOY, ARCHS) == 0


@pytest.mark.parametrize(
    "content",
    [
        "".join(map(line, rows(65))).replace('"000"', '"001"', 1),
        "".join(map(line, rows(65))).replace('"seed": 5', '"seed": 6'),
        "".join(map(line, [*rows(128), *rows(1)])),
        "{}\n",
        "no row\n",
        "[1]\n",
    ],
)
def test_rows_of_another_run_are_told(content: str, tmp_path: Path) -> None:
    (tmp_path / STREAM).write_text(content)
    with (
        Stream.opened(tmp_path / STREAM) as stream,
        pytest.raises(DataError, match=r"expected line \d+ of .*live.jsonl"),
    ):
        stream.count(RUN, TOY, ARCHS)


def test_a_row_that_does_not_fit_is_taken_back_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def __init__(self, file: object) -> None:
            self.file = file

        def write(self, content: bytes) -> int:
            self.file.write(content[:5])
            raise OSError(28, "No space left on device")

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

    with Stream.opened(tmp_path / STREAM) as stream:
        one, two = rows(2)
        stream.append(one)
        monkeypatch.setattr(stream, "_file", Full(stream._file))
        with pytest.raises(DataError, match=r"could not write .*No space left"):
            stream.append(two)
    assert (tmp_path / STREAM).read_text() == line(one)


def test_the_gist_counts_failures_and_seconds() -> None:
    failed = {**next(rows()), "status": "failed", "errors": {"sum": "MemoryError"}}
    gist = Gist([*rows(), failed])
    assert gist.rows == 129
    assert gist.errors == {
        "never": {"LinAlgError": 32, "undefined: so": 96},
        "half": {"non-finite": 64},
        "sum": {"MemoryError": 1},
    }
    assert gist.seconds["never"] == 129 / 4
    assert gist.total_seconds == 129 * 0.75
    assert gist.failed == {"MemoryError": 1}


def test_parquet_holds_every_row_with_reasons_where_there_are_any(tmp_path: Path) -> None:
    path = tmp_path / "live.parquet"
    live_store.write_parquet(path, RUN, rows(), Gist(rows()))
    table = pq.read_table(path)
    assert table.column_names == [
        *("arch", "seed", "score:sum", "score:never", "score:half", "error:never", "error:half"),
        *("seconds:sum", "seconds:never", "seconds:half", "seconds"),
    ]
    assert table.schema.field("error:never").type == pa.dictionary(pa.int32(), pa.string())
    for row, wanted in zip(table.to_pylist(), rows(), strict=True):
        assert (row["arch"], row["seed"]) == (wanted["arch"], wanted["seed"])
        assert {n: row[f"score:{n}"] for n in RUN.proxies} == wanted["values"]
        assert row["error:never"] == wanted["errors"]["never"]
        assert row["error:half"] == wanted["errors"].get("half")
        assert (row["seconds:half"], row["seconds"]) == (0.125, 0.75)
    assert [path.name for path in tmp_path.iterdir()] == ["live.parquet"]


def test_a_parquet_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "live.parquet"
    path.write_text("old")

    def breaks() -> Iterator[Record]:
        yield from rows(600)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        live_store.write_parquet(path, RUN, breaks(), Gist(rows()))
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["live.parquet"]


def test_memory_is_flat_in_the_number_of_rows(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        with Stream.opened(tmp_path / f"{count}") as stream:
            for row in rows(count):
                stream.append(row)
            live_store.write_parquet(
                tmp_path / "live.parquet", RUN, stream.rows(), Gist(stream.rows())
            )
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1024)
    assert peak(6144) < 1.1 * peak(1024)


def test_a_finished_run_is_a_row_that_names_its_file(tmp_path: Path) -> None:
    with streamed.opened(tmp_path / "mine" / "here") as store:
        with Stream.opened(tmp_path / STREAM) as stream:
            for row in rows():
                stream.append(row)
            live_store.finish(store, RUN, stream)
        assert live_store.KEY in store.done
    row = streamed.finished(tmp_path / "mine" / "here", live_store.KEY)
    assert (row["kind"], row["n"], row["seeds"], row["file"]) == (
        "live",
        128,
        [0, 5],
        "live.parquet",
    )
    assert row["errors"]["half"] == {"non-finite": 64}
    assert np.isclose(row["total_seconds"], 96)
    with streamed.opened(tmp_path / "mine" / "here") as store:
        assert live_store.KEY in store.done
