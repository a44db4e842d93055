"""One training run against the mean of several: the same proxies on the same architectures.

NAS-Bench-Suite-Zero's accuracies of NAS-Bench-201 are those of one run, the table's own are means
over training seeds. Scores are taken from the first task, accuracies from both, on the
architectures that both know.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bench.base import Ints, Record
from bench.metrics.intervals import redraw
from bench.metrics.rank import failures_last, spearman
from bench.reports.sample import defined
from bench.reports.score_sets import ScoreSet

PAIRS = (
    ("nasbench201-suite/cifar10", "nasbench201/cifar10-valid"),
    ("nasbench201-suite/ImageNet16-120", "nasbench201/ImageNet16-120"),
)
"""Tasks by one run and by the mean over training seeds."""


def compare_truths(
    score_sets: Mapping[str, ScoreSet], *, rng: np.random.Generator, resamples: int = 1000
) -> list[Record]:
    """Spearman correlations with one-run and seed-mean validation accuracy, and their difference.

    Failures rank last. The interval of the difference is 95 % over architectures, both correlations
    on the same resamples.

    Args:
        score_sets: By task; pairs of which a task is absent are left out.
        rng: Draws the resamples.
        resamples: How many.

    Returns:
        Records of one_run and seed_mean (the tasks), dataset, proxy, n, one_run_spearman,
        seed_mean_spearman, difference (seed mean minus one run), low and high; None where
        undefined.
    """
    records = []
    for one_run, seed_mean in PAIRS:
        if one_run in score_sets and seed_mean in score_sets:
            first, second = score_sets[one_run], score_sets[seed_mean]
            shared = {"one_run": one_run, "seed_mean": seed_mean, "dataset": first.dataset}
            records += [shared | row for row in _compare(first, second, rng, resamples)]
    return records


def _compare(
    first: ScoreSet, second: ScoreSet, rng: np.random.Generator, resamples: int
) -> list[Record]:
    if "validation" not in first.accuracy or "validation" not in second.accuracy:
        return []
    here, there = shared_rows(first, second)
    if not here.size:
        return []
    sign = 1.0 if first.maximise else -1.0
    one = sign * first.accuracy["validation"][here]
    mean = sign * second.accuracy["validation"][there]
    groups = None if first.groups is None else first.groups[here]
    redrawn = redraw(here.size, resamples, rng, groups)
    records = []
    for name, values in first.scores.items():
        score = values[here]
        rows = np.isfinite(one) & np.isfinite(mean) & ~np.isnan(score)
        if not rows.any():
            continue
        ranked = failures_last(score[rows])
        point = [spearman(ranked, truth[rows]) for truth in (one, mean)]
        counts = redrawn.counts[:, rows]
        drawn = [spearman(ranked, truth[rows], counts=counts) for truth in (one, mean)]
        low, high = redrawn.interval(point[1] - point[0], drawn[1] - drawn[0], rows)
        record: Record = {"proxy": name, "n": int(rows.sum())}
        record |= {"one_run_spearman": point[0], "seed_mean_spearman": point[1]}
        record |= {"difference": point[1] - point[0], "low": low, "high": high}
        records.append(defined(record))
    return records


def shared_rows(first: ScoreSet, second: ScoreSet) -> tuple[Ints, Ints]:
    """The rows, in both sets, of the architectures that both know, in the first's order."""
    places = {arch: row for row, arch in enumerate(second.archs)}
    pairs = [(row, places[arch]) for row, arch in enumerate(first.archs) if arch in places]
    here, there = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return here, there
