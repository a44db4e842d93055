"""Where the time of scoring goes: the rows of `ipl-bench profile` as tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from bench.base import Record
from bench.reports.tables import Cell, Table, number

SHOWN_OPERATIONS = 15


def profile_tables(rows: Sequence[Record]) -> list[Table]:
    """A run's passes, its dearest operations, and the kernels; for every run of `profile`."""
    tables = []
    for run, group in groupby(rows, key=lambda row: str(row["run"])):
        of = list(group)
        tables += [_passes(run, of), _operations(run, of), _kernels(run, of)]
    return [table for table in tables if table.rows]


def _passes(run: str, rows: Sequence[Record]) -> Table:
    limits = next(row for row in rows if row["what"] == "ceilings")
    caption = (
        f"{run}: seconds a network by pass, on {limits['device']} with {limits['threads']} "
        f"threads; measured ceilings {_giga(limits['flops_per_second'])} GFLOP/s (float32 matrix "
        f"product) and {_giga(limits['bytes_per_second'])} GB/s."
    )
    shown = tuple(
        (
            Cell(row["pass"]),
            Cell(number(row["seconds"], 4)),
            Cell(f"{number(100 * row['share'], 1)} %"),
            Cell(str(row["networks"])),
        )
        for row in rows
        if row["what"] == "pass"
    )
    return Table(f"passes-{run}", caption, ("pass", "seconds", "share", "networks"), shown, 1)


def _operations(run: str, rows: Sequence[Record]) -> Table:
    caption = (
        f"{run}: the operations that took longest, all networks together. Of the roof is the rate "
        "as a part of what the ceilings allow at that intensity; above 100 % where data came from "
        "cache. An operation on single values counts one operation an output."
    )
    found = sorted(
        (row for row in rows if row["what"] == "operation"), key=lambda row: -row["seconds"]
    )
    shown = tuple(
        (Cell(row["pass"]), Cell(row["name"]), Cell(str(row["calls"])), *_rates(row))
        for row in found[:SHOWN_OPERATIONS]
    )
    columns = ("pass", "operation", "calls", *_RATES)
    return Table(f"operations-{run}", caption, columns, shown, 2)


def _kernels(run: str, rows: Sequence[Record]) -> Table:
    caption = f"{run}: kernels and their references, best of five calls; a dash was not measured."
    shown = tuple(
        (Cell(row["name"]), Cell(row["implementation"]), Cell(row["shape"]), *_rates(row))
        for row in rows
        if row["what"] == "kernel"
    )
    columns = ("kernel", "implementation", "shape", *_RATES)
    return Table(f"kernels-{run}", caption, columns, shown, 3)


_RATES = ("seconds", "GFLOP/s", "GB/s", "flop/byte", "of the roof", "bound by")


def _rates(row: Record) -> tuple[Cell, ...]:
    if row["seconds"] is None:
        return (*(Cell(number(None, 0)) for _ in _RATES[:-1]), Cell(str(row["note"])))
    roof = row["of_roof"]
    return (
        Cell(number(row["seconds"], 5)),
        Cell(_giga(row["flops_per_second"])),
        Cell(_giga(row["bytes_per_second"])),
        Cell(number(row["intensity"], 2)),
        Cell(number(None, 0) if roof is None else f"{number(100 * roof, 0)} %"),
        Cell(str(row["bound"])),
    )


def _giga(value: float) -> str:
    return number(value / 1e9, 1)
