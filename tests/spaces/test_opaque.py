"""The space of texts: what a table says of them can be had, all else has a reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.base import ArchError, Numbered, Space, UnknownNameError
from bench.spaces.opaque import OPAQUE
from bench.spaces.pool import Pool


@given(st.text(min_size=1, max_size=40).filter(lambda text: text.strip() == text))
def test_a_text_is_its_architecture_and_back(text: str) -> None:
    arch = OPAQUE.parse(f" {text}\n")
    OPAQUE.check(arch)
    assert OPAQUE.text(arch) == OPAQUE.text(arch, "text") == text
    assert OPAQUE.canonical(arch) == arch


def test_it_is_a_space_that_has_no_numbers_of_two_meanings() -> None:
    assert isinstance(OPAQUE, Space)
    assert not isinstance(OPAQUE, Numbered)


@pytest.mark.parametrize("text", ["", "  \n", "x" * 5_000])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ArchError, match="name of 1 to 4096 characters"):
        OPAQUE.parse(text)


@pytest.mark.parametrize("arch", [(), (300,), (255,), ("a",), (32, 97)])
def test_what_is_no_text_is_refused(arch: tuple[int, ...]) -> None:
    with pytest.raises(ArchError, match="Expected"):
        OPAQUE.check(arch)


def test_a_pool_of_texts_is_drawn_from_and_says_what_it_does_not_know() -> None:
    members = [OPAQUE.parse(f"net-{number}") for number in range(30)]
    pool = Pool(OPAQUE, members, least=8)
    rng = np.random.default_rng(0)
    assert {pool.sample(rng) for _ in range(500)} == set(members)
    with pytest.raises(ArchError, match="one of the 30 opaque"):
        pool.check(OPAQUE.parse("net-30"))
    for unknown in (
        lambda: pool.mutate(members[0], rng),
        lambda: pool.neighbours(members[0]),
        lambda: pool.graph(members[0]),
        lambda: OPAQUE.sample(rng),
    ):
        with pytest.raises(ArchError, match="The space opaque does not know"):
            unknown()
    with pytest.raises(UnknownNameError, match="form of opaque"):
        OPAQUE.text(members[0], "tuple")
