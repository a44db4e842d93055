"""The store: rows appended to one file, attachments beside it, nothing lost and nothing twice.

A results folder holds `rows.jsonl`, `scores/` and `traces/`, `provenance.json`, and `log.jsonl`
(wall-clock seconds and commands: the only file whose bytes differ between two equal runs).
A run's attachment is written first, under a temporary name and moved into place; then its rows
are appended in one write. Rows tell how many belong together (`part` of `parts`), so whatever
instant a process is killed at, the next one sees which run was cut off, takes its rows back, and
does that run anew.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout

from bench.base import DataError, Record
from bench.runs.row import Attachment, Outcome, line

ROWS = "rows.jsonl"
PROVENANCE = "provenance.json"


class Store:
    """Append to one results folder; open it with `opened`, which holds its lock."""

    def __init__(self, folder: Path, common: Record) -> None:
        self.folder = folder
        self._common = common
        self.done = self._repair()

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, common: Record) -> Iterator[Store]:
        """Lock a results folder (made if missing), mend its end, and give its store.

        Raises DataError where another process holds it, or it cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / ".lock")
            lock.acquire(timeout=0)
        except Timeout:
            raise DataError(f"another process is writing to {folder}; wait for it to end") from None
        except OSError as error:
            raise unwritable(folder, error) from error
        try:
            yield cls(folder, common)
        finally:
            lock.release()

    def append(self, key: str, outcome: Outcome) -> None:
        """Add one run's attachment and rows. Raises DataError where they cannot be written."""
        attached: Record = {}
        if outcome.attachment is not None:
            self.write(outcome.attachment)
            digest = sha256(outcome.attachment.content).hexdigest()
            attached = {"file": outcome.attachment.path, "sha256": digest}
        parts = len(outcome.rows)
        text = "".join(
            line({**self._common, "run": key, "part": part, "parts": parts, **row, **attached})
            for part, row in enumerate(outcome.rows)
        )
        self._append(self.folder / ROWS, text.encode())
        self.done.add(key)

    def log(self, record: Record) -> None:
        """Add a line to the log, which no result depends on."""
        self._append(self.folder / "log.jsonl", line(record).encode())

    def write(self, attachment: Attachment) -> None:
        """Put a file into the folder, whole or not at all."""
        write_whole(self.folder / attachment.path, attachment.content)

    def write_provenance(self, content: Record) -> None:
        """Say where the rows come from. Raises DataError where that cannot be written."""
        text = json.dumps(content, indent=1) + "\n"
        self.write(Attachment(PROVENANCE, text.encode()))

    def _append(self, path: Path, content: bytes) -> None:
        try:
            with path.open("ab") as file:
                start = file.tell()
                try:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                except BaseException:
                    os.ftruncate(file.fileno(), start)
                    raise
        except OSError as error:
            raise unwritable(path, error) from error

    def _repair(self) -> set[str]:
        """Cut off what a killed process left unfinished; return the keys of finished runs.

        Raises DataError, and changes nothing, where the file is not one of rows.
        """
        path = self.folder / ROWS
        for leftover in self.folder.rglob(".*.part"):
            leftover.unlink()
        if not path.exists():
            return set()
        content = path.read_bytes()
        *lines, torn = content.split(b"\n")
        if not (torn[:2] == b'{"' or b'{"'.startswith(torn)):
            raise not_a_row(path, len(lines) + 1, torn)
        done: set[str] = set()
        whole = position = 0
        open_run: tuple[str, int] | None = None
        for number, text in enumerate(lines, start=1):
            position += len(text) + 1
            run, part, parts = _key(path, number, text)
            if (run, part) != (open_run or (run, 0)):
                raise not_a_row(path, number, text)
            open_run = (run, part + 1)
            if part + 1 == parts:
                done.add(run)
                whole, open_run = position, None
        if whole < len(content):
            with path.open("r+b") as file:
                file.truncate(whole)
        return done


def _key(path: Path, number: int, text: bytes) -> tuple[str, int, int]:
    """The run, part and parts of a row. Raises DataError for what is no row."""
    try:
        row = json.loads(text)
        run, part, parts = row["run"], row["part"], row["parts"]
    except (ValueError, TypeError, LookupError):
        raise not_a_row(path, number, text) from None
    if not (isinstance(run, str) and type(part) is type(parts) is int and 0 <= part < parts):
        raise not_a_row(path, number, text)
    if "file" in row and not (path.parent / str(row["file"])).is_file():
        raise DataError(
            f"expected the file {row['file']} beside {path}, which its line {number} names, got "
            "none; bring it back, or move the folder away and run anew"
        )
    return run, part, parts


def not_a_row(path: Path, number: int, text: bytes) -> DataError:
    """The one sentence for a line that no run wrote, or not there."""
    return DataError(
        f"expected line {number} of {path} to be the next row of results, got {text[:60]!r}; "
        "mend the file, or move the folder away and run anew"
    )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and move it into place.

    Raises DataError where that fails; then the old file, if any, stays as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> DataError:
    """The one sentence for a file or folder that could not be written."""
    return DataError(f"could not write {path}: {error.strerror or error}")
