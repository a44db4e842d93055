"""How much of a correlation is the seed's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.base import Floats
from bench.reports.score_sets import ScoreSet
from bench.reports.seeds import compare_seeds, seed_table


def score_set(
    seed: int, truth: Floats, scores: dict[str, Floats], *, maximise: bool = True
) -> ScoreSet:
    return ScoreSet(
        task="toy/x",
        space="toy",
        dataset="x",
        metric="accuracy_percent",
        maximise=maximise,
        truth="validation",
        archs=tuple(map(str, range(len(truth)))),
        accuracy={"validation": truth},
        scores=scores,
        seed=seed,
    )


@pytest.fixture
def repeats() -> list[ScoreSet]:
    rng = np.random.default_rng(0)
    truth = rng.standard_normal(60)
    return [
        score_set(
            seed,
            truth,
            {"steady": truth + 0.5 * np.sin(9 * truth), "noisy": truth + rng.standard_normal(60)},
        )
        for seed in range(3)
    ]


def test_the_formulas_written_out(repeats: list[ScoreSet]) -> None:
    steady, noisy = compare_seeds(repeats)
    truth = repeats[0].target
    taus = [stats.kendalltau(each.scores["noisy"], truth)[0] for each in repeats]
    assert noisy["n"] == 60
    assert noisy["seeds"] == 3
    assert noisy["kendall_mean"] == pytest.approx(np.mean(taus), abs=1e-12)
    assert noisy["kendall_sd_seed"] == pytest.approx(np.std(taus, ddof=1), abs=1e-12)
    between = [
        stats.kendalltau(repeats[i].scores["noisy"], repeats[j].scores["noisy"])[0]
        for i, j in ((0, 1), (0, 2), (1, 2))
    ]
    assert noisy["seed_to_seed"] == pytest.approx(np.mean(between), abs=1e-12)
    ranks = np.mean([stats.rankdata(each.scores["noisy"]) for each in repeats], axis=0)
    assert noisy["kendall_of_mean"] == pytest.approx(stats.kendalltau(ranks, truth)[0], abs=1e-12)
    assert steady["kendall_sd_seed"] == steady["seed_share"] == 0
    assert steady["seed_to_seed"] == 1
    assert 0 < noisy["seed_share"] < 1


def test_the_sampling_error_is_the_bootstraps(repeats: list[ScoreSet]) -> None:
    steady, _ = compare_seeds(repeats)
    truth, score = repeats[0].target, repeats[0].scores["steady"]
    rng = np.random.default_rng(5)
    drawn = [stats.kendalltau(truth[r], score[r])[0] for r in rng.integers(0, 60, (800, 60))]
    assert steady["kendall_sd_sampling"] == pytest.approx(np.std(drawn), rel=0.12)


def test_failures_rank_last_and_minimised_truths_turn(repeats: list[ScoreSet]) -> None:
    truth = np.arange(5.0)
    score = np.array([-np.inf, 1.0, 2.0, 3.0, 4.0])
    up = [score_set(seed, truth, {"p": score}) for seed in (0, 1)]
    down = [score_set(seed, truth, {"p": score}, maximise=False) for seed in (0, 1)]
    (record,) = compare_seeds(up)
    (turned,) = compare_seeds(down)
    assert record["kendall_mean"] == 1
    assert turned["kendall_mean"] == -1


def test_only_what_all_seeds_scored_counts(repeats: list[ScoreSet]) -> None:
    truth = np.arange(5.0)
    first = score_set(0, truth, {"p": truth, "only": truth})
    second = score_set(1, truth[:4], {"p": np.array([0.0, np.nan, 2.0, 3.0])})
    (record,) = compare_seeds([first, second])
    assert (record["proxy"], record["n"]) == ("p", 3)


def test_the_table_shows_every_record(repeats: list[ScoreSet]) -> None:
    records = compare_seeds(repeats)
    table = seed_table(records)
    assert [row[1].text for row in table.rows] == ["steady", "noisy"]
    assert all(len(row) == len(table.columns) for row in table.rows)


def test_architectures_that_share_scores_count_once(repeats: list[ScoreSet]) -> None:
    def twice(each: ScoreSet) -> ScoreSet:
        return replace(
            each,
            archs=tuple(map(str, range(120))),
            accuracy={"validation": np.tile(each.target, 2)},
            scores={name: np.tile(score, 2) for name, score in each.scores.items()},
            groups=np.tile(np.arange(60), 2),
        )

    once, again = (compare_seeds(sets) for sets in (repeats, [twice(each) for each in repeats]))
    for before, after in zip(once, again, strict=True):
        assert (before["n"], after["n"]) == (60, 120)
        assert after["kendall_sd_sampling"] == pytest.approx(before["kendall_sd_sampling"])
