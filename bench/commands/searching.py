"""`ipl-bench search`: searches of some tasks, or of spaces without a table, and of no study."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.base import OptionError, Record
from bench.commands.showing import tell as say
from bench.runs import members
from bench.runs.live import require_torch
from bench.runs.oracle import parse_budget
from bench.runs.parquet import to_bytes
from bench.runs.recipes import read
from bench.runs.row import SearchRun
from bench.runs.search import judged, search_all, traces
from bench.runs.store import write_whole
from bench.runs.tasks import Asked
from bench.training.recipe import Recipe

SHOWN = ("task", "searcher", "seed", "queries", "validation", "test", "regret", "error")


def recipe_of(oracle: str, recipe: str | None) -> Recipe | None:
    """How networks are trained; None where accuracies are read from tables. Raises OptionError."""
    if (oracle == "train") != (recipe is not None):
        got = "--oracle train alone" if recipe is None else "--recipe alone"
        raise OptionError(f"expected --oracle train and --recipe NAME together, got {got}")
    return None if recipe is None else read(recipe)


def trained(names: Sequence[str], recipe: Recipe, own: dict[str, Any]) -> list[Asked]:
    """The spaces named, as tasks whose oracle trains. Raises OptionError, UnknownNameError."""
    if any(own.values()):
        raise OptionError(
            "expected a SPACE with --oracle train, got the options of a --table FILE, which "
            "has accuracies already"
        )
    if not names:
        raise OptionError(
            f"expected at least one SPACE with --oracle train, one of "
            f"{', '.join(members.names('spaces'))}, got none"
        )
    spaces = [members.space(name) for name in dict.fromkeys(names)]
    require_torch()
    from bench.runs.trained import TrainedTask

    return [TrainedTask(space, recipe) for space in spaces]


def rows(
    tasks: Iterable[Asked],
    searchers: Sequence[str],
    budget: str,
    seeds: int,
    tell: Callable[[Record], None],
    epochs: int | None = None,
) -> tuple[list[Record], list[pa.Table]]:
    """Search every task with every searcher: the rows, and the traces of all queries.

    `tell` is given each row as it is done. A budget may be in epochs where a query trains for
    that many, `epochs`. Raises what is wrong with a name or option before
    anything is searched.
    """
    if not searchers:
        known = ", ".join(members.names("searchers"))
        raise OptionError(f"expected at least one --searcher, one of {known}")
    limit = parse_budget(budget, epochs)
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
            _say_unscored(done[-len(searches) :])
            kept.append(traces(task, run.key, searches))
    return done, kept


def _say_unscored(rows: Sequence[Record]) -> None:
    """Say how many queries of a searcher on a task went to what its proxies gave no score of."""
    fine = [row for row in rows if row["status"] == "ok"]
    unscored = sum(row.get("unscored_queries", 0) for row in fine)
    if unscored:
        say(
            f"{rows[0]['task']}: {unscored:,} of {sum(row['queries'] for row in fine):,} queries "
            f"of {rows[0]['searcher']} were of architectures that its proxies gave no score of"
        )


def write_traces(path: Path, kept: Sequence[pa.Table]) -> None:
    """Write the traces as one Parquet file, whole or not at all."""
    write_whole(path, to_bytes(pa.concat_tables(kept).unify_dictionaries()))
