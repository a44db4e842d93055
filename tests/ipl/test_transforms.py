"""Transforms: each formula by hand, and the scores that break naive ones."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from bench.base import Floats, OptionError
from ipl.transforms import CLIP, KINDS, fitted

every_kind = pytest.mark.parametrize("kind", list(KINDS))
SCALED = [kind for kind in KINDS if kind != "raw"]


def column(*values: float) -> Floats:
    return np.array(values)[:, None]


def transformed(kind: str, seen: Floats, asked: Floats | None = None) -> list[float]:
    values: list[float] = fitted(kind, seen)(seen if asked is None else asked)[:, 0].tolist()
    return values


def test_raw_changes_nothing() -> None:
    assert transformed("raw", column(1, 2, 4), column(-7.5, 2, 1e38)) == [-7.5, 2, 1e38]


def test_min_max_goes_on_beyond_what_was_seen() -> None:
    assert transformed("min-max", column(2, 6, 4), column(2, 6, 3, 0, 10)) == [0, 1, 0.25, -0.5, 2]


def test_z_score_is_of_the_population_and_clipped() -> None:
    deviation = np.sqrt(8 / 3)
    found = transformed("z-score", column(1, 3, 5), column(1, 3, 5, 4, 1e9, -1e9))
    assert found == pytest.approx([-2 / deviation, 0, 2 / deviation, 1 / deviation, CLIP, -CLIP])


def test_signed_log_is_in_units_of_the_median_size_then_a_z_score() -> None:
    seen, asked = np.array([-8.0, 0.0, 2.0, 4.0, 100.0]), np.array([-4.0, 0.0, 12.0])
    # Sizes are 8, 0, 2, 4, 100: their median is 4.
    logs = np.sign(seen) * np.log(1 + np.abs(seen) / 4)
    wanted = np.sign(asked) * np.log(1 + np.abs(asked) / 4)
    found = transformed("signed-log", seen[:, None], asked[:, None])
    assert found == pytest.approx((wanted - logs.mean()) / logs.std())


def test_signed_log_of_mostly_zeros_is_in_units_of_one() -> None:
    logs = np.log([1, 1, 1, 8])
    assert transformed("signed-log", column(0, 0, 0, 7)) == pytest.approx(
        (logs - logs.mean()) / logs.std()
    )


def test_rank_is_the_normal_quantile_of_the_middle_of_the_ties() -> None:
    quantile = NormalDist().inv_cdf
    # Of 4 seen there are 9 places: below all, at 1, between, at both 3 (whose middle is one) ...
    found = transformed("rank", column(3, 1, 3, 9), column(0, 1, 2, 3, 5, 9, 11))
    places = [1, 2, 3, 5, 7, 8, 9]
    assert found == pytest.approx([quantile(place / 10) for place in places])
    assert found[3] == pytest.approx(0)


def test_rank_sees_the_order_alone() -> None:
    seen = np.random.default_rng(0).normal(size=(30, 1))
    asked = np.random.default_rng(1).normal(size=(40, 1))
    assert transformed("rank", seen, asked) == transformed("rank", np.exp(seen), np.exp(asked))


@every_kind
def test_nan_stays_and_changes_nothing_else(kind: str) -> None:
    seen, holes = column(3, 1, 2, 9), column(3, np.nan, 1, 2, np.nan, 9)
    asked = column(np.nan, 2, np.inf, 5, -np.inf)
    found = transformed(kind, holes, asked)
    assert np.isnan(found)[[0, 2, 4]].all()
    assert [found[1], found[3]] == transformed(kind, seen, column(2, 5))


@pytest.mark.parametrize("kind", SCALED)
@pytest.mark.parametrize("value", [0.0, 0.1, -3.0, 1e38])
def test_a_constant_becomes_zero_whatever_is_asked(kind: str, value: float) -> None:
    seen = np.full((7, 1), value)
    assert transformed(kind, seen, column(value, value + 1, -1e6, np.nan))[:3] == [0, 0, 0]
    assert transformed(kind, seen[:1], column(value, 5)) == [0, 0]


@every_kind
def test_a_proxy_that_was_never_defined_becomes_zero(kind: str) -> None:
    nothing = np.full((3, 1), np.nan)
    assert transformed(kind, nothing, column(1, -2)) == [0, 0]
    assert np.isnan(transformed(kind, nothing)).all()


@pytest.mark.parametrize("kind", SCALED)
def test_huge_and_tiny_scores_are_taken(kind: str) -> None:
    found = transformed(kind, column(-1e38, -1.0, 1e-38, 1.0, 1e38))
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= CLIP
    assert found == sorted(found)


@every_kind
def test_columns_are_transformed_each_by_itself(kind: str) -> None:
    seen = np.random.default_rng(0).normal(size=(9, 3)) * [1, 100, 1e-3]
    seen[4, 1] = np.nan
    whole = fitted(kind, seen)(seen)
    for place in range(3):
        np.testing.assert_array_equal(
            whole[:, place], fitted(kind, seen[:, [place]])(seen[:, [place]])[:, 0]
        )


@every_kind
def test_nothing_given_nothing_back_and_the_input_is_left_alone(kind: str) -> None:
    seen = column(3, 1, np.nan, 2)
    before = seen.copy()
    transform = fitted(kind, seen)
    assert transform(np.empty((0, 1))).shape == (0, 1)
    transform(seen)[:] = 0
    np.testing.assert_array_equal(seen, before)


def test_another_kind_is_refused() -> None:
    with pytest.raises(OptionError, match="among raw, .*, got 'log'"):
        fitted("log", column(1, 2))
