"""How much of a live proxy's correlation is the seed's: weights and minibatch drawn anew.

A correlation that is published with one seed varies for two reasons: which architectures were
looked at, and which seed was drawn. Both are measured here in the same unit, the variance of
Kendall's tau, and the seed's share is its part of their sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, groupby

import numpy as np

from bench.base import Floats, Ints, Record
from bench.metrics.influence import kendall_tau
from bench.metrics.intervals import tau_error
from bench.metrics.rank import failures_last, kendall
from bench.reports.sample import defined
from bench.reports.score_sets import ScoreSet
from bench.reports.tables import Cell, Table, number


def compare_seeds(repeats: Sequence[ScoreSet]) -> list[Record]:
    """Compare the correlations of the same proxies and architectures under several seeds.

    Failures rank last. Sampling error is the jackknife's over architectures, averaged over seeds.

    Args:
        repeats: Scores of tasks under several seeds, by task and seed.

    Returns:
        Records of task, proxy, n (architectures that all seeds scored), seeds, kendall_mean,
        kendall_least and kendall_most (of single seeds), kendall_sd_seed, kendall_sd_sampling,
        seed_share, seed_to_seed (mean tau between the scores of two seeds) and kendall_of_mean
        (of the mean rank over seeds); None where undefined.
    """
    records = []
    for task, group in groupby(repeats, key=lambda each: each.task):
        for name, scores, truth, groups in _shared(list(group)):
            records.append(defined({"task": task, "proxy": name} | _of(scores, truth, groups)))
    return records


def _shared(sets: Sequence[ScoreSet]) -> Iterator[tuple[str, list[Floats], Floats, Ints | None]]:
    """A proxy's name, its `n` scores under each seed, the truth, larger is better, and groups."""
    rows = [{arch: row for row, arch in enumerate(each.archs)} for each in sets]
    archs = [arch for arch in sets[0].archs if all(arch in known for known in rows)]
    sign = 1.0 if sets[0].maximise else -1.0
    here = [rows[0][arch] for arch in archs]
    truth = sign * sets[0].target[here]
    groups = None if sets[0].groups is None else sets[0].groups[here]
    for name in sets[0].scores:
        if all(name in each.scores for each in sets):
            scores = [
                each.scores[name][[known[arch] for arch in archs]]
                for each, known in zip(sets, rows, strict=True)
            ]
            fine = np.isfinite(truth) & ~np.isnan(scores).any(axis=0)
            if fine.any():
                ranked = [failures_last(score[fine]) for score in scores]
                yield name, ranked, truth[fine], None if groups is None else groups[fine]


def _of(scores: Sequence[Floats], truth: Floats, groups: Ints | None) -> Record:
    found = [kendall_tau(score, truth) for score in scores]
    taus = np.array([tau.value for tau in found])
    rows = np.ones(truth.size, dtype=bool)
    errors = np.array([tau_error(tau.influence, rows, groups) for tau in found])
    between = float(taus.var(ddof=1))
    sampling = float((errors**2).mean())
    pairs = [kendall(first, second) for first, second in combinations(scores, 2)]
    ranks: Floats = np.mean([_ranks(score) for score in scores], axis=0)
    whole = between + sampling
    return {
        "n": int(truth.size),
        "seeds": len(scores),
        "kendall_mean": float(taus.mean()),
        "kendall_least": float(taus.min()),
        "kendall_most": float(taus.max()),
        "kendall_sd_seed": between**0.5,
        "kendall_sd_sampling": sampling**0.5,
        "seed_share": between / whole if whole > 0 else float("nan"),
        "seed_to_seed": float(np.mean(pairs)),
        "kendall_of_mean": float(kendall(ranks, truth)),
    }


def _ranks(score: Floats) -> Floats:
    """Ranks from 0, equal ones sharing their mean."""
    _, places, sizes = np.unique(score, return_inverse=True, return_counts=True)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    ranks: Floats = (first + (sizes - 1) / 2)[places]
    return ranks


def seed_table(records: Sequence[Record]) -> Table:
    """The records of `compare_seeds` as a table."""
    columns = {
        "n": "n",
        "seeds": "seeds",
        "kendall_mean": "τ, mean",
        "kendall_sd_seed": "sd, seeds",
        "kendall_sd_sampling": "sd, sample",
        "seed_share": "seed's share",
        "seed_to_seed": "τ between seeds",
        "kendall_of_mean": "τ of mean rank",
    }
    rows = tuple(
        (
            Cell(str(record["task"])),
            Cell(str(record["proxy"])),
            *(Cell(number(record[name], 0 if name in ("n", "seeds") else 3)) for name in columns),
        )
        for record in records
    )
    caption = "Correlations under several seeds."
    return Table("seeds", caption, ("task", "proxy", *columns.values()), rows, 2)
