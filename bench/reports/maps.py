"""Where a predictor's latent puts architectures: its map, by accuracy and by its best score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.base import Floats
from bench.reports.load import Study
from bench.reports.predicted import Paths
from bench.reports.predictions import ACCURACIES, aligned, correlated


@dataclass(frozen=True, eq=False)
class Mapped:
    """A predictor's map of a pool, coloured two ways."""

    task: str
    predictor: str
    places: Floats
    """`n x 2`."""
    split: str
    accuracy: Floats
    """`n`, larger is better, NaN where unknown."""
    score: str
    """The predicted score that ranks with accuracy best."""
    values: Floats
    """`n`."""
    paths: Paths | None
    """The ways that the predictor took on the map, if it tells of any."""
    climbed: Floats | None
    """`n`: the score that they climb."""
    seed: int
    """Of all this."""


def measure_maps(study: Study) -> Iterator[Mapped]:
    """The map of each predictor that draws one, on tasks whose accuracy the study tells.

    Raises:
        DataError: A file is missing, damaged or foreign.
    """
    truths = {each.task: each for each in study.score_sets}
    for group in study.predictions:
        truth = truths.get(group.task)
        found = group.read() if truth is not None else None
        if found is None or found.map is None:
            continue
        accuracies, _ = aligned(found.archs, truth)
        split = next((s for s in ACCURACIES if s in accuracies), None)
        if split is None:
            continue
        first = {name: values[found.mapped] for name, values in found.scores.items()}
        taus = {
            name: float(
                correlated(values, accuracies[split], np.ones((1, len(values)), bool))["kendall"][0]
            )
            for name, values in first.items()
        }
        best = max(taus, key=lambda name: -2.0 if np.isnan(taus[name]) else taus[name])
        yield Mapped(
            task=group.task,
            predictor=group.predictor,
            places=found.map,
            split=split,
            accuracy=accuracies[split],
            score=best,
            values=first[best],
            paths=found.paths,
            climbed=None if found.paths is None else first[found.paths.score],
            seed=int(group.rows[found.mapped][1]["seed"]),
        )
