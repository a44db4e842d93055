"""How all metrics are called: with columns alone, with counts of resamples, or with drawn columns.

A metric is defined once, by a kernel that takes columns drawn in `r` resamples and gives `r`
values; the plain value of a table is the case in which every row counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import update_wrapper
from typing import Any, overload

import numpy as np

from bench.metrics.draws import Column, Counts, Draws, Floats, checked_columns

CELLS = 1 << 24
"""Entries of one `n x r` work array, 64 MiB of float32: large, as each part makes its own signs."""


class Metric:
    """A metric of some columns, called as `metric(*columns, *options, counts=None)`.

    Columns have shape `n`. Without counts the result is a float. Counts have shape `r x n`, hold
    integers from 0 up, and give `r` values of float64: each is the metric of the table in which
    row i stands `counts[i]` times. Options stand after the columns, or are named.

    To take several metrics on the same resamples, draw the columns once (`Draws.column`) and give
    these instead, without counts: what one call finds out about them, the next one need not.

    Raises:
        ValueError: Columns that are empty, not one-dimensional, of differing lengths, or hold
            NaN; counts that do not fit them; columns drawn in different resamples.
    """

    def __init__(self, kernel: Callable[..., Floats], columns: int) -> None:
        self.columns = columns
        self._kernel = kernel
        self.__name__ = kernel.__name__
        update_wrapper(self, kernel)

    @overload
    def __call__(self, first: Column, *arguments: Any, **options: Any) -> Floats: ...

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
        given, rest = arguments[: self.columns], arguments[self.columns :]
        if any(isinstance(column, Column) for column in given):
            _check_drawn_together(given, counts)
            return self._kernel(*given, *rest, **options)
        columns = checked_columns(*given)

        def value(part: Counts) -> Floats:
            draws = Draws.of(part)
            drawn = (Column(column, draws) for column in columns)
            return self._kernel(*drawn, *rest, **options)

        if counts is None:
            return float(value(np.ones((1, len(columns[0])), dtype=np.uint16))[0])
        return in_parts(checked_counts(counts, len(columns[0])), value)

    def __repr__(self) -> str:
        return f"<metric {self.__name__}>"


def metric(columns: int) -> Callable[[Callable[..., Floats]], Metric]:
    """Make a metric of a kernel whose first parameters are `columns` columns."""
    return lambda kernel: Metric(kernel, columns)


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


def _check_drawn_together(columns: tuple[Any, ...], counts: Counts | None) -> None:
    draws = {id(one.draws) if isinstance(one, Column) else None for one in columns}
    if len(draws) > 1 or None in draws or counts is not None:
        raise ValueError(
            "drawn columns must come from the same draws, all of them, and without counts, got "
            f"{len(draws)} kinds of columns {'without' if counts is None else 'with'} counts"
        )


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
    lanes = max(1, cells // max(1, counts.shape[1]))
    return (slice(start, start + lanes) for start in range(0, len(counts), lanes))


def in_parts(counts: Counts, value: Callable[[Counts], Floats]) -> Floats:
    """Apply `value`, which gives one number a resample, part by part; the result has shape `r`."""
    values = np.empty(len(counts))
    for part in parts(counts):
        values[part] = value(counts[part])
    return values


def ratio(above: Floats, below: Floats) -> Floats:
    """`above / below`, and NaN where `below` is not positive."""
    undefined = np.full(above.shape, np.nan)
    quotient: Floats = np.divide(above, below, out=undefined, where=below > 0)
    return quotient
