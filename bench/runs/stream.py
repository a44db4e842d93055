"""Rows of a long run on their way: streamed to a file of lines, and from there to Parquet.

Each row is handed to the system as it is done, so killing the process loses none, and written
through once a second, so losing power loses a second. A torn last line is cut off when the run
goes on. Nothing here holds all rows.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, ClassVar, Self

import pyarrow as pa
import pyarrow.parquet as pq

from bench.base import Record
from bench.runs.row import line
from bench.runs.store import not_a_row, unwritable

_SYNC_SECONDS = 1.0
_BATCH = 512
"""Rows of one record batch."""


class RowStream:
    """Append a run's rows, and read back those that are there."""

    fields: ClassVar[tuple[str, ...]] = ("arch", "seed")
    """What every row has, besides others."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._synced = time.monotonic()
        self._file: BinaryIO = path.open("ab", buffering=0)

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Self]:
        """Open a stream, cut off a torn last line, and close it. Raises DataError."""
        try:
            _cut_torn(path)
            stream = cls(path)
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            yield stream
        finally:
            stream.close()

    def append(self, row: Record) -> None:
        """Add one row, whole or not at all. Raises DataError where it cannot be written."""
        content = line(row).encode()
        try:
            start = self._file.seek(0, os.SEEK_END)
            try:
                if self._file.write(content) != len(content):
                    raise OSError(f"{self._path} took a part of a row only")
                if time.monotonic() - self._synced >= _SYNC_SECONDS:
                    self.sync()
            except BaseException:
                self._file.truncate(start)
                raise
        except OSError as error:
            raise unwritable(self._path, error) from error

    def extend(self, rows: Iterable[Record], told: Callable[[], None]) -> None:
        """Add rows as they come, and tell of each. Raises what they and `append` do."""
        for row in rows:
            self.append(row)
            told()

    def sync(self) -> None:
        """Have all rows written through to the disk."""
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def close(self) -> None:
        """Write all through, and close the file."""
        self.sync()
        self._file.close()

    def rows(self) -> Iterator[Record]:
        """The rows that are there, one after the other. Raises DataError for a foreign line."""
        with self._path.open("rb") as file:
            for number, text in enumerate(file, start=1):
                try:
                    row = json.loads(text)
                    _ = [row[name] for name in self.fields]
                except (ValueError, TypeError, LookupError):
                    raise not_a_row(self._path, number, text) from None
                yield row

    def counted(self, plan: Iterator[tuple[int, str]]) -> int:
        """How many rows are there. Raises DataError unless they are a plan's first ones.

        The plan, of seeds and texts of architectures, is read as far as rows go.
        """
        count = 0
        for number, row in enumerate(self.rows(), start=1):
            if (row["seed"], row["arch"]) != next(plan, None):
                raise not_a_row(self._path, number, line(row).encode())
            count = number
        return count


def _cut_torn(path: Path) -> None:
    """Cut off what follows the last end of a line."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - (1 << 16))
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        file.truncate(end)


def batched(rows: Iterator[Record]) -> Iterator[list[Record]]:
    """Rows in lists of as many as a record batch holds."""
    while part := list(islice(rows, _BATCH)):
        yield part


def write_batches(path: Path, batches: Iterable[pa.RecordBatch]) -> None:
    """Write record batches of one schema as a Parquet file, whole or not at all, one at a time.

    Raises DataError where it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        writer: pq.ParquetWriter | None = None
        try:
            for batch in batches:
                if writer is None:
                    writer = pq.ParquetWriter(temporary, batch.schema, compression="zstd")
                writer.write_batch(batch)
        finally:
            if writer is not None:
                writer.close()
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def attached(folder: Path, name: str) -> Record:
    """The fields by which a row names a file that is there already."""
    with (folder / name).open("rb") as file:
        return {"file": name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
