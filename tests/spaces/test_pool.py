"""A pool: who is inside, uniform draws, neighbours inside, the nearest where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from bench.base import Arch, ArchError, Space
from bench.spaces import SPACES
from bench.spaces.darts import DARTS
from bench.spaces.encoding import flat
from bench.spaces.nasbench101 import NASBENCH101
from bench.spaces.nasbench201 import NASBENCH201
from bench.spaces.pool import Pool
from bench.spaces.transnasbench101_macro import TRANSNASBENCH101_MACRO

ZERO = (0,) * 6


def drawn(space: Space, n: int, seed: int = 0) -> list[Arch]:
    rng = np.random.default_rng(seed)
    return list(dict.fromkeys(space.sample(rng) for _ in range(n)))


def test_it_is_the_space_but_smaller() -> None:
    archs = drawn(NASBENCH201, 20)
    pool = Pool(NASBENCH201, archs)
    assert (pool.name, pool.forms, pool.operations) == (
        NASBENCH201.name,
        NASBENCH201.forms,
        NASBENCH201.operations,
    )
    assert pool.archs == tuple(archs)
    assert pool.size == len(archs)
    outside = next(a for a in drawn(NASBENCH201, 50, seed=1) if a not in archs)
    assert pool.find(archs[3]) == archs[3]
    assert pool.find(outside) is None
    assert pool.canonical(outside) == NASBENCH201.canonical(outside)
    assert pool.decode(pool.graph(outside)) == pool.parse(pool.text(outside)) == outside
    with pytest.raises(ArchError, match=f"^Expected one of the {len(archs)} nasbench201"):
        pool.check(outside)


def test_draws_are_uniform() -> None:
    pool = Pool(NASBENCH201, drawn(NASBENCH201, 50))
    rng = np.random.default_rng(0)
    counts = dict.fromkeys(pool.archs, 0)
    for _ in range(50 * pool.size):
        counts[pool.sample(rng)] += 1
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_neighbours_are_the_space_s_inside() -> None:
    inside = NASBENCH201.neighbours(ZERO)[3:9]
    pool = Pool(NASBENCH201, [*reversed(inside), (4, 4, 4, 4, 4, 4), ZERO])
    assert pool.neighbours(ZERO) == inside
    rng = np.random.default_rng(0)
    assert {pool.mutate(ZERO, rng) for _ in range(100)} == set(inside)


def test_an_isolated_member_goes_to_the_nearest_with_all_ties() -> None:
    # Each other operation moves two ones; the adjacency is the same for all.
    pool = Pool(NASBENCH201, [(1, 1, 1, 0, 0, 0), ZERO, (0, 0, 0, 0, 2, 3), (1, 2, 0, 0, 0, 0)])
    assert pool.neighbours(ZERO) == [(0, 0, 0, 0, 2, 3), (1, 2, 0, 0, 0, 0)]
    # An architecture outside may be asked for its neighbours inside.
    assert pool.neighbours((1, 1, 1, 1, 1, 0)) == [(1, 1, 1, 0, 0, 0)]


def test_a_member_with_few_neighbours_gets_the_nearest_others_besides() -> None:
    inside = NASBENCH201.neighbours(ZERO)[3:5]
    far = [(1, 1, 0, 0, 0, 0), (0, 1, 1, 1, 0, 0), (0, 0, 0, 0, 1, 1), (1, 1, 1, 1, 1, 1)]
    members = [ZERO, *far, *inside]
    assert Pool(NASBENCH201, members, least=2).neighbours(ZERO) == inside
    # The third and the fourth differ from ZERO by two edges each: both come, in pool order.
    assert Pool(NASBENCH201, members, least=3).neighbours(ZERO) == [*inside, far[0], far[2]]
    assert Pool(NASBENCH201, members, least=5).neighbours(ZERO) == [*inside, far[0], far[2], far[1]]
    everyone = Pool(NASBENCH201, members, least=99).neighbours(ZERO)
    assert sorted(everyone) == sorted(members[1:])


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_nearest_are_nearest(space: Space, seed: int) -> None:
    pool = Pool(space, drawn(space, 30, seed))
    arch = space.sample(np.random.default_rng(seed + 1))
    inside = [a for a in space.neighbours(arch) if a in pool.archs]
    v = max(len(space.graph(a).operations) for a in (arch, *pool.archs))
    here = flat(space.graph(arch), space.operations, v)
    distances = {
        a: int((flat(space.graph(a), space.operations, v) != here).sum())
        for a in pool.archs
        if a != arch
    }
    nearest = [a for a, d in distances.items() if d == min(distances.values())]
    assert pool.neighbours(arch) == (inside or nearest)


def test_an_arch_larger_than_all_members_still_finds_the_nearest() -> None:
    pool = Pool(TRANSNASBENCH101_MACRO, [(4, 1, 1, 1), (4, 4, 2, 3)])
    assert pool.neighbours((4, 1, 1, 1, 1, 1)) == [(4, 1, 1, 1)]


def test_a_pool_of_classes_knows_every_form_of_a_cell() -> None:
    # in -> {1x1, 3x3} -> out with its inner vertices in either order.
    one = NASBENCH101.parse("4-51-01")
    other = NASBENCH101.parse("4-51-10")
    assert NASBENCH101.canonical(one) == NASBENCH101.canonical(other)
    assert one != other
    rest = [NASBENCH101.canonical(NASBENCH101.parse("4-51-00"))]
    plain, classes = (Pool(NASBENCH101, [one, *rest], canonical=c) for c in (False, True))
    assert plain.find(other) is None
    assert classes.find(other) == one
    classes.check(other)
    # Neither form is a neighbour of itself.
    assert classes.neighbours(one) == classes.neighbours(other) == rest
    assert classes.neighbours(rest[0]) == [one]


def test_a_pool_of_classes_excludes_its_own_twins_from_the_nearest() -> None:
    one, other = NASBENCH101.parse("4-51-01"), NASBENCH101.parse("4-51-10")
    far = NASBENCH101.parse("2-1-")
    pool = Pool(NASBENCH101, [one, other, far], canonical=True)
    assert pool.find(other) == one
    assert pool.neighbours(other) == [far]
    assert pool.neighbours(one) == [far]


def test_a_pool_of_one_has_nowhere_to_go() -> None:
    pool = Pool(NASBENCH201, [ZERO])
    assert pool.neighbours(ZERO) == []
    assert pool.neighbours((4,) * 6) == [ZERO]
    with pytest.raises(ArchError, match="holds more than"):
        pool.mutate(ZERO, np.random.default_rng(0))


@pytest.mark.parametrize("archs", [[], [ZERO, ZERO]])
def test_empty_and_repeating_pools_are_refused(archs: list[Arch]) -> None:
    with pytest.raises(ArchError, match="different nasbench201"):
        Pool(NASBENCH201, archs)


def test_the_lists_given_out_are_copies() -> None:
    pool = Pool(NASBENCH201, [ZERO, (1, 0, 0, 0, 0, 0)])
    pool.neighbours(ZERO).clear()
    assert pool.neighbours(ZERO) == [(1, 0, 0, 0, 0, 0)]


def test_published_darts_cells_are_isolated_but_connected_to_the_nearest(data: Path) -> None:
    texts = json.loads((data / "suite_zero" / "zc_nasbench301.json").read_text())["cifar10"]
    pool = Pool(DARTS, [DARTS.parse(text) for text in texts])
    for arch in pool.archs[:50]:
        near = pool.neighbours(arch)
        assert near
        assert arch not in near
        assert set(near) <= set(pool.archs)
