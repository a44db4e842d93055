"""Predict the scores of whole tasks from the proxies of a few architectures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from bench.api.arguments import whole
from bench.api.say import quietly
from bench.api.tasks import as_tasks
from bench.base import Budget, OptionError, Record
from bench.runs import members
from bench.runs.parquet import to_bytes
from bench.runs.predict import predict_all, predictions, told
from bench.runs.row import PredictRun
from bench.runs.store import write_whole
from bench.runs.tasks import Task

if TYPE_CHECKING:
    import pandas as pd

SHOWN = ("task", "predictor", "seed", "queries", "scored", "seconds", "error", "facts")


@dataclass(frozen=True, eq=False)
class PredictedTasks:
    """What some predictors gave: rows, one a prediction, and the predicted scores."""

    rows: tuple[Record, ...]
    scores: tuple[pa.Table, ...]
    """What was predicted, in the schema of `bench.runs.predict.predictions`, by run."""

    def __repr__(self) -> str:
        tasks = ", ".join(dict.fromkeys(row["task"] for row in self.rows))
        return f"PredictedTasks({len(self.rows)} predictions on {tasks})"

    def to_frame(self) -> pd.DataFrame:
        """Give a row a prediction.

        `task`, `predictor`, `budget`, `seed`, `status`, `error`, `queries`, `scored`, `seconds`,
        `n` and `predicted` (architectures), and `facts` that the predictor tells of itself.
        """
        import pandas as pd

        return pd.DataFrame.from_records(list(self.rows))

    def scores_frame(self) -> pd.DataFrame:
        """Give a row an architecture and seed, with what was predicted; NaN where nothing was."""
        import pandas as pd

        if not self.scores:
            return pd.DataFrame()
        table = pa.concat_tables(self.scores, promote_options="default").unify_dictionaries()
        found: pd.DataFrame = table.to_pandas()
        return found


def predict(
    tasks: str | Task | Sequence[str | Task],
    predictors: Any,
    *,
    queries: int = 0,
    seeds: int = 10,
    quiet: bool = False,
) -> PredictedTasks:
    """Predict the scores of whole tasks from the proxies of a few, once for every seed.

    Args:
        tasks: Tasks, or their names.
        predictors: A name, `name,option=value,...`, a function, a pair (name, function), or a list
            of them.
        queries: How many accuracies may be read.
        seeds: How many predictions, by the seeds 0, 1, ...
        quiet: Say nothing on stderr.

    Raises:
        BenchError: A task or predictor is not known, or an option does not fit.
    """
    queries, seeds = whole("queries", queries), whole("seeds", seeds, 1, 1_000_000)
    with quietly(quiet), members.lent("predictors", members.listed(predictors)) as names:
        found, scores = rows(as_tasks(tasks), names, queries, seeds, lambda _: None)
    return PredictedTasks(tuple(found), tuple(scores))


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
