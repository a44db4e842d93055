"""All numbers of one study's report, computed once, for tables, figures and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from bench.base import Record
from bench.reports.comparisons import ceiling, compare, lead
from bench.reports.correlations import correlate_sample
from bench.reports.load import Study
from bench.reports.noise import compare_truths
from bench.reports.own_table import SeedNoise, measure_tables
from bench.reports.proxy_pairs import Ranking, compare_proxies, compare_rankings, rank_proxies
from bench.reports.sample import draw_sample
from bench.reports.sampling import SUBSETS, sample_networks
from bench.reports.score_sets import ScoreSet
from bench.reports.searches import Curve, curves, summarise
from bench.reports.seeds import compare_seeds
from bench.reports.tables import failure_records
from bench.reports.targets import fronts, score_targets
from bench.runs.pool import in_order


@dataclass(frozen=True, eq=False)
class Numbers:
    """Records by what they are about; each list has one shape of record."""

    correlations: Sequence[Record]
    comparisons: Sequence[Record]
    leads: Sequence[Record]
    ceilings: Sequence[Record]
    targets: Sequence[Record]
    fronts: Sequence[Record]
    proxy_pairs: Sequence[Record]
    agreements: Sequence[Record]
    sampling: Sequence[Record]
    noise: Sequence[Record]
    seeds: Sequence[Record]
    own_tables: Sequence[SeedNoise]
    searches: Sequence[Record]
    failures: Sequence[Record]
    curves: Mapping[str, Sequence[Curve]]
    """By unit, `queries` and `seconds`."""


@dataclass(frozen=True, eq=False)
class _OfTask:
    """The records of one task's scores."""

    correlations: Sequence[Record]
    comparisons: Sequence[Record]
    leads: Sequence[Record]
    ceilings: Sequence[Record]
    targets: Sequence[Record]
    fronts: Sequence[Record]
    proxy_pairs: Sequence[Record]
    sampling: Sequence[Record]
    ranking: Ranking


def measure(study: Study, *, seed: int, resamples: int = 1000, workers: int = 1) -> Numbers:
    """Compute everything, tasks shared out over processes; the same for any number of them.

    Each part draws from its own generator, seeded alike. So parts do not depend on one another: a
    task added to a study changes no other's interval.
    """
    of_one = partial(_of_task, seed=seed, resamples=resamples)
    workers = min(workers, max(len(study.score_sets), 1))
    tasks = [found for _, found in in_order(of_one, study.score_sets, workers)]
    by_task = {each.task: each for each in study.score_sets}
    correlations = [record for task in tasks for record in task.correlations]

    def rng() -> np.random.Generator:
        return np.random.default_rng(seed)

    return Numbers(
        correlations=correlations,
        comparisons=[record for task in tasks for record in task.comparisons],
        leads=[record for task in tasks for record in task.leads],
        ceilings=[record for task in tasks for record in task.ceilings],
        targets=[record for task in tasks for record in task.targets],
        fronts=[record for task in tasks for record in task.fronts],
        proxy_pairs=[record for task in tasks for record in task.proxy_pairs],
        agreements=compare_rankings([task.ranking for task in tasks]),
        sampling=[record for task in tasks for record in task.sampling],
        noise=compare_truths(by_task, rng=rng(), resamples=resamples),
        seeds=compare_seeds(study.repeats),
        own_tables=tuple(measure_tables(study)),
        searches=summarise(study.searches),
        failures=failure_records(
            correlations, study.failed, {each.task: each.errors for each in study.score_sets}
        ),
        curves={unit: curves(study.searches, unit) for unit in ("queries", "seconds")},
    )


def _of_task(each: ScoreSet, *, seed: int, resamples: int) -> _OfTask:
    rng = partial(np.random.default_rng, seed)
    sample = draw_sample(
        each.target,
        each.scores,
        rng=rng(),
        maximise=each.maximise,
        resamples=resamples,
        groups=each.groups,
    )
    ceilings: list[Record] = []
    # Matrix products by one thread each: processes share out the cores already.
    with threadpool_limits(1, "blas"):
        if {"validation", "test"} <= each.accuracy.keys():
            both = (each.accuracy["validation"], each.accuracy["test"])
            ceilings = ceiling(each.task, *both, rng=rng(), resamples=resamples)
        return _OfTask(
            correlations=[
                record | {"by_class": each.by_class}
                for record in correlate_sample(each.task, sample, threads=1)
            ],
            comparisons=compare(each.task, sample),
            leads=lead(each.task, sample),
            ceilings=ceilings,
            targets=score_targets(each, sample),
            fronts=fronts(each),
            proxy_pairs=compare_proxies(each.task, sample),
            sampling=sample_networks(each.task, sample, rng=rng(), subsets=min(SUBSETS, resamples)),
            ranking=rank_proxies(each.task, sample),
        )
