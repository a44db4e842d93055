from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.base import Record
from bench.reports.sample import Sample, draw_sample
from bench.reports.score_sets import ScoreSet
from bench.reports.target_table import target_tables
from bench.reports.targets import fronts, score_targets, shown_targets, smaller_is_better


def score_set(n: int = 300) -> ScoreSet:
    rng = np.random.default_rng(3)
    size = rng.normal(size=n)
    truth = 90 + size + rng.normal(size=n)
    truth[0] = np.nan
    latency = np.exp(size + 0.1 * rng.normal(size=n))
    latency[1:11] = np.nan
    scores = {"params": size, "good": truth + 0.2 * rng.normal(size=n), "noise": rng.normal(size=n)}
    scores["good"][0] = 0.0
    scores["good"][20] = -np.inf
    scores["good"][21:24] = np.nan
    targets = {
        "phone_latency_ms": latency,
        "fgsm@Linf_eps-1.0": 3 * truth,
        "fgsm@Linf_eps-8.0": truth,
        "never": np.full(n, np.nan),
    }
    return ScoreSet(
        "a/x", "s", "x", "accuracy_percent", True, "validation",
        tuple(f"arch-{i}" for i in range(n)), {"validation": truth}, scores, targets=targets,
    )  # fmt: skip


def sample_of(each: ScoreSet) -> Sample:
    rng = np.random.default_rng(0)
    return draw_sample(each.target, each.scores, rng=rng, maximise=each.maximise, resamples=200)


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, str], Record]:
    each = score_set()
    return {(r["target"], r["proxy"]): r for r in score_targets(each, sample_of(each))}


def test_correlations_are_on_the_rows_that_know_all_three(
    found: dict[tuple[str, str], Record],
) -> None:
    each = score_set()
    for proxy in each.scores:
        score = np.where(np.isneginf(each.scores[proxy]), -99, each.scores[proxy])
        latency = each.targets["phone_latency_ms"]
        rows = np.isfinite(latency) & np.isfinite(each.target) & ~np.isnan(score)
        record = found["phone_latency_ms", proxy]
        fast = stats.kendalltau(score[rows], -latency[rows]).statistic
        right = stats.kendalltau(score[rows], each.target[rows]).statistic
        assert record["n"] == rows.sum()
        assert record["kendall"] == pytest.approx(fast, abs=1e-12)
        assert record["accuracy_kendall"] == pytest.approx(right, abs=1e-12)
        assert record["difference"] == pytest.approx(fast - right, abs=1e-12)
        assert record["low"] < record["difference"] < record["high"]
    assert found["phone_latency_ms", "good"]["n_failed"] == 1
    assert not any(target == "never" for target, _ in found)


def test_a_proxy_of_size_inverts_and_noise_does_not(
    found: dict[tuple[str, str], Record],
) -> None:
    record = found["phone_latency_ms", "params"]
    assert record["kendall_high"] < 0 < record["accuracy_kendall_low"]
    assert record["inverted"]
    assert record["better"] == "smaller"
    assert not found["phone_latency_ms", "noise"]["inverted"]
    assert not found["fgsm@Linf_eps-1.0", "params"]["inverted"]
    itself = found["fgsm@Linf_eps-8.0", "validation accuracy"]
    assert (itself["kendall"], itself["kendall_low"], itself["inverted"]) == (1.0, 1.0, False)


def test_the_best_must_lead_on_the_same_rows() -> None:
    each = score_set()
    # `good` lacks three rows: it is first or second everywhere, and nothing is paired with it.
    assert not any(r["best"] for r in score_targets(each, sample_of(each)))
    whole = replace(each, scores=each.scores | {"good": np.nan_to_num(each.target)})
    found = score_targets(whole, sample_of(whole))
    best = {r["target"]: r["proxy"] for r in found if r["best"]}
    assert best["fgsm@Linf_eps-1.0"] == "good"
    (table,) = target_tables(found)
    assert [row[0].text for row in table.rows if row[2].bold] == ["good"]


def test_a_task_that_minimises_is_turned() -> None:
    each = score_set()
    turned = replace(each, accuracy={"validation": -each.target}, maximise=False)
    one = score_targets(each, sample_of(each))
    two = score_targets(turned, sample_of(turned))
    assert [r["accuracy_kendall"] for r in one] == [r["accuracy_kendall"] for r in two]
    assert [r["arch"] for r in fronts(each)] == [r["arch"] for r in fronts(turned)]


def test_fronts_name_architectures_in_the_sources_units() -> None:
    each = score_set()
    records = [r for r in fronts(each) if r["target"] == "phone_latency_ms"]
    values = [r["value"] for r in records]
    accuracies = [r["accuracy"] for r in records]
    assert values == sorted(values)
    assert accuracies == sorted(accuracies)
    known = np.isfinite(each.targets["phone_latency_ms"])
    assert accuracies[-1] == np.nanmax(each.target[known])
    place = each.archs.index(records[0]["arch"])
    assert values[0] == each.targets["phone_latency_ms"][place]
    (robust,) = [r for r in fronts(each) if r["target"] == "fgsm@Linf_eps-8.0"]
    assert robust["accuracy"] == robust["value"] == np.nanmax(each.target)


def test_of_an_attack_the_strength_that_differs_most_is_shown(
    found: dict[tuple[str, str], Record],
) -> None:
    shown = shown_targets(list(found.values()))
    assert shown == {"smaller": ["phone_latency_ms"], "larger": ["fgsm@Linf_eps-1.0"]}
    (table,) = target_tables(list(found.values()))
    assert table.columns == ("proxy", "phone_latency_ms", "fgsm@Linf_eps-1.0")
    assert [row[0].text for row in table.rows][:2] == ["validation accuracy", "good"]
    assert "3 of 8 lie on the other side" in table.caption


@pytest.mark.parametrize(
    ("name", "cost"),
    [
        ("edgegpu_energy_mj", True),
        ("training_seconds", True),
        ("flops", True),
        ("train_l1_loss", True),
        ("top1_error", True),
        ("raspi4 run-time", True),
        ("lossless_share", False),
        ("eyeriss_arithmetic_intensity", False),
        ("validation@3", False),
    ],
)
def test_costs_are_known_by_their_words(name: str, cost: bool) -> None:
    assert smaller_is_better(name) is cost


def test_without_targets_there_is_nothing() -> None:
    each = replace(score_set(), targets={})
    assert score_targets(each, sample_of(each)) == []
    assert fronts(each) == []
    assert shown_targets([]) == {}
    assert target_tables([]) == []
