"""What predictors predicted, found by its rows and read from its files one group at a time.

Scores of a whole pool by every seed are most of what a study holds. So a group, one predictor with
one budget on one task, is read when its numbers are computed, and not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from bench.base import Bools, DataError, Floats, Ints, Record
from bench.reports.attachments import Attachments, floats


@dataclass(frozen=True, eq=False)
class Paths:
    """As `bench.base.Paths`, with architectures by their place among the `n` of the pool."""

    score: str
    places: Floats
    """`w x k x 2`."""
    met: Ints
    """`w x k`."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """What `s` seeds predicted of the `n` architectures of one pool."""

    archs: tuple[str, ...]
    read: Bools
    """`s x n`: whether the predictor read a proxy, or the accuracy, of the architecture."""
    scores: Mapping[str, Floats]
    """`s x n` values by name, NaN for a seed that did not predict it."""
    map: Floats | None = None
    """`n x 2`: where to draw each architecture, as the first seed that tells it says."""
    paths: Paths | None = None
    """Of the same seed."""
    mapped: int = 0
    """Which of the `s` seeds that is, from 0 on; 0 where none has a map."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """The rows of one predictor with one budget on one task, one a seed, and their folders."""

    task: str
    predictor: str
    budget: str
    rows: tuple[tuple[Path, Record], ...]
    """By seed."""

    def read(self) -> Predicted:
        """Read what was predicted.

        Raises:
            DataError: A file is missing, damaged or foreign, or seeds predicted other pools.
        """
        attachments = Attachments()
        files: dict[tuple[Path, str], Mapping[str, Any]] = {}
        seeds = []
        for folder, row in self.rows:
            place = (folder, str(row["file"]))
            if place not in files:
                files[place] = attachments.columns(folder, row)
            seeds.append(_of_seed(folder, row, files[place]))
        archs = seeds[0].archs
        if any(each.archs != archs for each in seeds):
            raise DataError(
                f"expected all seeds of {self.predictor} on {self.task} to predict one pool; got "
                "several"
            )
        missing = np.full((1, len(archs)), np.nan)
        mapped = next((i for i, each in enumerate(seeds) if each.map is not None), 0)
        names = dict.fromkeys(name for each in seeds for name in each.scores)
        return Predicted(
            archs=archs,
            read=np.concatenate([each.read for each in seeds]),
            scores={
                name: np.concatenate([each.scores.get(name, missing) for each in seeds])
                for name in names
            },
            map=seeds[mapped].map,
            paths=seeds[mapped].paths,
            mapped=mapped,
        )


def _of_seed(folder: Path, row: Record, columns: Mapping[str, Any]) -> Predicted:
    """What one seed predicted, `s` being 1."""
    names = [str(name) for name in row["predicted"]]
    wanted = ["seed", "arch", "scored", "queried", *(f"score:{name}" for name in names)]
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise DataError(
            f"expected columns {', '.join(wanted)} in {folder / row['file']}; got none called "
            f"{', '.join(missing)}"
        )
    here = np.flatnonzero(columns["seed"] == row["seed"])
    if len(here) != row["n"]:
        raise DataError(
            f"expected {row['n']} architectures of seed {row['seed']} in {folder / row['file']}; "
            f"got {len(here)}"
        )
    read = columns["scored"][here] | columns["queried"][here]
    return Predicted(
        archs=tuple(columns["arch"][here].tolist()),
        read=read.astype(bool)[None],
        scores={name: floats(columns[f"score:{name}"][here])[None] for name in names},
        map=_map(columns, here),
        paths=_paths(folder, row),
    )


def _paths(folder: Path, row: Record) -> Paths | None:
    """The paths of a seed, None where it tells of none: rows before there were any do not."""
    told = row.get("paths")
    if told is None:
        return None
    where = f"the row of {row['predictor']} on {row['task']}, seed {row['seed']}, in {folder}"
    try:
        score, places = str(told["score"]), np.array(told["places"], dtype=np.float64)
        met = np.array(told["archs"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"expected paths in {where}; got {error!r}") from error
    if met.dtype.kind != "i" or met.ndim != 2 or places.shape != (*met.shape, 2):
        raise DataError(
            f"expected paths of as many places as architectures in {where}; got shapes "
            f"{places.shape} and {met.shape}"
        )
    strange = met[(met < 0) | (met >= row["n"])]
    if strange.size or score not in row["predicted"] or not np.isfinite(places).all():
        raise DataError(
            f"expected finite places of paths along a predicted score, through {row['n']} "
            f"architectures, in {where}; got {score}, {int((~np.isfinite(places)).sum())} that "
            f"are not finite, and {strange.size} outside of the pool"
        )
    return Paths(score, places, met)


def _map(columns: Mapping[str, Any], here: Ints) -> Floats | None:
    """The `n x 2` map of a seed, None where it has none."""
    if not {"map:x", "map:y"} <= set(columns):
        return None
    places = np.stack([floats(columns[f"map:{axis}"][here]) for axis in "xy"], axis=1)
    return None if np.isnan(places).any() else places


def grouped(rows: Iterable[tuple[Path, Record]]) -> tuple[Predictions, ...]:
    """Rows of predict runs, with their folders, by task, predictor and budget.

    Raises:
        DataError: A seed stands twice in a group.
    """
    ordered = sorted(rows, key=lambda pair: (*_group(pair), pair[1]["seed"]))
    found = []
    for (task, predictor, budget), group in groupby(ordered, _group):
        pairs = tuple(group)
        seeds = [row["seed"] for _, row in pairs]
        if len(set(seeds)) < len(seeds):
            twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
            raise DataError(
                f"expected one row a seed of {predictor} with {budget} on {task}; got several of "
                f"seed {', '.join(map(str, twice))}"
            )
        found.append(Predictions(task, predictor, budget, pairs))
    return tuple(found)


def _group(pair: tuple[Path, Record]) -> tuple[str, str, str]:
    row = pair[1]
    return str(row["task"]), str(row["predictor"]), str(row["budget"])
