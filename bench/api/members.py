"""The members of a kind and their facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, get_type_hints

from bench.api.say import quietly, tell
from bench.base import BenchError, OptionError, Record
from bench.proxies.computed import Computed, PopulationRanking
from bench.runs import live, members
from bench.spaces.opaque import OPAQUE

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("spaces", "tables", "tasks", "proxies", "passes", "searchers", "predictors", "studies")


def list_members(kind: str, *, quiet: bool = True) -> pd.DataFrame:
    """List what there is of a kind, with its facts; plugins too.

    Args:
        kind: `spaces`, `tables`, `tasks`, `proxies`, `passes`, `searchers`, `predictors` or
            `studies`.
        quiet: Say nothing on stderr.

    Returns:
        A frame, with a row a member, by its `name`; the other columns are the facts of the kind.

    Raises:
        OptionError: There is no such kind, or it needs torch, which is not here.
    """
    import pandas as pd

    if kind not in KINDS:
        raise OptionError(f"expected a kind among {', '.join(KINDS)}, got {kind!r}")
    with quietly(quiet):
        return pd.DataFrame.from_records(rows(kind)).set_index("name")


def rows(kind: str) -> list[Record]:
    """One record a member; one that cannot be loaded is listed with the reason."""
    return list(_KINDS[kind]())


def _each(kind: str, facts: Callable[[str], Record]) -> Iterator[Record]:
    for name in members.names(kind):
        row: Record = {"name": name, "origin": members.origin(kind, name)}
        try:
            yield row | facts(name)
        except BenchError as error:
            yield row | {"problem": str(error)}


def _space(name: str) -> Record:
    space = members.space(name)
    return {"size": space.size, "operations": len(space.operations), "forms": list(space.forms)}


def _spaces() -> Iterator[Record]:
    yield from _each("spaces", _space)
    yield {
        "name": OPAQUE.name,
        "origin": "built-in",
        "size": None,
        "operations": [],
        "forms": list(OPAQUE.forms),
        "about": "with --table FILE, for a space that is none of these: architectures are names",
    }


def _table(name: str) -> Record:
    reader = members.reader(name)
    return {"space": reader.space, "files": list(reader.files)}


def _task(name: str) -> Record:
    from bench.tables import files

    reader = members.reader(name)
    missing = [path for path in reader.files if not files.available(path)]
    return {"space": reader.space, "here": not missing, "missing": missing}


def _tasks() -> Iterator[Record]:
    yield from _each("tables", _task)
    tell(
        "TASK@OTHER is TASK with the scores that OTHER records: another task of its space, or the "
        "live.parquet of ipl-bench score"
    )


def _proxy(name: str) -> Record:
    proxy = members.proxy(name)
    row: Record = {
        "higher_is_better": proxy.higher_is_better,
        "needs": sorted(proxy.needs),
        "paper": proxy.paper,
    }
    if isinstance(proxy, Computed):
        row |= {
            "definition": proxy.definition,
            "passes": list(proxy.passes),
            "follows": proxy.follows,
            "deviations": list(proxy.deviations),
        }
    if isinstance(proxy, PopulationRanking):
        row |= {"definition": proxy.definition, "ranks_by": list(proxy.components)}
    return row


def _passes() -> Iterator[Record]:
    """What a live proxy may read: each pass, what it does, and the fields of its record."""
    live.require_torch()
    from bench.proxies.passes import pass_of

    for name in members.names("passes"):
        try:
            each = pass_of(name)
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            yield {"name": name, "problem": f"{type(error).__name__}: {error}"}
            continue
        run = getattr(each.run, "func", each.run)
        record = get_type_hints(run).get("return")
        about = (run.__doc__ or "not stated").strip().splitlines()
        names = [field.name for field in fields(record)] if is_dataclass(record) else []
        yield {"name": name, "after": list(each.after), "about": about[0], "fields": names}


def _searcher(name: str) -> Record:
    return _with_options(members.searcher(name)[0])


def _with_options(member: Callable[..., object]) -> Record:
    about = (member.__doc__ or "").strip().splitlines()
    options = {name: _plain(value) for name, value in members.options(member).items()}
    return {"options": options, "about": about[0] if about else ""}


def _plain(value: object) -> object:
    """A default as JSON can hold it, or as Python writes it."""
    return value if isinstance(value, bool | int | str | None) else repr(value)


def _predictor(name: str) -> Record:
    return _with_options(members.predictor(name)[0])


def _studies() -> Iterator[Record]:
    from bench.studies import STUDIES

    for study in STUDIES:
        runs = sum(1 for _ in study.runs())
        yield {"name": study.name, "runs": runs, "tasks": len(study.tasks()), "about": study.about}


_KINDS: dict[str, Callable[[], Iterator[Record]]] = {
    "spaces": _spaces,
    "tables": lambda: _each("tables", _table),
    "tasks": _tasks,
    "proxies": lambda: _each("proxies", _proxy),
    "searchers": lambda: _each("searchers", _searcher),
    "predictors": lambda: _each("predictors", _predictor),
    "studies": _studies,
    "passes": _passes,
}
