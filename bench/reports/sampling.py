"""What a correlation of a few networks is worth: tau in random subsets of a task's architectures.

Published correlations are often of 100 or 1,000 networks. Here subsets of as many are drawn
without replacement from all that the task knows, the same for all proxies: how far tau varies
from one subset to the next, what interval such a subset would give for itself, and how often the
proxy that is best on all comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from bench.base import Floats, Record
from bench.metrics.bootstrap import interval
from bench.metrics.influence import kendall_tau
from bench.metrics.intervals import t_quantile, tau_error
from bench.reports.sample import Sample, defined
from bench.reports.tables import Cell, Table, number

SIZES = (50, 100, 200, 500, 1000, 2000, 5000)
PROXIES = 4
"""As many proxies, those of highest tau, are compared."""
SUBSETS = 200


def sample_networks(
    task: str, data: Sample, *, rng: np.random.Generator, subsets: int = SUBSETS
) -> list[Record]:
    """Measure tau in random subsets, for the proxies of highest tau.

    They are compared on the architectures that all of them are recorded for, one of each group that
    shares its scores. Sizes are those of `SIZES` that are at most half of these.

    Args:
        task: Its name.
        data: Its sample.
        rng: Draws the subsets.
        subsets: How many of each size.

    Returns:
        Records of task, proxy, architectures (all that are compared), kendall (on all of them),
        networks (in a subset), subsets, kendall_mean over subsets, kendall_low and kendall_high
        (95 % of subsets lie between), own_low and own_high (the mean ends of the 95 % interval
        that a subset gives for itself), and first: the share of
        subsets in which this proxy has the highest tau, ties shared.
    """
    names = _strongest(data)
    scores = [data.scores[name] for name in names]
    known = np.flatnonzero(~np.isnan(scores).any(axis=0)) if names else np.empty(0, dtype=np.intp)
    if data.groups is not None:
        # Those that share another's scores are no networks of their own.
        known = known[np.sort(np.unique(data.groups[known], return_index=True)[1])]
    sizes = [size for size in SIZES if 2 * size <= len(known)]
    if not sizes:
        return []
    whole = [kendall_tau(score[known], data.truth[known]).value for score in scores]
    records = []
    for size in sizes:
        drawn, errors = np.empty((2, subsets, len(names)))
        for subset in range(subsets):
            rows = rng.choice(known, size, replace=False)
            taus = [kendall_tau(score[rows], data.truth[rows]) for score in scores]
            drawn[subset] = [tau.value for tau in taus]
            errors[subset] = [tau_error(tau.influence, np.ones(size, bool)) for tau in taus]
        first = _first(drawn)
        for place, name in enumerate(names):
            record: Record = {"task": task, "proxy": name, "architectures": len(known)}
            record |= {"kendall": whole[place], "networks": size, "subsets": subsets}
            record |= _summary(drawn[:, place], float(t_quantile(size - 1)) * errors[:, place])
            records.append(defined(record | {"first": float(first[place])}))
    return records


def _strongest(data: Sample) -> list[str]:
    """The proxies of highest tau on all architectures that they are recorded for."""
    found = {}
    for name, score in data.scores.items():
        known = ~np.isnan(score)
        if known.any():
            found[name] = kendall_tau(score[known], data.truth[known]).value
    taus = {name: value for name, value in found.items() if not np.isnan(value)}
    return sorted(taus, key=lambda name: (-taus[name], name))[:PROXIES]


def _summary(drawn: Floats, reach: Floats) -> Record:
    """Over subsets, by the tau of each and how far its own interval reaches."""
    low, high = interval(drawn)
    fine = ~np.isnan(drawn)
    if not fine.any():
        return dict.fromkeys(
            ("kendall_mean", "kendall_low", "kendall_high", "own_low", "own_high"), float("nan")
        )
    reach = reach[fine]
    return {
        "kendall_mean": float(drawn[fine].mean()),
        "kendall_low": low,
        "kendall_high": high,
        "own_low": float(np.maximum(drawn[fine] - reach, -1.0).mean()),
        "own_high": float(np.minimum(drawn[fine] + reach, 1.0).mean()),
    }


def _first(drawn: Floats) -> Floats:
    """The share of `s` subsets in which each of `p` proxies is first; undefined taus are last."""
    ranked = np.nan_to_num(drawn, nan=-np.inf)
    best = ranked == ranked.max(axis=1, keepdims=True)
    shares: Floats = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


def sampling_table(records: Sequence[Record]) -> Table:
    """How often the proxy that is best on all architectures is best in a subset, by task."""
    sizes = sorted({record["networks"] for record in records})
    rows = []
    for task, group in groupby(records, key=lambda record: record["task"]):
        here = list(group)
        best = max(here, key=lambda record: record["kendall"])
        of_best = {r["networks"]: r for r in here if r["proxy"] == best["proxy"]}
        cells = [task, best["proxy"], f"{best['architectures']:,}", number(best["kendall"], 3)]
        for size in sizes:
            told = of_best.get(size)
            cells.append(number(None, 0) if told is None else _cell(told))
        rows.append(tuple(map(Cell, cells)))
    caption = (
        f"Of the (at most) {PROXIES} proxies of highest τ on a task, the best one: 95 % of random "
        "subsets of so many networks have a τ between these bounds, and in this share of them it "
        "comes first."
    )
    columns = ("task", "best proxy", "n", "τ of all", *(f"{size:,} networks" for size in sizes))
    return Table("sampling", caption, columns, tuple(rows), 2)


def _cell(record: Record) -> str:
    low, high = (number(record[f"kendall_{end}"], 2) for end in ("low", "high"))
    return f"{low} to {high}; {100 * record['first']:.0f} %"
