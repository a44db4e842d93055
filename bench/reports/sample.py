"""A task's scores and truth as metrics want them, and the resamples all its proxies share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bench.base import Bools, Floats, Ints, Record
from bench.metrics.draws import Counts
from bench.metrics.intervals import Redrawn, redraw
from bench.metrics.rank import failures_last

REFERENCE = "params"
"""The proxy that others are compared with, and given which partial correlations are taken."""


@dataclass(frozen=True, eq=False)
class Sample:
    """The `n` architectures of a task whose truth is known, and how they are drawn anew."""

    scores: Mapping[str, Floats]
    """`n` values by proxy, failures as -inf, NaN where not recorded."""
    truth: Floats
    """`n` values, larger is better."""
    given: Floats | None
    """`n` scores of the reference proxy, if there are any."""
    sign: float
    """What turns `truth` back into the source's units."""
    redrawn: Redrawn
    """The same for all proxies: what intervals are read off."""

    @property
    def counts(self) -> Counts:
        """`r x n`: how often each architecture stands in each table drawn anew."""
        return self.redrawn.counts

    @property
    def groups(self) -> Ints | None:
        """`n` numbers, equal in architectures that share their scores; None without any."""
        return self.redrawn.groups

    def common(self) -> Bools:
        """Which of `n` rows every proxy scored with a finite number.

        A proxy that scored none at all has no say: it would leave nothing for the others.
        """
        everyone = np.ones(self.truth.size, dtype=bool)
        for score in self.scores.values():
            defined = np.isfinite(score)
            if defined.any():
                everyone &= defined
        return everyone


def draw_sample(
    truth: Floats,
    scores: Mapping[str, Floats],
    *,
    rng: np.random.Generator,
    params: Floats | None = None,
    maximise: bool = True,
    resamples: int = 1000,
    groups: Ints | None = None,
) -> Sample:
    """Turn the columns of a task into a sample, without the rows whose truth is not known.

    Args:
        truth: `n` accuracies, NaN where unknown.
        scores: `n` values by proxy: NaN where not recorded, -inf where failed.
        rng: Draws the resamples.
        params: `n` values of the reference proxy; those in `scores` if None.
        maximise: Whether a larger truth is better; if not, it is turned round.
        resamples: How many bootstrap resamples, where rows are so many that they are resampled.
        groups: `n` numbers, equal in rows that share their scores: they are drawn together. Each
            row by itself if None.

    Raises:
        ValueError: Columns of differing shapes.
    """
    params = scores.get(REFERENCE) if params is None else params
    columns: list[tuple[str, Floats | Ints]] = [*scores.items()]
    columns += [] if params is None else [(REFERENCE, params)]
    columns += [] if groups is None else [("groups", groups)]
    for name, column in columns:
        if column.shape != truth.shape:
            raise ValueError(
                f"expected {name} of shape {truth.shape}, as the truth; got {column.shape}"
            )
    known = np.isfinite(truth)
    n = int(known.sum())
    shared = None if groups is None else groups[known]
    return Sample(
        scores={name: failures_lowest(score[known]) for name, score in scores.items()},
        truth=truth[known] if maximise else -truth[known],
        given=None if params is None else failures_lowest(params[known]),
        sign=1.0 if maximise else -1.0,
        redrawn=redraw(n, resamples, rng, shared),
    )


def failures_lowest(score: Floats) -> Floats:
    """Scores with every failure as -inf; NaN, which says that nothing is recorded, stays."""
    return np.where(np.isnan(score), np.nan, failures_last(score))


def defined(record: Record) -> Record:
    """The record with None for NaN, as JSON knows no NaN."""
    return {
        name: None if isinstance(value, float) and np.isnan(value) else value
        for name, value in record.items()
    }
