"""A contract over all searchers: what the bench relies on, whatever they do inside."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from toy import TOY, toy_table

from bench.base import Budget, OptionError, Searcher, Table
from bench.runs import members
from bench.runs.oracle import Oracle
from bench.runs.row import SearchRun
from bench.runs.search import Search, search_once
from bench.runs.tasks import Task
from bench.searchers import SEARCHERS

WITH_OPTIONS = {
    "rank": ("rank,proxy=good", "rank,proxy=half", "rank,proxy=good,pool=20"),
    "random": ("random", "random,warm=good", "random,warm=half,warm_pool=30"),
    "rank-average": (
        "rank-average,proxies=good+half",
        "rank-average,proxies=half",
        "rank-average,proxies=good,scored=20",
    ),
    # Large batches, late models: what is tested here is the contract, and fitting takes time.
    "gaussian-process": (
        "gaussian-process,batch=20",
        "gaussian-process,batch=20,acquisition=ei,features=one-hot",
        "gaussian-process,batch=20,features=proxies+graph,scored=40",
    ),
    "bananas": ("bananas,batch=20", "bananas,batch=20,features=proxies+paths,scored=40"),
    "npenas": ("npenas,batch=20", "npenas,batch=20,features=proxies,proxies=good,scored=40"),
    "predictor": ("predictor,batch=20", "predictor,batch=20,model=boosting,scored=40"),
    "optuna-tpe": ("optuna-tpe",),
    "optuna-gp": ("optuna-gp,initial=49",),
}


def texts() -> Iterator[str]:
    for name in SEARCHERS:
        yield from WITH_OPTIONS.get(name, (name, f"{name},warm=good", f"{name},warm=half"))


def search(text: str, seed: int = 0, queries: int = 50, table: Table | None = None) -> Search:
    factory, options = members.searcher(text)
    run = SearchRun("toy/data", text, Budget(queries=queries), seed, 1)
    answers = Task(TOY, table or toy_table()).answers
    done = search_once(answers, run, factory, options, seed)
    assert done.error is None
    return done


def asked(text: str, seed: int = 0, **how: int) -> list[int]:
    return search(text, seed, **how).oracle.steps


@pytest.mark.parametrize("text", list(texts()))
def test_same_seed_same_search_and_another_seed_another(text: str) -> None:
    once = asked(text, 1)
    assert asked(text, 1) == once
    assert any(asked(text, seed) != once for seed in range(2, 6))


@pytest.mark.parametrize("text", list(texts()))
@pytest.mark.parametrize("queries", [1, 2, 19])
def test_the_budget_is_met_exactly(text: str, queries: int) -> None:
    assert len(asked(text, queries=queries)) == queries


@pytest.mark.parametrize("text", list(texts()))
def test_a_longer_budget_only_goes_on(text: str) -> None:
    """No searcher may look at how much is left: its first steps do not depend on it."""
    assert asked(text, queries=40)[:20] == asked(text, queries=20)


@pytest.mark.parametrize("text", list(texts()))
def test_a_pool_is_kept_to(text: str) -> None:
    validation = toy_table().accuracy["validation"].copy()
    validation[::3] = np.nan
    steps = asked(text, queries=20, table=toy_table(accuracy={"validation": validation}))
    assert all(step % 3 for step in steps)


@pytest.mark.parametrize("text", list(texts()))
def test_less_is_better_finds_the_mirror_image(text: str) -> None:
    """Searching -y downwards is searching y upwards: orientation is nobody's private matter."""
    up = toy_table()
    down = toy_table(
        accuracy={"validation": -up.accuracy["validation"]},
        maximise=False,
    )
    assert asked(text, queries=30, table=up) == asked(text, queries=30, table=down)


@pytest.mark.parametrize("text", [it for it in texts() if not it.endswith("=20") or "batch" in it])
def test_an_answer_of_one_value_is_searched_too(text: str) -> None:
    flat = toy_table(accuracy={"validation": np.ones(64)})
    assert len(asked(text, queries=30, table=flat)) == 30


@pytest.mark.parametrize("name", list(SEARCHERS))
def test_it_is_a_searcher_with_a_docstring(name: str) -> None:
    assert issubclass(SEARCHERS[name], Searcher)  # type: ignore[arg-type]
    assert SEARCHERS[name].__doc__


@pytest.mark.parametrize(
    "text",
    [
        "regularised-evolution,population=0",
        "regularised-evolution,sample=0",
        "evolution,population=0",
        "evolution,tournament=-1",
        "random,warm=good,warm_pool=0",
        "rank,proxy=good,pool=0",
        "rank",
        "rank-average,proxies=good,scored=0",
        "rank-average,proxies=good+good",
        "rank-average,proxies=good+",
        "gaussian-process,batch=0",
        "gaussian-process,initial=0",
        "gaussian-process,acquisition=best",
        "gaussian-process,features=graphs",
        "gaussian-process,features=graph+graph",
        "gaussian-process,features=graph,scored=20",
        "gaussian-process,features=graph,proxies=good",
        "bananas,batch=0",
        "bananas,initial=0",
        "bananas,drawn=-1",
        "npenas,batch=0",
        "npenas,initial=0",
        "npenas,offspring=0",
        "predictor,batch=0",
        "predictor,initial=0",
        "predictor,model=oracle",
        "optuna-tpe,initial=0",
        "optuna-gp,initial=0",
    ],
)
def test_senseless_options_are_refused(text: str) -> None:
    factory, options = members.searcher(text)
    oracle = Oracle(Task(TOY, toy_table()).answers, Budget(queries=1))
    with pytest.raises(OptionError):
        factory(oracle.problem(), np.random.default_rng(0), **options)
