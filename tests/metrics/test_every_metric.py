"""What every metric promises: counts mean repeated rows, and foreign input is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from math import comb
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.metrics import rank, regret, top
from bench.metrics._counts import Metric


def quiet(function: Callable[..., Any]) -> Callable[..., float]:
    """A scipy correlation as a float, NaN where scipy warns of or refuses its input."""

    def call(*columns: np.ndarray) -> float:
        if len(columns[0]) < 2:
            return float("nan")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(function(*columns)[0])

    return call


kendalltau, spearmanr = quiet(stats.kendalltau), quiet(stats.spearmanr)
pearsonr = quiet(stats.pearsonr)
weightedtau = quiet(lambda score, truth: stats.weightedtau(truth, score))


def reaches_failures(score: np.ndarray, k: int) -> bool:
    return bool(np.sort(score)[-k] == -np.inf)


def unless_reached(reference: Callable[..., float]) -> Callable[..., float]:
    """A reference of the k highest scores; NaN where a failure is among these."""

    def call(score: np.ndarray, *columns: np.ndarray, k: float | None = None, **how: Any) -> float:
        if reaches_failures(score, len(score) if k is None else rows_of(k, len(score))):
            return float("nan")
        return reference(score, *columns, **({} if k is None else {"k": k}), **how)

    return call


def among_best(correlation: Callable[..., float]) -> Callable[..., float]:
    def call(score: np.ndarray, truth: np.ndarray, fraction: float = 0.1) -> float:
        best = truth >= np.percentile(truth, 100 * (1 - fraction))
        if np.isneginf(score[best]).any():
            return float("nan")
        return correlation(score[best], truth[best])

    return call


def partial(score: np.ndarray, truth: np.ndarray, given: np.ndarray) -> float:
    pairs = ((score, truth), (score, given), (truth, given))
    xy, xz, yz = (spearmanr(*pair) for pair in pairs)
    return (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))


def rows_of(k: float, rows: int) -> int:
    return k if isinstance(k, int) else max(1, round(k * rows))


def chances(values: np.ndarray, k: int) -> np.ndarray:
    """The probability of each row to be among the k largest, ties broken at random."""
    bound = np.sort(values)[-k]
    tied = values == bound
    return (values > bound) + tied * (k - (values > bound).sum()) / tied.sum()


def precision(score: np.ndarray, truth: np.ndarray, k: float) -> float:
    k = rows_of(k, len(score))
    return float((chances(score, k) * (truth >= np.sort(truth)[-k])).sum() / k)


def overlap(score: np.ndarray, truth: np.ndarray, k: float) -> float:
    k = rows_of(k, len(score))
    return float((chances(score, k) * chances(truth, k)).sum() / k)


def best(score: np.ndarray, truth: np.ndarray, k: float) -> float:
    """The expected best, one tied row at a time: it is the best drawn with C(left, q-1)/C(n, q)."""
    k = rows_of(k, len(score))
    bound = np.sort(score)[-k]
    sure = truth[score > bound]
    floor = sure.max() if len(sure) else -np.inf
    tied, wanted = np.sort(truth[score == bound])[::-1], k - len(sure)
    ways = [comb(len(tied) - i - 1, wanted - 1) for i in range(len(tied))]
    total = comb(len(tied), wanted)
    return sum(way / total * max(value, floor) for way, value in zip(ways, tied, strict=True))


def first_best(score: np.ndarray, truth: np.ndarray, k: float) -> float:
    order = np.argsort(-score, kind="stable")
    return float(truth[order[: rows_of(k, len(score))]].max())


def tied(score: np.ndarray, k: float) -> float:
    return float((score == np.sort(score)[-rows_of(k, len(score))]).sum())


def gain(score: np.ndarray, truth: np.ndarray, k: float | None = None) -> float:
    rows = len(score)
    places = np.arange(rows)
    discount = np.where(places < (rows if k is None else rows_of(k, rows)), 1, 0)
    discount = discount / np.log2(places + 2)
    order = np.argsort(-score, kind="stable")
    mean = [discount[score[order] == value].mean() for value in score[order]]
    ideal = np.sort(truth)[::-1] @ discount
    return float(truth[order] @ mean / ideal) if ideal > 0 else float("nan")


@dataclass(frozen=True)
class Case:
    metric: Metric
    reference: Callable[..., float]
    options: dict[str, Any] = field(default_factory=dict)
    ordered: bool = False
    """Whether the order of the rows matters."""
    infinite: bool = True
    """Whether -inf is an ordinary score."""

    def __str__(self) -> str:
        return f"{self.metric.__name__}{self.options or ''}"


CASES = [
    Case(rank.kendall, kendalltau),
    Case(rank.spearman, spearmanr),
    Case(rank.pearson, pearsonr, infinite=False),
    Case(rank.weighted_kendall, weightedtau),
    Case(rank.kendall_top, among_best(kendalltau)),
    Case(rank.kendall_top, among_best(kendalltau), {"fraction": 0.5}),
    Case(rank.spearman_top, among_best(spearmanr)),
    Case(rank.partial_spearman, partial),
    *(Case(top.precision_at_k, unless_reached(precision), {"k": k}) for k in (1, 5, 0.2)),
    *(Case(top.top_overlap, unless_reached(overlap), {"k": k}) for k in (1, 5, 0.2)),
    *(Case(top.best_of_top_k, unless_reached(best), {"k": k}) for k in (1, 5, 0.2)),
    Case(
        top.best_of_top_k,
        unless_reached(lambda score, truth, k, ties: first_best(score, truth, k)),
        {"k": 5, "ties": "order"},
        ordered=True,
    ),
    *(Case(top.tied_at_k, unless_reached(tied), {"k": k}) for k in (5, 0.2)),
    Case(top.ndcg, unless_reached(gain)),
    *(Case(top.ndcg, unless_reached(gain), {"k": k}) for k in (5, 0.2)),
    Case(
        regret.regret_at_k,
        unless_reached(lambda score, truth, k: float(truth.max()) - best(score, truth, k)),
        {"k": 5},
    ),
    Case(regret.mean, lambda values: float(values.mean()), infinite=False),
    Case(
        regret.interquartile_mean,
        lambda values: float(stats.trim_mean(values, 0.25)),
        infinite=False,
    ),
]


def table(kind: str, rng: np.random.Generator) -> list[np.ndarray]:
    """Three related columns: a score, a truth that is not negative, and a third."""
    rows = {"small": 12, "large tie groups": 500, "constant score": 80}.get(kind, 150)
    score = rng.normal(size=rows)
    truth = np.abs(score + rng.normal(size=rows))
    given = score + rng.normal(size=rows)
    if kind in ("ties", "failures"):
        score, truth, given = (np.round(column, 1) for column in (score, truth, given))
    if kind == "large tie groups":
        score, truth = np.round(score), np.round(truth * 2) / 2
    if kind == "failures":
        score[rng.random(rows) < 0.4] = -np.inf
    if kind == "constant score":
        score[:] = 3.7
    return [score, truth, given]


def draw(rows: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Counts of resamples, most of `rows` rows, the last two of other sizes."""
    drawn = rng.integers(rows, size=(resamples, rows))
    counts = np.stack([np.bincount(one, minlength=rows) for one in drawn])
    counts[-1] *= 3
    counts[-2] = rng.integers(2, size=rows)
    counts[-2, :6] = 1
    return counts


KINDS = ["small", "untied", "ties", "failures", "large tie groups", "constant score"]


@pytest.mark.parametrize(
    ("case", "kind"),
    [(case, kind) for case in CASES for kind in KINDS if case.infinite or kind != "failures"],
    ids=str,
)
def test_counts_mean_repeated_rows(case: Case, kind: str) -> None:
    rng = np.random.default_rng(len(kind))
    columns = table(kind, rng)[: case.metric.columns]
    counts = draw(len(columns[0]), 9, rng)
    values = case.metric(*columns, counts=counts, **case.options)
    expected = [
        case.reference(*(np.repeat(column, one) for column in columns), **case.options)
        for one in counts
    ]
    assert values.shape == (9,)
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, expected, rtol=1e-10, atol=1e-10)
    plain = case.metric(*columns, **case.options)
    assert isinstance(plain, float)
    expected_plain = case.reference(*columns, **case.options)
    np.testing.assert_allclose(plain, expected_plain, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_parts_and_types_of_counts_do_not_matter(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    columns = table("ties", rng)[: case.metric.columns]
    counts = draw(150, 7, rng)
    whole = case.metric(*columns, counts=counts, **case.options)
    monkeypatch.setattr("bench.metrics._counts.parts.__defaults__", (2 * 150,))
    in_pairs = case.metric(*columns, counts=counts.astype(np.uint16), **case.options)
    np.testing.assert_allclose(in_pairs, whole, rtol=1e-12, atol=1e-14)
    one_by_one = [case.metric(*columns, counts=one[None], **case.options)[0] for one in counts]
    np.testing.assert_allclose(one_by_one, whole, rtol=1e-12, atol=1e-14)
    assert case.metric(*columns, counts=counts[:0], **case.options).shape == (0,)


@pytest.mark.parametrize("case", [case for case in CASES if not case.ordered], ids=str)
def test_the_order_of_rows_does_not_matter(case: Case) -> None:
    rng = np.random.default_rng(6)
    columns = table("ties", rng)[: case.metric.columns]
    shuffled = rng.permutation(150)
    expected = case.metric(*columns, **case.options)
    found = case.metric(*(column[shuffled] for column in columns), **case.options)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_foreign_input_is_refused(case: Case) -> None:
    columns = table("small", np.random.default_rng(7))[: case.metric.columns]
    ones = np.ones((2, 12), dtype=int)

    def refused(message: str, *columns: np.ndarray, counts: Any = None) -> None:
        with pytest.raises(ValueError, match=message):
            case.metric(*columns, counts=counts, **case.options)

    for place in range(len(columns)):
        spoilt = [column.copy() for column in columns]
        spoilt[place][3] = np.nan
        refused("got NaN in 1 of 12 rows", *spoilt)
    refused("n >= 1, got", *(column[:0] for column in columns))
    refused("n >= 1, got", *(column[:, None] for column in columns))
    if len(columns) > 1:
        refused("n >= 1, got", *columns[:-1], columns[-1][:-1])
    refused("integers of shape r x 12, got float64", *columns, counts=ones / 2)
    refused("integers of shape r x 12, got int64", *columns, counts=ones[:, 1:])
    refused("integers of shape r x 12, got int64", *columns, counts=ones[0])
    refused("not be negative, got -1", *columns, counts=-ones)
    with pytest.raises(TypeError, match="columns before its options"):
        case.metric(**case.options)


@pytest.mark.parametrize("case", [case for case in CASES if not case.infinite], ids=str)
def test_metrics_of_distances_refuse_infinities(case: Case) -> None:
    columns = table("small", np.random.default_rng(7))[: case.metric.columns]
    columns[0][2] = -np.inf
    with pytest.raises(ValueError, match="must be finite here, got 1 infinite"):
        case.metric(*columns, **case.options)


def test_no_metric_is_left_out() -> None:
    members = {
        name
        for module in (rank, top, regret)
        for name, value in vars(module).items()
        if isinstance(value, Metric)
    }
    assert members == {case.metric.__name__ for case in CASES}
    for case in CASES:
        assert case.metric.__doc__
        assert repr(case.metric) == f"<metric {case.metric.__name__}>"
