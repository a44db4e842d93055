"""Where the rows of a live run go: streamed to a file, and written whole as Parquet at the end.

While a run goes on, its rows stand in `.live.jsonl` of the results folder, each handed to the
system as it is done, so killing the process loses none, and written through once a second, so
losing power loses a second. A torn last line is cut off when the run goes on. At the end
`live.parquet` takes the rows' place, and `rows.jsonl` says so; nothing here holds all rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from bench.base import Arch, Record, Space
from bench.runs.live import LiveRun
from bench.runs.row import Outcome
from bench.runs.store import Store
from bench.runs.stream import RowStream, attached, batched, write_batches

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
