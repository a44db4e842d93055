"""`ipl-bench predict`: predictions of some tasks, without a study."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from bench.base import Budget, OptionError, Record
from bench.runs import members
from bench.runs.parquet import to_bytes
from bench.runs.predict import predict_all, predictions, told
from bench.runs.row import PredictRun
from bench.runs.store import write_whole
from bench.runs.tasks import Task

SHOWN = ("task", "predictor", "seed", "queries", "scored", "seconds", "error", "facts")


def rows(
    tasks: Iterable[Task],
    predictors: Sequence[str],
    queries: int,
    seeds: int,
    tell: Callable[[Record], None],
) -> tuple[list[Record], list[pa.Table]]:
    """Predict every task by every predictor: the rows, and what was predicted.

    `tell` is given each row as its run is done. Raises what is wrong with a name or option before
    anything is predicted.
    """
    if not predictors:
        known = ", ".join(members.names("predictors"))
        raise OptionError(f"expected at least one --predictor, one of {known}")
    for text in predictors:
        members.predictor(text)
    done: list[Record] = []
    kept: list[pa.Table] = []
    for task in tasks:
        for text in dict.fromkeys(predictors):
            run = PredictRun(task.name, text, Budget(queries=queries), 0, seeds)
            found = predict_all(task, run)
            for each in found:
                done.append(told(task, run, each))
                tell(done[-1])
            if any(each.prediction is not None for each in found):
                kept.append(_named(predictions(task, found), run))
    return done, kept


def _named(table: pa.Table, run: PredictRun) -> pa.Table:
    """What was predicted, with the run's name before it, so that files of several can be told."""
    rows = pa.array([0] * table.num_rows, pa.int32())
    return table.add_column(0, "run", pa.DictionaryArray.from_arrays(rows, pa.array([run.key])))


def write_scores(path: Path, kept: Sequence[pa.Table]) -> None:
    """Write what was predicted as one Parquet file, whole or not at all; null where it was not."""
    table = pa.concat_tables(kept, promote_options="default").unify_dictionaries()
    write_whole(path, to_bytes(table))
