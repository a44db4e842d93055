"""What each searcher does, step by step, on a space that can be worked out by hand."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
import pytest
from toy import ARCHS, TOY, toy_table

from bench.base import Arch, Budget, OptionError, Problem
from bench.runs.oracle import Oracle
from bench.runs.tasks import Task
from bench.searchers.evolution import Evolution
from bench.searchers.local_search import LocalSearch
from bench.searchers.random import Random
from bench.searchers.rank import Rank
from bench.searchers.regularised_evolution import RegularisedEvolution

VALIDATION = dict(zip(ARCHS, toy_table().accuracy["validation"].tolist(), strict=True))


def problem() -> Problem:
    return Oracle(Task(TOY, toy_table()).answers, Budget(queries=1)).problem()


def differences(a: Arch, b: Arch) -> int:
    return sum(x != y for x, y in zip(a, b, strict=True))


def test_random_draws_every_architecture_equally_often() -> None:
    searcher = Random(problem(), np.random.default_rng(0))
    drawn = [searcher.ask() for _ in range(6400)]
    counts = np.array([drawn.count(arch) for arch in ARCHS])
    # 63 degrees of freedom: the 99.9th percentile of chi-square is 103.4.
    assert ((counts - 100) ** 2 / 100).sum() < 103.4


def test_warm_random_goes_down_the_ranking_then_draws() -> None:
    searcher = Random(problem(), np.random.default_rng(0), warm="good", warm_pool=12)
    sums = [sum(searcher.ask()) for _ in range(12)]
    assert sums == sorted(sums, reverse=True)
    assert isinstance(searcher.ask(), tuple)


def test_a_warm_pool_holds_no_architecture_twice() -> None:
    searcher = Random(problem(), np.random.default_rng(0), warm="good", warm_pool=64)
    assert len({searcher.ask() for _ in range(64)}) == 64


def test_a_space_that_cannot_be_listed_is_sampled_without_repeats() -> None:
    unlisted = replace(problem(), pool=None)
    searcher = Random(unlisted, np.random.default_rng(0), warm="good", warm_pool=50)
    assert len({searcher.ask() for _ in range(50)}) == 50
    with pytest.raises(OptionError, match="cannot be listed"):
        Rank(unlisted, np.random.default_rng(0), proxy="good")


def test_failed_and_unrecorded_scores_are_asked_last() -> None:
    searcher = Rank(problem(), np.random.default_rng(0), proxy="half")
    order = [searcher.ask() for _ in range(64)]
    recorded = set(ARCHS[1:32])
    assert set(order[:31]) == recorded
    assert sorted(order) == ARCHS
    with pytest.raises(StopIteration):
        searcher.ask()


def test_rank_shuffles_ties() -> None:
    firsts = {Rank(problem(), np.random.default_rng(s), proxy="half").ask() for s in range(20)}
    assert firsts == {(1, 3, 3)}
    second = set()
    for seed in range(20):
        searcher = Rank(problem(), np.random.default_rng(seed), proxy="half")
        searcher.ask()
        second.add(searcher.ask())
    assert second == {(0, 3, 3), (1, 2, 3), (1, 3, 2)}


def test_local_search_moves_at_the_first_improvement_and_restarts_at_the_top() -> None:
    searcher = LocalSearch(problem(), np.random.default_rng(0))
    current = searcher.ask()
    searcher.tell(current, VALIDATION[current])
    tried: set[Arch] = set()
    restarts = moves = 0
    for _ in range(300):
        arch = searcher.ask()
        if tried == set(TOY.neighbours(current)):
            assert all(VALIDATION[near] <= VALIDATION[current] for near in tried)
            restarts += 1
            current, tried = arch, set()
        else:
            assert differences(arch, current) == 1
            assert arch not in tried
            tried.add(arch)
            if VALIDATION[arch] > VALIDATION[current]:
                moves += 1
                current, tried = arch, set()
        searcher.tell(arch, VALIDATION[arch])
    assert restarts > 3
    assert moves > 10


def test_local_search_tries_neighbours_in_random_order() -> None:
    seconds = set()
    for seed in range(50):
        searcher = LocalSearch(problem(), np.random.default_rng(seed), warm="good", warm_pool=64)
        first = searcher.ask()
        searcher.tell(first, 0.0)
        seconds.add(searcher.ask())
    assert len(seconds) >= 8


def test_regularised_evolution_mutates_the_living_and_lets_the_oldest_die() -> None:
    searcher = RegularisedEvolution(problem(), np.random.default_rng(0), population=4, sample=2)
    living: deque[Arch] = deque(maxlen=4)
    for step in range(60):
        arch = searcher.ask()
        if step >= 4:
            assert any(differences(arch, member) == 1 for member in living)
        searcher.tell(arch, VALIDATION[arch])
        living.append(arch)


def test_regularised_evolution_with_a_large_sample_takes_the_best_of_the_living() -> None:
    searcher = RegularisedEvolution(problem(), np.random.default_rng(0), population=4, sample=99)
    living: deque[Arch] = deque(maxlen=4)
    for step in range(60):
        arch = searcher.ask()
        if step >= 4:
            best = max(living, key=VALIDATION.__getitem__)
            assert differences(arch, best) == 1
        searcher.tell(arch, VALIDATION[arch])
        living.append(arch)


def test_evolution_keeps_the_best_of_parents_and_children() -> None:
    searcher = Evolution(problem(), np.random.default_rng(0), population=5, tournament=99)
    parents: list[Arch] = []
    for _ in range(6):
        children = []
        for _ in range(5):
            arch = searcher.ask()
            if parents:
                assert differences(arch, parents[0]) == 1
            children.append(arch)
            searcher.tell(arch, VALIDATION[arch])
        parents = sorted(parents + children, key=lambda arch: -VALIDATION[arch])[:5]
    assert parents[0] == (3, 3, 3)
