"""How alike proxies rank, and how alike tasks rank proxies: Kendall's tau of every two.

Two proxies that rank alike tell nothing new to each other; two tasks that rank proxies unlike
say that the best proxy of one need not be that of the other. Intervals of two proxies are 95 %,
over architectures (`bench.metrics.intervals.tau_interval`). Of two tasks there is none: their tau
is of a few proxies, whose own taus are uncertain, and resampling adds to that once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bench.base import Floats, Record
from bench.metrics.clustering import Merge, average_linkage, leaf_order
from bench.metrics.influence import pair_tau
from bench.metrics.intervals import tau_interval
from bench.metrics.rank import kendall
from bench.reports.sample import Sample, defined

_FEWEST = 4
"""Two tasks are compared on so many proxies at the least."""


def compare_proxies(task: str, data: Sample) -> list[Record]:
    """Kendall's tau between the scores of every two proxies of a task, failures last.

    Returns:
        Records of task, proxy, other, n (architectures that both are recorded for), kendall,
        kendall_low and kendall_high, one for each pair; None where undefined.
    """
    records = []
    for one, two in combinations(data.scores, 2):
        both = ~np.isnan(data.scores[one]) & ~np.isnan(data.scores[two])
        tau = pair_tau(data.scores[one], data.scores[two])
        low, high = tau_interval(tau.value, tau.influence, both, data.groups)
        record: Record = {"task": task, "proxy": one, "other": two, "n": int(both.sum())}
        record |= {"kendall": tau.value, "kendall_low": low, "kendall_high": high}
        records.append(defined(record))
    return records


@dataclass(frozen=True, eq=False)
class Ranking:
    """How a task ranks its `p` proxies: their taus with accuracy."""

    task: str
    proxies: tuple[str, ...]
    values: Floats
    """`p`."""


def rank_proxies(task: str, data: Sample) -> Ranking:
    """Kendall's tau of every proxy with accuracy, where it is defined."""
    taus = {name: pair_tau(score, data.truth).value for name, score in data.scores.items()}
    taus = {name: tau for name, tau in taus.items() if not np.isnan(tau)}
    return Ranking(task, tuple(taus), np.array(list(taus.values())))


def compare_rankings(rankings: Sequence[Ranking]) -> list[Record]:
    """Kendall's tau between how two tasks rank the proxies that both have.

    Returns:
        Records of task, other, proxies (how many both have) and kendall, for every two tasks that
        share four proxies or more; None where undefined.
    """
    records = []
    for one, two in combinations(rankings, 2):
        shared = [name for name in one.proxies if name in two.proxies]
        if len(shared) < _FEWEST:
            continue
        here = one.values[[one.proxies.index(name) for name in shared]]
        there = two.values[[two.proxies.index(name) for name in shared]]
        record: Record = {"task": one.task, "other": two.task, "proxies": len(shared)}
        records.append(defined(record | {"kendall": float(kendall(here, there))}))
    return records


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
