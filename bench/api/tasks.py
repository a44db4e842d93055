"""Tasks: those that are known by name, and a user's own files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.api.arguments import texts
from bench.api.say import quietly, tell
from bench.base import BenchError, DataError, OptionError, Space
from bench.runs import members
from bench.runs.tasks import Task, task_reader
from bench.runs.tasks import load_task as load_known
from bench.spaces.opaque import OPAQUE
from bench.tables.user import FAILED_CELLS, read_table, sentences_of_directions

DESCRIBING = (
    *("dataset", "columns", "ignore", "minimise"),
    *("metric", "empty", "lower_is_better", "encoding"),
)
"""The options that say what a file does not say of itself, by their parameters."""


def load_task(
    name: str | Path,
    *,
    space: str | None = None,
    search_on: str | None = None,
    quiet: bool = False,
    **described: Any,
) -> Task:
    """Load a task: something to search, and what is true of it.

    Args:
        name: The name of a task (`bench.list_members("tasks")`); `A@B` for task A with the scores
            that B records; or, where `space` is named, the path of a CSV, Parquet or JSON file.
        space: The space of the file's architectures; `opaque` if it is none of the bench's.
        search_on: `test`, where searchers may be told test accuracy for want of validation.
        quiet: Say nothing of how the file was read.
        **described: What the file does not say of itself: `dataset`, `metric`, `encoding`, `empty`
            ("failed" or "unrecorded"), `minimise` (smaller accuracies win), and the sequences
            `columns` ("OURS=THEIRS"), `ignore` and `lower_is_better`.

    Raises:
        BenchError: There is no such task or file, its data is not here or damaged, or an option
            does not fit.
    """
    for option in ("columns", "ignore", "lower_is_better"):
        if option in described:
            described[option] = texts(option, described[option])
    wrong = [option for option in described if option not in DESCRIBING]
    if wrong:
        raise OptionError(f"expected options among {', '.join(DESCRIBING)}, got {wrong[0]}")
    names, files = ([], [Path(name)]) if space else ([str(name)], [])
    with quietly(quiet):
        (task,) = tasks(names, tables=files, space=space, search_on=search_on, **described)
    return task


def as_tasks(given: str | Task | Sequence[str | Task]) -> list[Task]:
    """The tasks, loaded where they are named. Raises OptionError for none, and as `load_task`."""
    listed = members.listed(given)
    if not listed:
        raise OptionError("expected at least one task, got none")
    found: list[Task] = []
    for each in dict.fromkeys(listed):
        task: Any = load_known(each) if isinstance(each, str) else each
        if not isinstance(task, Task):
            raise OptionError(f"expected tasks or their names, got {type(task).__name__}")
        found.append(task)
    return found


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
        yield _searched_on(load_known(name), search_on)
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
