"""How well proxies rank architectures: every metric, each with its bootstrap interval.

Failures. A score of -inf is a failure and ranks last in all columns but `pearson` and those that
end in `_common`, which are taken on the common support: the architectures that every selected
proxy scored with a finite number. A score of NaN is not recorded, and leaves its row out for
that proxy.

Intervals. 95 % percentile bootstrap over architectures. All proxies of a task are measured on
the same resamples, so that differences are paired.

Direction. Truth is turned, if the task minimises, so that larger is better: correlations then
say how well a score finds good architectures. `best_of_10` keeps the source's units.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bench.base import Bools, Floats, Record
from bench.metrics.bootstrap import interval
from bench.metrics.rank import (
    kendall,
    kendall_top,
    partial_spearman,
    pearson,
    spearman,
    spearman_top,
    weighted_kendall,
)
from bench.metrics.regret import regret_at_k
from bench.metrics.top import best_of_top_k, ndcg, precision_at_k, tied_at_k, top_overlap
from bench.reports.sample import REFERENCE, Counts, Sample, defined, draw_sample


@dataclass(frozen=True)
class _Measure:
    """A column of the record: a metric, its options, and the rows it is taken on."""

    name: str
    metric: Callable[..., Any]
    options: tuple[Any, ...] = ()
    support: str = "recorded"
    columns: tuple[str, ...] = ("score", "truth")
    rows: int = 2
    """How many rows a table or resample needs; with fewer the value is undefined."""


_MEASURES = (
    _Measure("kendall", kendall),
    _Measure("spearman", spearman),
    _Measure("pearson", pearson, support="common"),
    _Measure("weighted_kendall", weighted_kendall),
    _Measure("kendall_top10", kendall_top, (0.1,)),
    _Measure("spearman_top10", spearman_top, (0.1,)),
    _Measure("partial_spearman", partial_spearman, (), "given", ("score", "truth", "given")),
    _Measure("precision_at_10pct", precision_at_k, (0.1,)),
    _Measure("overlap_top100", top_overlap, (100,), rows=100),
    _Measure("best_of_10", best_of_top_k, (10, "order"), rows=10),
    _Measure("best_of_10_expected", best_of_top_k, (10, "expected"), rows=10),
    _Measure("tied_at_10", tied_at_k, (10,), columns=("score",), rows=10),
    _Measure("regret_at_10", regret_at_k, (10,), rows=10),
    _Measure("ndcg", ndcg, support="gains"),
    _Measure("kendall_common", kendall, support="common"),
    _Measure("spearman_common", spearman, support="common"),
)
_IN_SOURCE_UNITS = ("best_of_10", "best_of_10_expected")


@dataclass(frozen=True, eq=False)
class _Rows:
    """Some of a task's `n` rows, with the part of its resamples that falls on them."""

    chosen: Bools
    counts: Counts
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, data: Sample, chosen: Bools) -> _Rows:
        """Cut the task's resamples down to the chosen rows."""
        counts = data.counts if chosen.all() else data.counts[:, chosen]
        return cls(chosen, counts, counts.sum(axis=1, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class _Support:
    """A proxy's columns on some rows, and the estimates already made of them."""

    rows: _Rows
    columns: Mapping[str, Floats]
    known: dict[tuple[Any, ...], tuple[float, float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: _Rows, **columns: Floats) -> _Support:
        """Cut columns of `n` rows down to the rows wanted."""
        return cls(rows, {name: values[rows.chosen] for name, values in columns.items()})

    def estimate(self, measure: _Measure) -> tuple[float, float, float]:
        """A metric's value and the ends of its interval; NaN where there are too few rows."""
        key = (measure.metric, measure.options)
        if key not in self.known:
            self.known[key] = self._estimate(measure)
        return self.known[key]

    def _estimate(self, measure: _Measure) -> tuple[float, float, float]:
        columns = [self.columns[name] for name in measure.columns]
        if columns[0].size < measure.rows:
            return np.nan, np.nan, np.nan
        enough = self.rows.sizes >= measure.rows
        counts = self.rows.counts if enough.all() else self.rows.counts[enough]
        drawn = measure.metric(*columns, *measure.options, counts=counts)
        return measure.metric(*columns, *measure.options), *interval(drawn)


def correlate(
    task: str,
    truth: Floats,
    scores: Mapping[str, Floats],
    *,
    rng: np.random.Generator,
    params: Floats | None = None,
    maximise: bool = True,
    resamples: int = 1000,
) -> list[Record]:
    """Measure every proxy of a task: `correlate_sample` of a sample drawn for it alone.

    The arguments are those of `bench.reports.sample.draw_sample`.
    """
    sample = draw_sample(
        truth, scores, rng=rng, params=params, maximise=maximise, resamples=resamples
    )
    return correlate_sample(task, sample)


def correlate_sample(task: str, data: Sample, *, threads: int | None = None) -> list[Record]:
    """Measure every proxy of a task, failures last and on the common support.

    Proxies are shared out over threads, one for every core unless told otherwise.

    Returns:
        A record a proxy, in the order of the scores: task, proxy, n (architectures for which it
        is recorded), n_failed, n_common, then every metric with its `_low` and `_high`; None
        where undefined. `partial_spearman` is given the reference proxy.
    """
    common = _Rows.of(data, data.common())
    # Each matrix product by one thread: shared out over all cores, they wait for one another, and
    # their sums depend on how many cores there are.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        return list(pool.map(lambda name: _record(task, data, name, common), data.scores))


def _record(task: str, data: Sample, name: str, common: _Rows) -> Record:
    score = data.scores[name]
    record: Record = {"task": task, "proxy": name, "n": int((~np.isnan(score)).sum())}
    record["n_failed"] = int(np.isneginf(score).sum())
    record["n_common"] = int(common.chosen.sum())
    supports = _supports(data, name, common)
    for measure in _MEASURES:
        record |= _entry(measure, supports, data.sign)
    return record


def _supports(data: Sample, name: str, common: _Rows) -> dict[str, _Support]:
    """The rows that a proxy's metrics are taken on, by the names that measures use."""
    score, truth = data.scores[name], data.truth
    recorded = ~np.isnan(score)
    rows = common if (recorded == common.chosen).all() else _Rows.of(data, recorded)
    supports = {"recorded": _Support.of(rows, score=score, truth=truth)}
    supports["common"] = (
        supports["recorded"] if rows is common else _Support.of(common, score=score, truth=truth)
    )
    if truth.size and truth.min() >= 0:
        supports["gains"] = supports["recorded"]
    if data.given is not None and name != REFERENCE:
        both = recorded & ~np.isnan(data.given)
        rows = rows if (both == recorded).all() else _Rows.of(data, both)
        supports["given"] = _Support.of(rows, score=score, truth=truth, given=data.given)
    return supports


def _entry(measure: _Measure, supports: Mapping[str, _Support], sign: float) -> Record:
    """The three fields of a metric; None where it is undefined or its support does not exist."""
    value = low = high = float("nan")
    if measure.support in supports:
        value, low, high = supports[measure.support].estimate(measure)
    if measure.name in _IN_SOURCE_UNITS:
        value, low, high = (sign * number for number in (value, low, high))
        low, high = min(low, high), max(low, high)
    name = measure.name
    return defined({name: value, f"{name}_low": low, f"{name}_high": high})
