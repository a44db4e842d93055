"""Do one predict run: a predictor reads a few architectures and scores the whole pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from bench.base import (
    Arch,
    Bools,
    DataError,
    Floats,
    Paths,
    Prediction,
    Predictor,
    Record,
)
from bench.runs import members
from bench.runs.oracle import Oracle
from bench.runs.parquet import to_bytes
from bench.runs.row import Attachment, Outcome, PredictRun, budget_text, file_name
from bench.runs.tasks import Answers, Task, load_task
from bench.tables.columns import column


@dataclass(frozen=True, eq=False)
class Predicted:
    """What one seed of a predictor gave, or why it gave nothing."""

    seed: int
    oracle: Oracle
    prediction: Prediction | None
    error: str | None = None


def run_predict(run: PredictRun) -> Outcome:
    """Run a predictor once for every seed: one row a seed, and one file with what was predicted."""
    task = load_task(run.task)
    done = predict_all(task, run)
    rows = [told(task, run, each) for each in done]
    if all(each.prediction is None for each in done):
        return Outcome(rows)
    path = f"predictions/{file_name(run.key)}.parquet"
    return Outcome(rows, Attachment(path, to_bytes(predictions(task, done))))


def predict_all(task: Task, run: PredictRun) -> list[Predicted]:
    """Run a predictor once for every seed of the run. Raises DataError where the pool is empty."""
    if np.isnan(column(task.table, "validation")).all():
        raise DataError(
            f"expected a task with the validation accuracy of one architecture at least, got "
            f"{task.name} with none"
        )
    predictor, options = members.predictor(run.predictor)
    return [
        predict_once(task.answers, run, predictor, options, seed)
        for seed in range(run.first_seed, run.first_seed + run.seeds)
    ]


def predict_once(
    answers: Answers, run: PredictRun, predictor: Predictor, options: Record, seed: int
) -> Predicted:
    """Run a predictor once. What it raises, or gives amiss, ends this seed alone and is kept.

    The generator is keyed by the seed only: two predictors on one task draw from equal streams.
    Raises BudgetError or DataError where the task cannot be asked within such a budget.
    """
    oracle = Oracle(answers, run.budget)

    def query(arch: Arch) -> float:
        # A function, not the bound method, which would lead to a table.
        return oracle.query(arch)

    try:
        found = predictor(oracle.problem(), query, np.random.default_rng(seed), **options)
        fault = _fault(found, answers.pool)
        if fault is not None:
            nothing = oracle.nothing_read
            return Predicted(seed, oracle, None, f"{fault}; {nothing}" if nothing else fault)
        kept = _copied(found)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's code may raise anything
        return Predicted(seed, oracle, None, f"{type(error).__name__}: {error}")
    return Predicted(seed, oracle, kept)


def _fault(found: object, pool: Sequence[Arch]) -> str | None:
    """What is amiss with what a predictor gave for a pool of `n`, in a sentence."""
    n = len(pool)
    if not isinstance(found, Prediction):
        return f"expected a Prediction, got {type(found).__name__}"
    if not found.scores:
        return "expected predicted scores of at least one name, got none"
    for name, given in found.scores.items():
        values = np.asarray(given, dtype=np.float64)
        if values.shape != (n,):
            return (
                f"expected {n} values of {name}, one for each architecture of the pool, got "
                f"shape {values.shape}"
            )
        fault = _fault_of_numbers(values, f"values of {name}")
        if fault is not None:
            return fault
    for name, value in found.facts.items():
        if not np.isfinite(float(value)):
            return f"expected a finite number as the fact {name}, got {value}"
    fault = None if found.map is None else _fault_of_map(found.map, n)
    return fault if fault or found.paths is None else _fault_of_paths(found, found.paths, pool)


def _fault_of_numbers(values: Floats, what: str) -> str | None:
    wrong = int((~np.isfinite(values)).sum())
    return f"expected finite {what}, got {wrong} of {values.size} that are not" if wrong else None


def _fault_of_map(given: Floats, n: int) -> str | None:
    places = np.asarray(given, dtype=np.float64)
    if places.shape == (n, 2) and np.isfinite(places).all():
        return None
    return f"expected a map of {n} x 2 finite places, got shape {places.shape}"


def _fault_of_paths(found: Prediction, paths: Paths, pool: Sequence[Arch]) -> str | None:
    if found.map is None:
        return "expected paths on a map, got paths and no map"
    if paths.score not in found.scores:
        return f"expected paths along a predicted score, got some along {paths.score}"
    places = np.asarray(paths.places, dtype=np.float64)
    lengths = sorted({len(each) for each in paths.met})
    if len(lengths) != 1 or not lengths[0] or places.shape != (len(paths.met), *lengths, 2):
        return (
            f"expected paths of equally many places and architectures, got shape {places.shape} "
            f"with {len(paths.met)} of {', '.join(map(str, lengths)) or 'no'} architectures"
        )
    fault = _fault_of_numbers(places, "places of paths")
    if fault is not None:
        return fault
    known = set(pool)
    strange = sum(arch not in known for path in paths.met for arch in path)
    return f"expected paths through the pool, got {strange} places outside" if strange else None


def _copied(found: Prediction) -> Prediction:
    """The same in arrays and numbers of our own."""
    scores = {str(name): np.array(each, dtype=np.float64) for name, each in found.scores.items()}
    facts = {str(name): float(value) for name, value in found.facts.items()}
    return Prediction(
        scores,
        facts,
        None if found.map is None else np.array(found.map, dtype=np.float64),
        None if found.paths is None else _copied_paths(found.paths),
        None if found.weights_found_on is None else str(found.weights_found_on),
    )


def _copied_paths(paths: Paths) -> Paths:
    met = tuple(tuple(path) for path in paths.met)
    return Paths(str(paths.score), np.array(paths.places, dtype=np.float64), met)


def told(task: Task, run: PredictRun, done: Predicted) -> Record:
    """The row of one seed; `seconds`, simulated, is null where some are not recorded."""
    seconds = done.oracle.seconds
    row: Record = {
        "kind": "predict",
        "task": task.name,
        "predictor": run.predictor,
        "budget": budget_text(run.budget),
        "seed": done.seed,
        "status": "ok" if done.prediction is not None else "failed",
        "error": done.error,
        "queries": len(done.oracle.steps),
        "seconds": None if np.isnan(seconds) else seconds,
        "scored": done.oracle.scored,
    }
    if task.table.searched_on != "validation":
        row["searched_on"] = task.table.searched_on
    if done.prediction is None:
        return row
    row |= {
        "n": len(task.answers.pool),
        "predicted": list(done.prediction.scores),
        "weights_found_on": done.prediction.weights_found_on,
        "facts": dict(done.prediction.facts),
    }
    paths = done.prediction.paths
    return row if paths is None else row | {"paths": _told_paths(task.answers, paths)}


def _told_paths(answers: Answers, paths: Paths) -> Record:
    """`score`, and `w x k` places and architectures; an architecture by its place in the pool."""
    numbers = {arch: number for number, arch in enumerate(answers.pool)}
    met = [[numbers[arch] for arch in path] for path in paths.met]
    return {"score": paths.score, "places": paths.places.tolist(), "archs": met}


def predictions(task: Task, done: Sequence[Predicted]) -> pa.Table:
    """What some seeds predicted, a row for every seed and architecture of the pool.

    Columns: `seed`, `arch`, whether its proxies were read (`scored`) and its accuracy (`queried`),
    and `score:NAME` for every predicted score, NaN for a seed that did not predict it; and
    `map:x` and `map:y`, where a seed has a map, NaN for one that has not.
    """
    fine = [(each, each.prediction) for each in done if each.prediction is not None]
    answers = task.answers
    rows = np.array([answers.row(arch) for arch in answers.pool], dtype=np.int64)
    texts = pa.array([task.table.archs[row] for row in rows.tolist()], pa.string())
    codes = np.tile(np.arange(len(rows), dtype=np.int32), len(fine))
    columns: dict[str, pa.Array] = {
        "seed": pa.array(np.repeat([each.seed for each, _ in fine], len(rows)), pa.int64()),
        "arch": pa.DictionaryArray.from_arrays(pa.array(codes), texts),
        "scored": _joined([np.isin(rows, each.oracle.scored_rows) for each, _ in fine]),
        "queried": _joined([np.isin(rows, each.oracle.steps) for each, _ in fine]),
    }
    nothing = np.full(len(rows), np.nan)
    for name in dict.fromkeys(name for _, each in fine for name in each.scores):
        columns[f"score:{name}"] = _joined([each.scores.get(name, nothing) for _, each in fine])
    if any(each.map is not None for _, each in fine):
        for axis, name in enumerate("xy"):
            maps = [nothing if each.map is None else each.map[:, axis] for _, each in fine]
            columns[f"map:{name}"] = _joined(maps)
    return pa.table(columns)


def _joined(parts: Sequence[Floats | Bools]) -> pa.Array:
    return pa.array(np.concatenate(parts))
