"""Parsed tables, kept as Parquet in the cache folder, so that a second start reads one file.

A cached table's file name holds a hash of the reader's name, the SHA-256 of its sources and the
version of the parsers, so nothing stale is ever read, and the sources need not be there again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.base import DataError, Floats, Space, Table, TableReader
from bench.tables import files

if TYPE_CHECKING:
    import pyarrow as pa

PARSER_VERSION = 3
"""Raised whenever a reader gives another table from the same files."""

GROUPS = ("accuracy", "scores", "score_seconds", "targets", "repeats")
FACTS = (
    *("name", "space", "dataset", "metric", "maximise", "canonical", "sources", "notes"),
    *("directions", "searched_on", "failures"),
)
METADATA = b"ipl-bench"

_LONGEST = 120
"""Of a table's name in a file's; a name may hold a whole path, and file systems take 255."""

_log = logging.getLogger(__name__)


def load(reader: TableReader, space: Space, progress: Any = None) -> Table:
    """Return a reader's table: from the cache, or read from its (fetched, verified) sources.

    Args:
        reader: Says which files and how they are read.
        space: The table's space.
        progress: Shown while a file is fetched; see `files.find`.

    Raises:
        DataError: If a source cannot be had or read, or the space is another one.
    """
    if space.name != reader.space:
        raise DataError(f"{reader.name}: expected space {reader.space!r}, got {space.name!r}")
    place = _place(reader) if reader.files else None
    if place is not None and place.exists():
        try:
            return _load(place)
        except DataError as error:
            _log.warning("reading %s again from its sources: %s", reader.name, error)
    table = reader.read(files.fetch(reader.files, progress), space)
    if place is not None:
        _keep(table, place)
    return table


def _place(reader: TableReader) -> Path:
    """Return where a reader's table is cached; readers without files are not cached."""
    facts = [reader.name, reader.space, str(PARSER_VERSION)]
    facts += [files.source(path).sha256 for path in reader.files]
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    stem = "".join(it if it.isalnum() or it in "-." else "_" for it in reader.name)
    return files.cache_folder() / "tables" / f"{stem[:_LONGEST]}-{digest[:16]}.parquet"


def _keep(table: Table, place: Path) -> None:
    """Write a table; where that fails, say so once, since only time is lost."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with files.replacing(place) as temporary:
            pq.write_table(
                _to_arrow(table),
                temporary,
                compression="zstd",
                use_dictionary=False,
                write_statistics=False,
                write_page_checksum=True,
            )
    except (OSError, pa.ArrowException) as error:
        _warn_once(place.parent, str(error))


@functools.cache
def _warn_once(folder: Path, reason: str) -> None:
    _log.warning("parsed tables are not cached in %s: %s", folder, reason)


def _to_arrow(table: Table) -> pa.Table:
    import pyarrow as pa

    facts = {it: getattr(table, it) for it in FACTS}
    for fact in ("directions", "failures"):
        # As plain dicts: a plugin's mapping may be of another kind, which JSON does not take.
        facts[fact] = {it: _plain(value) for it, value in facts[fact].items()}
    columns: dict[str, Any] = {"arch": pa.array(table.archs, pa.large_string())}
    for group in GROUPS:
        for name, values in getattr(table, group).items():
            columns[f"{group}/{name}"] = values
    if table.training_seconds is not None:
        columns["training_seconds"] = table.training_seconds
    if table.groups is not None:
        columns["groups"] = table.groups
    arrow = pa.table(columns)
    return arrow.replace_schema_metadata({METADATA: json.dumps(facts)})


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool) else dict(value)


def _load(place: Path) -> Table:
    """Read a cached table.

    Raises:
        DataError: If the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        arrow = pq.read_table(place, page_checksum_verification=True)
        facts = json.loads(arrow.schema.metadata[METADATA])
        failures = {
            it: {int(row): why for row, why in reasons.items()}
            for it, reasons in facts.get("failures", {}).items()
        }
        facts |= {"sources": tuple(facts["sources"]), "failures": failures}
        return _from_arrow(arrow, facts)
    except (pa.ArrowException, OSError, LookupError, TypeError, ValueError) as error:
        raise DataError(
            f"expected a cached table, got a damaged {place.name}: {type(error).__name__}: {error}"
        ) from error


def _from_arrow(arrow: pa.Table, facts: dict[str, Any]) -> Table:
    groups: dict[str, dict[str, Floats]] = {group: {} for group in GROUPS}
    seconds = numbers = None
    for column in arrow.column_names:
        group, _, name = column.partition("/")
        if group in groups:
            groups[group][name] = _floats(arrow, column)
        elif column == "training_seconds":
            seconds = _floats(arrow, column)
        elif column == "groups":
            numbers = np.asarray(arrow.column(column).to_numpy(), np.int64)
    return Table(
        archs=arrow.column("arch").to_pylist(),
        accuracy=groups["accuracy"],
        scores=groups["scores"],
        score_seconds=groups["score_seconds"],
        targets=groups["targets"],
        repeats=groups["repeats"],
        training_seconds=seconds,
        groups=numbers,
        **facts,
    )


def _floats(arrow: pa.Table, column: str) -> Floats:
    values: Floats = np.asarray(arrow.column(column).to_numpy(), np.float64)
    return values
