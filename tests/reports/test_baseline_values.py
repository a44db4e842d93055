from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from toy import TOY, toy_table

from bench.base import Budget, Record
from bench.reports.baseline import Value
from bench.reports.baseline_values import of_live, of_scores, of_searches, of_times
from bench.runs import score
from bench.runs.row import Outcome, ScoreRun, SearchRun
from bench.runs.tasks import Task

RUN = SearchRun("toy/data", "random", Budget(queries=5), 0, 4)


def by_name(values: Iterable[Value]) -> dict[tuple[str, str], Value]:
    listed = list(values)
    found = {(value.of, value.measure): value for value in listed}
    assert len(found) == len(listed)
    return found


def scored(monkeypatch: pytest.MonkeyPatch, resamples: int = 0, **changes: object) -> Any:
    monkeypatch.setattr(score, "load_task", lambda name: Task(TOY, toy_table(**changes)))
    run = ScoreRun("toy/data")
    return by_name(of_scores(run, score.run_score(run), resamples=resamples))


def tau_b(x: list[float], y: list[float]) -> float:
    """Kendall's tau-b, pair by pair."""
    pairs = [(i, j) for i in range(len(x)) for j in range(i)]
    signs = [(np.sign(x[i] - x[j]), np.sign(y[i] - y[j])) for i, j in pairs]
    above = sum(a * b for a, b in signs)
    return float(above / math.sqrt(sum(a != 0 for a, _ in signs) * sum(b != 0 for _, b in signs)))


def test_a_task_s_facts_and_correlations(monkeypatch: pytest.MonkeyPatch) -> None:
    found = scored(monkeypatch)
    table = toy_table()
    validation = table.accuracy["validation"]
    wanted = tau_b(table.scores["good"].tolist(), validation.tolist())
    assert found["good", "kendall"].value == pytest.approx(wanted, abs=1e-12)
    assert (found["good", "kendall"].wide, found["good", "kendall"].bootstrap) == (None, None)
    assert found["validation", "mean"].value == validation.mean()
    assert found["validation", "best"].value == 10 * 3 + 3 * 3 + 3
    assert found["test", "best"].value == 10 * 3 + 3 * 3 + 2
    assert found["test", "known"].value == 64
    assert found["the task", "truth"].value == "validation"
    # `half` is recorded for 32 of 64 rows, and failed for one.
    assert (found["half", "n"].value, found["half", "n_failed"].value) == (32, 1)


def test_the_best_of_what_is_minimised_is_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    up, down = scored(monkeypatch), scored(monkeypatch, maximise=False)
    assert down["validation", "best"].value == 0
    assert down["good", "kendall"].value == pytest.approx(-up["good", "kendall"].value)


def test_the_bootstrap_is_shown_and_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bare, shown = (
        scored(monkeypatch)["good", "kendall"],
        scored(monkeypatch, 200)["good", "kendall"],
    )
    low, high = shown.bootstrap
    assert low < shown.value < high
    assert high - low > 1e-3
    assert (shown.value, shown.tight) == (bare.value, bare.tight)
    low, high = shown.tight
    assert high - low == pytest.approx(2e-9)


def test_a_score_run_that_failed_is_a_word() -> None:
    outcome = Outcome([{"status": "failed", "error": "DataError: no file"}])
    (value,) = of_scores(ScoreRun("toy/data"), outcome)
    assert value.value == "failed: DataError: no file"


def searched(regrets: list[float], **changes: object) -> list[Record]:
    return [
        {
            "status": "ok",
            "error": None,
            "queries": 5,
            "seconds": None,
            "scored": 0,
            "validation": 50.0,
            "regret": regret,
            "test_regret": 2 * regret,
            **changes,
        }
        for regret in regrets
    ]


def test_what_seeds_found_and_spent() -> None:
    found = by_name(of_searches(RUN, Outcome(searched([1.0, 2.0, 4.0, 1.0]))))
    of = "random at queries=5"
    regret = found[of, "mean regret"]
    assert regret.value == 2
    assert regret.tight == pytest.approx((2 - 2e-9, 2 + 2e-9), abs=1e-15)
    # Four seeds are too few for a bootstrap: as far as they range, on either side.
    assert (regret.wide, regret.bootstrap) == ((2 - 3, 2 + 3), None)
    assert found[of, "mean test_regret"].value == 4
    assert found[of, "most queries"].value == 5
    assert found[of, "mean queries"].wide is None
    assert found[of, "failed seeds"].value == 0
    assert (of, "mean seconds") not in found


def test_many_seeds_are_bootstrapped_and_another_draw_scatters_too() -> None:
    regrets = list(range(20))
    found = by_name(of_searches(RUN, Outcome(searched([float(it) for it in regrets]))))
    value = found["random at queries=5", "mean regret"]
    assert value.bootstrap is not None
    assert value.wide is not None
    normal = 1.96 * np.std(regrets) / math.sqrt(20)
    assert value.bootstrap == pytest.approx((9.5 - normal, 9.5 + normal), abs=0.3)
    for end, shown in zip(value.wide, value.bootstrap, strict=True):
        assert end - 9.5 == pytest.approx(math.sqrt(2) * (shown - 9.5))


def test_other_versions_may_move_it_no_less_than_the_same_ones() -> None:
    rows = [searched([1.0], seconds=50 + 1e-13 * seed)[0] for seed in range(3)]
    value = by_name(of_searches(RUN, Outcome(rows)))["random at queries=5", "mean seconds"]
    assert value.wide == value.tight


def test_seeds_that_all_agree_may_move_a_little_under_other_versions() -> None:
    found = by_name(of_searches(RUN, Outcome(searched([0.0] * 20))))
    # A thousandth of the accuracy, 50.
    assert found["random at queries=5", "mean regret"].wide == (-0.05, 0.05)


def test_failed_seeds_are_counted_and_left_out() -> None:
    rows = [*searched([1.0, 3.0]), {"status": "failed", "error": "ValueError: no"}]
    found = by_name(of_searches(RUN, Outcome(rows)))
    assert found["random at queries=5", "failed seeds"].value == 1
    assert found["random at queries=5", "mean regret"].value == 2
    none = by_name(of_searches(RUN, Outcome(rows[2:])))
    assert none["random at queries=5", "outcome"].value == "failed: ValueError: no"


def test_a_budget_in_seconds_has_no_fixed_number_of_queries() -> None:
    run = SearchRun("toy/data", "random", Budget(seconds=60.0), 0, 4)
    rows = searched([1.0], queries=4, seconds=44.0) + searched([2.0], queries=6, seconds=58.0)
    found = by_name(of_searches(run, Outcome(rows)))
    of = "random at seconds=60"
    assert (of, "most queries") not in found
    assert found[of, "mean queries"].wide == (5 - 2, 5 + 2)
    assert found[of, "mean seconds"].value == 51
    # Under any versions, nobody spends more than the budget.
    assert (found[of, "most seconds"].value, found[of, "most seconds"].wide) == (58, (0, 60))


def live(**values: float | None) -> Record:
    return {"arch": "|a~0|", "values": values, "errors": {}}


def test_live_scores_are_turned_and_have_the_rounding_of_their_type() -> None:
    row = live(zen=20.0, ntk=3.0, jacov=None)
    row["errors"] = {"jacov": "undefined: no rows"}
    found = by_name(of_live("small", "float32", [row], [live(zen=20.0, ntk=3.001, jacov=None)]))
    zen, ntk = found["zen", "float32 of |a~0|"], found["ntk", "float32 of |a~0|"]
    assert zen.tight == pytest.approx((20 - 2e-5, 20 + 2e-5), rel=1e-12)
    assert zen.wide == pytest.approx((20 - 2e-3, 20 + 2e-3), rel=1e-12)
    # Smaller condition numbers are better; it is 0.001 off float64, and may be ten times that.
    assert ntk.value == -3
    assert ntk.wide == pytest.approx((-3.01, -2.99), rel=1e-12)
    assert found["jacov", "float32 of |a~0|"].value == "undefined"


def test_float64_is_held_tighter() -> None:
    (value,) = of_live("small", "float64", [live(zen=20.0)])
    assert value.tight == pytest.approx((20 - 2e-8, 20 + 2e-8), rel=1e-12)
    assert value.wide == pytest.approx((20 - 2e-5, 20 + 2e-5), rel=1e-12)


def test_a_small_score_is_not_lost_in_its_tolerance() -> None:
    (value,) = of_live("small", "float32", [live(plain=-2e-6)])
    assert value.tight is not None
    assert value.tight[1] < 0


def test_a_ratio_may_grow_and_fall_to_half() -> None:
    value = of_times("speed", "t", "a over b", fast=2.0, slow=8.0)
    assert (value.value, value.tight) == (4, (2, math.inf))
