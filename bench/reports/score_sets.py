"""The scores of one task as a run left them: what correlations are taken of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.base import BenchError, DataError, Floats, Ints, Record
from bench.reports.attachments import Attachments, floats
from bench.runs import members
from bench.runs.classes import of_function
from bench.runs.score import borrowers


@dataclass(frozen=True, eq=False)
class ScoreSet:
    """The scores of `n` architectures on one task, and what correlations are taken against.

    In `scores`, NaN means not recorded and -inf failed. `accuracy` holds `n` values under
    `validation`, `test` or both, NaN where unknown; `truth` names one of them.
    """

    task: str
    space: str
    dataset: str
    metric: str
    maximise: bool
    truth: str
    archs: tuple[str, ...]
    accuracy: Mapping[str, Floats]
    scores: Mapping[str, Floats]
    seconds: Mapping[str, Floats] = field(default_factory=dict)
    targets: Mapping[str, Floats] = field(default_factory=dict)
    repeats: Mapping[str, Floats] = field(default_factory=dict)
    """`n` accuracies by split and training seed, as `validation/3`, NaN where unknown."""
    seed: int = 0
    """What initial weights and minibatches were drawn with, where scores were computed live."""

    groups: Ints | None = None
    """`n` numbers, equal in architectures that share their scores; None where each has its own."""

    errors: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """How many architectures failed for each reason, by proxy, as far as the run told."""

    by_class: int = 0
    """How many architectures have the score of another of the same function."""

    @property
    def target(self) -> Floats:
        """The `n` values of the accuracy that correlations are taken against."""
        return self.accuracy[self.truth]


def score_set(folder: Path, row: Record, attachments: Attachments, *, shared: bool) -> ScoreSet:
    """Read one task's scores.

    Args:
        folder: Where the row's file lies.
        row: Of kind `score`.
        attachments: Reads files.
        shared: Whether a live run scored one architecture of each function, for all of them.

    Raises:
        DataError: The file is missing, damaged or foreign.
    """
    columns = attachments.columns(folder, row)
    proxies = [str(name) for name in row["proxies"]]
    truth = str(row["truth"])
    wanted = ["arch", truth, *(f"score:{name}" for name in proxies)]
    missing = [name for name in wanted if name not in columns]
    if truth not in ("validation", "test") or missing:
        raise DataError(
            f"expected columns {', '.join(wanted)} in {folder / row['file']}; got none called "
            f"{', '.join(missing) or truth}"
        )
    groups = _groups(row, columns, shared=shared)
    told = row.get("by_class")
    return ScoreSet(
        task=str(row["task"]),
        space=str(row["space"]),
        dataset=str(row["dataset"]),
        metric=str(row["metric"]),
        maximise=bool(row["maximise"]),
        truth=truth,
        archs=tuple(columns["arch"]),
        accuracy={n: floats(columns[n]) for n in ("validation", "test") if n in columns},
        scores={name: floats(columns[f"score:{name}"]) for name in proxies},
        seconds=_prefixed(columns, "seconds:"),
        targets=_prefixed(columns, "target:"),
        repeats=_prefixed(columns, "repeat:"),
        seed=int(row["seed"]),
        groups=groups,
        errors={str(name): dict(counts) for name, counts in (row.get("errors") or {}).items()},
        by_class=borrowers(groups) if told is None else int(told),
    )


def _groups(row: Record, columns: Mapping[str, Any], *, shared: bool) -> Ints | None:
    """Which of `n` architectures share their scores, if some do."""
    if "group" in columns:
        groups: Ints = np.asarray(columns["group"], dtype=np.int64)
        return groups
    # Before there was that column, a live run of distinct cells still gave all of a class one.
    if not shared or not str(row["run"]).startswith("live/"):
        return None
    try:
        return of_function(members.space(str(row["space"])), columns["arch"])
    except BenchError as error:
        raise DataError(f"expected architectures of {row['task']} to be known; {error}") from error


def _prefixed(columns: Mapping[str, Any], prefix: str) -> dict[str, Floats]:
    return {
        name.removeprefix(prefix): floats(values)
        for name, values in columns.items()
        if name.startswith(prefix)
    }
