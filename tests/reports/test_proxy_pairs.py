from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from bench.base import Record
from bench.reports.proxy_pairs import cluster, compare_proxies, compare_rankings, rank_proxies
from bench.reports.sample import Sample, draw_sample


def sample(seed: int = 0, noise: float = 1.0, resamples: int = 200) -> Sample:
    rng = np.random.default_rng(4)
    truth = rng.normal(size=200)
    scores = {f"p{i}": truth + noise * i * rng.normal(size=200) for i in range(1, 6)}
    scores["twin"] = np.exp(scores["p1"])
    scores["gaps"] = np.where(np.arange(200) < 150, truth, np.nan)
    scores["gaps"][:5] = -np.inf
    scores["constant"] = np.ones(200)
    scores["never"] = np.full(200, np.nan)
    return draw_sample(truth, scores, rng=np.random.default_rng(seed), resamples=resamples)


def test_pairs_are_tau_on_the_rows_both_have() -> None:
    data = sample()
    found = compare_proxies("a/x", data)
    assert len(found) == 9 * 8 / 2
    for record in found:
        one, two = data.scores[record["proxy"]], data.scores[record["other"]]
        rows = ~np.isnan(one) & ~np.isnan(two)
        assert record["n"] == rows.sum()
        if {"constant", "never"} & {record["proxy"], record["other"]}:
            assert record["kendall"] is record["kendall_low"] is None
            continue
        one, two = (np.maximum(values[rows], -99) for values in (one, two))
        assert record["kendall"] == pytest.approx(stats.kendalltau(one, two).statistic, abs=1e-12)
        assert record["kendall_low"] <= record["kendall"] <= record["kendall_high"]
    twins = next(r for r in found if (r["proxy"], r["other"]) == ("p1", "twin"))
    assert (twins["kendall_low"], twins["kendall_high"]) == (1.0, 1.0)


def test_no_two_proxies_are_no_pair() -> None:
    data = draw_sample(np.arange(5.0), {"a": np.arange(5.0)}, rng=np.random.default_rng(0))
    assert compare_proxies("a/x", data) == []


def test_clusters_put_twins_together_and_leave_out_what_is_undefined() -> None:
    found = cluster(compare_proxies("a/x", sample()), "proxy")
    assert found is not None
    assert set(found.names) == {"p1", "p2", "p3", "p4", "p5", "twin", "gaps"}
    order = [found.names[place] for place in found.order]
    assert abs(order.index("p1") - order.index("twin")) == 1
    first = found.merges[0]
    assert {found.names[first.first], found.names[first.second]} == {"p1", "twin"}
    assert first.height == 0
    assert np.array_equal(found.taus, found.taus.T)


def test_a_pair_that_was_not_compared_counts_as_unrelated() -> None:
    pairs = {("a", "b"): 0.9, ("c", "d"): 0.8, ("a", "c"): -0.5}
    records: list[Record] = [
        {"task": one, "other": two, "kendall": tau} for (one, two), tau in pairs.items()
    ]
    found = cluster(records, "task")
    assert found is not None
    assert np.isnan(found.taus[found.names.index("b"), found.names.index("d")])
    assert found.merges[-1].height == pytest.approx((1.5 + 1 + 1 + 1) / 4)
    assert cluster(records[:1], "task") is None
    assert cluster([], "task") is None


def test_tasks_agree_as_far_as_they_rank_proxies_alike() -> None:
    one = rank_proxies("a/x", sample())
    assert set(one.proxies) == {"p1", "p2", "p3", "p4", "p5", "twin", "gaps"}
    other = rank_proxies("a/y", sample(noise=-2.0, seed=1))
    nine = np.arange(9.0)
    rng = np.random.default_rng(0)
    few = rank_proxies("a/z", draw_sample(nine, {"p1": nine}, rng=rng, resamples=200))
    (record,) = compare_rankings([one, other, few])
    shared = dict(zip(one.proxies, one.values, strict=True))
    there = dict(zip(other.proxies, other.values, strict=True))
    expected = stats.kendalltau(
        [shared[name] for name in one.proxies], [there[name] for name in one.proxies]
    ).statistic
    assert (record["task"], record["other"], record["proxies"]) == ("a/x", "a/y", 7)
    assert record["kendall"] == pytest.approx(expected)
    assert "kendall_low" not in record


def test_names_are_sorted_so_that_the_order_of_records_does_not_matter() -> None:
    records = [
        {"task": "t", "proxy": one, "other": two, "kendall": 0.5}
        for one, two in combinations("abcd", 2)
    ]
    one, two = cluster(records, "proxy"), cluster(records[::-1], "proxy")
    assert one is not None
    assert two is not None
    assert (one.names, one.order, one.merges) == (two.names, two.order, two.merges)
