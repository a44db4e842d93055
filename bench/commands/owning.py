"""A user's own file as a task: `--table FILE --space SPACE --column OURS=THEIRS`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.base import BenchError, DataError, OptionError, Space
from bench.commands.showing import tell
from bench.runs import members
from bench.runs.tasks import Task, load_task, task_reader
from bench.spaces.opaque import OPAQUE
from bench.tables.user import FAILED_CELLS, read_table, sentences_of_directions

DESCRIBING = (
    *("dataset", "columns", "ignore", "minimise"),
    *("metric", "empty", "lower_is_better", "encoding"),
)
"""The options that say what a file does not say of itself, by their parameters."""


def tasks(
    names: Sequence[str],
    *,
    tables: Sequence[Path] = (),
    space: str | None = None,
    asked: Sequence[str] = (),
    tell_failures: bool = True,
    search_on: str | None = None,
    **described: Any,
) -> Iterator[Task]:
    """The tasks named, then one for every file. Raises OptionError where neither is given.

    Args:
        names: Tasks of the bench.
        tables: Files.
        space: That of the files.
        asked: Names of proxies that the user wrote, which are read whatever they look like.
        tell_failures: False where the rows that follow count failed scores by their reasons.
        search_on: The accuracy that searchers are told in place of validation.
        **described: The options of DESCRIBING.
    """
    if not names and not tables:
        raise OptionError("expected at least one TASK or --table FILE, got none")
    if not tables and (space or any(described.values())):
        *most, last = ("space", *DESCRIBING)
        options = ", ".join(map(_option, most))
        raise OptionError(
            f"{options} and {_option(last)} describe a --table FILE, and none is given"
        )
    for name in names:
        task_reader(name)
    stated = _stated(described)
    if tables and space is None:
        known = ", ".join(members.names("spaces"))
        raise OptionError(
            f"--table needs --space, one of {known}; or {OPAQUE.name} for a space that is none of "
            "them"
        )
    for name in dict.fromkeys(names):
        yield _searched_on(load_task(name), search_on)
    for path in tables:
        own: Space = OPAQUE if space == OPAQUE.name else members.space(str(space))
        dataset = described.get("dataset") or path.name.partition(".")[0]
        facts = stated | {"asked": asked, "tell_failures": tell_failures, "dataset": dataset}
        try:
            table = read_table(path, own, tell=tell, **facts)
        except BenchError:
            raise
        except Exception as error:
            raise DataError(f"{path} could not be read: {type(error).__name__}: {error}") from error
        for sentence in sentences_of_directions(table, _built_in(table.scores)):
            tell(f"{path.name}: {sentence}")
        yield _searched_on(Task(own, table), search_on)


def _option(parameter: str) -> str:
    return "--" + ("column" if parameter == "columns" else parameter.replace("_", "-"))


def _stated(described: Mapping[str, Any]) -> dict[str, Any]:
    """What the options say, as `bench.tables.user.Reading` has it. Raises OptionError."""
    return {
        "maximise": not described.get("minimise", False),
        "columns": _mapping(described.get("columns") or ()),
        "ignore": described.get("ignore") or (),
        "metric": described.get("metric"),
        "empty": described.get("empty") or FAILED_CELLS,
        "lower_is_better": described.get("lower_is_better") or (),
        "encoding": described.get("encoding"),
    }


def _built_in(proxies: Iterable[str]) -> list[tuple[str, bool]]:
    """The proxies that there are of these names, each with whether larger is better."""
    known = set(members.names("proxies"))
    return [(name, members.proxy(name).higher_is_better) for name in proxies if name in known]


def _searched_on(task: Task, split: str | None) -> Task:
    """The task whose searchers are told another accuracy than validation, if one is asked for.

    Raises OptionError where the task has validation, or lacks what is asked for.
    """
    if split is None:
        return task
    accuracy = task.table.accuracy
    if "validation" in accuracy or split not in accuracy:
        raise OptionError(
            f"expected --search-on {split} for a task with {split} and no validation accuracy, got "
            f"{task.name} with {', '.join(accuracy)}"
        )
    tell(
        f"{task.name}: searchers are told {split} accuracy, as there is no validation: what they "
        f"find is chosen by {split} accuracy"
    )
    told = {**accuracy, "validation": accuracy[split]}
    return Task(task.space, replace(task.table, accuracy=told, searched_on=split))


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
