from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis.strategies import integers, lists

from bench.reports.baseline import KINDS, Baseline, Provenance, Value, exact, near
from bench.reports.baseline_diff import (
    MOVED,
    ROUNDED,
    RULES,
    Change,
    alike,
    changes,
    decides,
    differing,
)

HERE, ELSEWHERE = (Provenance(environment={"numpy": it, "torch": None}) for it in ("2.4", "2.0"))
TAU = Value("correlation", "t", "zen", "kendall", 0.5, near(0.5), None, (0.3, 0.7))
FOUND = Value("search", "t", "random at queries=5", "mean regret", 2.0, near(2.0))
LIVE = Value("live", "t", "zen", "float32 of |a~0|", 20.0, near(20.0), (19.8, 20.3))
WORD = exact("live", "t", "zen", "float32 of |a~0|", "undefined")
SPEED = Value("speed", "t", "a over b", "times as fast", 4.0, (2.0, math.inf))


def moved(old: Value, value: float | str, where: Provenance = HERE) -> list[Change]:
    new = Value(*old.key, value)
    before, after = Baseline((old,), HERE), Baseline((new,), where)
    return list(changes(before, after, kinds=KINDS))


def test_every_kind_has_a_rule() -> None:
    assert set(RULES) == set(KINDS)


def test_what_is_equal_did_not_move() -> None:
    for value in (TAU, FOUND, WORD, SPEED):
        assert moved(value, value.value) == []


def test_a_correlation_is_held_to_its_value_and_not_to_its_bootstrap() -> None:
    assert moved(TAU, 0.5 + 5e-10) == []
    for where in (HERE, ELSEWHERE):
        (change,) = moved(TAU, 0.5 + 1e-6, where)
        assert change.allowed == TAU.tight
        # 1e-6 away; the interval ends after 1e-9, and is 2e-9 wide.
        assert change.widths == pytest.approx((1e-6 - 1e-9) / 2e-9, rel=1e-6)
        assert change.sentence.startswith("kendall of zen on t moved from 0.5 to 0.500001, out of")
        assert "read back" in change.sentence


def test_a_search_without_a_model_is_exact_on_every_processor() -> None:
    for where in (HERE, ELSEWHERE):
        (change,) = moved(FOUND, 2.3, where)
        assert (change.status, change.fails) == (MOVED, True)
        assert "moved from 2 to 2.3" in change.sentence
        assert change.sentence.endswith(RULES["search"])


def test_what_rounding_alone_may_move_is_told_and_does_not_fail() -> None:
    for where in (HERE, ELSEWHERE):
        assert moved(LIVE, 20 + 1e-9, where) == []
        (change,) = moved(LIVE, 20.1, where)
        assert (change.status, change.fails, decides(change, times=True)) == (ROUNDED, False, False)
        assert change.sentence == (
            "float32 of |a~0| of zen on t moved from 20 to 20.1, within 19.8 … 20.3: rounding "
            "alone may move it so far"
        )
        (change,) = moved(LIVE, 20.4, where)
        assert (change.status, change.fails) == (MOVED, True)
        assert "moved from 20 to 20.4, out of 19.8 … 20.3 by 0.2 interval widths" in change.sentence


def learned(*seeds: float) -> Value:
    mean = sum(seeds) / len(seeds)
    return replace(exact("search", "t", "ipl at queries=5", "mean regret", mean), seeds=seeds)


def compared(old: Value, new: Value) -> list[Change]:
    return list(changes(Baseline((old,), HERE), Baseline((new,), ELSEWHERE), kinds=KINDS))


def test_a_search_that_learns_is_judged_by_its_seeds() -> None:
    old = learned(*map(float, range(10)))
    assert compared(old, old) == []
    (near_by,) = compared(old, learned(*(it + 1.5 for it in range(10))))
    assert (near_by.status, near_by.fails) == (ROUNDED, False)
    assert near_by.sentence.startswith("mean regret of ipl at queries=5 on t moved from 4.5 to 6;")
    assert "rounding alone may move what its model picks so far" in near_by.sentence
    (far,) = compared(old, learned(*(it + 10.0 for it in range(10))))
    assert (far.status, far.fails) == (MOVED, True)
    assert "moved from 4.5 to 14.5; seeds that are alike lie as far apart with p = " in far.sentence
    assert far.record()["chance"] == far.chance
    assert (far.chance or 1) < 1e-3


def test_seeds_that_all_found_the_best_are_not_told_from_a_few_that_did_not() -> None:
    (change,) = compared(learned(*[0.0] * 10), learned(*[0.0] * 8, 3.0, 5.0))
    assert change.status == ROUNDED
    # Both of the two that did not are among the ten of one run, or of the other.
    assert change.chance == pytest.approx(2 * 45 / 190, abs=0.02)


@given(lists(integers(0, 4), min_size=3, max_size=5), lists(integers(0, 4), min_size=3, max_size=5))
@settings(max_examples=25, deadline=None)
def test_chance_is_that_of_all_ways_to_deal_the_seeds_out(one: list[int], two: list[int]) -> None:
    everything, k = [*one, *two], len(one)

    def apart(first: tuple[int, ...]) -> float:
        mine = [everything[place] for place in first]
        rest = [it for place, it in enumerate(everything) if place not in first]
        return sum(mine) / len(mine) - sum(rest) / len(rest)

    dealt = [apart(chosen) for chosen in combinations(range(len(everything)), k)]
    seen = apart(tuple(range(k)))
    above = sum(it >= seen - 1e-12 for it in dealt) / len(dealt)
    below = sum(it <= seen + 1e-12 for it in dealt) / len(dealt)
    assert alike(one, two) == pytest.approx(min(1.0, 2 * min(above, below)))


def test_a_number_that_becomes_a_word_moved_and_so_did_the_opposite() -> None:
    (change,) = moved(TAU, "undefined")
    assert change.widths is None
    assert "moved from 0.5 to undefined" in change.sentence
    (change,) = moved(WORD, 3.0)
    assert "moved from undefined to 3" in change.sentence
    (change,) = moved(WORD, "ValueError")
    assert change.fails


def test_a_ratio_may_grow_without_end_and_decides_only_where_asked() -> None:
    assert moved(SPEED, 400.0) == []
    (change,) = moved(SPEED, 1.0)
    # From 2, where its interval begins, one of the two below the value that was.
    assert change.widths == pytest.approx(0.5)
    assert not decides(change, times=False)
    assert decides(change, times=True)


def test_an_interval_of_one_point_has_no_width_to_count_by() -> None:
    (change,) = moved(Value(*SPEED.key, 4.0, (4.0, 4.0)), 3.0)
    assert change.widths is None
    assert change.sentence == f"times as fast of a over b on t moved from 4 to 3; {RULES['speed']}"


def test_what_vanished_fails_and_what_appeared_is_told() -> None:
    before, after = Baseline((TAU,), HERE), Baseline((FOUND,), HERE)
    gone, new = changes(before, after, kinds=KINDS)
    assert gone.sentence == "kendall of zen on t vanished: it was 0.5"
    assert new.sentence == "mean regret of random at queries=5 on t appeared: 2"
    assert (decides(gone, times=False), decides(new, times=True)) == (True, False)
    assert (gone.record()["after"], new.record()["before"]) == (None, None)


def test_a_run_that_fails_now_is_a_reason_to_fail() -> None:
    why = exact("task", "t", "the task", "outcome", "failed: DataError: damaged")
    (change,) = changes(Baseline((), HERE), Baseline((why,), HERE), kinds=KINDS)
    assert decides(change, times=False)
    assert change.sentence == "outcome of the task on t appeared: failed: DataError: damaged"


def test_what_was_not_measured_did_not_vanish() -> None:
    before, nothing = Baseline((TAU, FOUND), HERE), Baseline((), HERE)
    (left,) = changes(before, nothing, kinds=["search"])
    assert left.before is FOUND
    assert list(changes(before, nothing, kinds=KINDS, without={"t"})) == []


def test_a_nan_is_outside_every_interval() -> None:
    assert len(moved(TAU, math.nan)) == 1


def test_environments_are_compared_by_name() -> None:
    assert differing(HERE, HERE) == []
    assert differing(HERE, ELSEWHERE) == ["numpy 2.0, and was 2.4"]
    more = Provenance(environment={"numpy": "2.4", "torch": None, "instructions": "AVX2"})
    assert differing(HERE, more) == ["instructions AVX2, and was None"]
