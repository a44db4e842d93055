"""Sums of signs over all pairs of rows, for many resamples at once: the engine of Kendall's tau.

With counts w, tau needs sum_ij w_i w_j sgn(x_i - x_j) sgn(y_i - y_j) for each of `r` resamples.
Sorting each resample costs n log n steps that do not vectorise. Here the order is that of the
rows, and the sum is split so that matrix products do nearly all of it. Cut the rows into runs of
about sqrt(n) in the order of x, and again in the order of y, never inside a tie. Then a pair is

1. in one run of x: a `b x b` matrix of signs, times the `b x r` counts of the run;
2. in one run of y, but in two of x: another such matrix;
3. in two runs of both: all that matters of the second row is which runs it is in, so a table
   of `runs of y x r` weights, updated from one run of x to the next, answers for every row.

The cost is about 3 n sqrt(n) multiplications a resample, at the speed of a matrix product. All
sums are integers and stay below 2^24 for tables below 16 million rows, so float32 holds them
exactly; larger ones are done in float64. The products use as many threads as numpy's BLAS is
given: one is best where several processes share the cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.metrics._counts import Counts, Floats, Indices, Ordering, runs

Real: TypeAlias = NDArray[np.floating[Any]]

PAIR_CELLS = 1 << 25
"""Counts to hand over at once, in `r x n` entries: the more resamples, the fuller the products."""
SMALLEST_RUN = 64
EXACT_FLOAT32 = 1 << 24


@dataclass(frozen=True, eq=False)
class Part:
    """What one run of `b` rows adds to the sums of `r` resamples."""

    rows: Indices
    """`b` row numbers."""
    weights: Real
    """Their counts, `b x r`."""
    signed: Real | None
    """For each row i, sum_j w_j sgn sgn over the rows j this part pairs it with, `b x r`.
    None when there are none. Over all parts every pair (i, j) is met once as i and once as j."""
    by_x: bool
    """Whether the run is one of x or one of y. Every row is in one of each."""
    tied: Indices
    """Positions in `rows` of those that share their value of x (or y)."""
    groups: Real
    """Weights of the tie groups of more than one row, `g x r`."""

    def products(self) -> Floats:
        """The sum of w_i times `signed`, shape `r`."""
        if self.signed is None:
            return np.zeros(self.weights.shape[1])
        return _dot(self.weights, self.signed)

    def squares(self) -> Floats:
        """The sum of w_i^2, shape `r`."""
        return _dot(self.weights, self.weights)

    def ties(self) -> Floats:
        """The sum of w_i w_j over the ordered pairs of different rows that are tied, shape `r`."""
        if len(self.tied) == 0:
            return np.zeros(self.weights.shape[1])
        tied = self.weights[self.tied]
        return _dot(self.groups, self.groups) - _dot(tied, tied)


@dataclass(frozen=True, eq=False)
class _Run:
    rows: Indices
    codes: Indices
    """`b` group numbers in the order by which the run was cut, ascending."""


def sign_sums(x: Ordering, y: Ordering, counts: Counts) -> Iterator[Part]:
    """Go once through all pairs of rows; `counts` is `r x n`, and all `r` are done together."""
    size = max(SMALLEST_RUN, isqrt(len(x.rows)))
    runs_x, run_of_x = _cut(x, size)
    runs_y, run_of_y = _cut(y, size)
    dtype = _exact_dtype(counts)
    lanes = np.ascontiguousarray(counts.T)

    table: Real = np.zeros((len(runs_y), lanes.shape[1]), dtype=dtype)
    for number, run in enumerate(runs_y):
        weights: Real = lanes.take(run.rows, axis=0).astype(dtype)
        table[number] = np.ones(len(weights), dtype=dtype) @ weights
        signed = None
        if run.codes[0] != run.codes[-1]:
            across = _signs(run_of_x[run.rows], run_of_x[run.rows], dtype)
            across *= _signs(run.codes, run.codes, dtype)
            signed = across @ weights
        yield _part(run, weights, signed, by_x=False)

    # table[c] = sum_j sgn(c - run of y of j) w_j sgn(a - run of x of j), a being the current run.
    numbers = np.arange(len(runs_y))
    table = -(_signs(numbers, numbers, dtype) @ table)
    for run in runs_x:
        weights = lanes.take(run.rows, axis=0).astype(dtype)
        its_y = run_of_y[run.rows]
        own = _signs(numbers, its_y, dtype) @ weights
        table += own
        signed = table.take(its_y, axis=0)
        table += own
        if run.codes[0] != run.codes[-1]:
            within = _signs(run.codes, run.codes, dtype)
            within *= _signs(y.codes[run.rows], y.codes[run.rows], dtype)
            signed += within @ weights
        yield _part(run, weights, signed, by_x=True)


def _cut(ordering: Ordering, size: int) -> tuple[list[_Run], Indices]:
    """The runs of an ordering, and for each row the number of its run."""
    found: list[_Run] = []
    number = np.empty(len(ordering.rows), dtype=np.intp)
    for low, high in runs(ordering.starts, len(ordering.rows), size):
        rows = ordering.rows[low:high]
        number[rows] = len(found)
        found.append(_Run(rows, ordering.codes[rows]))
    return found, number


def _dot(left: Real, right: Real) -> Floats:
    """sum_i left_ir right_ir; in float32 only where no partial sum can be rounded."""
    ones = np.ones(len(left), dtype=left.dtype)
    bound = float((ones @ left).max(initial=0)) * float(np.abs(right).max(initial=0))
    dtype = left.dtype if bound < EXACT_FLOAT32 else np.float64
    sums: Floats = np.einsum("ir,ir->r", left, right, dtype=dtype).astype(np.float64)
    return sums


def _exact_dtype(counts: Counts) -> type[np.floating[Any]]:
    bound = counts.shape[1] * int(counts.max(initial=0))
    return np.float32 if bound < EXACT_FLOAT32 else np.float64


def _signs(rows: Indices, columns: Indices, dtype: type[np.floating[Any]]) -> Real:
    """The matrix of sgn(row - column) of whole numbers; clipping is quicker than np.sign."""
    difference = rows.astype(dtype)[:, None] - columns.astype(dtype)
    return np.clip(difference, -1, 1, out=difference)


def _part(run: _Run, weights: Real, signed: Real | None, *, by_x: bool) -> Part:
    code = run.codes - run.codes[0]
    sizes = np.bincount(code)
    tied = np.flatnonzero(sizes[code] > 1)
    shared = np.flatnonzero(sizes > 1)
    member = (shared[:, None] == code).astype(weights.dtype)
    return Part(run.rows, weights, signed, by_x, tied, member @ weights)
