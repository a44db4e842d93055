from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.reports.comparisons import ceiling, compare, lead
from bench.reports.sample import Sample, draw_sample


def sample(rng_seed: int = 0, resamples: int = 200) -> Sample:
    rng = np.random.default_rng(11)
    truth = rng.normal(size=150)
    noise = rng.normal(size=(3, 150))
    scores = {
        "good": truth + 0.3 * noise[0],
        "params": truth + noise[1],
        "bad": truth + 5 * noise[2],
        "gone": np.full(150, np.nan),
    }
    scores["good"][:10] = np.nan
    return draw_sample(truth, scores, rng=np.random.default_rng(rng_seed), resamples=resamples)


def test_differences_are_of_tau_on_the_rows_both_have() -> None:
    data = sample()
    found = {record["proxy"]: record for record in compare("a/x", data)}
    assert list(found) == ["good", "bad", "gone"]
    truth = data.truth
    for name in ("good", "bad"):
        score = data.scores[name]
        rows = ~np.isnan(score)
        expected = (
            stats.kendalltau(score[rows], truth[rows]).statistic
            - stats.kendalltau(data.scores["params"][rows], truth[rows]).statistic
        )
        record = found[name]
        assert record["reference"] == "params"
        assert record["n"] == rows.sum()
        assert record["difference"] == pytest.approx(expected, abs=1e-12)
        assert record["low"] < expected < record["high"]
    assert found["good"]["low"] > 0
    assert found["bad"]["high"] < 0
    assert found["gone"]["difference"] is None
    assert found["gone"]["p_holm"] is None


def test_holm_is_over_the_proxies_of_the_task() -> None:
    found = {record["proxy"]: record for record in compare("a/x", sample())}
    # Both are clear: below what 200 resamples can count. The smaller is doubled for being of two.
    small, large = sorted((found["good"], found["bad"]), key=lambda record: record["p"])
    assert 0 < small["p"] < large["p"] < 2 / 201
    assert small["p_holm"] == pytest.approx(2 * small["p"])
    assert large["p_holm"] == pytest.approx(max(2 * small["p"], large["p"]))


def test_without_the_reference_there_is_nothing_to_compare() -> None:
    assert compare("a/x", sample(), reference="flops") == []


def test_the_lead_is_of_the_best_over_the_next() -> None:
    (record,) = lead("a/x", sample())
    assert (record["best"], record["runner_up"]) == ("good", "params")
    assert record["low"] > 0
    assert lead("a/x", sample()) == [record]


def test_equal_proxies_have_no_clear_lead_and_one_alone_none() -> None:
    truth = np.arange(20.0)
    score = truth[::-1].copy()
    twins = {"a": score, "b": score.copy(), "constant": np.ones(20)}
    (record,) = lead("a/x", draw_sample(truth, twins, rng=np.random.default_rng(0)))
    assert (record["difference"], record["low"], record["high"]) == (0.0, 0.0, 0.0)
    alone = draw_sample(truth, {"a": score, "c": np.ones(20)}, rng=np.random.default_rng(0))
    assert lead("a/x", alone) == []


def test_ceiling_is_tau_of_validation_with_test() -> None:
    rng = np.random.default_rng(2)
    validation = rng.normal(size=80)
    test = validation + 0.2 * rng.normal(size=80)
    test[:7] = np.nan
    (record,) = ceiling("a/x", validation, test, rng=np.random.default_rng(0), resamples=100)
    expected = stats.kendalltau(validation[7:], test[7:]).statistic
    assert record["kendall"] == pytest.approx(expected, abs=1e-12)
    assert record["n"] == 73
    assert record["kendall_low"] < expected < record["kendall_high"]
    nothing = np.full(80, np.nan)
    assert ceiling("a/x", validation, nothing, rng=np.random.default_rng(0)) == []
