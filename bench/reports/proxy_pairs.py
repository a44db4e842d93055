"""How alike proxies rank, and how alike tasks rank proxies: Kendall's tau of every two.

Two proxies that rank alike tell nothing new to each other; two tasks that rank proxies unlike
say that the best proxy of one need not be that of the other. Intervals are 95 % percentiles over
resamples of architectures, to first order (`bench.metrics.influence`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bench.base import Floats, Record
from bench.metrics._counts import ratio
from bench.metrics.bootstrap import interval
from bench.metrics.clustering import Merge, average_linkage, leaf_order
from bench.metrics.influence import pair_tau, resampled
from bench.reports.sample import Sample, defined

_FEWEST = 4
"""Two tasks are compared on so many proxies at the least."""


def compare_proxies(task: str, data: Sample) -> list[Record]:
    """Kendall's tau between the scores of every two proxies of a task, failures last.

    Returns:
        Records of task, proxy, other, n (architectures that both are recorded for), kendall,
        kendall_low and kendall_high, one for each pair; None where undefined.
    """
    pairs = list(combinations(data.scores, 2))
    if not pairs:
        return []
    taus = [pair_tau(data.scores[one], data.scores[two]) for one, two in pairs]
    values = np.array([tau.value for tau in taus])
    influences = np.stack([tau.influence for tau in taus], axis=1)
    drawn = resampled(values, influences, data.counts)
    records = []
    for (one, two), value, column in zip(pairs, values, drawn.T, strict=True):
        low, high = interval(column)
        both = ~np.isnan(data.scores[one]) & ~np.isnan(data.scores[two])
        record: Record = {"task": task, "proxy": one, "other": two, "n": int(both.sum())}
        record |= {"kendall": float(value), "kendall_low": low, "kendall_high": high}
        records.append(defined(record))
    return records


@dataclass(frozen=True, eq=False)
class Ranking:
    """How a task ranks its `p` proxies: their taus with accuracy, and those of `r` resamples."""

    task: str
    proxies: tuple[str, ...]
    values: Floats
    """`p`."""
    drawn: Floats
    """`r x p`."""


def rank_proxies(task: str, data: Sample) -> Ranking:
    """Kendall's tau of every proxy with accuracy, where it is defined."""
    taus = {name: pair_tau(score, data.truth) for name, score in data.scores.items()}
    taus = {name: tau for name, tau in taus.items() if not np.isnan(tau.value)}
    values = np.array([tau.value for tau in taus.values()])
    size = data.truth.size
    influences = np.array([tau.influence for tau in taus.values()]).reshape(-1, size).T
    return Ranking(task, tuple(taus), values, resampled(values, influences, data.counts))


def compare_rankings(rankings: Sequence[Ranking]) -> list[Record]:
    """Kendall's tau between how two tasks rank the proxies that both have.

    Proxies are what they are; what varies over resamples is architectures. Tasks of the same
    architectures are resampled alike.

    Returns:
        Records of task, other, proxies (how many both have), kendall, kendall_low and
        kendall_high, for every two tasks that share four proxies or more; None where undefined.
    """
    records = []
    for one, two in combinations(rankings, 2):
        shared = [name for name in one.proxies if name in two.proxies]
        if len(shared) < _FEWEST or len(one.drawn) != len(two.drawn):
            continue
        here = [one.proxies.index(name) for name in shared]
        there = [two.proxies.index(name) for name in shared]
        value = float(_taus(one.values[None, here], two.values[None, there])[0])
        low, high = interval(_taus(one.drawn[:, here], two.drawn[:, there]))
        record: Record = {"task": one.task, "other": two.task, "proxies": len(shared)}
        record |= {"kendall": value, "kendall_low": low, "kendall_high": high}
        records.append(defined(record))
    return records


def _taus(one: Floats, two: Floats) -> Floats:
    """Kendall's tau-b between the rows of two `r x p` tables, for the few columns of proxies."""
    first, second = (np.sign(table[:, :, None] - table[:, None, :]) for table in (one, two))
    untied = [(signs**2).sum(axis=(1, 2)) for signs in (first, second)]
    return ratio((first * second).sum(axis=(1, 2)), np.sqrt(untied[0] * untied[1]))


@dataclass(frozen=True, eq=False)
class Alike:
    """Things that are more or less alike, and their clusters."""

    names: tuple[str, ...]
    taus: Floats
    """`p x p`, 1 on the diagonal, NaN where undefined or not compared."""
    merges: tuple[Merge, ...]
    order: tuple[int, ...]
    """Numbers of names from top to bottom, so that what is alike stands together."""


def cluster(records: Sequence[Record], first: str) -> Alike | None:
    """Cluster what was compared, by average linkage of the distance 1 - tau.

    A pair without a tau counts as unrelated, at a distance of 1. Something that has no tau with
    anything is left out.

    Args:
        records: Of one task's proxies, or of tasks.
        first: The field that names the first of a pair, `proxy` or `task`; the second is `other`.

    Returns:
        The clusters; None for fewer than three things.
    """
    known = [record for record in records if record["kendall"] is not None]
    names = sorted({name for record in known for name in (record[first], record["other"])})
    if len(names) < 3:
        return None
    taus = np.full((len(names), len(names)), np.nan)
    np.fill_diagonal(taus, 1.0)
    for record in known:
        one, two = names.index(record[first]), names.index(record["other"])
        taus[one, two] = taus[two, one] = record["kendall"]
    distances = 1.0 - np.nan_to_num(taus)
    merges = average_linkage(distances)
    return Alike(tuple(names), taus, tuple(merges), tuple(leaf_order(distances, merges)))
