from __future__ import annotations

import errno
import json
import os
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.base import DataError, Record
from bench.runs.row import Attachment, Outcome
from bench.runs.store import ROWS, Store, write_whole

COMMON: Record = {"study": "s", "machine": "m", "commit": "c"}

RUNS = {
    "a": Outcome([{"x": 1.5}]),
    "b": Outcome([{"x": i} for i in range(3)], Attachment("traces/b.parquet", b"trace")),
    "c": Outcome([{"x": float("nan"), "text": "é\n"}]),
}


def fill(folder: Path, keys: str = "abc") -> bytes:
    with Store.opened(folder, COMMON) as store:
        for key in keys:
            if key not in store.done:
                store.append(key, RUNS[key])
    return (folder / ROWS).read_bytes()


def test_rows_carry_the_key_and_their_file(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in fill(tmp_path).splitlines()]
    assert rows[0] == {**COMMON, "run": "a", "part": 0, "parts": 1, "x": 1.5}
    assert [(row["run"], row["part"], row["parts"]) for row in rows[1:4]] == [
        ("b", 0, 3),
        ("b", 1, 3),
        ("b", 2, 3),
    ]
    assert rows[1]["file"] == "traces/b.parquet"
    assert rows[1]["sha256"] == sha256(b"trace").hexdigest()
    assert (tmp_path / "traces/b.parquet").read_bytes() == b"trace"
    assert rows[4]["x"] is None


def test_a_write_cut_at_any_byte_is_mended(tmp_path: Path) -> None:
    whole = fill(tmp_path / "whole")
    for cut in range(len(whole) + 1):
        folder = tmp_path / "cut"
        folder.mkdir(exist_ok=True)
        (folder / ROWS).write_bytes(whole[:cut])
        assert fill(folder) == whole


def test_resuming_a_whole_file_changes_nothing(tmp_path: Path) -> None:
    first = fill(tmp_path)
    with Store.opened(tmp_path, COMMON) as store:
        assert store.done == {"a", "b", "c"}
    assert (tmp_path / ROWS).read_bytes() == first


@pytest.mark.parametrize("line", [b"not json\n", b"[1]\n", b'{"a": 1}\n', b"\xff\xfe\n", b"\n"])
def test_a_foreign_line_is_refused_and_kept(tmp_path: Path, line: bytes) -> None:
    whole = fill(tmp_path) + line
    (tmp_path / ROWS).write_bytes(whole)
    with pytest.raises(DataError, match=r"expected line 6 of .* to be the next row of results"):
        fill(tmp_path)
    assert (tmp_path / ROWS).read_bytes() == whole


@pytest.mark.parametrize(
    "content",
    [
        b"my precious notes, no newline",
        b'{"run": "a", "part": null, "parts": 1}\n',
        b'{"run": ["a"], "part": 0, "parts": 1}\n',
        b'{"run": "a", "part": 1, "parts": 2}\n',
        b'{"run": "a", "part": 0, "parts": 2}\n{"run": "b", "part": 0, "parts": 1}\n',
        b'{"run": "a", "part": 0, "parts": 1}\rnotes\n',
        bytes(range(256)),
    ],
)
def test_what_no_run_wrote_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ROWS).write_bytes(content)
    with pytest.raises(DataError, match=r"expected line \d of .* to be the next row"):
        fill(tmp_path)
    assert (tmp_path / ROWS).read_bytes() == content


def test_a_lost_attachment_is_named(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "traces" / "b.parquet").unlink()
    with pytest.raises(DataError, match=r"expected the file traces/b.parquet beside"):
        fill(tmp_path)


def test_a_file_half_moved_is_swept(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "traces" / ".abc.part").write_text("half")
    fill(tmp_path)
    assert [path.name for path in (tmp_path / "traces").iterdir()] == ["b.parquet"]


def test_a_full_disk_leaves_whole_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fill(tmp_path, "a")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DataError, match=r"could not write .*: No space left on device"):
            fill(tmp_path)
    assert (tmp_path / ROWS).read_bytes() == before
    assert fill(tmp_path) == fill(tmp_path / "unbroken")


def test_ctrl_c_in_the_middle_of_a_write_leaves_whole_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fill(tmp_path, "a")

    def interrupted(handle: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fill(tmp_path, "ac")
    assert (tmp_path / ROWS).read_bytes() == before


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        Store.opened(tmp_path, COMMON),
        pytest.raises(DataError, match="another process is writing"),
        Store.opened(tmp_path, COMMON),
    ):
        pass
    fill(tmp_path)


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"could not write .*file"):
        fill(tmp_path / "file" / "results")


@given(st.binary(), st.binary())
def test_a_failed_write_keeps_the_old_file(old: bytes, new: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        path = Path(name) / "deep" / "file"
        write_whole(path, old)

        def full(handle: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        patch.setattr(os, "fsync", full)
        with pytest.raises(DataError, match="No space left"):
            write_whole(path, new)
        assert path.read_bytes() == old
        assert list(path.parent.iterdir()) == [path]
