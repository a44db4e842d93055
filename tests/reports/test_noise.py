from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.base import Floats
from bench.reports.noise import PAIRS, compare_truths, shared_rows
from bench.reports.score_sets import ScoreSet

ONE, MEAN = PAIRS[0]


def score_set(
    task: str, archs: list[str], validation: Floats, scores: dict[str, Floats]
) -> ScoreSet:
    return ScoreSet(
        task, "nasbench201", "cifar10", "accuracy_percent", True, "validation", tuple(archs),
        {"validation": validation}, scores,
    )  # fmt: skip


@pytest.fixture
def pair() -> dict[str, ScoreSet]:
    """60 architectures by one run, and 40 of them, shuffled, by the mean."""
    rng = np.random.default_rng(0)
    mean = rng.normal(size=60)
    score = mean + rng.normal(size=60)
    score[[1, 2]] = -np.inf
    archs = [f"arch-{i}" for i in range(60)]
    order = rng.permutation(60)[:40]
    one = score_set(ONE, archs, mean + rng.normal(size=60), {"nwot": score, "own": mean})
    both = score_set(MEAN, [archs[i] for i in order], mean[order], {"nwot": mean[order]})
    return {ONE: one, MEAN: both}


def test_both_correlations_are_on_the_shared_architectures(pair: dict[str, ScoreSet]) -> None:
    found = compare_truths(pair, rng=np.random.default_rng(0), resamples=300)
    assert [record["proxy"] for record in found] == ["nwot", "own"]
    place = {arch: i for i, arch in enumerate(pair[MEAN].archs)}
    here = [i for i, arch in enumerate(pair[ONE].archs) if arch in place]
    there = [place[pair[ONE].archs[i]] for i in here]
    score = np.where(np.isinf(s := pair[ONE].scores["nwot"]), -99, s)[here]
    one = stats.spearmanr(score, pair[ONE].target[here]).statistic
    mean = stats.spearmanr(score, pair[MEAN].target[there]).statistic
    record = found[0]
    assert record["n"] == 40
    assert record["one_run_spearman"] == pytest.approx(one, abs=1e-12)
    assert record["seed_mean_spearman"] == pytest.approx(mean, abs=1e-12)
    assert record["difference"] == pytest.approx(mean - one, abs=1e-12)
    assert record["low"] < record["difference"] < record["high"]
    assert found[1]["seed_mean_spearman"] == 1.0


def test_the_same_truth_twice_differs_by_exactly_nothing(pair: dict[str, ScoreSet]) -> None:
    twice = {ONE: pair[ONE], MEAN: pair[ONE]}
    for record in compare_truths(twice, rng=np.random.default_rng(0), resamples=50):
        assert (record["difference"], record["low"], record["high"]) == (0.0, 0.0, 0.0)


def test_an_undefined_correlation_is_none(pair: dict[str, ScoreSet]) -> None:
    pair[ONE].scores["nwot"][:] = 1.0
    record = compare_truths(pair, rng=np.random.default_rng(0), resamples=5)[0]
    assert record["difference"] is record["low"] is record["one_run_spearman"] is None


def test_a_proxy_recorded_for_no_shared_architecture_is_left_out(
    pair: dict[str, ScoreSet],
) -> None:
    pair[ONE].scores["nwot"][:] = np.nan
    found = compare_truths(pair, rng=np.random.default_rng(0), resamples=5)
    assert [record["proxy"] for record in found] == ["own"]


def test_a_pair_needs_both_tasks_and_shared_architectures(pair: dict[str, ScoreSet]) -> None:
    rng = np.random.default_rng(0)
    assert compare_truths({ONE: pair[ONE]}, rng=rng) == []
    stranger = score_set(MEAN, ["other"], np.ones(1), {})
    assert compare_truths({ONE: pair[ONE], MEAN: stranger}, rng=rng) == []
    here, there = shared_rows(pair[ONE], stranger)
    assert here.shape == there.shape == (0,)


def test_architectures_that_share_scores_count_once(pair: dict[str, ScoreSet]) -> None:
    def twice(each: ScoreSet) -> ScoreSet:
        return replace(
            each,
            archs=(*each.archs, *(f"{arch}, again" for arch in each.archs)),
            accuracy={"validation": np.tile(each.target, 2)},
            scores={name: np.tile(score, 2) for name, score in each.scores.items()},
            groups=np.tile(np.arange(len(each.archs)), 2),
        )

    doubled = {task: twice(each) for task, each in pair.items()}
    once, again = (
        compare_truths(sets, rng=np.random.default_rng(0), resamples=90) for sets in (pair, doubled)
    )
    for before, after in zip(once, again, strict=True):
        assert (before["n"], after["n"]) == (40, 80)
        for name in ("difference", "low", "high"):
            assert after[name] == pytest.approx(before[name], abs=1e-12)
