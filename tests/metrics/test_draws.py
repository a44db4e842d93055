"""Drawn columns: the same values as with counts, found out once, and refused when mixed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics import draws, rank, regret, top
from bench.metrics._counts import Metric
from bench.metrics.draws import Column, Draws, cumulated, steps

CALLS: list[tuple[Metric, tuple[Any, ...]]] = [
    (rank.kendall, ()),
    (rank.spearman, ()),
    (rank.pearson, ()),
    (rank.weighted_kendall, ()),
    (rank.kendall_top, (0.3,)),
    (rank.kendall_top, (0.1,)),
    (rank.spearman_top, (0.3,)),
    (rank.partial_spearman, ()),
    (top.precision_at_k, (0.2,)),
    (top.precision_at_k, (3,)),
    (top.top_overlap, (5,)),
    (top.best_of_top_k, (5, "order")),
    (top.best_of_top_k, (5, "expected")),
    (top.tied_at_k, (5,)),
    (top.ndcg, ()),
    (top.ndcg, (5,)),
    (regret.regret_at_k, (5,)),
]


def made(kind: str) -> tuple[list[np.ndarray], np.ndarray]:
    """A score, another, a truth that is not negative; and counts of 12 resamples."""
    rng = np.random.default_rng(len(kind))
    truth = np.abs(rng.normal(size=130))
    scores = truth + rng.normal(size=(2, 130))
    if kind != "untied":
        truth, scores = np.round(truth, 1), np.round(scores, 1)
    if kind == "failures":
        scores[0, rng.random(130) < 0.3] = -np.inf
    counts = np.stack([np.bincount(rng.integers(130, size=130), minlength=130) for _ in range(12)])
    counts[-1] = 1
    counts[-2, 40:] = 0
    return [*scores, truth], counts


@pytest.mark.parametrize("kind", ["untied", "ties", "failures"])
@pytest.mark.parametrize("backwards", [False, True])
def test_drawn_columns_give_what_counts_give(kind: str, backwards: bool) -> None:
    (one, two, truth), counts = made(kind)
    drawn = Draws.of(counts)
    shared = drawn.column(truth)
    for score, given_ in ((one, two), (two, one)):
        columns = [drawn.column(score), shared, drawn.column(given_)]
        for metric, options in CALLS[::-1] if backwards else CALLS:
            if metric is rank.pearson and np.isinf(score).any():
                continue
            plain = [score, truth, given_][: metric.columns]
            expected = metric(*plain, *options, counts=counts)
            for _ in range(2):  # found out, then remembered
                found = metric(*columns[: metric.columns], *options)
                np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(found[-1], metric(*plain, *options), rtol=1e-12, atol=1e-12)


def test_what_is_found_out_about_the_truth_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    (one, two, truth), counts = made("ties")
    seen: list[int] = []
    original = draws.cumulated

    def counting(lanes: np.ndarray) -> np.ndarray:
        seen.append(len(lanes))
        return original(lanes)

    monkeypatch.setattr(draws, "cumulated", counting)
    drawn = Draws.of(counts)
    shared = drawn.column(truth)
    for score in (one, two, one):
        rank.spearman(drawn.column(score), shared)
    assert len(seen) == 4  # once for the truth, once for each score


def test_mixed_columns_are_refused() -> None:
    (one, _, truth), counts = made("ties")
    drawn, other = Draws.of(counts), Draws.of(counts)
    with pytest.raises(ValueError, match="must come from the same draws, all of them"):
        rank.kendall(drawn.column(one), other.column(truth))
    with pytest.raises(ValueError, match="must come from the same draws, all of them"):
        rank.kendall(drawn.column(one), truth)
    with pytest.raises(ValueError, match="2 kinds of columns without counts"):
        rank.kendall(truth, drawn.column(one))
    with pytest.raises(ValueError, match="1 kinds of columns with counts"):
        rank.kendall(drawn.column(one), drawn.column(truth), counts=counts)
    with pytest.raises(ValueError, match="wants 130 values, got 2"):
        drawn.column([1.0, 2.0])
    with pytest.raises(ValueError, match="got NaN in 1 of 130 rows"):
        drawn.column(np.where(np.arange(130) == 3, np.nan, truth))


def test_a_refusal_does_not_depend_on_what_is_remembered() -> None:
    (one, _, _), counts = made("ties")
    column = Draws.of(counts).column(one)
    assert top.tied_at_k(column, 1).shape == (12,)
    with pytest.raises(ValueError, match="k must be"):
        top.tied_at_k(column, 1.0)
    with pytest.raises(ValueError, match="k must be"):
        top.tied_at_k(column, True)


@given(st.integers(1, 200), st.integers(0, 3), st.sampled_from([np.float32, np.float64]))
def test_running_sums_and_back(rows: int, lanes: int, dtype: type) -> None:
    values = np.random.default_rng(rows).integers(0, 50, size=(rows, lanes)).astype(dtype)
    sums = cumulated(values)
    assert sums.dtype == dtype
    np.testing.assert_array_equal(sums, np.cumsum(values, axis=0))
    np.testing.assert_array_equal(steps(sums), values)


def test_the_type_holds_all_ranks_exactly() -> None:
    light = np.ones((1, 1000), dtype=np.uint16)
    assert Draws.of(light).lanes.dtype == np.float32
    # 2^7 copies of each of 2^9 rows: a count times a doubled rank reaches 2 * 2^7 * 2^16 = 2^24.
    assert Draws.of(np.full((1, 512), 128)).lanes.dtype == np.float64
    assert Draws.of(np.full((1, 512), 127)).lanes.dtype == np.float32


def test_groups_and_ranks_written_out() -> None:
    column: Column = Draws.of(np.array([[1, 2, 0, 1]])).column([5.0, 1.0, 3.0, 5.0])
    assert column.after()[:, 0].tolist() == [2, 2, 4]
    assert column.groups()[:, 0].tolist() == [2, 0, 2]
    assert column.untied()[:, 0].tolist() == [2, 2, 4, 2]
    assert column.power_sums(2).tolist() == [8]
    assert column.power_sums(3).tolist() == [16]
    # Ranks 1.5 1.5 3.5 3.5 about 2.5, doubled; the row not drawn would stand at 2.5.
    assert column.ranks()[:, 0].tolist() == [2, -2, 0, 2]
    assert column.weighted_ranks()[:, 0].tolist() == [2, -4, 0, 2]
