"""A table of a user's own, from CSV, Parquet or NAS-Bench-Suite-Zero's JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.base import DataError, Floats, Space, Table
from bench.tables._frame import Frame, read_csv, read_parquet
from bench.tables._rows import parse_all, refuse_repeats
from bench.tables.columns import ACCURACIES
from bench.tables.files import refuse_pickle
from bench.tables.made import is_made, read_made
from bench.tables.suite_zero import read_suite_zero

ARCH = "arch"
SECONDS = "training_seconds"
TARGET = "targets."
ROLES = (ARCH, *ACCURACIES, SECONDS)


def read_table(
    path: Path,
    space: Space,
    *,
    dataset: str,
    maximise: bool,
    metric: str | None = None,
    columns: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    name: str | None = None,
) -> Table:
    """Read a table of architectures, what they reached, and proxies' scores of them.

    A CSV or Parquet file has a column `arch` (any text form of the space) and at least one of
    `train`, `validation`, `test`; `training_seconds` may be there too. Every other column is a
    proxy's score, unless `columns` or `ignore` names it. An empty score is *not recorded*; NaN,
    an infinity or -1e8 is *failed*. A JSON file is read by `read_suite_zero`, and a Parquet file
    that `make-table` wrote by `read_made`: both know their columns.

    Args:
        path: A file ending in .csv, .csv.gz, .parquet or .json.
        space: The space of its architectures.
        dataset: What they were trained on; in JSON, which of its datasets to read.
        maximise: Whether larger values of the metric are better.
        metric: What `train`, `validation` and `test` hold (default: accuracy_percent, or what
            the suite measures on this dataset).
        columns: The file's column for a role, as in `{"validation": "val_acc", "arch": "net"}`;
            `targets.latency` makes a target of a column. JSON and made tables have none to name.
        ignore: Columns or proxies that are left out, such as comments.
        name: The table's name (default: the file's stem).

    Raises:
        DataError: If the file is damaged or foreign, a column is missing or not numeric, an
            accuracy is not a finite number, or an architecture is unreadable or there twice.
    """
    refuse_pickle(path)
    if not path.is_file():
        raise DataError(f"expected a table, got no file at {path}")
    if path.suffix == ".json":
        if columns:
            raise DataError(f"{path.name}: expected no columns to be named for JSON, got {columns}")
        table = read_suite_zero(path, space, dataset, name)
    elif path.suffix == ".parquet" and is_made(path):
        if columns:
            raise DataError(
                f"{path.name}: expected no columns to be named for a made table, got {columns}"
            )
        table = read_made(path, space)
    else:
        table = _read_columns(_read_frame(path), space, dataset, dict(columns or {}), set(ignore))
    scores = {it: values for it, values in table.scores.items() if it not in set(ignore)}
    return replace(
        table,
        name=name or path.name.partition(".")[0],
        scores=scores,
        metric=metric or table.metric,
        maximise=maximise,
    )


def _read_frame(path: Path) -> Frame:
    if path.suffix == ".parquet":
        return read_parquet(path)
    if path.name.endswith((".csv", ".csv.gz")):
        return read_csv(path)
    raise DataError(f"expected a name ending in .csv, .csv.gz, .parquet or .json, got {path.name}")


def _read_columns(
    frame: Frame, space: Space, dataset: str, columns: dict[str, str], ignore: set[str]
) -> Table:
    if not frame.rows:
        raise DataError(f"{frame.name}: expected at least one row, got none")
    for name in ignore:
        frame.column(name)
    roles = _roles(frame, columns)
    archs = parse_all(frame.texts(roles[ARCH]), space, frame.name)
    refuse_repeats(archs, space, frame.name)
    proxies = [it for it in frame.cells if it not in ignore | set(roles.values())]
    return Table(
        name=frame.name,
        space=space.name,
        dataset=dataset,
        archs=[space.text(arch) for arch in archs],
        accuracy={it: _accuracy(frame, roles[it]) for it in ACCURACIES if it in roles},
        scores={it: frame.scores(it) for it in proxies},
        targets={
            role.removeprefix(TARGET): frame.numbers(column)
            for role, column in roles.items()
            if role.startswith(TARGET)
        },
        training_seconds=frame.numbers(roles[SECONDS]) if SECONDS in roles else None,
    )


def _roles(frame: Frame, columns: dict[str, str]) -> dict[str, str]:
    """Return the column of each role: the one that was named for it, or the one of its name.

    Raises:
        DataError: If a role is unknown, a named column is missing, one column was named twice, or
            there is no architecture or no accuracy.
    """
    for role, column in columns.items():
        if role not in ROLES and not role.startswith(TARGET):
            raise DataError(
                f"expected a role among {', '.join(ROLES)} or targets.NAME, got {role!r}"
            )
        frame.column(column)
    taken = list(columns.values())
    if len(set(taken)) < len(taken):
        raise DataError(f"{frame.name}: expected every column in one role, got {columns}")
    roles = {it: it for it in ROLES if it in frame.cells and it not in taken} | columns
    if ARCH not in roles:
        frame.column(ARCH)
    if not any(it in roles for it in ACCURACIES):
        raise DataError(
            f"{frame.name}: expected a column train, validation or test, got"
            f" {', '.join(frame.cells)}; say which one it is, as in validation=val_acc"
        )
    return roles


def _accuracy(frame: Frame, column: str) -> Floats:
    """Return a column of finite numbers."""
    values = frame.numbers(column)
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise DataError(
            f"{frame.name}: expected finite numbers in column {column!r}, got {len(wrong)} that are"
            f" not, the first in row {wrong[0] + 1}"
        )
    return values
