"""Parquet attachments of rows: verified against their SHA-256, read once, cut into traces."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from bench.base import DataError, Floats, Ints, Record

_TRACE_COLUMNS = ("run", "seed", "step", "validation", "queries")


@dataclass(frozen=True, eq=False)
class Trace:
    """What one search saw, one value a query: validation, cumulative queries and seconds."""

    validation: Floats
    queries: Ints
    seconds: Floats | None


class Attachments:
    """The files that rows name, each verified and read once, though many rows may name it."""

    def __init__(self) -> None:
        self._hashes: dict[Path, str] = {}
        self._traces: dict[Path, dict[tuple[str, int], Trace]] = {}

    def columns(self, folder: Path, row: Record) -> dict[str, Any]:
        """The columns, as arrays, of the file that a row names.

        Raises:
            DataError: The file is missing, is no Parquet file, or is not the one the row means.
        """
        return _read_parquet(self._verified(folder, row))

    def trace(self, folder: Path, row: Record) -> Trace:
        """The trace of the run and seed that a row names; raises as `columns` does."""
        path = self._verified(folder, row)
        if path not in self._traces:
            self._traces[path] = _split(path, _read_parquet(path))
        key = str(row["run"]), int(row["seed"])
        if key not in self._traces[path]:
            raise DataError(f"expected run {key[0]!r}, seed {key[1]}, in {path}; got no such trace")
        return self._traces[path][key]

    def _verified(self, folder: Path, row: Record) -> Path:
        inside = PurePosixPath(str(row["file"]))
        if inside.is_absolute() or ".." in inside.parts:
            raise DataError(f"expected a file inside {folder}; got {inside}")
        path = folder / inside
        if path not in self._hashes:
            if not path.is_file():
                raise DataError(f"expected the attachment {path}; got no such file")
            self._hashes[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        wanted, came = row.get("sha256"), self._hashes[path]
        if came != wanted:
            raise DataError(f"expected {path} with SHA-256 {wanted}; got {came}")
        return path


def floats(values: Any) -> Floats:
    """An array of float64; None becomes NaN."""
    return np.asarray(values, dtype=np.float64)


def _read_parquet(path: Path) -> dict[str, Any]:
    """Columns by name; text that repeats stays encoded, as a pair of values and codes."""
    import pyarrow
    import pyarrow.parquet

    try:
        names = pyarrow.parquet.read_schema(path).names
        # The architecture of every query is not reported, and is most of a trace's bytes.
        wanted = [name for name in names if name != "arch" or "step" not in names]
        table = pyarrow.parquet.read_table(path, columns=wanted).combine_chunks()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"expected a Parquet file; got {path}: {error}") from error
    columns: dict[str, Any] = {}
    for name in wanted:
        column = table.column(name)
        if name == "run":
            runs = column.cast(pyarrow.string()).combine_chunks().dictionary_encode()
            columns[name] = runs.dictionary.to_pylist(), runs.indices.to_numpy()
        else:
            columns[name] = column.to_numpy()
    return columns


def _split(path: Path, columns: Mapping[str, Any]) -> dict[tuple[str, int], Trace]:
    """Cut a trace file into its runs and seeds, each in the order of its steps."""
    missing = [name for name in _TRACE_COLUMNS if name not in columns]
    if missing:
        raise DataError(f"expected a trace in {path}; got a file without {', '.join(missing)}")
    names, run = columns["run"]
    seed = columns["seed"].astype(np.int64)
    order = np.lexsort((columns["step"], seed, run))
    run, seed = run[order], seed[order]
    validation = floats(columns["validation"])[order]
    queries = columns["queries"].astype(np.int64)[order]
    seconds = floats(columns["seconds"])[order] if "seconds" in columns else None
    changes = (np.diff(run) != 0) | (np.diff(seed) != 0)
    edges = [0, *(np.flatnonzero(changes) + 1).tolist(), run.size]
    return {
        (names[run[a]], int(seed[a])): Trace(
            validation[a:b],
            queries[a:b],
            None if seconds is None or np.isnan(seconds[a:b]).any() else seconds[a:b],
        )
        for a, b in pairwise(edges)
        if b > a
    }
