"""Columns drawn in many resamples at once, and what has been found out about them.

A resample of `n` rows is written as `n` counts: how many times each row was drawn. Sort orders and
tie groups belong to the rows, so they are found once for all resamples; and what a metric finds
out about a column stays with it, so that metrics, and proxies of one truth, share it.

Work arrays have one row for each row (or tie group) and one lane for each resample, `n x r`:
putting rows in another order then moves whole lines of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Real: TypeAlias = NDArray[np.floating[Any]]
Bools: TypeAlias = NDArray[np.bool_]
Indices: TypeAlias = NDArray[np.intp]
Counts: TypeAlias = NDArray[np.integer[Any]]
Found = TypeVar("Found")

EXACT_FLOAT32 = 1 << 24
BLOCK = 32
"""Rows that `cumulated` sums in one product."""


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


def dot(left: Real, right: Real) -> Floats:
    """sum_i left_ir right_ir, summed in float64."""
    sums: Floats = np.einsum("nr,nr->r", left, right, dtype=np.float64)
    return sums


def cumulated(lanes: Real) -> Real:
    """Running sums down the rows of `n x r` values; whole numbers stay exact.

    Each block of rows is summed by a product with a triangle of ones, which is several times
    faster than np.cumsum down the columns of an array.
    """
    rows, resamples = lanes.shape
    whole, shape = rows - rows % BLOCK, (rows // BLOCK, BLOCK, resamples)
    sums = np.empty_like(lanes)
    blocks = sums[:whole].reshape(shape)
    np.matmul(np.tri(BLOCK, dtype=lanes.dtype), lanes[:whole].reshape(shape), out=blocks)
    blocks[1:] += np.cumsum(blocks[:-1, -1], axis=0)[:, None]
    np.cumsum(lanes[whole:], axis=0, out=sums[whole:])
    if whole:
        sums[whole:] += sums[whole - 1]
    return sums


def steps(sums: Real) -> Real:
    """What each row adds to running sums down the rows: `cumulated` undone."""
    added = np.empty_like(sums)
    added[0] = sums[0]
    np.subtract(sums[1:], sums[:-1], out=added[1:])
    return added


class _Memory:
    """Remembers what was found out, under a name."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Any] = {}

    def __call__(self, name: Hashable, find: Callable[[], Found]) -> Found:
        if name not in self._known:
            self._known[name] = find()
        known: Found = self._known[name]
        return known


@dataclass(frozen=True, eq=False)
class Draws:
    """`r` resamples of `n` rows."""

    lanes: Real
    """How often each row was drawn, `n x r`: float32 where all sums and ranks are exact in it."""
    totals: Floats
    """How many rows each resample has, shape `r`."""
    once: _Memory = field(default_factory=_Memory, repr=False)

    @classmethod
    def of(cls, counts: Counts) -> Draws:
        """The resamples of `r x n` counts."""
        totals = counts.sum(axis=1, dtype=np.int64).astype(np.float64)
        # The largest whole number that is met: a count times a doubled rank, or a row number.
        bound = 2 * float(counts.max(initial=1)) * totals.max(initial=counts.shape[1])
        dtype = np.float32 if bound < EXACT_FLOAT32 else np.float64
        # Turned in the narrower type and widened then, which is quicker than both at once.
        return cls(np.ascontiguousarray(counts.T).astype(dtype), totals)

    def column(self, values: ArrayLike) -> Column:
        """A column of `n` values in these resamples. Raises ValueError as a metric does."""
        (checked,) = checked_columns(values)
        if len(checked) != len(self.lanes):
            raise ValueError(f"a column wants {len(self.lanes)} values, got {len(checked)}")
        return Column(checked, self)

    def wide(self) -> Floats:
        """The lanes as float64, `n x r`."""
        return self.once("wide", lambda: self.lanes.astype(np.float64, copy=False))

    def power_sums(self, power: int) -> Floats:
        """The sum of the counts to a power of 2 or 3, shape `r`."""
        return self.once(("power sums", power), lambda: _power_sums(self.lanes, power))


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

    def sizes(self) -> Indices:
        """How many rows are in each group, shape `g`."""
        return np.diff(self.starts, append=len(self.rows))


@dataclass(frozen=True, eq=False)
class Column:
    """`n` values, drawn in `r` resamples, and what has been found out about them."""

    values: Floats
    draws: Draws
    once: _Memory = field(default_factory=_Memory, repr=False)
    """Remembers what depends on nothing but this column, its draws, and what the name says."""

    def ordering(self) -> Ordering:
        """The order and the tie groups of the rows."""
        return self.once("ordering", lambda: Ordering.of(self.values))

    def after(self) -> Real:
        """How many rows of each resample are in a group or below it, `g x r`."""

        def find() -> Real:
            order = self.ordering()
            sums = cumulated(self.draws.lanes.take(order.rows, axis=0))
            ends = order.starts + order.sizes() - 1
            return sums if len(ends) == len(sums) else sums.take(ends, axis=0)

        return self.once("after", find)

    def groups(self) -> Real:
        """How many rows of each resample are in a group, `g x r`."""
        return self.once("groups", lambda: steps(self.after()))

    def untied(self) -> Real:
        """For each row, how many rows of the resample differ from it, `n x r`."""

        def find() -> Real:
            others = self.draws.totals.astype(self.groups().dtype) - self.groups()
            return others.take(self.ordering().codes, axis=0)

        return self.once("untied", find)

    def power_sums(self, power: int) -> Floats:
        """The sum of `groups` to a power of 2 or 3, shape `r`."""

        def find() -> Floats:
            size = self.ordering().sizes()
            tied = np.flatnonzero(size > 1)
            if len(tied) == 0:
                return self.draws.power_sums(power)
            rows = np.flatnonzero(size[self.ordering().codes] > 1)
            alone = self.draws.power_sums(power) - _power_sums(self.draws.lanes[rows], power)
            return alone + _power_sums(self.groups()[tied], power)

        return self.once(("power sums", power), find)

    def ranks(self) -> Real:
        """Mid-ranks less their mean, doubled: `n x r` whole numbers."""

        def find() -> Real:
            # A group at ranks before + 1 .. after has the mid-rank (before + after + 1) / 2.
            doubled = 2 * self.after()
            doubled -= self.groups()
            doubled -= self.draws.totals.astype(doubled.dtype)
            return doubled.take(self.ordering().codes, axis=0)

        return self.once("ranks", find)

    def weighted_ranks(self) -> Real:
        """The ranks times the counts, `n x r`."""
        return self.once("weighted ranks", lambda: self.draws.lanes * self.ranks())


def _power_sums(values: Real, power: int) -> Floats:
    sums: Floats = np.einsum(",".join(["nr"] * power) + "->r", *[values] * power, dtype=np.float64)
    return sums
