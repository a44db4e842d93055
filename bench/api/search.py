"""Search some tasks within a budget, or spaces without a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from bench.api.arguments import whole
from bench.api.correlate import numbers
from bench.api.say import quietly
from bench.api.say import tell as say
from bench.api.tasks import as_tasks
from bench.base import OptionError, Record
from bench.runs import members
from bench.runs.live import require_torch
from bench.runs.oracle import parse_budget
from bench.runs.parquet import to_bytes
from bench.runs.recipes import read
from bench.runs.row import SearchRun, budget_text
from bench.runs.search import judged, search_all, traces
from bench.runs.store import write_whole
from bench.runs.tasks import Asked, Task
from bench.training.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd

SHOWN = ("task", "searcher", "seed", "queries", "validation", "test", "regret", "error")


@dataclass(frozen=True, eq=False)
class Searches:
    """What some searches found: rows, one a search, and traces, one row a query."""

    rows: tuple[Record, ...]
    asked: pa.Table
    """All queries, in the schema of `bench.runs.search.traces`."""
    runs: Mapping[str, tuple[str, str, str]]
    """Task, searcher and budget, by the name that a run has among the queries."""

    def __repr__(self) -> str:
        tasks = ", ".join(dict.fromkeys(row["task"] for row in self.rows))
        searchers = ", ".join(dict.fromkeys(row["searcher"] for row in self.rows))
        return f"Searches({len(self.rows)}: {searchers} on {tasks})"

    def _repr_html_(self) -> str:
        return str(self.summary().to_html(float_format=lambda value: f"{value:.3f}"))

    def to_frame(self) -> pd.DataFrame:
        """Give a row a search.

        `task`, `searcher`, `budget`, `seed`, `status` ("ok" or "failed"), `error`, `queries`,
        `seconds` (recorded training, NaN where unknown), `scored` (architectures whose proxies
        were read), and of the pick `arch`, `validation`, `test`, `regret` (in validation),
        `test_regret`.
        """
        import pandas as pd

        return pd.DataFrame.from_records(list(self.rows))

    def traces(self) -> pd.DataFrame:
        """Give a row a query.

        `task`, `searcher`, `budget`, `seed`, `step` (from 0), `arch`, `validation`, `queries` (so
        far), `seconds` (so far), `scored` (so far).
        """
        found: pd.DataFrame = self.asked.to_pandas()
        names = found.pop("run").astype(str)
        for place, column in enumerate(("task", "searcher", "budget")):
            found.insert(place, column, names.map(lambda name, at=place: self.runs[name][at]))
        return found

    def summary(self) -> pd.DataFrame:
        """Give a row a task, budget and searcher: means over seeds, with 95 % intervals.

        The columns are those of `bench.reports.searches.summarise`; NaN where undefined. Failed
        searches are counted in `failed` and in no mean.
        """
        import pandas as pd

        from bench.reports.load import search_of
        from bench.reports.searches import summarise

        fine = [search_of(row) for row in self.rows if row["status"] == "ok"]
        frame = numbers(pd.DataFrame.from_records(summarise(fine)))
        every = self.to_frame()
        keys = ["task", "budget", "searcher"]
        failed = (every["status"] != "ok").groupby([every[key] for key in keys]).sum()
        counted = failed.rename("failed").reset_index()
        return counted if frame.empty else counted.merge(frame, on=keys, how="left")

    def compare(self, reference: str | None = None, *, of: str = "regret") -> pd.DataFrame:
        """Compare every searcher with one, on the seeds that both have.

        Seeds are paired: with one seed, two searchers draw from equal streams.

        Args:
            reference: A searcher's name; the first, if none is named.
            of: `regret`, in validation, or `test_regret`.

        Returns:
            A frame, with a row a task and other searcher. Its columns are `task`, `budget`,
            `reference`, `searcher`, `seeds`, `difference` (mean regret of the searcher less that of
            the reference), its 95 % interval `low` and `high`, `better`, `tied` and `worse` (on how
            many seeds the reference is), `p` (Wilcoxon's signed-rank test) and `p_holm`, corrected
            for the searchers of the task.

        Raises:
            OptionError: There is no such searcher, or nobody it could be compared with.
        """
        import pandas as pd

        from bench.metrics.compare import holm
        from bench.reports.race_pairs import DIGITS, compared

        if of not in {"regret", "test_regret"}:
            raise OptionError(f"expected of='regret' or 'test_regret', got {of!r}")
        names = list(dict.fromkeys(row["searcher"] for row in self.rows))
        reference = names[0] if reference is None else reference
        if reference not in names or len(names) == 1:
            raise OptionError(
                f"expected a reference and another searcher among {', '.join(names)}, got "
                f"{reference!r}"
            )
        found = []
        # Where every search failed, there are no regrets at all.
        known = self.to_frame().reindex(columns=["task", "budget", "seed", "searcher", of])
        for (task, budget), rows in known.groupby(["task", "budget"], sort=False):
            table = rows.pivot(index="seed", columns="searcher", values=of)
            records = []
            for name in names:
                if name != reference and {name, reference} <= {*table.columns}:
                    differences = (table[name] - table[reference]).dropna().round(DIGITS)
                    facts = {"task": task, "budget": budget, "reference": reference}
                    records.append(
                        {**facts, "searcher": name, **compared(differences.to_numpy(float))}
                    )
            for record, p in zip(records, holm([each["p"] for each in records]), strict=True):
                found.append({**record, "p_holm": float(p)})
        return pd.DataFrame.from_records(found)


def search(
    tasks: str | Task | Sequence[str | Task],
    searchers: Any,
    *,
    queries: int | None = None,
    seconds: float | None = None,
    seeds: int = 10,
    quiet: bool = False,
) -> Searches:
    """Search tasks within a budget, once for every seed, and judge what was found.

    Searchers see validation accuracy only; test is looked up for the pick when a search is over.
    A search that fails is a row with its reason.

    Args:
        tasks: Tasks, or their names.
        searchers: A name, `name,option=value,...`, a class, a pair (name, factory), or a sequence
            of them. A factory is called with a `bench.base.Problem` and a generator.
        queries: The budget, in accuracies that may be asked for.
        seconds: The budget, in recorded seconds of training, in place of `queries`.
        seeds: How many searches, by the seeds 0, 1, ...
        quiet: Say nothing on stderr.

    Raises:
        BenchError: A task or searcher is not known, an option does not fit, or a budget is none.
    """
    if (queries is None) == (seconds is None):
        raise OptionError(
            "expected a budget as either queries= or seconds=, got "
            + ("neither" if queries is None else "both")
        )
    seeds = whole("seeds", seeds, 1, 1_000_000)
    if queries is not None:
        queries = whole("queries", queries, 1)
    budget = f"queries={queries}" if seconds is None else f"seconds={seconds}"
    with quietly(quiet), members.lent("searchers", members.listed(searchers)) as names:
        known = as_tasks(tasks)
        found, asked = rows(known, names, budget, seeds, lambda _: None)
        limit = parse_budget(budget)
        runs = {
            SearchRun(task.name, name, limit, 0, seeds).key: (task.name, name, budget_text(limit))
            for task in known
            for name in names
        }
    return Searches(tuple(found), pa.concat_tables(asked).unify_dictionaries(), runs)


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
