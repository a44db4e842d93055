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


def found_by(run: SearchRun, rows: list[Record], *, learns: bool) -> dict[tuple[str, str], Value]:
    return by_name(of_searches(run, Outcome(rows), learns=learns))


@pytest.mark.parametrize("learns", [False, True])
def test_what_seeds_found_and_spent(learns: bool) -> None:
    found = found_by(RUN, searched([1.0, 2.0, 4.0, 1.0]), learns=learns)
    of = "random at queries=5"
    regret = found[of, "mean regret"]
    assert regret.value == 2
    assert regret.tight == pytest.approx((2 - 2e-9, 2 + 2e-9), abs=1e-15)
    assert found[of, "mean test_regret"].value == 4
    assert found[of, "most queries"].value == 5
    assert found[of, "failed seeds"].value == 0
    assert (of, "mean seconds") not in found
    # A model's picks turn on rounding. What it may spend does not.
    kept = (1.0, 2.0, 4.0, 1.0) if learns else ()
    assert regret.seeds == kept
    assert found[of, "mean test_regret"].seeds == tuple(2 * it for it in kept)
    assert found[of, "mean queries"].seeds == found[of, "mean scored"].seeds == ()
    assert all(value.wide is value.bootstrap is None for value in found.values())


def test_failed_seeds_are_counted_and_left_out() -> None:
    rows = [*searched([1.0, 3.0]), {"status": "failed", "error": "ValueError: no"}]
    found = found_by(RUN, rows, learns=True)
    assert found["random at queries=5", "failed seeds"].value == 1
    assert found["random at queries=5", "mean regret"].value == 2
    assert found["random at queries=5", "mean regret"].seeds == (1, 3)
    none = found_by(RUN, rows[2:], learns=True)
    assert none["random at queries=5", "outcome"].value == "failed: ValueError: no"


def test_a_budget_in_seconds_has_no_fixed_number_of_queries() -> None:
    run = SearchRun("toy/data", "random", Budget(seconds=60.0), 0, 4)
    rows = searched([1.0], queries=4, seconds=44.0) + searched([2.0], queries=6, seconds=58.0)
    found = found_by(run, rows, learns=False)
    of = "random at seconds=60"
    assert (of, "most queries") not in found
    assert found[of, "mean queries"].value == 5
    assert found[of, "mean seconds"].value == 51
    assert found[of, "most seconds"].value == 58


def live(arch: str = "|a~0|", **values: float | None) -> Record:
    return {"arch": arch, "values": values, "errors": {}}


def test_live_scores_are_turned_and_have_the_rounding_of_their_type() -> None:
    row = live(zen=20.0, ntk=3.0, jacov=None)
    row["errors"] = {"jacov": "undefined: no rows"}
    found = by_name(of_live("small", [row], [live(zen=20.0, ntk=3.01, jacov=None)]))
    zen, ntk = found["zen", "float32 of |a~0|"], found["ntk", "float32 of |a~0|"]
    assert zen.tight == pytest.approx((20 - 2e-8, 20 + 2e-8), rel=1e-15)
    # It is as far from float64 as nothing, and may be 1e-3 of itself all the same.
    assert zen.wide == pytest.approx((20 - 0.2, 20 + 0.2), rel=1e-12)
    # Smaller condition numbers are better; it is 0.01 off float64, and may be ten times that.
    assert ntk.value == -3
    room = 10 * 0.01 / 3.01
    assert ntk.wide == pytest.approx((-3 - 3 * room, -3 + 3 * room), rel=1e-12)
    assert found["jacov", "float32 of |a~0|"].value == "undefined"
    assert found["jacov", "float64 of |a~0|"].value == "undefined"
    double = found["ntk", "float64 of |a~0|"]
    assert double.value == -3.01
    assert double.wide == pytest.approx((-3.01 - 3.01e-8, -3.01 + 3.01e-8), rel=1e-15)


def test_the_worst_network_of_a_plan_stands_for_all_as_one_may_be_near_by_luck() -> None:
    single = [live("|a~0|", zen=20.0), live("|b~0|", zen=10.1)]
    double = [live("|a~0|", zen=20.0), live("|b~0|", zen=10.0)]
    found = by_name(of_live("small", single, double))
    # Ten times 1 %.
    assert found["zen", "float32 of |a~0|"].wide == pytest.approx((18, 22))
    assert found["zen", "float32 of |b~0|"].wide == pytest.approx((10.1 - 1.01, 10.1 + 1.01))


def test_a_score_that_is_lost_in_rounding_keeps_its_sign_and_size() -> None:
    found = by_name(of_live("small", [live(plain=-4.0)], [live(plain=1.0)]))
    assert found["plain", "float32 of |a~0|"].wide == pytest.approx((-6, -2))


def test_what_no_network_computes_has_no_rounding() -> None:
    row = live(parametric=20.0, zen=20.0)
    found = by_name(of_live("small", [row], [live(zen=20.0)]))
    assert found["parametric", "float32 of |a~0|"].wide is None
    assert ("parametric", "float64 of |a~0|") not in found


def test_a_small_score_is_not_lost_in_its_tolerance() -> None:
    double = by_name(of_live("small", [], [live(plain=-2e-6)]))["plain", "float64 of |a~0|"]
    assert double.wide is not None
    assert double.wide[1] < 0


def test_a_ratio_may_grow_and_fall_to_half() -> None:
    value = of_times("speed", "t", "a over b", fast=2.0, slow=8.0)
    assert (value.value, value.tight) == (4, (2, math.inf))
