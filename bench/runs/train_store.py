"""Where the rows of a table in the making go.

While a run goes on, its rows stand in `.table.jsonl` of the results folder (`bench.runs.stream`);
at the end `table.parquet` takes their place, and `rows.jsonl` says so. The Parquet's metadata
holds, as JSON under `METADATA`, all that training a row again needs: the file alone is enough.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import pyarrow as pa

from bench.base import Arch, Record, Space
from bench.runs import provenance
from bench.runs.row import Outcome
from bench.runs.store import Store
from bench.runs.stream import RowStream, attached, batched, write_batches
from bench.runs.streamed import all_versions
from bench.runs.train import TrainRun, kind_of_machine, plan
from bench.tables.made import EARLIER, KIND, METADATA

if TYPE_CHECKING:
    from bench.training.recipe import Recipe

STREAM = ".table.jsonl"
TABLE = "table.parquet"
KEY = "table"
"""The run's key in rows.jsonl; a results folder holds one table."""
PARTS = ("validation", "test", "train")
"""Of the images, in the order of columns."""


class TrainStream(RowStream):
    """The rows of trainings."""

    fields = ("arch", "seed", "status", "error", "accuracy", "seconds", "stack")

    def count(self, run: TrainRun, space: Space, archs: Sequence[Arch]) -> int:
        """How many rows of the run are there. Raises DataError unless they are its first ones."""
        return self.counted(
            (group.seed, space.text(arch)) for group in plan(run, archs) for arch in group.archs
        )


def about(run: TrainRun, recipe: Recipe, images_sha256: str) -> Record:
    """What a table says of itself, as JSON has it."""
    content: Record = {
        "kind": KIND,
        "run": asdict(run),
        "recipe": asdict(recipe),
        "images_sha256": images_sha256,
        "trained_on": kind_of_machine(run.device),
        "versions": all_versions(),
        "commit": provenance.commit(),
        "machine": provenance.machine(),
    }
    known: Record = json.loads(json.dumps(content))
    return known


def column(part: str, mark: int, recipe: Recipe) -> str:
    """The column of a part's accuracy after so many epochs: `test@3`, or `test` at the end."""
    return part if mark == recipe.epochs else f"{part}{EARLIER}{mark}"


def finish(store: Store, run: TrainRun, recipe: Recipe, stream: TrainStream, told: Record) -> None:
    """Write a run's Parquet from its stream, and its row. Raises DataError."""
    statuses: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    seconds = 0.0
    for row in stream.rows():
        statuses[row["status"]] += 1
        if row["status"] == "failed":
            errors[row["error"]] += 1
        seconds += row["seconds"] or 0.0
    write_batches(store.folder / TABLE, _batches(recipe, stream.rows(), told))
    row = {
        "kind": KEY,
        "task": f"{run.space}/{recipe.dataset}",
        "status": "ok",
        "error": None,
        **asdict(run),
        "seed": run.seeds[0],
        "n": run.rows,
        "statuses": dict(statuses),
        "errors": dict(errors),
        "seconds": seconds,
        **attached(store.folder, TABLE),
    }
    store.append(KEY, Outcome([row]))


def _batches(recipe: Recipe, rows: Iterator[Record], told: Record) -> Iterator[pa.RecordBatch]:
    """Record batches with columns as `bench.tables` reads them."""
    marks = list(enumerate(recipe.checkpoints))
    for part in batched(rows):
        columns: dict[str, pa.Array] = {
            "arch": pa.array([row["arch"] for row in part], pa.string()),
            "seed": pa.array([row["seed"] for row in part], pa.int64()),
            "status": pa.array([row["status"] for row in part], pa.string()),
            "error": pa.array([row["error"] for row in part], pa.string()),
        }
        # Those at the end first, then earlier ones.
        for at, mark in [marks[-1], *marks[:-1]]:
            for name in PARTS:
                values = [row["accuracy"][name][at] for row in part]
                columns[column(name, mark, recipe)] = pa.array(values, pa.float64())
        columns["seconds"] = pa.array([row["seconds"] for row in part], pa.float64())
        columns["stack"] = pa.array([row["stack"] for row in part], pa.int64())
        batch = pa.record_batch(columns)
        yield batch.replace_schema_metadata({METADATA: json.dumps(told)})
