"""What models read, and where candidates come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from toy import ARCHS, TOY, toy_table

from bench.base import Arch, Budget, DataError, Floats, OptionError, Problem
from bench.runs.oracle import Oracle
from bench.runs.tasks import Task
from bench.searchers._inputs import Inputs, named_proxies, ranks
from bench.searchers._offspring import fittest, mutants, some
from bench.searchers._rounds import Rounds


def oracle(**changes: object) -> Oracle:
    return Oracle(Task(TOY, toy_table(**changes)).answers, Budget(queries=1))


def problem() -> Problem:
    return oracle().problem()


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_ranks_share_ties_and_put_failures_last() -> None:
    scores = np.array([[3.0, np.nan], [1.0, np.nan], [3.0, -5.0], [np.nan, np.nan], [7.0, 2.0]])
    expected = np.array([[3.5, 2], [2, 2], [3.5, 4], [1, 2], [5, 5]]) / 5
    np.testing.assert_allclose(ranks(scores), expected)
    assert ranks(np.empty((0, 2))).shape == (0, 2)
    np.testing.assert_array_equal(ranks(np.full((4, 1), 7.0)), np.full((4, 1), 2.5 / 4))


def test_ranks_do_not_mind_the_scale() -> None:
    scores = rng().normal(size=(50, 1))
    np.testing.assert_array_equal(ranks(scores), ranks(np.exp(scores * 300 - 100)))


def test_scored_architectures_are_counted_and_no_others() -> None:
    watched = oracle()
    inputs = Inputs(watched.problem(), rng(), features="proxies+graph", proxies="good", scored=12)
    assert watched.scored == 12
    inputs(ARCHS)
    assert watched.scored == 12
    whole = oracle()
    Inputs(whole.problem(), rng(), features="proxies", proxies=None, scored=None)
    assert whole.scored == 64
    none = oracle()
    Inputs(none.problem(), rng(), features="graph+paths", proxies=None, scored=None)
    assert none.scored == 0


def test_what_was_not_scored_is_missing_and_nothing_else_is() -> None:
    inputs = Inputs(problem(), rng(), features="graph+proxies", proxies="good", scored=12)
    rows = inputs(ARCHS)
    missing = np.isnan(rows)
    assert missing[:, -1].sum() == 52
    assert not missing[:, :-1].any()
    scored = inputs.complete(rng())
    assert len(scored) == 12
    assert {arch for arch, row in zip(ARCHS, missing, strict=True) if not row.any()} == set(scored)
    known = inputs(scored)[:, -1]
    # `good` is the sum of digits: ranks agree with it.
    sums = [sum(arch) for arch in scored]
    assert all(
        (a < b) == (s < t)
        for a, s in zip(known, sums, strict=True)
        for b, t in zip(known, sums, strict=True)
    )


def test_candidates_are_those_that_can_be_told_apart() -> None:
    def sizes(features: str, scored: int | None) -> tuple[int, int]:
        proxies = "good" if "proxies" in features else None
        inputs = Inputs(problem(), rng(), features=features, proxies=proxies, scored=scored)
        return len(inputs.complete(rng())), len(inputs.candidates(rng()))

    assert sizes("proxies", 12) == (12, 12)
    assert sizes("proxies+graph", 12) == (12, 64)
    assert sizes("one-hot", None) == (64, 64)
    assert sizes("proxies", None) == (64, 64)


def test_what_no_proxy_was_recorded_of_does_not_count_as_scored() -> None:
    """`half` is recorded for 31 of 64, and failed for one of the first 32."""
    inputs = Inputs(problem(), rng(), features="proxies", proxies="half", scored=None)
    assert set(inputs.complete(rng())) == set(ARCHS[1:32])


def test_proxies_are_named_or_all() -> None:
    assert named_proxies(problem(), None) == ["good", "half"]
    assert named_proxies(problem(), "half") == ["half"]
    bare = oracle(scores={}, score_seconds={}).problem()
    with pytest.raises(OptionError, match="the task records none"):
        named_proxies(bare, None)
    with pytest.raises(DataError, match="records no proxy synflow; it records good, half"):
        Inputs(problem(), rng(), features="proxies", proxies="good+synflow", scored=None)


def test_a_space_that_cannot_be_listed_needs_scored() -> None:
    unlisted = replace(problem(), pool=None)
    inputs = Inputs(unlisted, rng(), features="proxies", proxies="good", scored=30)
    assert len(inputs.candidates(rng())) == 30
    with pytest.raises(OptionError, match="scored=N"):
        Inputs(unlisted, rng(), features="proxies", proxies="good", scored=None)
    with pytest.raises(OptionError, match="cannot be listed, got features=proxies[+]graph"):
        Inputs(unlisted, rng(), features="proxies+graph", proxies="good", scored=30).candidates(
            rng()
        )


def test_mutants_are_new_and_among_those_allowed() -> None:
    parents = [(0, 0, 0), (3, 3, 3)]
    allowed = set(ARCHS) - {(0, 0, 1)}
    bred = mutants(problem(), rng(), parents, 12, allowed)
    assert len(set(bred)) == 12
    assert set(bred) <= allowed
    near = [sum(x != y for x, y in zip(a, p, strict=True)) for a in bred for p in parents]
    assert all(min(pair) == 1 for pair in zip(near[::2], near[1::2], strict=True))
    assert mutants(problem(), rng(), parents, 12, set()) == []
    assert set(mutants(problem(), rng(), [(0, 0, 0)], 50, set(ARCHS))) == set(
        TOY.neighbours((0, 0, 0))
    )


def test_the_fittest_are_the_best_and_of_equals_the_first() -> None:
    assert fittest(ARCHS[:4], np.array([1.0, 3.0, 3.0, 2.0]), 3) == [ARCHS[1], ARCHS[2], ARCHS[3]]
    assert sorted(some(rng(), ARCHS, 99)) == ARCHS
    assert len(set(some(rng(), ARCHS, 5))) == 5


def test_rounds_choose_from_all_that_was_told_and_end_when_there_is_nothing() -> None:
    seen: list[tuple[list[Arch], list[float]]] = []
    later = iter([[ARCHS[5], ARCHS[6]], []])

    def choose(archs: Sequence[Arch], told: Floats) -> Sequence[Arch]:
        seen.append((list(archs), told.tolist()))
        return next(later)

    rounds = Rounds(ARCHS[:2], choose)
    order = []
    for value in (1.0, 2.0, 3.0, 4.0):
        order.append(rounds.ask())
        rounds.tell(order[-1], value)
    assert order == [ARCHS[0], ARCHS[1], ARCHS[5], ARCHS[6]]
    with pytest.raises(StopIteration):
        rounds.ask()
    assert seen == [
        (ARCHS[:2], [1.0, 2.0]),
        ([ARCHS[0], ARCHS[1], ARCHS[5], ARCHS[6]], [1.0, 2.0, 3.0, 4.0]),
    ]


def test_proxies_that_are_defined_for_none_of_the_read_are_told() -> None:
    nothing = oracle(scores={"good": np.full(64, -np.inf)}, score_seconds={}).problem()
    with pytest.raises(DataError, match="defined score of good of at least one of the 12 archi"):
        Inputs(nothing, rng(), features="proxies+graph", proxies=None, scored=12)
