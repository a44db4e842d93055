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
sums are integers, which the type that `Draws` chose for the counts holds exactly. The products use
as many threads as numpy's BLAS is given: one is best where several processes share the cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np

from bench.metrics.draws import Column, Indices, Ordering, Real

SMALLEST_RUN = 64


@dataclass(frozen=True, eq=False)
class _Run:
    rows: Indices
    codes: Indices
    """`b` group numbers in the order by which the run was cut, ascending."""

    def varied(self) -> bool:
        """Whether it holds more than one value, so that there are pairs to compare."""
        return bool(self.codes[0] != self.codes[-1])


def sign_sums(x: Column, y: Column) -> Real:
    """For each row i, sum_j w_j sgn(x_i - x_j) sgn(y_i - y_j), `n x r`; x remembers it."""
    return x.once(("sign sums", y), lambda: _sign_sums(x, y))


def _sign_sums(x: Column, y: Column) -> Real:
    lanes = x.draws.lanes
    dtype = lanes.dtype
    size = max(SMALLEST_RUN, isqrt(len(lanes)))
    runs_x, run_of_x = _cut(x.ordering(), size)
    runs_y, run_of_y = _cut(y.ordering(), size)

    sums = np.zeros_like(lanes)
    table = np.zeros((len(runs_y), lanes.shape[1]), dtype=dtype)
    for number, run in enumerate(runs_y):
        weights = lanes.take(run.rows, axis=0)
        weights.sum(axis=0, out=table[number])
        if run.varied():
            across = _signs(run_of_x[run.rows], run_of_x[run.rows], dtype)
            across *= _signs(run.codes, run.codes, dtype)
            sums[run.rows] = across @ weights

    # table[c] = sum_j sgn(c - run of y of j) w_j sgn(a - run of x of j), a being the current run.
    numbers = np.arange(len(runs_y))
    table = -(_signs(numbers, numbers, dtype) @ table)
    y_codes = y.ordering().codes
    for run in runs_x:
        weights = lanes.take(run.rows, axis=0)
        its_y = run_of_y[run.rows]
        own = _signs(numbers, its_y, dtype) @ weights
        table += own
        signed = table.take(its_y, axis=0)
        table += own
        if run.varied():
            within = _signs(run.codes, run.codes, dtype)
            within *= _signs(y_codes[run.rows], y_codes[run.rows], dtype)
            signed += within @ weights
        sums[run.rows] += signed
    return sums


def _cut(ordering: Ordering, size: int) -> tuple[list[_Run], Indices]:
    """The runs of an ordering, and for each row the number of its run."""
    found: list[_Run] = []
    number = np.empty(len(ordering.rows), dtype=np.intp)
    for low, high in _runs(ordering.starts, len(ordering.rows), size):
        rows = ordering.rows[low:high]
        number[rows] = len(found)
        found.append(_Run(rows, ordering.codes[rows]))
    return found, number


def _runs(starts: Indices, rows: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut `rows` sorted rows into runs of about `size` rows, never inside a tie group.

    A group larger than `size` is a run of its own.
    """
    edges = np.append(starts, rows)
    low = 0
    while low < rows:
        high = int(edges[np.searchsorted(edges, low + size, side="right") - 1])
        if high <= low:
            high = int(edges[np.searchsorted(edges, low, side="right")])
        yield low, high
        low = high


def _signs(rows: Indices, columns: Indices, dtype: np.dtype[np.floating[Any]]) -> Real:
    """The matrix of sgn(row - column) of whole numbers; clipping is quicker than np.sign."""
    difference = rows.astype(dtype)[:, None] - columns.astype(dtype)
    return np.clip(difference, -1, 1, out=difference)
