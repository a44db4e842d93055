"""A user's own file as a task: `--table FILE --space SPACE --column OURS=THEIRS`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.base import BenchError, DataError, OptionError
from bench.commands.showing import tell
from bench.runs import members
from bench.runs.tasks import Task, load_task, task_reader
from bench.tables.user import read_table

ACCURACY = re.compile(r"(^|_|\b)(acc|accuracy|loss|test|val|valid|validation)(_|\b|\d|$)", re.I)
"""What the name of an accuracy looks like, so that none becomes a proxy unnoticed."""


def tasks(
    names: Sequence[str],
    *,
    tables: Sequence[Path] = (),
    space: str | None = None,
    dataset: str | None = None,
    columns: Sequence[str] = (),
    ignore: Sequence[str] = (),
    minimise: bool = False,
) -> Iterator[Task]:
    """The tasks named, then one for every file. Raises OptionError where neither is given."""
    if not names and not tables:
        raise OptionError("expected at least one TASK or --table FILE, got none")
    if not tables and (space or dataset or columns or ignore or minimise):
        raise OptionError(
            "--space, --dataset, --column, --ignore and --minimise describe a --table FILE, "
            "and none is given"
        )
    for name in names:
        task_reader(name)
    mapping = _mapping(columns)
    if tables and space is None:
        known = ", ".join(members.names("spaces"))
        raise OptionError(f"--table needs --space, one of {known}")
    for name in dict.fromkeys(names):
        yield load_task(name)
    for path in tables:
        own = members.space(str(space))
        try:
            table = read_table(
                path,
                own,
                dataset=dataset or path.name.partition(".")[0],
                maximise=not minimise,
                columns=mapping,
                ignore=ignore,
            )
        except BenchError:
            raise
        except Exception as error:
            raise DataError(f"{path} could not be read: {type(error).__name__}: {error}") from error
        for column in filter(ACCURACY.search, table.scores):
            tell(
                f"{path.name}: the column {column} is taken as a proxy; if it is an accuracy, say "
                f"--column test={column} or --ignore {column}"
            )
        yield Task(own, table)


def _mapping(columns: Sequence[str]) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for pair in columns:
        ours, equals, theirs = pair.partition("=")
        if not (ours and equals and theirs):
            raise OptionError(f"expected --column as OURS=THEIRS, got {pair!r}")
        if ours in mapping:
            raise OptionError(f"--column gives {ours} twice: {mapping[ours]} and {theirs}")
        mapping[ours] = theirs
    return mapping
