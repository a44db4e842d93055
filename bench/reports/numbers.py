"""All numbers of one study's report, computed once, for tables, figures and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.base import Record
from bench.reports.comparisons import ceiling, compare, lead
from bench.reports.correlations import correlate_sample
from bench.reports.load import Study
from bench.reports.noise import compare_truths
from bench.reports.sample import draw_sample
from bench.reports.searches import Curve, curves, summarise
from bench.reports.tables import failure_records


@dataclass(frozen=True, eq=False)
class Numbers:
    """Records by what they are about; each list has one shape of record."""

    correlations: Sequence[Record]
    comparisons: Sequence[Record]
    leads: Sequence[Record]
    ceilings: Sequence[Record]
    noise: Sequence[Record]
    searches: Sequence[Record]
    failures: Sequence[Record]
    curves: Mapping[str, Sequence[Curve]]
    """By unit, `queries` and `seconds`."""


def measure(study: Study, *, seed: int, resamples: int = 1000) -> Numbers:
    """Compute everything; each part draws from its own generator, seeded alike.

    So parts do not depend on one another: a task added to a study changes no other's interval.
    """

    def rng() -> np.random.Generator:
        return np.random.default_rng(seed)

    correlations: list[Record] = []
    comparisons: list[Record] = []
    leads: list[Record] = []
    ceilings: list[Record] = []
    for each in study.score_sets:
        sample = draw_sample(
            each.target, each.scores, rng=rng(), maximise=each.maximise, resamples=resamples
        )
        correlations += correlate_sample(each.task, sample)
        comparisons += compare(each.task, sample)
        leads += lead(each.task, sample)
        if "validation" in each.accuracy and "test" in each.accuracy:
            both = (each.accuracy["validation"], each.accuracy["test"])
            ceilings += ceiling(each.task, *both, rng=rng(), resamples=resamples)
    by_task = {each.task: each for each in study.score_sets}
    return Numbers(
        correlations=correlations,
        comparisons=comparisons,
        leads=leads,
        ceilings=ceilings,
        noise=compare_truths(by_task, rng=rng(), resamples=resamples),
        searches=summarise(study.searches, rng=rng(), resamples=resamples),
        failures=failure_records(correlations, study.failed),
        curves={
            unit: curves(study.searches, unit, rng=rng(), resamples=resamples)
            for unit in ("queries", "seconds")
        },
    )
