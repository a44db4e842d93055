"""`ipl-bench search`: searches of some tasks, without a study."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from bench.base import OptionError, Record
from bench.runs import members
from bench.runs.oracle import parse_budget
from bench.runs.parquet import to_bytes
from bench.runs.row import SearchRun
from bench.runs.search import judged, search_all, traces
from bench.runs.store import write_whole
from bench.runs.tasks import Task

SHOWN = ("task", "searcher", "seed", "queries", "validation", "test", "regret", "error")


def rows(
    tasks: Iterable[Task],
    searchers: Sequence[str],
    budget: str,
    seeds: int,
    tell: Callable[[Record], None],
) -> tuple[list[Record], list[pa.Table]]:
    """Search every task with every searcher: the rows, and the traces of all queries.

    `tell` is given each row as it is done. Raises what is wrong with a name or option before
    anything is searched.
    """
    if not searchers:
        known = ", ".join(members.names("searchers"))
        raise OptionError(f"expected at least one --searcher, one of {known}")
    limit = parse_budget(budget)
    for text in searchers:
        members.searcher(text)
    done: list[Record] = []
    kept: list[pa.Table] = []
    for task in tasks:
        for text in dict.fromkeys(searchers):
            run = SearchRun(task.name, text, limit, 0, seeds)
            searches = search_all(task, run)
            for search in searches:
                done.append(judged(task, run, search))
                tell(done[-1])
            kept.append(traces(task, run.key, searches))
    return done, kept


def write_traces(path: Path, kept: Sequence[pa.Table]) -> None:
    """Write the traces as one Parquet file, whole or not at all."""
    write_whole(path, to_bytes(pa.concat_tables(kept).unify_dictionaries()))
