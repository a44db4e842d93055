"""How well proxies rank architectures: every metric, and intervals of those that have them.

Failures. A score of -inf is a failure and ranks last in all columns but `pearson` and those that
end in `_common`, which are taken on the common support: the architectures that every selected
proxy scored with a finite number. Metrics of the head of the ranking are undefined where it
reaches into failures, and `undefined` says so. A score of NaN is not recorded, and leaves its row
out for that proxy.

Intervals. 95 %, over architectures (`bench.metrics.intervals`). All proxies of a task are measured
on the same resamples, so that differences are paired. Where architectures of one function share
one score, they are drawn together. The bootstrap of a best value, of ties, of a share of k and of
sums that a few rows make up does not cover, and Pearson's does not where a few rows make it up: of
these there is none. `docs/metrics.md` shows how often each interval holds the true value.

Direction. Truth is turned, if the task minimises, so that larger is better: correlations then
say how well a score finds good architectures. `best_of_10` keeps the source's units.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bench.base import Bools, Floats, Ints, Record
from bench.metrics.draws import Column, Counts, Draws
from bench.metrics.intervals import Scale
from bench.metrics.rank import (
    kendall,
    partial_spearman,
    pearson,
    spearman,
    weighted_kendall,
)
from bench.metrics.regret import regret_at_k
from bench.metrics.top import best_of_top_k, ndcg, precision_at_k, tied_at_k, top_overlap
from bench.reports.sample import REFERENCE, Sample, defined, draw_sample


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
    scale: Scale | None = None
    """How its interval lies; None where it has none."""


_MEASURES = (
    _Measure("kendall", kendall, scale="tau"),
    _Measure("spearman", spearman, scale="correlation"),
    _Measure("pearson", pearson, support="common"),
    _Measure("weighted_kendall", weighted_kendall),
    _Measure("kendall_top10", kendall, support="head", scale="tau"),
    _Measure("spearman_top10", spearman, support="head", scale="correlation"),
    _Measure(
        "partial_spearman",
        partial_spearman,
        support="given",
        columns=("score", "truth", "given"),
        scale="correlation",
    ),
    _Measure("precision_at_10pct", precision_at_k, (0.1,)),
    _Measure("overlap_top100", top_overlap, (100,), rows=100),
    _Measure("best_of_10", best_of_top_k, (10, "order"), rows=10),
    _Measure("best_of_10_expected", best_of_top_k, (10, "expected"), rows=10),
    _Measure("tied_at_10", tied_at_k, (10,), columns=("score",), rows=10),
    _Measure("regret_at_10", regret_at_k, (10,), rows=10),
    _Measure("ndcg", ndcg, support="gains"),
    _Measure("kendall_common", kendall, support="common", scale="tau"),
    _Measure("spearman_common", spearman, support="common", scale="correlation"),
)
_DRAWN = tuple(measure for measure in _MEASURES if measure.scale is not None)
_HEAD = 0.1
"""The share of the truly best that is the head."""
_FACTS = ("task", "proxy", "n", "n_failed", "n_common")
ALL_EQUAL = "all scores are equal"
"""Why no metric of a proxy has a value."""
_IN_SOURCE_UNITS = ("best_of_10", "best_of_10_expected")


_CELLS = 1 << 21
"""Counts that one thread works on at once, `r x n`; it then holds about 300 MiB at the most."""


class _Rows:
    """Some of a task's `n` rows in `r` resamples, with the columns that its proxies share."""

    def __init__(self, data: Sample, counts: Counts, mask: bytes) -> None:
        self.chosen = np.frombuffer(mask, dtype=bool)
        self._counts = counts if self.chosen.all() else counts[:, self.chosen]
        self._sizes = self._counts.sum(axis=1, dtype=np.int64)
        self._data = data
        self._draws: dict[int, Draws] = {}
        self._columns: dict[tuple[str, Draws], Column] = {}

    def enough(self, rows: int) -> Bools:
        """Which of `r` resamples hold so many rows; none if these are not so many."""
        enough: Bools = (self._sizes >= rows) & (self._counts.shape[1] >= rows)
        return enough

    def draws(self, enough: Bools) -> Draws:
        """The resamples that hold enough rows; as many are always the same."""
        number = int(enough.sum())
        if number not in self._draws:
            self._draws[number] = Draws.of(self._counts if enough.all() else self._counts[enough])
        return self._draws[number]

    def column(self, name: str, draws: Draws) -> Column:
        """The truth, or the scores given which partial correlations are taken."""
        if (name, draws) not in self._columns:
            values = getattr(self._data, name)[self.chosen]
            self._columns[name, draws] = draws.column(values)
        return self._columns[name, draws]


@dataclass(frozen=True, eq=False)
class _Support:
    """A proxy's score on some rows."""

    rows: _Rows
    score: Floats
    drawn: dict[Draws, Column] = field(default_factory=dict)

    def values(self, measure: _Measure) -> Floats:
        """A metric in each of `r` resamples; NaN where there are too few rows."""
        enough = self.rows.enough(measure.rows)
        found = np.full(len(enough), np.nan)
        if enough.any():
            draws = self.rows.draws(enough)
            columns = [self._column(name, draws) for name in measure.columns]
            found[enough] = measure.metric(*columns, *measure.options)
        return found

    def _column(self, name: str, draws: Draws) -> Column:
        if name != "score":
            return self.rows.column(name, draws)
        if draws not in self.drawn:
            self.drawn[draws] = draws.column(self.score[self.rows.chosen])
        return self.drawn[draws]


def correlate(
    task: str,
    truth: Floats,
    scores: Mapping[str, Floats],
    *,
    rng: np.random.Generator,
    params: Floats | None = None,
    maximise: bool = True,
    resamples: int = 1000,
    groups: Ints | None = None,
) -> list[Record]:
    """Measure every proxy of a task: `correlate_sample` of a sample drawn for it alone.

    The arguments are those of `bench.reports.sample.draw_sample`.
    """
    sample = draw_sample(
        truth,
        scores,
        rng=rng,
        params=params,
        maximise=maximise,
        resamples=resamples,
        groups=groups,
    )
    return correlate_sample(task, sample)


def undefined_heads(record: Record, score: Floats, truth: Floats) -> str | None:
    """Which metrics of a record have no value because their head reaches into failures.

    Args:
        record: The metrics by name, None where undefined.
        score: `n` values, failures as -inf, NaN where not recorded.
        truth: `n` values, larger is better.

    Returns:
        Their names and how many failed, in a sentence; None where there is no such metric.
    """
    recorded = ~np.isnan(score)
    score, truth = score[recorded], truth[recorded]
    failed = np.isneginf(score)
    if not failed.any():
        return None
    best = truth >= np.quantile(truth, 0.9)
    # How many of the highest-scored each looks at: a tenth, or all of them, or so many.
    looked_at = {"precision_at_10pct": max(1, round(0.1 * len(score))), "overlap_top100": 100}
    looked_at |= dict.fromkeys(
        ("best_of_10", "best_of_10_expected", "tied_at_10", "regret_at_10"), 10
    )
    if truth.min() >= 0:
        looked_at["ndcg"] = len(score)
    scored = len(score) - int(failed.sum())
    names = [name for name in ("kendall_top10", "spearman_top10") if failed[best].any()]
    names += [name for name, k in looked_at.items() if scored < k <= len(score)]
    names = [name for name in record if name in names and record[name] is None]
    if not names:
        return None
    return (
        f"{', '.join(names)}: the head reaches into the failures, {int(failed.sum()):,} of "
        f"{len(score):,} architectures"
    )


def correlate_sample(task: str, data: Sample, *, threads: int | None = None) -> list[Record]:
    """Measure every proxy of a task, failures last and on the common support.

    Resamples are shared out over threads, one for every core unless told otherwise, and all proxies
    are measured on the same few at a time: they share what is found out about the truth.

    Returns:
        A record a proxy, in the order of the scores: task, proxy, n (architectures for which it
        is recorded), n_failed, n_common, then every metric, those that have intervals with
        `_low` and `_high`; None where undefined. `partial_spearman` is given the reference
        proxy. Last comes `undefined`: which metrics have no value because their head reaches into
        failures.
    """
    common = data.common()
    counts = data.counts
    # As many parts whatever the threads, as sums depend on it; an even number, as cores often are.
    number = 2 * max(1, -(-counts.size // (2 * _CELLS)))
    # Each matrix product by one thread: shared out over all cores, they wait for one another, and
    # their sums depend on how many cores there are.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        parts = pool.map(partial(_values, data, common, _DRAWN), np.array_split(counts, number))
        drawn = np.concatenate(list(parts), axis=-1)
        once = np.ones((1, data.truth.size), dtype=np.uint16)
        values = _values(data, common, _MEASURES, once)[:, :, 0]
    return [
        _record(data, common, _Drawn(task, name, of_one, redrawn))
        for name, of_one, redrawn in zip(data.scores, values, drawn, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _Drawn:
    """One proxy's metrics in the table, and those that have intervals in each drawn anew."""

    task: str
    proxy: str
    values: Floats
    """Of each metric in the table, `m`, in the order of `_MEASURES`."""
    drawn: Floats
    """By measure that has an interval, `m x r`."""


def _values(data: Sample, common: Bools, measures: Sequence[_Measure], counts: Counts) -> Floats:
    """Every one of `m` metrics of `p` proxies in each of `r` resamples, `p x m x r`."""
    # Proxies are mostly recorded for the same rows; the fewest that one proxy needs are kept.
    rows_of = lru_cache(maxsize=4)(partial(_Rows, data, counts))
    values = np.full((len(data.scores), len(measures), len(counts)), np.nan)
    for score, of_one in zip(data.scores.items(), values, strict=True):
        masks = {name: mask.tobytes() for name, mask in _masks(data, *score, common).items()}
        supports = {mask: _Support(rows_of(mask), score[1]) for mask in masks.values()}
        for place, measure in enumerate(measures):
            if measure.support in masks:
                of_one[place] = supports[masks[measure.support]].values(measure)
    return values


def _masks(data: Sample, name: str, score: Floats, common: Bools) -> dict[str, Bools]:
    """The rows that a proxy's metrics are taken on, by the names that measures use."""
    recorded = ~np.isnan(score)
    masks = {"recorded": recorded}
    if recorded.any():
        # The head is the table's, not each resample's: which rows it is hardly varies.
        head = recorded & (data.truth >= np.quantile(data.truth[recorded], 1 - _HEAD))
        # Of a head with failures there is nothing: the few that are left may be in order by luck.
        if not np.isneginf(score[head]).any():
            masks["head"] = head
    if np.isfinite(score).any():
        masks["common"] = common
    if data.truth.size and data.truth.min() >= 0:
        masks["gains"] = recorded
    if data.given is not None and name != REFERENCE:
        masks["given"] = recorded & ~np.isnan(data.given)
    return masks


def _record(data: Sample, common: Bools, found: _Drawn) -> Record:
    """The record of a proxy."""
    score = data.scores[found.proxy]
    record: Record = {"task": found.task, "proxy": found.proxy, "n": int((~np.isnan(score)).sum())}
    record["n_failed"] = int(np.isneginf(score).sum())
    record["n_common"] = int(common.sum())
    masks = _masks(data, found.proxy, score, common)
    drawn = iter(found.drawn)
    for measure, value in zip(_MEASURES, found.values.tolist(), strict=True):
        record[measure.name] = data.sign * value if measure.name in _IN_SOURCE_UNITS else value
        if measure.scale is not None:
            ends = (np.nan, np.nan)
            of_it = next(drawn)
            if measure.support in masks:
                ends = data.redrawn.interval(value, of_it, masks[measure.support], measure.scale)
            record[f"{measure.name}_low"], record[f"{measure.name}_high"] = ends
    record = defined(record)
    known = score[np.isfinite(score)]
    if known.size and known.size == record["n"] and known.min() == known.max():
        # It ranks nothing: whatever stands first is no best of it.
        measured = [name for name in record if name not in _FACTS]
        return record | dict.fromkeys(measured) | {"undefined": ALL_EQUAL}
    return record | {"undefined": undefined_heads(record, score, data.truth)}
