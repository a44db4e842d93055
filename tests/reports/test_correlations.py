from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from bench.base import Floats, Ints, Record
from bench.metrics.bootstrap import interval
from bench.metrics.rank import kendall, partial_spearman, pearson, spearman, weighted_kendall
from bench.metrics.regret import regret_at_k
from bench.metrics.top import ndcg, tied_at_k
from bench.reports import correlations
from bench.reports.correlations import correlate, correlate_sample
from bench.reports.sample import draw_sample

METRICS = [
    "kendall", "spearman", "pearson", "weighted_kendall", "kendall_top10", "spearman_top10",
    "partial_spearman", "precision_at_10pct", "overlap_top100", "best_of_10",
    "best_of_10_expected", "tied_at_10", "regret_at_10", "ndcg", "kendall_common",
    "spearman_common",
]  # fmt: skip
WITH_INTERVAL = {
    *("kendall", "spearman", "kendall_top10", "spearman_top10", "partial_spearman"),
    *("kendall_common", "spearman_common"),
}


def by_proxy(truth: Floats, scores: Mapping[str, Floats], **options: object) -> dict[str, Record]:
    options = {"rng": np.random.default_rng(0), "resamples": 40} | options
    return {r["proxy"]: r for r in correlate("a/x", truth, scores, **options)}  # type: ignore[arg-type]


@pytest.fixture
def made() -> tuple[Floats, dict[str, Floats]]:
    """200 rows: `a` failed on 3, `b` is not recorded on 40, both have ties."""
    rng = np.random.default_rng(1)
    truth = np.round(rng.uniform(50, 95, 200), 1)
    a = np.round(truth + rng.normal(size=200) * 9)
    a[[3, 50, 199]] = -np.inf
    b = np.round(truth + rng.normal(size=200) * 20)
    b[:40] = np.nan
    return truth, {"a": a, "b": b, "params": np.round(truth / 9 + rng.normal(size=200))}


def test_values_are_those_of_scipy(made: tuple[Floats, dict[str, Floats]]) -> None:
    truth, scores = made
    found = by_proxy(truth, scores)
    common = np.isfinite(scores["a"]) & np.isfinite(scores["b"])
    for name, score in scores.items():
        record = found[name]
        recorded = ~np.isnan(score)
        x, y = np.where(np.isinf(score), -1e9, score)[recorded], truth[recorded]
        best = y >= np.quantile(y, 0.9)
        expected = {
            "kendall": stats.kendalltau(x, y).statistic,
            "spearman": stats.spearmanr(x, y).statistic,
            "pearson": stats.pearsonr(score[common], truth[common]).statistic,
            "weighted_kendall": stats.weightedtau(y, x).statistic,
            "kendall_top10": stats.kendalltau(x[best], y[best]).statistic,
            "spearman_top10": stats.spearmanr(x[best], y[best]).statistic,
            "kendall_common": stats.kendalltau(score[common], truth[common]).statistic,
            "spearman_common": stats.spearmanr(score[common], truth[common]).statistic,
        }
        if np.isinf(score[recorded][best]).any():
            assert name == "a"
            expected |= {"kendall_top10": None, "spearman_top10": None}
        for metric, value in expected.items():
            assert record[metric] == (value and pytest.approx(value, abs=1e-12)), metric
        assert record["best_of_10"] == y[np.argsort(-x, kind="stable")[:10]].max()
        tied = int((x == np.sort(x)[-10]).sum())
        assert record["tied_at_10"] == tied
        assert record["regret_at_10"] == pytest.approx(y.max() - record["best_of_10_expected"])


def test_partial_correlation_is_that_of_residual_ranks(
    made: tuple[Floats, dict[str, Floats]],
) -> None:
    truth, scores = made
    found = by_proxy(truth, scores)
    recorded = ~np.isnan(scores["b"])
    x, y, z = (
        stats.rankdata(column[recorded]) for column in (scores["b"], truth, scores["params"])
    )
    left, right = (v - np.polyval(np.polyfit(z, v, 1), z) for v in (x, y))
    expected = stats.pearsonr(left, right).statistic
    assert found["b"]["partial_spearman"] == pytest.approx(expected, abs=1e-9)
    assert found["params"]["partial_spearman"] is None


def test_params_may_be_given_apart_or_be_absent(made: tuple[Floats, dict[str, Floats]]) -> None:
    truth, scores = made
    inside = by_proxy(truth, scores)["a"]["partial_spearman"]
    alone = {"a": scores["a"]}
    given_apart = by_proxy(truth, alone, params=scores["params"])["a"]["partial_spearman"]
    assert given_apart == inside
    assert by_proxy(truth, alone)["a"]["partial_spearman"] is None


def test_fields_stand_in_order_and_are_safe_for_json(
    made: tuple[Floats, dict[str, Floats]],
) -> None:
    truth, scores = made
    for record in by_proxy(truth, scores).values():
        named = [
            (name, f"{name}_low", f"{name}_high") if name in WITH_INTERVAL else (name,)
            for name in METRICS
        ]
        assert list(record) == ["task", "proxy", "n", "n_failed", "n_common"] + [
            name for names in named for name in names
        ] + ["undefined"]
        json.dumps(record, allow_nan=False)
    record = by_proxy(truth, scores)["a"]
    assert (record["n"], record["n_failed"], record["n_common"]) == (200, 3, 158)
    assert by_proxy(truth, scores)["b"]["n"] == 160


def test_intervals_hold_the_value_and_shrink_with_rows() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(size=1600) + 10
    score = truth + rng.normal(size=1600)
    wide = by_proxy(truth[:100], {"a": score[:100]}, resamples=300)["a"]
    narrow = by_proxy(truth, {"a": score}, resamples=300)["a"]
    for record in (wide, narrow):
        assert record["kendall_low"] < record["kendall"] < record["kendall_high"]
    width = wide["kendall_high"] - wide["kendall_low"]
    assert 2.5 < width / (narrow["kendall_high"] - narrow["kendall_low"]) < 6


def test_the_interval_is_the_percentile_bootstrap_by_hand() -> None:
    rng = np.random.default_rng(5)
    truth, score = rng.normal(size=(2, 200))
    found = by_proxy(truth, {"a": score}, rng=np.random.default_rng(8), resamples=50)["a"]
    sample = draw_sample(truth, {"a": score}, rng=np.random.default_rng(8), resamples=50)
    taus = []
    for counts in sample.counts:
        rows = np.repeat(np.arange(200), counts)
        assert rows.size == 200
        taus.append(stats.kendalltau(score[rows], truth[rows]).statistic)
    low, high = np.quantile(taus, [0.025, 0.975])
    assert (found["kendall_low"], found["kendall_high"]) == pytest.approx((low, high), abs=1e-12)


def test_of_few_rows_the_interval_is_the_jackknife_by_hand() -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(size=30)
    score = np.round(truth + rng.normal(size=30), 1)
    found = by_proxy(truth, {"a": score}, resamples=5)["a"]
    quantile = stats.t.ppf(0.975, 29)
    for name, function in (("kendall", stats.kendalltau), ("spearman", stats.spearmanr)):
        value = function(score, truth).statistic
        left = np.array(
            [function(np.delete(score, i), np.delete(truth, i)).statistic for i in range(30)]
        )
        error = np.sqrt(29 / 30 * ((left - left.mean()) ** 2).sum())
        if name == "kendall":  # the mean of the jackknife's square and of the unbiased one
            unbiased = error**2 * 28 / 27 - 2 * (1 - value**2) / (28 * 27)
            error = np.sqrt((error**2 + unbiased) / 2)
        middle, error = np.arctanh(value), error / (1 - value**2)
        ends = np.tanh(middle - quantile * error), np.tanh(middle + quantile * error)
        assert (found[f"{name}_low"], found[f"{name}_high"]) == pytest.approx(ends, abs=1e-9)
    few = by_proxy(truth[:19], {"a": score[:19]})["a"]
    assert few["kendall"] is not None
    assert few["kendall_low"] is few["kendall_high"] is None
    # The best tenth of thirty rows are three: no interval is of these.
    assert found["kendall_top10"] is not None
    assert found["kendall_top10_low"] is None


def test_the_head_of_many_rows_has_the_interval_of_its_own_rows() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(size=1200)
    score = truth + 0.3 * rng.normal(size=1200)
    found = by_proxy(truth, {"a": score}, rng=np.random.default_rng(8), resamples=60)["a"]
    head = truth >= np.quantile(truth, 0.9)
    sample = draw_sample(truth, {"a": score}, rng=np.random.default_rng(8), resamples=60)
    drawn = kendall(score[head], truth[head], counts=sample.counts[:, head])
    ends = found["kendall_top10_low"], found["kendall_top10_high"]
    assert ends == pytest.approx(interval(drawn), abs=1e-12)
    assert found["kendall_top10"] == pytest.approx(kendall(score[head], truth[head]), abs=1e-12)


def test_rows_that_share_a_score_count_once_in_intervals(
    made: tuple[Floats, dict[str, Floats]],
) -> None:
    """Each row four times over is no more than each row once: to the digit, where groups say so."""
    truth, scores = made
    often = {name: np.tile(score, 4) for name, score in scores.items()}
    groups = np.tile(np.arange(truth.size), 4)

    def of(groups: Ints | None, truth: Floats, scores: Mapping[str, Floats]) -> Record:
        rng = np.random.default_rng(4)
        return correlate("t", truth, scores, rng=rng, resamples=60, groups=groups)[0]

    once = of(None, truth, scores)
    grouped = of(groups, np.tile(truth, 4), often)
    alone = of(None, np.tile(truth, 4), often)
    for name in ("kendall", "spearman", "partial_spearman", "kendall_common"):
        for end in ("", "_low", "_high"):
            assert grouped[name + end] == pytest.approx(once[name + end], abs=1e-9)
        width = once[f"{name}_high"] - once[f"{name}_low"]
        assert alone[f"{name}_high"] - alone[f"{name}_low"] < 0.75 * width


def test_groups_follow_rows_whose_truth_is_known() -> None:
    truth = np.array([np.nan, 1.0, 2.0, 3.0, np.nan])
    scores = {"a": np.arange(5.0)}
    found = draw_sample(
        truth, scores, rng=np.random.default_rng(0), resamples=50, groups=np.array([9, 9, 1, 9, 2])
    )
    np.testing.assert_array_equal(found.counts[:, 0], found.counts[:, 2])
    assert (found.counts[:, 0] != found.counts[:, 1]).any()
    with pytest.raises(ValueError, match=r"expected groups of shape \(5,\)"):
        draw_sample(truth, scores, rng=np.random.default_rng(0), groups=np.arange(4))


def test_proxies_share_resamples_and_the_same_seed_gives_the_same(
    made: tuple[Floats, dict[str, Floats]],
) -> None:
    truth, scores = made
    twins = by_proxy(truth, {"a": scores["a"], "twin": scores["a"].copy()})
    assert {**twins["a"], "proxy": ""} == {**twins["twin"], "proxy": ""}
    assert by_proxy(truth, scores) == by_proxy(truth, scores)
    other = by_proxy(truth, scores, rng=np.random.default_rng(1))
    assert other["a"]["kendall_low"] != by_proxy(truth, scores)["a"]["kendall_low"]


def test_every_interval_is_that_of_the_plain_metric(
    made: tuple[Floats, dict[str, Floats]], monkeypatch: pytest.MonkeyPatch
) -> None:
    truth, scores = made
    scores = scores | {"few": np.where(np.arange(200) // 15 == 4, scores["a"], np.nan)}
    scores["params"][150:160] = np.nan
    sample = draw_sample(-truth, scores, rng=np.random.default_rng(4), maximise=False, resamples=30)
    whole = correlate_sample("a/x", sample, threads=1)
    monkeypatch.setattr(correlations, "_CELLS", 200 * 4)
    assert correlate_sample("a/x", sample, threads=1) == correlate_sample("a/x", sample, threads=3)
    for record, in_parts in zip(whole, correlate_sample("a/x", sample), strict=True):
        assert in_parts == pytest.approx(record, abs=1e-12)
        score, y = sample.scores[record["proxy"]], sample.truth
        recorded = ~np.isnan(score)
        calls = {
            "kendall": (kendall, (score, y), recorded, 2),
            "spearman_common": (spearman, (score, y), sample.common(), 2),
        }
        if record["proxy"] != "params":
            both = recorded & ~np.isnan(scores["params"])
            columns = (score, y, sample.given)
            calls["partial_spearman"] = (partial_spearman, columns, both, 2)
        for name, (metric, columns, rows, least) in calls.items():
            cut = [column[rows] for column in columns]
            counts = sample.counts[:, rows]
            drawn = metric(*cut, counts=counts[counts.sum(axis=1) >= least])
            found = (record[name], record[f"{name}_low"], record[f"{name}_high"])
            expected = (metric(*cut), *(interval(drawn) if rows.sum() >= 100 else (None, None)))
            assert found == pytest.approx(expected, abs=1e-12), name
        cut = [column[recorded] for column in (score, y)]
        values = {
            "weighted_kendall": weighted_kendall(*cut),
            "ndcg": ndcg(*cut),
            "tied_at_10": tied_at_k(cut[0], 10),
            "regret_at_10": regret_at_k(*cut, 10),
            "pearson": pearson(*(column[sample.common()] for column in (score, y))),
        }
        for name, value in values.items():
            expected = None if np.isnan(value) else pytest.approx(value, abs=1e-12)
            assert record[name] == expected, name


def test_a_task_that_minimises_is_turned_round(made: tuple[Floats, dict[str, Floats]]) -> None:
    truth, scores = made
    up = by_proxy(truth, scores)["a"]
    down = by_proxy(-truth, scores, maximise=False)["a"]
    for name in ("kendall", "regret_at_10", "kendall_low", "tied_at_10"):
        assert down[name] == up[name]
    assert down["best_of_10"] == -up["best_of_10"]
    assert down["ndcg"] == up["ndcg"]  # -(-truth) are the gains again


def test_what_cannot_be_defined_is_none() -> None:
    truth = np.arange(30.0) - 40
    scores = {
        "constant": np.ones(30),
        "never": np.full(30, np.nan),
        "failed": np.full(30, -np.inf),
        "few": np.where(np.arange(30) < 5, truth, np.nan),
    }
    found = by_proxy(truth, scores)
    for name in ("constant", "failed", "never"):
        assert found[name]["kendall"] is None
        assert found[name]["kendall_low"] is None
    assert found["failed"]["n_failed"] == 30
    assert found["never"]["n"] == 0
    assert found["few"]["kendall"] == 1.0
    assert found["few"]["best_of_10"] is None
    assert found["constant"]["ndcg"] is None  # a negative truth is no gain
    assert found["constant"]["overlap_top100"] is None  # 30 rows have no 100 best


def test_a_head_that_reaches_failures_says_so() -> None:
    """The first nine rows have a score, and the best of all, 100, is among the failures."""
    truth = np.concatenate([np.arange(60.0, 69.0), [100.0], np.arange(50.0, 60.0)])
    nine = np.where(np.arange(20) < 9, truth, -np.inf)
    ten = np.where(np.arange(20) < 9, truth, np.where(np.arange(20) == 10, 1.0, -np.inf))
    every = np.full(20, -np.inf)
    found = by_proxy(truth, {"nine": nine, "ten": ten, "every": every, "params": truth})
    heads = ("best_of_10", "best_of_10_expected", "tied_at_10", "regret_at_10")
    for name in heads:
        ends = [found["nine"].get(f"{name}{end}") for end in ("", "_low", "_high")]
        assert ends == [None, None, None]
        assert found["every"][name] is None
        assert found["ten"][name] is not None
    assert found["ten"]["best_of_10"] == 68
    assert found["ten"]["regret_at_10"] == 32
    assert found["nine"]["precision_at_10pct"] == 0.5  # the two best scored: 68 is second best
    assert found["nine"]["kendall_top10"] is None  # 100 failed
    assert found["nine"]["undefined"] == (
        "kendall_top10, spearman_top10, best_of_10, best_of_10_expected, tied_at_10, "
        "regret_at_10, ndcg: the head reaches into the failures, 11 of 20 architectures"
    )
    assert "best_of_10" in found["every"]["undefined"]
    assert "best_of_10" not in found["ten"]["undefined"]
    assert found["params"]["undefined"] is None


def test_rows_without_a_truth_are_left_out(made: tuple[Floats, dict[str, Floats]]) -> None:
    truth, scores = made
    holes = truth.copy()
    holes[::3] = np.nan
    kept = {name: score[~np.isnan(holes)] for name, score in scores.items()}
    assert by_proxy(holes, scores) == by_proxy(truth[~np.isnan(holes)], kept)
    assert by_proxy(np.full(200, np.nan), scores)["a"]["kendall"] is None


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a of shape \(3,\), as the truth; got \(2,\)"):
        by_proxy(np.arange(3.0), {"a": np.arange(2.0)})


values = st.sampled_from([-1e38, -3.0, 0.0, 1e-38, 2.0, 1e38, -np.inf, np.nan])


@settings(max_examples=40, deadline=None)
@given(arrays(float, (3, 12), elements=values))
def test_hard_values_give_numbers_or_none(columns: Floats) -> None:
    truth = np.where(np.isinf(columns[0]), np.nan, columns[0])
    found = by_proxy(truth, {"a": columns[1], "params": columns[2]}, resamples=5)
    for record in found.values():
        for name in METRICS:
            value = record[name]
            assert value is None or math.isfinite(value)
            if value is not None and name not in {"tied_at_10", "regret_at_10"}:
                limit = (1e38 if name.startswith("best") else 1) * (1 + 1e-9)
                assert -limit <= value <= limit
        assert record["n_failed"] <= record["n"] <= 12


REFERENCE = {  # tau and rho as published with the tables, failures last
    "params": (0.568, 0.747), "flops": (0.519, 0.714), "l2_norm": (0.527, 0.720),
    "grad_norm": (0.399, 0.550), "snip": (0.400, 0.552), "grasp": (0.340, 0.491),
    "fisher": (0.360, 0.501), "plain": (-0.244, -0.367), "synflow": (0.536, 0.732),
    "jacov": (0.632, 0.818), "nwot": (0.603, 0.792), "epe_nas": (0.589, 0.787),
    "zen": (0.096, 0.101),
}  # fmt: skip


def test_real_tables_give_the_published_numbers(data: Path) -> None:
    scores = pyarrow.csv.read_csv(data / "nasbench201" / "nb201_zc_proxies.csv")
    nets = pyarrow.csv.read_csv(data / "nasbench201" / "nb201_valid_nets.csv")
    known = dict(zip(nets["net"].to_pylist(), nets["val_accs"].to_pylist(), strict=True))
    truth = np.array([known[net] for net in scores["net"].to_pylist()])
    columns = {name: scores[name].to_numpy() for name in REFERENCE}
    columns = {name: np.where(s == -1e8, -np.inf, s) for name, s in columns.items()}
    sample = draw_sample(truth, columns, rng=np.random.default_rng(0), resamples=2)
    found = {record["proxy"]: record for record in correlate_sample("suite", sample)}
    for name, (tau, rho) in REFERENCE.items():
        assert found[name]["kendall"] == pytest.approx(tau, abs=6e-4)
        assert found[name]["spearman"] == pytest.approx(rho, abs=6e-4)
    best = {name: found[name]["best_of_10"] for name in ("synflow", "params", "l2_norm", "nwot")}
    assert best == {"synflow": 91.06, "params": 90.74, "l2_norm": 90.60, "nwot": 90.36}
    assert found["jacov"]["partial_spearman"] == pytest.approx(0.755, abs=6e-4)
    assert found["zen"]["spearman_top10"] == pytest.approx(0.335, abs=6e-4)
    assert {name for name in found if found[name]["n_failed"]} == {
        "jacov", "nwot", "epe_nas", "zen",
    }  # fmt: skip
