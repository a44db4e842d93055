"""Which proxy is better, and how well any could do: paired differences and the noise ceiling.

Differences are of Kendall's tau with failures last, on the architectures for which both proxies
are recorded, over the same resamples. Intervals and p-values are those of
`bench.metrics.intervals`.
"""

from __future__ import annotations

import numpy as np

from bench.base import Bools, Floats, Record
from bench.metrics.compare import holm
from bench.metrics.intervals import redraw
from bench.metrics.rank import kendall
from bench.reports.sample import REFERENCE, Sample, defined


def compare(task: str, data: Sample, reference: str = REFERENCE) -> list[Record]:
    """Compare every proxy's Kendall correlation with a reference proxy's, failures last.

    Returns:
        A record a proxy but the reference: task, proxy, reference, n (architectures for which both
        are recorded), difference (proxy less reference), its 95 % `low` and `high`, the p-value,
        and the same after Holm's correction over the proxies of the task. Nothing where the
        reference has no scores.
    """
    if reference not in data.scores:
        return []
    records = []
    taus = _Taus(data)
    for name in data.scores:
        if name != reference:
            record: Record = {"task": task, "proxy": name, "reference": reference}
            records.append(record | taus.difference(name, reference))
    for record, p in zip(records, holm([r["p"] for r in records]), strict=True):
        record["p_holm"] = float(p)
    return [defined(record) for record in records]


def lead(task: str, data: Sample) -> list[Record]:
    """Say whether the proxy of highest Kendall correlation is clearly ahead of the next one.

    Returns:
        One record of task, best, runner_up, n, difference, low, high and p, as in `compare`; none
        with fewer than two proxies whose correlation is defined.
    """
    reached = {}
    for name, score in data.scores.items():
        recorded = ~np.isnan(score)
        if recorded.any():
            reached[name] = kendall(score[recorded], data.truth[recorded])
    ranked = sorted((n for n in reached if not np.isnan(reached[n])), key=lambda n: -reached[n])
    if len(ranked) < 2:
        return []
    best, second = ranked[:2]
    names: Record = {"task": task, "best": best, "runner_up": second}
    return [defined(names | _Taus(data).difference(best, second))]


class _Taus:
    """Kendall's tau of proxies, in the table and in each resample; each is computed once."""

    def __init__(self, data: Sample) -> None:
        self._data = data
        self._known: dict[tuple[str, bytes], tuple[float, Floats]] = {}

    def difference(self, name: str, other: str) -> Record:
        """The tau of one proxy less that of another, on the rows both are recorded for."""
        scores = self._data.scores
        both = ~np.isnan(scores[name]) & ~np.isnan(scores[other])
        record: Record = {"n": int(both.sum())}
        if record["n"] < 2:
            return record | dict.fromkeys(("difference", "low", "high", "p"), float("nan"))
        (one, one_drawn), (two, two_drawn) = self._tau(name, both), self._tau(other, both)
        drawn, redrawn = one_drawn - two_drawn, self._data.redrawn
        record["difference"] = one - two
        record["low"], record["high"] = redrawn.interval(one - two, drawn, both)
        record["p"] = redrawn.p_value(one - two, drawn, both)
        return record

    def _tau(self, name: str, rows: Bools) -> tuple[float, Floats]:
        key = (name, rows.tobytes())
        if key not in self._known:
            columns = self._data.scores[name][rows], self._data.truth[rows]
            drawn = kendall(*columns, counts=self._data.counts[:, rows])
            self._known[key] = kendall(*columns), drawn
        return self._known[key]


def ceiling(
    task: str,
    validation: Floats,
    test: Floats,
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
) -> list[Record]:
    """Kendall's tau of validation with test accuracy: what a perfect predictor would reach.

    Returns:
        One record of task, n, kendall, kendall_low and kendall_high; none with fewer than two
        architectures that have both accuracies.
    """
    both = np.isfinite(validation) & np.isfinite(test)
    n = int(both.sum())
    if n < 2:
        return []
    columns, redrawn = (validation[both], test[both]), redraw(n, resamples, rng)
    value, drawn = kendall(*columns), kendall(*columns, counts=redrawn.counts)
    low, high = redrawn.interval(value, drawn, scale="tau")
    record: Record = {"task": task, "n": n, "kendall": value}
    return [defined(record | {"kendall_low": low, "kendall_high": high})]
