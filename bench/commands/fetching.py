"""`ipl-bench fetch`: the files of tables, found or downloaded, and verified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bench.base import BenchError, Record
from bench.runs import members
from bench.tables import files


def fetch(
    names: Sequence[str], add: Callable[[Record], None], progress: Callable[[str], Any]
) -> list[str]:
    """Find every file of the tables named (of all, if none is), and return what is wrong.

    `add` is told each file that is here and right; `progress` makes the bar of a download.
    """
    readers = [members.reader(name) for name in names or members.names("tables")]
    missing: list[str] = []
    for path in dict.fromkeys(path for reader in readers for path in reader.files):
        try:
            place = files.find(path, progress(path))
        except BenchError as error:
            missing.append(str(error))
            continue
        known = files.source(path)
        add({"file": path, "bytes": known.bytes, "licence": known.licence, "place": str(place)})
    return missing
