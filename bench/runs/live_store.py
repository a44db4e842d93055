"""Where the rows of a live run go: streamed to a file, and written whole as Parquet at the end.

While a run goes on, its rows stand in `.live.jsonl` of the results folder, each handed to the
system as it is done, so killing the process loses none, and written through once a second, so
losing power loses a second. A torn last line is cut off when the run goes on. At the end
`live.parquet` takes the rows' place, and `rows.jsonl` says so; nothing here holds all rows.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, asdict, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from bench.base import Arch, DataError, OptionError, Record, Space
from bench.runs.live import LiveRun
from bench.runs.provenance import folder_of, shared, versions
from bench.runs.row import Outcome
from bench.runs.store import PROVENANCE, ROWS, Store
from bench.runs.stream import RowStream, attached, batched, write_batches

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

STREAM = ".live.jsonl"
SCORES = "live.parquet"
KEY = "live"
"""The run's key in rows.jsonl; a results folder holds one live run."""


class Stream(RowStream):
    """The rows of a live run."""

    fields = ("arch", "seed", "values", "errors", "seconds")

    def count(self, run: LiveRun, space: Space, archs: Sequence[Arch]) -> int:
        """How many rows of the run are there. Raises DataError unless they are its first ones."""
        return self.counted((seed, space.text(arch)) for seed in run.seeds for arch in archs)


class Gist:
    """What a pass over all rows finds out: reasons of failures by proxy, and seconds."""

    def __init__(self, rows: Iterable[Record]) -> None:
        self.rows = 0
        self.errors: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.seconds: Counter[str] = Counter()
        self.total_seconds = 0.0
        self.failed: Counter[str] = Counter()
        """Reasons why whole networks failed."""
        for row in rows:
            self.rows += 1
            self.seconds.update(row["seconds"])
            self.total_seconds += row["total_seconds"]
            for proxy, reason in row["errors"].items():
                self.errors[proxy][reason] += 1
            if row["status"] != "ok":
                self.failed[next(iter(row["errors"].values()))] += 1


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    """The locked store of a folder that `folder_for` named. Raises DataError."""
    with Store.opened(folder, shared(folder.parent.name)) as store:
        yield store


def folder_for(results: Path, study: str, *, resume: bool, stream: str = STREAM) -> Path:
    """The results folder of a run that streams its rows; nothing is made.

    Raises OptionError for a name that is no folder's, and DataError where it holds results,
    finished or not, that are not to be gone on with.
    """
    if not re.fullmatch(r"\w[\w.-]*", study):
        raise OptionError(f"expected --name to be a folder's name, got {study!r}")
    folder = folder_of(results, study)
    if not resume and any((folder / name).exists() for name in (ROWS, stream, PROVENANCE)):
        raise DataError(
            f"{folder} holds results already; go on with them by --resume, or give another --name"
        )
    return folder


def claim(store: Store, run: DataclassInstance, content: Record, stream: str = STREAM) -> None:
    """Write where a run's rows come from, before the first; or see that they go on as they began.

    Raises DataError where the folder holds another run, or one of other versions or data.
    """
    path = store.folder / PROVENANCE
    content = {
        **shared(store.folder.parent.name),
        "run": asdict(run),
        "versions": all_versions(),
        "command": sys.argv[1:],
        **content,
    }
    content = json.loads(json.dumps(content))
    store.log({name: content[name] for name in ("command", "workers")})
    if path.exists():
        before = _checked(path, content, _defaults(run))
        content = {**before, "data_sha256": {**before["data_sha256"], **content["data_sha256"]}}
    elif store.done or (store.folder / stream).exists():
        raise DataError(
            f"{store.folder} holds rows, and no {PROVENANCE} that says of what run; move it away "
            "and run anew"
        )
    store.write_provenance(content)


def _defaults(run: DataclassInstance) -> Record:
    """What stands in for the fields that runs did not have when an earlier one began."""
    known = {each.name: each.default for each in fields(run) if each.default is not MISSING}
    filled: Record = json.loads(json.dumps(known))
    return filled


def _checked(path: Path, content: Record, defaults: Record) -> Record:
    """The provenance that is there. Raises DataError where what is now would be another."""
    try:
        before: Record = json.loads(path.read_text(encoding="utf-8"))
        parts = {what: dict(before[what]) for what in ("run", "versions", "data_sha256")}
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise DataError(f"expected the provenance of a run, got {path}") from error
    parts["run"] = {**defaults, **parts["run"]}
    for what, known in parts.items():
        for name, value in known.items():
            if content[what].get(name, value) != value:
                raise DataError(
                    f"{path.parent} holds results of {name} {_short(value)}, and here it is "
                    f"{_short(content[what][name])}; move them away, or give another --name"
                )
    return before


def all_versions() -> Record:
    """Versions that scores depend on; Pillow's too, which decodes the images."""
    try:
        pillow: str | None = version("pillow")
    except PackageNotFoundError:
        pillow = None
    return versions() | {"pillow": pillow}


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def finish(store: Store, run: LiveRun, stream: Stream) -> None:
    """Write a run's Parquet from its stream, and its row. Raises DataError."""
    gist = Gist(stream.rows())
    write_parquet(store.folder / SCORES, run, stream.rows(), gist)
    row: Record = {
        "kind": "live",
        "task": f"{run.space}/{run.dataset}",
        "seed": run.seeds[0],
        "status": "ok",
        "error": None,
        **asdict(run),
        "shape": dict(run.shape),
        "n": gist.rows,
        "errors": {name: dict(counts) for name, counts in gist.errors.items()},
        "failed_networks": dict(gist.failed),
        "seconds": dict(gist.seconds),
        "total_seconds": gist.total_seconds,
        **attached(store.folder, SCORES),
    }
    store.append(KEY, Outcome([row]))


def finished(folder: Path, key: str = KEY) -> Record:
    """The row of a finished run. Raises DataError where there is none."""
    path = folder / ROWS
    with path.open(encoding="utf-8") as file:
        for text in file:
            row: Record = json.loads(text)
            if row["run"] == key:
                return row
    raise DataError(f"expected the row of a finished {key} run in {path}, got none")


def write_parquet(path: Path, run: LiveRun, rows: Iterable[Record], gist: Gist) -> None:
    """Write rows as a Parquet file, whole or not at all, a record batch at a time.

    Columns: `arch`, `seed`, `score:<proxy>` (as the proxy defines it, null where it failed),
    `error:<proxy>` where it ever failed, `seconds:<proxy>`, `seconds` of the whole row.
    Raises DataError where it cannot be written.
    """
    reasons = {name: sorted(gist.errors[name]) for name in run.proxies if name in gist.errors}
    write_batches(path, _batches(run, iter(rows), reasons))


def _batches(
    run: LiveRun, rows: Iterator[Record], reasons: dict[str, list[str]]
) -> Iterator[pa.RecordBatch]:
    for part in batched(rows):
        columns: dict[str, pa.Array] = {
            "arch": pa.array([row["arch"] for row in part], pa.string()),
            "seed": pa.array([row["seed"] for row in part], pa.int64()),
        }
        for name in run.proxies:
            values = [row["values"][name] for row in part]
            columns[f"score:{name}"] = pa.array(values, pa.float64())
        for name, known in reasons.items():
            codes = [known.index(e) if (e := row["errors"].get(name)) else None for row in part]
            columns[f"error:{name}"] = pa.DictionaryArray.from_arrays(
                pa.array(codes, pa.int32()), pa.array(known, pa.string())
            )
        for name in run.proxies:
            values = [row["seconds"][name] for row in part]
            columns[f"seconds:{name}"] = pa.array(values, pa.float64())
        columns["seconds"] = pa.array([row["total_seconds"] for row in part], pa.float64())
        yield pa.record_batch(columns)
