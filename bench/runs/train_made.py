"""A made table read back: its run, its recipe, its rows, and how much seeds and cells matter."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.base import BenchError, DataError, Record
from bench.runs.train import TrainRun
from bench.runs.train_store import PARTS, column
from bench.tables.made import METADATA
from bench.training.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Made:
    """A made table as it is recorded."""

    run: TrainRun
    recipe: Recipe
    told: Record
    """What `train_store.about` told when it was made."""
    rows: list[Record]
    """One a training, by column."""

    @property
    def columns(self) -> list[str]:
        """Those of accuracies."""
        return [column(name, mark, self.recipe) for name in PARTS for mark in self.marks]

    @property
    def marks(self) -> tuple[int, ...]:
        """After how many epochs accuracies were taken."""
        return self.recipe.checkpoints


def read(path: Path) -> Made:
    """Read a made table. Raises DataError for a file that is none, or that is damaged."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"expected a table of make-table, got {path}: {error}") from error
    try:
        told: Record = json.loads((table.schema.metadata or {})[METADATA])
        run = TrainRun(**{name: _tupled(value) for name, value in told["run"].items()})
        recipe = Recipe(**told["recipe"])
        told["images_sha256"], told["trained_on"].keys()
    except (ValueError, TypeError, LookupError, AttributeError, BenchError) as error:
        raise DataError(
            f"expected {path} to say in its metadata how it was made, got "
            f"{type(error).__name__}: {error}"
        ) from error
    made = Made(run, recipe, told, table.to_pylist())
    wanted = {"arch", "seed", "status", "error", "stack", "seconds", *made.columns}
    missing = sorted(wanted - set(table.column_names))
    if missing:
        raise DataError(f"expected a column {missing[0]} in {path}, got none of that name")
    if len(made.rows) != run.rows:
        raise DataError(f"expected {run.rows} rows in {path}, got {len(made.rows)}")
    return made


def sd_of_seeds(made: Made, name: str) -> float | None:
    """The standard deviation of a column between seeds of one architecture, pooled over all.

    Squares about each architecture's mean are summed and divided by the degrees of freedom, which
    are one less than seeds for each. None where no architecture has values of two seeds.
    """
    by_arch: defaultdict[str, list[float]] = defaultdict(list)
    for row in made.rows:
        if row[name] is not None:
            by_arch[row["arch"]].append(row[name])
    several = [np.array(values) for values in by_arch.values() if len(values) > 1]
    if not several:
        return None
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in several)
    return float(np.sqrt(squares / sum(len(values) - 1 for values in several)))


def summary(made: Made) -> Iterator[Record]:
    """One record a checkpoint: validation accuracies of the first seed, in percent.

    `n` architectures that have one, their `mean`, `sd_of_cells` (the standard deviation between
    architectures, which that of seeds is a part of), `sd_of_seeds` (see there) and their `ratio`;
    of all rows how many `diverged` and `failed`, and their `seconds`.
    """
    statuses = Counter(row["status"] for row in made.rows)
    first = [row for row in made.rows if row["seed"] == made.run.seeds[0]]
    seconds = sum(row["seconds"] or 0.0 for row in made.rows)
    for mark in made.marks:
        name = column("validation", mark, made.recipe)
        values = [row[name] for row in first if row[name] is not None]
        between = float(np.std(values, ddof=1)) if len(values) > 1 else None
        within = sd_of_seeds(made, name)
        yield {
            "epochs": mark,
            "n": len(values),
            "mean": float(np.mean(values)) if values else None,
            "sd_of_cells": between,
            "sd_of_seeds": within,
            "ratio": between / within if between is not None and within else None,
            "diverged": statuses["diverged"],
            "failed": statuses["failed"],
            "seconds": seconds,
        }


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
