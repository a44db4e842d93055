"""Predicted scores against recorded ones and against accuracy, and what predictors tell of it.

A predictor reads a few architectures and scores them all, so correlations are given twice: on
those it did not read, neither a proxy nor the accuracy, and on all. Every value is a mean over
seeds with its standard deviation and a 95 % interval (`bench.metrics.intervals.mean_interval`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bench.base import Floats, Record
from bench.metrics.draws import Counts
from bench.metrics.intervals import mean_interval
from bench.metrics.rank import kendall, spearman
from bench.reports.load import Study
from bench.reports.predicted import Predicted, Predictions
from bench.reports.sample import defined, failures_lowest
from bench.reports.score_sets import ScoreSet
from bench.reports.tables import Cell, Table, number
from bench.runs.pool import in_order

FACTS = "prediction-facts"
"""What the files and tables of facts are called."""
ACCURACIES = ("validation", "test")
_TARGETS = ("recorded", *ACCURACIES)
_METRICS: Mapping[str, Callable[..., Any]] = {"kendall": kendall, "spearman": spearman}
_ARCHS = ("unread", "all")
_COSTS = ("queries", "scored", "seconds")


@dataclass(frozen=True, eq=False)
class PredictionNumbers:
    """Records of predicted scores, and of facts."""

    scores: Sequence[Record]
    facts: Sequence[Record]


def measure_predictions(study: Study, *, workers: int = 1) -> PredictionNumbers:
    """Compute everything about a study's predictions, groups shared out over processes.

    Returns:
        `scores`: for every task, predictor, budget, predicted score and `archs` (those `unread`
        by the predictor, or `all`) the `seeds`, the mean number `n` of architectures and the
        costs, and for both metrics, as `kendall_recorded`, the correlation of predicted scores
        with the recorded score of the same name and with validation and test accuracy, each with
        `_sd`, `_low` and `_high`; beside it, as `recorded_kendall_validation`, the mean
        correlation of the recorded score itself on the same architectures. None where undefined,
        or where the study does not score the task.
        `facts`: by task, predictor, budget and fact, the mean over `seeds`, likewise.

    Raises:
        DataError: A file is missing, damaged or foreign.
    """
    truths = {each.task: each for each in study.score_sets}
    items = [(group, truths.get(group.task)) for group in study.predictions]
    workers = min(workers, max(len(items), 1))
    found = [records for _, records in in_order(_of_group, items, workers)]
    return PredictionNumbers(
        scores=[record for records in found for record in records],
        facts=[record for group in study.predictions for record in _facts(group)],
    )


def _of_group(item: tuple[Predictions, ScoreSet | None]) -> list[Record]:
    """The records of one predictor with one budget on one task."""
    group, truth = item
    found = group.read()
    accuracies, recorded = aligned(found.archs, truth)
    records = []
    # Matrix products by one thread each: processes share out the cores already.
    with threadpool_limits(1, "blas"):
        for name, predicted in found.scores.items():
            targets = {"recorded": recorded.get(name), **accuracies}
            values = {
                f"{metric}_{target}": taus
                for target in _TARGETS
                for metric, taus in _over(predicted, targets.get(target), found).items()
            }
            own = {
                f"recorded_{metric}_{split}": taus
                for split in ACCURACIES
                for metric, taus in _own(recorded.get(name), accuracies.get(split), found).items()
            }
            by = (~np.isnan(predicted)).all(axis=1)
            for place, archs in enumerate(_ARCHS):
                record = _head(group) | {"score": name, "archs": archs, "seeds": int(by.sum())}
                counted = ~found.read[by] if archs == "unread" else np.ones_like(found.read[by])
                record["n"] = float(counted.sum(axis=1).mean())
                record |= _costs(group)
                for field, taus in values.items():
                    record |= over_seeds(field, taus[:, place])
                for field, taus in own.items():
                    record[field] = _mean(taus[by, place])
                records.append(defined(record))
    return records


def _head(group: Predictions) -> Record:
    return {"task": group.task, "predictor": group.predictor, "budget": group.budget}


def _costs(group: Predictions) -> Record:
    """What reading cost, as means over seeds."""
    costs = {name: [row[name] for _, row in group.rows] for name in _COSTS}
    return {
        name: float("nan") if None in values else float(np.mean(values))
        for name, values in costs.items()
    }


def aligned(
    archs: Sequence[str], truth: ScoreSet | None
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """The `n` accuracies and recorded scores of a pool, larger is better, NaN where unknown."""
    if truth is None:
        return {}, {}
    known = {arch: row for row, arch in enumerate(truth.archs)}
    rows = np.array([known.get(arch, -1) for arch in archs], dtype=np.int64)

    def of(values: Floats) -> Floats:
        return np.where(rows >= 0, values[rows], np.nan)

    sign = 1.0 if truth.maximise else -1.0
    accuracies = {name: sign * of(values) for name, values in truth.accuracy.items()}
    recorded = {name: failures_lowest(of(values)) for name, values in truth.scores.items()}
    return accuracies, recorded


def _over(predicted: Floats, target: Floats | None, found: Predicted) -> dict[str, Floats]:
    """By metric, `s x 2` correlations of each seed's scores on what it did not read, and on all."""
    if target is None:
        return {name: np.full((len(predicted), 2), np.nan) for name in _METRICS}
    rows = [
        correlated(scores, target, np.stack([~read, np.ones_like(read)]))
        for scores, read in zip(predicted, found.read, strict=True)
    ]
    return {name: np.stack([row[name] for row in rows]) for name in _METRICS}


def _own(recorded: Floats | None, target: Floats | None, found: Predicted) -> dict[str, Floats]:
    """By metric, `s x 2` correlations of a recorded score on the same architectures as `_over`."""
    seeds = len(found.read)
    if recorded is None or target is None:
        return {name: np.full((seeds, 2), np.nan) for name in _METRICS}
    counts = np.concatenate([~found.read, np.ones_like(found.read[:1])])
    values = correlated(recorded, target, counts)
    return {
        name: np.stack([taus[:seeds], np.full(seeds, taus[seeds])], axis=1)
        for name, taus in values.items()
    }


def correlated(score: Floats, target: Floats, chosen: Counts) -> dict[str, Floats]:
    """By metric, `r` correlations of two columns of `n` on the rows that `r x n` flags choose."""
    known = ~(np.isnan(score) | np.isnan(target))
    if not known.any():
        return {name: np.full(len(chosen), np.nan) for name in _METRICS}
    counts = chosen[:, known].astype(np.uint8)
    return {
        name: metric(score[known], target[known], counts=counts)
        for name, metric in _METRICS.items()
    }


def _mean(values: Floats) -> float:
    fine = values[np.isfinite(values)]
    return float(fine.mean()) if fine.size else float("nan")


def over_seeds(name: str, values: Floats) -> Record:
    """The mean of `s` values, those defined, as `name`, with `_sd`, `_low` and `_high`.

    The deviation is over n - 1, the interval that of `mean_interval`; NaN where there is none.
    """
    fine = values[np.isfinite(values)]
    nan = float("nan")
    record: Record = {name: _mean(fine), f"{name}_sd": nan, f"{name}_low": nan, f"{name}_high": nan}
    if fine.size > 1:
        low, high = mean_interval(fine[:, None])
        record |= {f"{name}_sd": float(fine.std(ddof=1))}
        record |= {f"{name}_low": float(low[0]), f"{name}_high": float(high[0])}
    return record


def _facts(group: Predictions) -> Iterator[Record]:
    """A record for every fact that a seed of the group tells."""
    told = [row["facts"] for _, row in group.rows]
    for fact in dict.fromkeys(name for each in told for name in each):
        values = np.array([each[fact] for each in told if fact in each], dtype=np.float64)
        yield defined(
            _head(group) | {"fact": fact, "seeds": len(values)} | over_seeds("mean", values)
        )


def prediction_tables(numbers: PredictionNumbers) -> list[Table]:
    """A table of correlations for every task, predictor and budget; then the facts of each task."""
    tables = []
    for (task, predictor, budget), group in groupby(numbers.scores, _named):
        records = list(group)
        rows = tuple(_row(record) for record in records)
        caption = (
            f"Scores predicted on {task} by {predictor} ({_price(records[0])}): mean ± standard "
            "deviation over seeds [95 % interval of the mean] of rank correlations with the "
            "recorded score of the same name and with accuracy, beside the τ that the recorded "
            "score has with that accuracy on the same architectures."
        )
        label = f"predictions-{task}-{predictor}-{budget}"
        tables.append(Table(label, caption, _COLUMNS, rows, 2))
    for task, group in groupby(numbers.facts, lambda record: record["task"]):
        facts = tuple(
            (
                *(Cell(record[name]) for name in ("predictor", "budget", "fact")),
                Cell(_with_spread(record, "mean", _significant)),
                Cell(f"{record['seeds']:,}"),
            )
            for record in group
        )
        caption = (
            f"What predictors tell of themselves on {task}: mean ± standard deviation over seeds "
            "[95 % interval of the mean]."
        )
        columns = ("predictor", "budget", "fact", "mean", "seeds")
        tables.append(Table(f"{FACTS}-{task}", caption, columns, facts, 3))
    return tables


def _named(record: Record) -> tuple[str, str, str]:
    return record["task"], record["predictor"], record["budget"]


def _price(record: Record) -> str:
    """What a predictor read, on average over seeds."""
    seconds = record["seconds"]
    told = [f"proxies of {number(record['scored'], 0)} architectures read"]
    told.append(f"{number(record['queries'], 0)} accuracies")
    told.append("seconds not recorded" if seconds is None else f"{seconds:,.0f} simulated seconds")
    return ", ".join([*told, f"{record['seeds']} seeds"])


_COLUMNS = (
    *("score", "architectures", "n", "τ, recorded", "ρ, recorded"),
    *("τ, validation", "recorded’s own", "τ, test", "recorded’s own"),
)


def _row(record: Record) -> tuple[Cell, ...]:
    cells = [record["score"], record["archs"], f"{record['n']:,.0f}"]
    cells += [_with_spread(record, f"{metric}_recorded", _three) for metric in _METRICS]
    for split in ACCURACIES:
        cells.append(_with_spread(record, f"kendall_{split}", _three))
        cells.append(_three(record[f"recorded_kendall_{split}"]))
    return tuple(map(Cell, cells))


def _with_spread(record: Record, name: str, write: Callable[[float | None], str]) -> str:
    """A mean with its deviation and interval: `0.632 ± 0.010 [0.628, 0.636]`."""
    mean = write(record[name])
    if record[f"{name}_sd"] is None:
        return mean
    spread, low, high = (write(record[f"{name}_{end}"]) for end in ("sd", "low", "high"))
    ends = "" if record[f"{name}_low"] is None else f" [{low}, {high}]"
    return f"{mean} ± {spread}{ends}"


def _three(value: float | None) -> str:
    return number(value, 3)


def _significant(value: float | None) -> str:
    """A number of any size by four of its digits."""
    return number(None, 0) if value is None else f"{value:.4g}".replace("-", "\N{MINUS SIGN}")
