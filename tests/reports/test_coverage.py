"""The study of coverage: a small one, what it counts, and its tables."""

from __future__ import annotations

import numpy as np
import pytest

from bench.reports.coverage import (
    Tally,
    over_architectures,
    over_seeds,
    populations,
    table,
    without,
    without_over_seeds,
)


def test_a_tally_counts_what_is_shown_and_what_holds() -> None:
    tally = Tally()
    for low, high in ((0.0, 1.0), (0.6, 1.0), (None, None), (np.nan, np.nan)):
        tally.add("a", low, 0.5, high)
    tally.add("b", 0.0, 0.5, 1.0)
    assert (tally.shown, tally.held) == ({"a": 2, "b": 1}, {"a": 1, "b": 1})
    assert tally.rates() == [0.5, 1.0]
    assert tally.rates(least=2) == [0.5]
    shown = table(["of", "30", "100"], [{"tau": tally}, {}], 1)
    assert shown.splitlines()[2] == "| tau | 0.750 (0.50 to 1.00) | — |"


def test_populations_have_the_ties_and_failures_that_they_are_for() -> None:
    even, crowded, tied = populations(4000)
    assert len(np.unique(even.truth)) == 4000
    assert len(np.unique(crowded.truth)) < 400
    assert 0.07 < np.isneginf(crowded.scores["failing"]).mean() < 0.13
    assert 0.07 < (tied.truth == tied.truth.max()).mean() < 0.15


@pytest.mark.parametrize(("n", "head"), [(40, False), (1000, True)])
def test_a_small_study_of_architectures(n: int, head: bool) -> None:
    found = over_architectures(n, 3, 30, seed=0, size=3000)
    assert {"τ", "ρ", "difference of two τ", "τ of two proxies", "part of the ceiling"} <= set(
        found
    )
    assert {"τ with a target", "noise ceiling", "difference of two ρ", "τ, of classes"} <= set(
        found
    )
    assert found["τ"].shown == dict.fromkeys(found["τ"].shown, 3)
    assert len(found["τ"].shown) == 11
    assert bool(found["τ in the best tenth"].shown) == head
    again = over_architectures(n, 3, 30, seed=0, size=3000)
    assert {row: (t.shown, t.held) for row, t in again.items()} == {
        row: (t.shown, t.held) for row, t in found.items()
    }


def test_intervals_of_thirty_architectures_cover_in_every_function_of_reports() -> None:
    found = over_architectures(30, 40, 1, seed=1, size=3000)
    for row, tally in found.items():
        shown, held = sum(tally.shown.values()), sum(tally.held.values())
        # Cases share their samples, so as many as there are samples count, 40 of 3 populations.
        if shown:
            assert held / shown > 0.95 - 4 * np.sqrt(0.95 * 0.05 / min(shown, 120)), row


def test_means_over_five_seeds_have_none_and_over_ten_they_cover() -> None:
    five, ten = over_seeds(5, 50, seed=0), over_seeds(10, 2000, seed=0)
    assert not five["mean regret, exponential"].rates()
    for row, tally in ten.items():
        for rate in tally.rates():
            assert 0.90 < rate < 0.985, row


def test_the_bootstrap_of_a_maximum_and_of_few_seeds_does_not_cover() -> None:
    found = without(60, 60, 60, seed=0, size=3000)
    for case in ("even params", "even good", "even best", "crowded best"):
        assert found["best of 10"].held[case] / found["best of 10"].shown[case] < 0.85
    assert min(found["regret at 10"].rates()) < 0.8
    seeds = without_over_seeds(5, 500, 200, seed=0)
    assert max(seeds["mean of regrets"].rates()) < 0.9
