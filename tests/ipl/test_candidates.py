"""Candidates: what a decoded latent stands for, and that it can be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from toy import ARCHS, TOY

from bench.base import Arch, ArchError, Budget, Floats, Problem
from bench.spaces.nasbench201 import NASBENCH201
from bench.spaces.pool import Pool
from ipl.autoencoder import Options, pretrained
from ipl.candidates import Candidates


@dataclass
class Digits:
    """An autoencoder of the toy space: a latent is the three digits, and 9 is no digit."""

    encoded: list[int] = field(default_factory=list)

    def encode(self, archs: Sequence[Arch]) -> torch.Tensor:
        self.encoded.append(len(archs))
        return torch.tensor(archs, dtype=torch.float32).reshape(len(archs), 3)

    def decode(self, latents: torch.Tensor) -> list[Arch | None]:
        rows = [tuple(int(each) for each in row) for row in latents.round().tolist()]
        return [row if 9 not in row else None for row in rows]


def nothing(archs: Sequence[Arch], what: object) -> Floats:
    raise AssertionError("candidates need neither scores nor features")


def candidates(pool: Sequence[Arch] | None, space: object = TOY) -> tuple[Candidates, Digits]:
    problem = Problem(space, pool, Budget(queries=9), (), nothing, nothing)  # type: ignore[arg-type]
    digits = Digits()
    return Candidates(problem, digits), digits  # type: ignore[arg-type]


def stand_for(pool: Sequence[Arch] | None, *rows: tuple[float, ...]) -> list[Arch]:
    return candidates(pool)[0].of(torch.tensor(rows, dtype=torch.float32))


def test_members_stand_for_themselves_in_the_order_met_without_repeats() -> None:
    rows = ((3, 2, 1), (0, 0, 1), (3, 2, 1.2), (1, 0, 0))
    assert stand_for(ARCHS, *rows) == [(3, 2, 1), (0, 0, 1), (1, 0, 0)]


def test_each_latent_has_its_own_in_the_order_given() -> None:
    rows = torch.tensor([(3, 2, 1), (9, 0, 1), (3, 2, 1.2)], dtype=torch.float32)
    assert candidates(None)[0].each(rows) == [(3, 2, 1), None, (3, 2, 1)]
    pool = [(3, 2, 1), (3, 0, 1)]
    assert candidates(pool)[0].each(rows) == [(3, 2, 1), (3, 0, 1), (3, 2, 1)]


def test_another_form_of_a_member_stands_for_it() -> None:
    """Toy architectures compute the same if their digits are, in whatever order."""
    pool = [(3, 1, 2), (0, 0, 0), (1, 0, 1)]
    # The nearest of the pool to the first would be (0, 0, 0) or (1, 0, 1), not (3, 1, 2).
    assert stand_for(pool, (1, 2, 3)) == [(3, 1, 2)]
    assert stand_for(pool, (0, 1, 1), (1, 1, 0)) == [(1, 0, 1)]


def test_of_two_members_of_one_function_each_stands_for_itself_and_the_first_for_others() -> None:
    pool = [(2, 1, 0), (0, 1, 2)]
    assert stand_for(pool, (0, 1, 2)) == [(0, 1, 2)]
    assert stand_for(pool, (1, 2, 0)) == [(2, 1, 0)]


def test_where_no_member_computes_it_the_nearest_stands_for_it() -> None:
    pool = [(3, 3, 3), (0, 0, 0), (2, 0, 0)]
    assert stand_for(pool, (1.2, 0.4, 0.1)) == [(2, 0, 0)]
    assert stand_for(pool, (0.7, 0.2, 0), (3, 3, 2), (3, 3, 3)) == [(0, 0, 0), (3, 3, 3)]


def test_what_cannot_be_decoded_is_the_nearest_member_or_nothing() -> None:
    assert stand_for([(0, 0, 0), (3, 3, 3)], (9, 9, 9)) == [(3, 3, 3)]
    assert stand_for(None, (9, 9, 9), (1, 2, 3)) == [(1, 2, 3)]


def test_all_of_a_space_that_cannot_be_listed_may_be_asked_for() -> None:
    assert stand_for(None, (1, 2, 3), (3, 2, 1)) == [(1, 2, 3), (3, 2, 1)]


def test_no_latents_no_candidates() -> None:
    for pool in (ARCHS, None):
        assert candidates(pool)[0].of(torch.empty(0, 3)) == []


def test_a_pool_is_encoded_once_and_only_if_needed() -> None:
    found, digits = candidates([(0, 0, 0), (3, 3, 3)])
    found.of(torch.tensor([[0.0, 0, 0]]))
    assert digits.encoded == []
    found.of(torch.tensor([[1.0, 0, 0]]))
    found.of(torch.tensor([[2.0, 0, 0]]))
    assert digits.encoded == [2]


def test_a_form_that_the_space_refuses_is_the_nearest() -> None:
    class Strict(type(TOY)):  # type: ignore[misc]
        def canonical(self, arch: Arch) -> Arch:
            if arch == (1, 2, 3):
                raise ArchError("no function")
            return super().canonical(arch)

    found, _ = candidates([(3, 1, 2), (1, 2, 2)], Strict())
    assert found.of(torch.tensor([[1.0, 2.0, 3.0]])) == [(1, 2, 2)]


@pytest.mark.parametrize("size", [1, 2, 40])
def test_nothing_outside_a_pool_ever_comes_back(size: int) -> None:
    """A real autoencoder, wild latents, and a small part of NAS-Bench-201."""
    rng = np.random.default_rng(0)
    pool = list(dict.fromkeys(NASBENCH201.sample(rng) for _ in range(size)))
    autoencoder = pretrained(
        NASBENCH201, pool, options=Options(count=100, hidden=8, layers=1, steps=5)
    )
    problem = Problem(Pool(NASBENCH201, pool), pool, Budget(queries=9), (), nothing, nothing)
    latents = 3 * torch.randn(200, autoencoder.latent, generator=torch.Generator().manual_seed(0))
    found = Candidates(problem, autoencoder).of(latents)
    assert 0 < len(found) == len(set(found))
    assert set(found) <= set(pool)
