"""Do one search run: ask, query, tell, until the budget is spent; then judge the pick."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from bench.base import BudgetSpentError, Record, SearcherFactory, Table
from bench.runs import members
from bench.runs.oracle import Oracle, QueryFailedError
from bench.runs.parquet import to_bytes
from bench.runs.row import Attachment, Outcome, SearchRun, budget_text, file_name
from bench.runs.tasks import Answering, Asked, load_task


@dataclass(frozen=True, eq=False)
class Search:
    """One finished search: its seed, its trace, and why it ended early if it did."""

    seed: int
    oracle: Oracle
    error: str | None = None
    told: Record = field(default_factory=dict)
    """What the searcher tells of itself for its row: `weights_found_on`, if that is known."""


def run_search(run: SearchRun) -> Outcome:
    """Run a searcher once for every seed: one row a seed, and one file with their traces."""
    task = load_task(run.task)
    searches = list(search_all(task, run))
    rows = [judged(task, run, search) for search in searches]
    path = f"traces/{file_name(run.key)}.parquet"
    return Outcome(rows, Attachment(path, to_bytes(traces(task, run.key, searches))))


def search_all(task: Asked, run: SearchRun) -> list[Search]:
    """Run a searcher once for every seed of the run."""
    factory, options = members.searcher(run.searcher)
    return [
        search_once(task.answers, run, factory, options, seed)
        for seed in range(run.first_seed, run.first_seed + run.seeds)
    ]


def search_once(
    answers: Answering, run: SearchRun, factory: SearcherFactory, options: Record, seed: int
) -> Search:
    """Run a searcher once. What it raises ends this search alone and is kept with it.

    A query that failed is charged, and the searcher is not told of it but asked again: no number
    would stand for a network that diverged.

    The generator is keyed by the seed only: two searchers on one task draw from equal streams.
    Raises BudgetError or DataError where the task cannot be searched within such a budget.
    """
    oracle = Oracle(answers, run.budget)
    told: Record = {}
    rng = np.random.default_rng(seed)
    try:
        searcher = factory(oracle.problem(), rng, **options)
        if hasattr(searcher, "weights_found_on"):
            told["weights_found_on"] = searcher.weights_found_on
        while not oracle.spent:
            try:
                arch = searcher.ask()
            except StopIteration:
                break
            try:
                validation = oracle.query(arch)
            except QueryFailedError:
                continue
            searcher.tell(arch, validation)
    except BudgetSpentError:
        pass
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's searcher may raise anything
        return Search(seed, oracle, f"{type(error).__name__}: {error}", told)
    if not oracle.steps:
        return Search(seed, oracle, "it ended before its first query", told)
    if not _answered(answers, oracle):
        return Search(seed, oracle, f"all of its {len(oracle.steps)} queries failed", told)
    # Of a proxy that gave nothing, what was found is chance, and not the proxy's.
    return Search(seed, oracle, oracle.nothing_read, told)


def _answered(answers: Answering, oracle: Oracle) -> list[int]:
    """The rows asked for that have an accuracy, in order."""
    return [row for row in oracle.steps if not math.isnan(answers.validation[row])]


def judged(task: Asked, run: SearchRun, search: Search) -> Record:
    """The row of a finished search: the pick by validation, then its test accuracy.

    The pick is the best validation accuracy seen, the earliest of equals. Test accuracy is looked
    up here, when the searcher is gone. Regrets are distances to the best that could be asked for,
    never negative, and null where nobody knows it; `seconds` is null where the task does not
    record them; `failed_queries` is there where queries failed, `unscored_queries` where some were
    of architectures whose proxies were read and gave no score, `searched_on` where searchers were
    told another accuracy than validation.
    """
    table, answers, oracle = task.table, task.answers, search.oracle
    row: Record = {
        "kind": "search",
        "task": task.name,
        "searcher": run.searcher,
        "budget": budget_text(run.budget),
        "seed": search.seed,
        "status": "ok" if search.error is None else "failed",
        "error": search.error,
        "queries": len(oracle.steps),
        "seconds": oracle.clock[-1] if oracle.clock else None,
        "scored": oracle.scored,
        **search.told,
    }
    if table.searched_on != "validation":
        row["searched_on"] = table.searched_on
    answered = _answered(answers, oracle)
    if len(answered) < len(oracle.steps):
        row["failed_queries"] = len(oracle.steps) - len(answered)
    if oracle.unscored_queries:
        row["unscored_queries"] = oracle.unscored_queries
    if search.error is not None:
        return row
    pick = max(answered, key=answers.validation.__getitem__)
    validation = float(table.accuracy["validation"][pick])
    test = _test(table, pick)
    known = not math.isnan(answers.best)
    return row | {
        "arch": table.archs[pick],
        "validation": validation,
        "test": test,
        "regret": abs(answers.best - validation) if known else None,
        "test_regret": abs(_best_test(table) - test) if known and test is not None else None,
    }


def _test(table: Table, row: int) -> float | None:
    test = table.accuracy.get("test")
    if test is None or math.isnan(test[row]):
        return None
    return float(test[row])


def _best_test(table: Table) -> float:
    """The best test accuracy among what could be asked for."""
    askable = ~np.isnan(table.accuracy["validation"])
    test = table.accuracy["test"][askable]
    return float(np.nanmax(test) if table.maximise else np.nanmin(test))


def traces(task: Asked, key: str, searches: list[Search]) -> pa.Table:
    """All queries of some searches, in the one schema that traces have."""
    # Once: where networks are trained when asked, each reading puts the table together anew.
    table = task.table
    rows = np.concatenate([np.array(s.oracle.steps, dtype=np.int64) for s in searches])
    steps = [np.arange(len(s.oracle.steps)) for s in searches]
    seeds = [np.full(len(s.oracle.steps), s.seed) for s in searches]
    seconds = np.concatenate([np.array(s.oracle.clock) for s in searches])
    scored = np.concatenate([np.array(s.oracle.scored_at, dtype=np.int64) for s in searches])
    validation = table.accuracy["validation"][rows]
    different, codes = np.unique(rows, return_inverse=True)
    texts = pa.array([table.archs[row] for row in different.tolist()], pa.string())
    arch = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), texts)
    run = pa.DictionaryArray.from_arrays(np.zeros(len(rows), np.int32), pa.array([key]))
    return pa.table(
        {
            "run": run,
            "seed": pa.array(np.concatenate(seeds), pa.int64()),
            "step": pa.array(np.concatenate(steps), pa.int64()),
            "arch": arch,
            "validation": pa.array(validation, mask=np.isnan(validation)),
            "queries": pa.array(np.concatenate(steps) + 1, pa.int64()),
            "seconds": pa.array(seconds, mask=np.isnan(seconds)),
            "scored": pa.array(scored),
        }
    )
