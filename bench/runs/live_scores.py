"""The scores of a finished live run as a table without accuracies, for tasks that borrow them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.base import DataError, Floats, OptionError, Record, Space, Table, TableReader
from bench.proxies.scorer import oriented
from bench.runs import members
from bench.runs.live_store import KEY, SCORES
from bench.runs.store import PROVENANCE, ROWS
from bench.runs.streamed import finished


def live_reader(path: str, space: str) -> TableReader:
    """The reader of a live run's Parquet file, which has to be of that space.

    Nothing is read yet. A relative path is from the working folder.
    """
    place = Path(path)
    # `./` says that it is no path of sources.json; an absolute one says so itself.
    file = str(place) if place.is_absolute() else f"./{place.as_posix()}"

    def read(paths: Mapping[str, Path], space: Space) -> Table:
        return read_live(path, paths[file], space)

    return TableReader(path, space, (file,), read)


def read_live(name: str, path: Path, space: Space) -> Table:
    """Read the scores of a live run: of its first seed, where it has several.

    Rows stand for isomorphism classes where one of each of the whole space was scored (`--all
    --distinct`); one of each of a sample stands for itself. Rankings of the whole population are no
    one architecture's score, and are left out.

    Args:
        name: The table's name.
        path: `live.parquet` in a folder of results; `rows.jsonl` beside it says of what it is.
        space: The space that is wanted.

    Raises:
        DataError: `rows.jsonl` is not there, or tells of no such file.
        OptionError: The run is of another space.
    """
    row = _row(path)
    if row["space"] != space.name:
        raise OptionError(
            f"expected scores of the space {space.name}, got {name}, which is of {row['space']}"
        )
    seed, *others = row["seeds"]
    live = pq.read_table(path, filters=[("seed", "==", seed)]).combine_chunks()
    # Runs of before there were recipes have none.
    notes = f"{row.get('recipe') or row['dataset']}, batches of {row['batch']}, seed {seed}"
    return Table(
        name=name,
        space=space.name,
        dataset=row["dataset"],
        archs=live.column("arch").to_pylist(),
        accuracy={},
        scores={it: _scores(it, live.column(f"score:{it}").to_numpy()) for it in row["proxies"]},
        score_seconds={it: live.column(f"seconds:{it}").to_numpy() for it in row["proxies"]},
        failures={it: _failures(live, it) for it in row["proxies"]},
        canonical=row["distinct"] and _whole(path, row),
        sources=(name,),
        notes=f"{notes}, the first of {1 + len(others)}" if others else notes,
    )


def _row(path: Path) -> Record:
    """The row of the live run whose file this is. Raises DataError where there is none."""
    if not (path.parent / ROWS).is_file():
        raise DataError(
            f"expected {SCORES} of a live run, with {ROWS} beside it, got {path} without"
        )
    row = finished(path.parent, KEY)
    digest = sha256(path.read_bytes()).hexdigest()
    if digest != row["sha256"]:
        raise DataError(
            f"expected {path} as its live run left it, with SHA-256 {row['sha256']}, got {digest}"
        )
    return row


def _whole(path: Path, row: Record) -> bool:
    """Whether a run scored a whole space; of runs whose row does not tell, by the provenance."""
    if "whole" in row:
        return bool(row["whole"] == row["space"])
    try:
        told = json.loads((path.parent / PROVENANCE).read_text(encoding="utf-8"))["architectures"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"expected {path.parent / PROVENANCE} to say which architectures were scored, got "
            f"{type(error).__name__}: {error}"
        ) from error
    return bool(told == "all")


def _failures(live: pa.Table, proxy: str) -> dict[int, str]:
    """Why a proxy failed, by row, where it did."""
    if f"error:{proxy}" not in live.column_names:
        return {}
    reasons = live.column(f"error:{proxy}").to_pylist()
    return {row: reason for row, reason in enumerate(reasons) if reason is not None}


def _scores(proxy: str, values: Floats) -> Floats:
    """The `n` scores of a proxy as tables have them, -inf where they failed.

    A table's columns have the direction of the proxy of that name; one that has no name but a
    place, `file.py:function`, is turned so that larger is better, as columns without facts are.
    """
    scores = np.where(np.isnan(values), -np.inf, values)
    known = proxy in members.names("proxies")
    return scores if known else oriented(scores, members.proxy(proxy))
