from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.reports.sample import Sample, draw_sample
from bench.reports.sampling import PROXIES, sample_networks, sampling_table


def sample(n: int = 1000) -> Sample:
    rng = np.random.default_rng(n)
    truth = rng.normal(size=n)
    scores = {f"p{i}": truth + i * rng.normal(size=n) for i in range(1, 7)}
    scores["p1"][: n // 10] = np.nan
    scores["p2"][-3:] = -np.inf
    scores["constant"] = np.ones(n)
    return draw_sample(truth, scores, rng=rng, resamples=2)


def test_subsets_of_the_strongest_vary_about_the_whole() -> None:
    data = sample()
    found = sample_networks("a/x", data, rng=np.random.default_rng(0), subsets=60)
    assert [r["proxy"] for r in found[:PROXIES]] == ["p1", "p2", "p3", "p4"]
    assert sorted({r["networks"] for r in found}) == [50, 100, 200]
    known = ~np.isnan(data.scores["p1"])
    for record in found:
        score = np.maximum(data.scores[record["proxy"]][known], -99)
        whole = stats.kendalltau(score, data.truth[known]).statistic
        assert record["architectures"] == 900
        assert record["kendall"] == pytest.approx(whole, abs=1e-12)
        assert record["kendall_low"] < record["kendall_mean"] < record["kendall_high"]
        assert record["kendall_mean"] == pytest.approx(whole, abs=0.03)
    for name in ("p1", "p4"):
        widths = [r["kendall_high"] - r["kendall_low"] for r in found if r["proxy"] == name]
        own = [r["own_high"] - r["own_low"] for r in found if r["proxy"] == name]
        assert widths == sorted(widths, reverse=True)
        assert own == sorted(own, reverse=True)
        # A subset knows of no bound to the whole; many of few vary less than they say.
        assert own[0] == pytest.approx(widths[0], rel=0.35)
        assert own[-1] > widths[-1]
    for size in (50, 200):
        assert sum(r["first"] for r in found if r["networks"] == size) == pytest.approx(1)


def test_the_best_comes_first_more_often_in_larger_subsets() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=2000)
    scores = {
        "good": truth + 2 * rng.normal(size=2000),
        "next": truth + 2.5 * rng.normal(size=2000),
    }
    data = draw_sample(truth, scores, rng=rng, resamples=2)
    found = sample_networks("a/x", data, rng=rng, subsets=60)
    shares = {r["networks"]: r["first"] for r in found if r["proxy"] == "good"}
    assert 0.5 < shares[50] < 0.9
    assert shares[1000] > 0.95
    (row,) = sampling_table(found).rows
    assert [cell.text for cell in row[:3]] == ["a/x", "good", "2,000"]
    assert row[-1].text.endswith(f"; {100 * shares[1000]:.0f} %")


def test_the_same_generator_gives_the_same_subsets() -> None:
    one, two, other = (
        sample_networks("a/x", sample(200), rng=np.random.default_rng(seed), subsets=10)
        for seed in (0, 0, 1)
    )
    assert one == two
    assert one != other


def test_a_subset_in_which_a_score_is_constant_has_no_tau() -> None:
    truth = np.arange(100.0)
    score = np.zeros(100)
    score[99] = 1.0
    data = draw_sample(truth, {"rare": score}, rng=np.random.default_rng(0), resamples=2)
    seed = next(s for s in range(99) if 99 not in np.random.default_rng(s).choice(100, 50, False))
    found = sample_networks("a/x", data, rng=np.random.default_rng(seed), subsets=1)
    assert [r["kendall_mean"] is None for r in found] == [True]
    assert found[0]["first"] == 1.0


@pytest.mark.parametrize("n", [1, 99])
def test_few_architectures_have_no_subsets(n: int) -> None:
    truth = np.arange(float(n))
    data = draw_sample(truth, {"a": truth}, rng=np.random.default_rng(0), resamples=2)
    assert sample_networks("a/x", data, rng=np.random.default_rng(0)) == []
    empty = draw_sample(truth, {}, rng=np.random.default_rng(0), resamples=2)
    assert sample_networks("a/x", empty, rng=np.random.default_rng(0)) == []


def test_a_size_that_a_task_is_too_small_for_is_a_dash() -> None:
    rng = np.random.default_rng(0)
    found = sample_networks("a/small", sample(200), rng=rng, subsets=5)
    found += sample_networks("a/large", sample(), rng=rng, subsets=5)
    table = sampling_table(found)
    assert table.columns[-1] == "200 networks"
    assert [row[-1].text == "—" for row in table.rows] == [True, False]


def test_networks_that_share_scores_are_one_network() -> None:
    rng = np.random.default_rng(3)
    truth, score = rng.normal(size=(2, 400))
    plain = draw_sample(truth, {"p": score}, rng=rng, resamples=2)
    groups = np.tile(np.arange(400), 3)
    thrice = draw_sample(
        np.tile(truth, 3), {"p": np.tile(score, 3)}, rng=rng, resamples=2, groups=groups
    )
    once, again = (
        sample_networks("a/x", data, rng=np.random.default_rng(0), subsets=5)
        for data in (plain, thrice)
    )
    assert once == again
