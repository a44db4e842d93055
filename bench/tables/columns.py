"""One column of a table by its name: the recorded one or an error, never a replacement."""

from __future__ import annotations

from collections.abc import Iterable

from bench.base import DataError, Floats, Table

ACCURACIES = ("train", "validation", "test")


def column(table: Table, name: str) -> Floats:
    """Return `n` values: `train`, `validation`, `test`, a target, a proxy or training_seconds.

    Raises:
        DataError: If the table has no such column; the message names those that it has.
    """
    for group in (table.accuracy, table.targets, table.scores):
        if name in group:
            return group[name]
    if name == "training_seconds" and table.training_seconds is not None:
        return table.training_seconds
    if name in ACCURACIES:
        raise DataError(f"{table.name} has no {name} accuracy, only {_listed(table.accuracy)}")
    others = [*table.accuracy, *table.targets, *table.scores]
    if table.training_seconds is not None:
        others.append("training_seconds")
    raise DataError(f"{table.name} has no column {name!r}, only {_listed(others)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
