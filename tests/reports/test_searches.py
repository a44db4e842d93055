from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest

from bench.base import BudgetError, Floats, Record
from bench.metrics.intervals import mean_interval
from bench.reports.attachments import Trace
from bench.reports.load import Search
from bench.reports.searches import Curve, curves, parse_budget, regret_so_far, summarise


def search(seen: list[float], optimum: float, seed: int = 0, **fields: object) -> Search:
    """A search that saw these values; the pick is the best, towards the optimum."""
    values = np.array(seen)
    best = values.max() if optimum >= values.max() else values.min()
    steps = np.arange(1, len(seen) + 1)
    facts: Record = {"task": "a/x", "searcher": "random", "budget": f"queries={len(seen)}"}
    facts |= {"seed": seed, "queries": len(seen), "seconds": 10.0 * len(seen)}
    facts |= {"validation": best, "regret": abs(optimum - best), "test": 1.0, "test_regret": 1.0}
    facts |= {"trace": Trace(values, steps, 10.0 * steps)}
    return Search(**(facts | fields))


def drawn(unit: str, *searches: Search) -> list[Curve]:
    return curves(searches, unit)


def summary(*searches: Search) -> list[Record]:
    return summarise(searches)


def same(values: Floats, expected: list[float]) -> None:
    np.testing.assert_allclose(values, expected, atol=1e-12)


def test_regret_so_far_is_the_distance_to_the_optimum() -> None:
    same(regret_so_far(search([1, 4, 2, 5], 6.0)), [5, 2, 2, 1])
    same(regret_so_far(search([5, 2, 4, 1], 0.5)), [4.5, 1.5, 1.5, 0.5])
    same(regret_so_far(search([float("nan"), 4.0], 5.0, validation=4.0, regret=1.0))[1:], [1])


def test_regret_is_never_negative_for_rounding() -> None:
    found = regret_so_far(search([0.1], 0.3, validation=0.1, regret=0.2))
    assert 0 <= found[0] == pytest.approx(0.2)
    optimum = 91.61
    seen = 91.61 - 1e-14
    assert regret_so_far(search([seen], optimum))[0] >= 0


def test_a_curve_is_the_mean_over_seeds_and_a_search_that_ended_keeps_its_last() -> None:
    (curve,) = drawn(
        "queries",
        search([1, 3, 5], 6.0, seed=0, budget="queries=3"),
        search([4], 6.0, seed=1, budget="queries=3"),
    )
    same(curve.at, [1, 2, 3])
    same(curve.mean, [3.5, 2.5, 1.5])
    assert curve.seeds == 2
    # Two seeds have no interval, so the band has no width.
    same(curve.low, [3.5, 2.5, 1.5])
    same(curve.high, [3.5, 2.5, 1.5])


def test_the_band_of_many_seeds_is_that_of_the_mean() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(50, 5, 400)
    (curve,) = drawn("queries", *(search([v], 100.0, seed=i) for i, v in enumerate(values)))
    half = 1.96 * values.std() / np.sqrt(400)
    assert curve.mean[0] - curve.low[0] == pytest.approx(half, rel=0.1)
    assert curve.high[0] - curve.mean[0] == pytest.approx(half, rel=0.1)


def test_only_the_largest_budget_of_a_unit_is_drawn() -> None:
    small, large = search([1, 2], 6.0), search([1, 2, 3], 6.0)
    timed = search([1, 2], 6.0, budget="seconds=20")
    (curve,) = drawn("queries", small, large, timed)
    same(curve.at, [1, 2, 3])
    (curve,) = drawn("seconds", small, large, timed)
    assert (curve.unit, curve.at[0], curve.at[-1]) == ("seconds", 10.0, 20.0)
    same(curve.mean[[0, -1]], [5, 4])


def test_searches_without_a_trace_or_seconds_give_no_curve() -> None:
    assert drawn("queries", search([1], 2.0, trace=None)) == []
    trace = Trace(np.array([1.0]), np.array([1]), None)
    assert drawn("seconds", search([1], 2.0, budget="seconds=20", trace=trace)) == []


def test_summary_holds_mean_deviation_and_interval() -> None:
    regrets = [1.0, 2.0, 4.0]
    (row,) = summary(*(search([1], 2, seed=i, regret=r) for i, r in enumerate(regrets)))
    assert (row["task"], row["budget"], row["searcher"], row["seeds"]) == (
        "a/x", "queries=1", "random", 3,
    )  # fmt: skip
    assert row["regret"] == pytest.approx(7 / 3)
    assert row["regret_sd"] == pytest.approx(np.std(regrets, ddof=1))
    assert (row["test_regret"], row["test_regret_sd"]) == (1.0, 0.0)
    assert row["regret_low"] is row["regret_high"] is None
    skewed = np.array([0.0, 0, 0, 0.1, 0.1, 0.2, 0.3, 0.5, 1.5, 4.0])
    (row,) = summary(*(search([1], 2, seed=i, regret=r) for i, r in enumerate(skewed)))
    low, high = mean_interval(skewed[:, None])
    assert (row["regret_low"], row["regret_high"]) == (max(low[0], 0.0), high[0])
    assert row["test_regret_low"] is None  # equal for all seeds


def test_one_seed_or_no_test_accuracy_has_no_interval() -> None:
    (row,) = summary(search([1], 2, test_regret=float("nan")))
    assert row["regret"] == 1.0
    assert row["regret_sd"] is row["regret_low"] is row["regret_high"] is None
    assert row["test_regret"] is row["test_regret_low"] is None
    assert row["test_regret_n"] == 0


def made(name: str, regrets: Floats, first: int = 0) -> list[Search]:
    return [search([1], 2, seed=first + i, searcher=name, regret=r) for i, r in enumerate(regrets)]


def test_the_best_is_marked_only_where_it_is_clear() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(5, 2, 30)
    near = hard + rng.normal(0.5, 0.2, 30)  # worse on nearly every seed, so clear when paired
    rows = summary(*made("near", near), *made("best", hard))
    assert {row["searcher"]: row["regret_best"] for row in rows} == {"best": True, "near": False}
    rows = summary(*made("near", rng.permutation(hard)), *made("best", hard))
    assert not any(row["regret_best"] for row in rows)
    rows = summary(*made("near", near, first=100), *made("best", hard))
    assert not any(row["regret_best"] for row in rows)  # no seed in common
    assert not any(row["regret_best"] for row in summary(*made("alone", hard)))


def test_intervals_do_not_depend_on_what_else_there_is() -> None:
    regrets = np.random.default_rng(0).normal(5, 2, 20)
    (alone,) = summary(*made("b", regrets))
    both = {row["searcher"]: row for row in summary(*made("a", regrets), *made("b", regrets))}
    assert both["a"]["regret_low"] == both["b"]["regret_low"] == alone["regret_low"]


def test_budgets_come_in_the_order_of_their_amounts() -> None:
    budgets = ["queries=100", "queries=20", "seconds=5"]
    rows = summary(*(search([1], 2, budget=budget) for budget in budgets))
    assert [row["budget"] for row in rows] == ["queries=20", "queries=100", "seconds=5"]


def test_budgets_are_parsed() -> None:
    assert parse_budget("seconds=12000.5") == ("seconds", 12000.5)
    for text in ("100", "queries=", "queries=-1", "hours=3", "queries=nan", "seconds"):
        with pytest.raises(BudgetError, match="expected a budget such as queries=100"):
            parse_budget(text)


def test_random_best_is_the_mean_over_all_subsets() -> None:
    from bench.reports.figures.top import random_best

    values = np.array([3.0, -1.0, 7.0, 7.0, 0.5, 2.0])
    expected = [
        sum(max(chosen) for chosen in combinations(values, k)) / comb(6, k) for k in range(1, 7)
    ]
    same(random_best(values, np.arange(1.0, 7.0)), expected)
    many = np.random.default_rng(0).normal(size=20_000)
    assert random_best(many, [1])[0] == pytest.approx(many.mean(), abs=1e-9)
    assert random_best(many, [20_000])[0] == many.max()
