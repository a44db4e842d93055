"""What all metrics share: how they are called, and sums over counts.

A resample of `n` rows is written as `n` counts: how many times each row was drawn. A metric is
defined once, by a kernel that takes `r x n` counts and gives `r` values; the plain value of a
table is the case in which every row counts once. Sort orders and tie groups belong to the rows,
so they are found once for all resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Indices: TypeAlias = NDArray[np.intp]
Counts: TypeAlias = NDArray[np.integer[Any]]

CELLS = 1 << 17
"""Entries of one `r x n` work array of float64: 1 MiB, so that a few of them stay in the cache."""


class Metric:
    """A metric of some columns, called as `metric(*columns, *options, counts=None)`.

    Columns have shape `n`. Without counts the result is a float. Counts have shape `r x n`, hold
    integers from 0 up, and give `r` values of float64: each is the metric of the table in which
    row i stands `counts[i]` times. Options stand after the columns, or are named.

    Raises:
        ValueError: Columns that are empty, not one-dimensional, of differing lengths, or hold
            NaN; counts that do not fit them.
    """

    def __init__(self, kernel: Callable[..., Floats], columns: int) -> None:
        self.columns = columns
        self._kernel = kernel
        self.__name__ = kernel.__name__
        update_wrapper(self, kernel)

    @overload
    def __call__(self, *arguments: Any, counts: None = None, **options: Any) -> float: ...

    @overload
    def __call__(self, *arguments: Any, counts: Counts, **options: Any) -> Floats: ...

    def __call__(
        self, *arguments: Any, counts: Counts | None = None, **options: Any
    ) -> float | Floats:
        if len(arguments) < self.columns:
            raise TypeError(
                f"{self.__name__} wants {self.columns} columns before its options, "
                f"got {len(arguments)}"
            )
        columns = checked_columns(*arguments[: self.columns])
        rest = arguments[self.columns :]
        if counts is None:
            once = np.ones((1, len(columns[0])), dtype=np.uint16)
            return float(self._kernel(*columns, *rest, counts=once, **options)[0])
        counts = checked_counts(counts, len(columns[0]))
        return self._kernel(*columns, *rest, counts=counts, **options)

    def __repr__(self) -> str:
        return f"<metric {self.__name__}>"


def metric(columns: int) -> Callable[[Callable[..., Floats]], Metric]:
    """Make a metric of a kernel whose first parameters are `columns` columns."""
    return lambda kernel: Metric(kernel, columns)


def checked_columns(*columns: ArrayLike) -> list[Floats]:
    """The columns as float64 of one shape `n`, or a ValueError that says what is wrong."""
    arrays = [np.asarray(column, dtype=np.float64) for column in columns]
    for array in arrays:
        if array.ndim != 1 or array.size == 0 or array.shape != arrays[0].shape:
            shapes = ", ".join(str(one.shape) for one in arrays)
            raise ValueError(f"a metric wants columns of one shape (n,), n >= 1, got {shapes}")
        if np.isnan(array).any():
            raise ValueError(
                "a metric wants values that can be ordered, -inf for failures (see "
                f"failures_last), got NaN in {int(np.isnan(array).sum())} of {array.size} rows"
            )
    return arrays


def checked_counts(counts: Counts, rows: int) -> Counts:
    """The counts as an array of shape `r x n`, or a ValueError that says what is wrong."""
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[1] != rows or counts.dtype.kind not in "ui":
        raise ValueError(
            f"counts must be integers of shape r x {rows}, got {counts.dtype} {counts.shape}"
        )
    if counts.dtype.kind == "i" and counts.size and counts.min() < 0:
        raise ValueError(f"counts must not be negative, got {counts.min()}")
    return counts


def finite(column: Floats, name: str) -> Floats:
    """The column itself, or a ValueError that names it when it holds an infinity."""
    if not np.isfinite(column).all():
        raise ValueError(
            f"{name} must be finite here, got {int((~np.isfinite(column)).sum())} "
            f"infinite values in {column.size} rows"
        )
    return column


def parts(counts: Counts, cells: int = CELLS) -> Iterator[slice]:
    """Cut the resamples into slices of about `cells` entries, at least one resample each."""
    lanes = max(1, cells // counts.shape[1])
    return (slice(start, start + lanes) for start in range(0, len(counts), lanes))


def in_parts(counts: Counts, value: Callable[[Counts], Floats], cells: int = CELLS) -> Floats:
    """Apply `value`, which gives one number a resample, part by part; the result has shape `r`."""
    values = np.empty(len(counts))
    for part in parts(counts, cells):
        values[part] = value(counts[part])
    return values


def totals(counts: Counts) -> Floats:
    """How many rows each resample has, shape `r`."""
    rows: Floats = counts.sum(axis=1, dtype=np.int64).astype(np.float64)
    return rows


def ratio(above: Floats, below: Floats) -> Floats:
    """`above / below`, and NaN where `below` is not positive."""
    undefined = np.full(above.shape, np.nan)
    quotient: Floats = np.divide(above, below, out=undefined, where=below > 0)
    return quotient


@dataclass(frozen=True, eq=False)
class Ordering:
    """The rows of a column in ascending order, and its `g` groups of equal values."""

    codes: Indices
    """`n` group numbers, 0 for the lowest value."""
    rows: Indices
    """`n` row numbers in ascending order; ties in row order."""
    starts: Indices
    """`g` positions in `rows` at which a group begins."""

    @classmethod
    def of(cls, column: Floats) -> Ordering:
        """Order a column of `n` values without NaN."""
        rows = np.argsort(column, kind="stable")
        values = column[rows]
        new = np.concatenate([[True], values[1:] != values[:-1]])
        codes = np.empty(len(rows), dtype=np.intp)
        codes[rows] = np.cumsum(new) - 1
        return cls(codes, rows, np.flatnonzero(new))

    def groups(self, counts: Counts) -> Floats:
        """How many rows of each resample fall in each group, `r x g`."""
        taken = counts.take(self.rows, axis=1)
        if len(self.starts) < len(self.rows):
            taken = np.add.reduceat(taken.astype(np.int64), self.starts, axis=1)
        return taken.astype(np.float64)


def runs(starts: Indices, rows: int, size: int) -> Iterator[tuple[int, int]]:
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
