"""What a searcher costs beside the queries it makes, against the plainest loop there can be.

`tox -e speed -- tests/searchers` prints both in one table; divide a row by the number of queries.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.base import Budget
from bench.runs import members
from bench.runs.row import SearchRun
from bench.runs.search import search_once
from bench.runs.tasks import load_task

TASK = "nasbench201/cifar100"
QUERIES = 1000


@pytest.mark.parametrize("searcher", ["random", "local-search", "regularised-evolution"])
@pytest.mark.benchmark(group="1,000 queries of nasbench201/cifar100")
def test_a_searcher_with_its_oracle(searcher: str, data: Path, benchmark: BenchmarkFixture) -> None:
    answers = load_task(TASK).answers
    factory, options = members.searcher(searcher)
    run = SearchRun(TASK, searcher, Budget(queries=QUERIES), 0, 1)
    seeds = iter(range(1_000_000))
    done = benchmark(lambda: search_once(answers, run, factory, options, next(seeds)))
    assert len(done.oracle.steps) == QUERIES
    if benchmark.stats is not None:
        microseconds = benchmark.stats.stats.median / QUERIES * 1e6
        benchmark.extra_info["microseconds_a_query"] = round(microseconds, 1)


@pytest.mark.benchmark(group="1,000 queries of nasbench201/cifar100")
def test_the_plainest_loop(data: Path, benchmark: BenchmarkFixture) -> None:
    """Draw a cell by six numbers and look it up: no searcher, no oracle, no budget."""
    answers = load_task(TASK).answers
    rows = {arch: i for i, arch in enumerate(answers.pool)}

    def loop() -> float:
        rng = np.random.default_rng(0)
        best = 0.0
        for _ in range(QUERIES):
            best = max(best, answers.validation[rows[tuple(rng.integers(5, size=6).tolist())]])
        return best

    assert benchmark(loop) > 60
