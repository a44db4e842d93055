"""A folder of files that one command writes, and of which it removes what it no longer writes.

What was written stands in `written.sha256`, as sha256sum writes it: a hash, two spaces, a name
relative to the folder. A file is removed only if it is listed and its content is still the listed
one, so nobody loses a file of their own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.base import DataError
from bench.runs.store import unwritable, write_whole

LIST = "written.sha256"

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def replace_files(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files, and remove those of an earlier call that are not among them.

    Args:
        folder: Where to write; it is made if it is not there.
        files: Contents by name, relative to the folder, with slashes.

    Returns:
        The files written, the list of them last.

    Raises:
        DataError: A file cannot be written or removed, or the list is not one of ours.
    """
    old = listed(folder)
    new = {(digest(content), name) for name, content in files.items()}
    # Old and new at first: whatever is written before a crash is known to the next call.
    write_whole(folder / LIST, _text(old | new))
    for name, content in files.items():
        write_whole(folder / name, content)
    for known, name in sorted(old):
        if name not in files:
            _remove(folder, name, known)
    write_whole(folder / LIST, _text(new))
    return [folder / name for name in (*files, LIST)]


def digest(content: bytes) -> str:
    """The hash of a file's content, as the list has it."""
    return hashlib.sha256(content).hexdigest()


def _text(entries: Iterable[tuple[str, str]]) -> bytes:
    ordered = sorted(entries, key=lambda entry: (entry[1], entry[0]))
    return "".join(f"{known}  {name}\n" for known, name in ordered).encode(errors="surrogateescape")


def listed(folder: Path) -> set[tuple[str, str]]:
    """Pairs of hash and name of what was written into a folder; none where there is no list yet.

    Raises DataError for a list that is not one of ours.
    """
    path = folder / LIST
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise DataError(f"could not read {path}: {error.strerror or error}") from error
    entries = set()
    for number, line in enumerate(filter(None, lines), start=1):
        found = _LINE.fullmatch(line)
        if found is None or Path(found[2]).is_absolute() or ".." in Path(found[2]).parts:
            raise DataError(
                f"expected a hash and a name of a file beside it in {path}, line {number}; "
                f"got {line[:80]!r}"
            )
        entries.add((found[1], found[2]))
    return entries


def _remove(folder: Path, name: str, known: str) -> None:
    """Remove a file if it is still as it was written, then folders that are empty for it."""
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
        if not inside or not path.is_file() or digest(path.read_bytes()) != known:
            return
        path.unlink()
        for parent in path.parents:
            if parent == folder or any(parent.iterdir()):
                break
            parent.rmdir()
    except OSError as error:
        raise unwritable(path, error) from error
