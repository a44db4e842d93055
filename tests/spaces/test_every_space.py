"""The contract of a space, over all members: a new one is tested by being listed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from bench.base import Arch, ArchError, Space, UnknownNameError
from bench.spaces import SPACES
from bench.spaces.pool import Pool

_rng = np.random.default_rng(0)
POOLS = tuple(
    Pool(space, list(dict.fromkeys(space.sample(_rng) for _ in range(40)))) for space in SPACES
)
every_space = pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
every_space_and_pool = pytest.mark.parametrize(
    "space", SPACES + POOLS, ids=lambda space: f"{type(space).__name__}-{space.name}"
)
seeds = st.integers(0, 2**32 - 1)


def walk(space: Space, seed: int, steps: int = 3) -> Arch:
    """An architecture some edits away from a drawn one."""
    rng = np.random.default_rng(seed)
    arch = space.sample(rng)
    for _ in range(int(rng.integers(steps))):
        arch = space.mutate(arch, rng)
    return arch


def test_names_are_the_agreed_ones_and_all_different() -> None:
    assert [space.name for space in SPACES] == [
        "nasbench201",
        "nasbench101",
        "darts",
        "transnasbench101-micro",
        "transnasbench101-macro",
    ]


@every_space_and_pool
def test_keeps_the_protocol(space: Space) -> None:
    assert isinstance(space, Space)
    assert space.size > 1
    assert len(set(space.forms)) == len(space.forms) >= 2
    assert len(set(space.operations)) == len(space.operations)


@every_space_and_pool
@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_texts_and_graphs_come_back(space: Space, seed: int) -> None:
    arch = walk(space, seed)
    space.check(arch)
    assert space.text(arch) == space.text(arch, space.forms[0])
    for form in space.forms:
        text = space.text(arch, form)
        assert space.parse(text) == arch
        assert space.parse(f" {text.replace(',', ' , ')}\n") == arch
        assert space.text(space.parse(text), form) == text
    graph = space.graph(arch)
    v = len(graph.operations)
    assert set(graph.operations) <= set(space.operations)
    assert graph.adjacency.shape == (v, v)
    assert graph.adjacency.dtype == np.bool_
    assert not np.tril(graph.adjacency).any()
    assert space.decode(graph) == arch


@every_space_and_pool
@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_neighbours_are_what_mutations_are_drawn_from(space: Space, seed: int) -> None:
    arch = walk(space, seed)
    near = space.neighbours(arch)
    assert arch not in near
    assert len(set(near)) == len(near)
    assert near == space.neighbours(arch)
    for other in near:
        space.check(other)
    rng = np.random.default_rng(seed)
    assert {space.mutate(arch, rng) for _ in range(20)} <= set(near)


@every_space_and_pool
def test_mutations_are_uniform(space: Space) -> None:
    rng = np.random.default_rng(3)
    arch = max((walk(space, seed) for seed in range(8)), key=lambda a: len(space.neighbours(a)))
    counts = dict.fromkeys(space.neighbours(arch), 0)
    for _ in range(15 * len(counts)):
        counts[space.mutate(arch, rng)] += 1
    # A pool may leave a single neighbour, of which uniformity says nothing.
    assert len(counts) == 1 or chisquare(list(counts.values())).pvalue > 1e-3


@every_space
@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_the_canonical_form_is_a_fixed_point(space: Space, seed: int) -> None:
    canonical = space.canonical(walk(space, seed))
    space.check(canonical)
    assert space.canonical(canonical) == canonical


@every_space_and_pool
def test_one_seed_one_course(space: Space) -> None:
    def course(seed: int) -> list[Arch]:
        rng = np.random.default_rng(seed)
        drawn = [space.sample(rng) for _ in range(20)]
        return drawn + [space.mutate(arch, rng) for arch in drawn]

    assert course(5) == course(5)
    assert course(5) != course(6)


HOSTILE = [
    "",
    " ",
    "()",
    "[]",
    "(,)",
    "nonsense",
    "__import__('os').system('true')",
    "(((((((((((((((((((((((((((((((",
    "(" * 100_000,
    "(" + "0, " * 1_000_000 + "0)",
    "(0, 0, 0, 0, 0, 0",
    "(0, 0, 0, 0, 0, 0]",
    "(٠, ١, ٢, ٣, ١, ٠)",
    "(１, ２, ４, ２, 0, 0)",
    "(-1, 0, 0, 0, 0, 0)",
    "(1.0, 0, 0, 0, 0, 0)",
    "(9, 9, 9, 9, 9, 9)",
    "(0, 0, 0, 0, 0, 0, 0)",
    "7-1205349-0200",
    "7-٢-02001",
    "8-1-000000",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~3|",
    "64-41414-4_00_000",
    "64-1111-basic",
    "64-411-basic",
    "Genotype(normal=[], normal_concat=range(2, 6), reduce=[], reduce_concat=range(2, 6))",
    "\x00",
]


@every_space
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:20].encode("ascii", "replace"))
def test_foreign_texts_are_refused_in_one_short_sentence(space: Space, text: str) -> None:
    with pytest.raises(ArchError, match=r"^Expected .*\.$") as caught:
        space.parse(text)
    assert len(str(caught.value)) < 400


@every_space
@settings(max_examples=100, deadline=None)
@given(seed=seeds, data=st.data())
def test_a_damaged_text_is_refused_or_another_member(
    space: Space, seed: int, data: st.DataObject
) -> None:
    arch = walk(space, seed)
    text = space.text(arch, data.draw(st.sampled_from(space.forms)))
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:at] + data.draw(st.characters()) + text[at + 1 :]
    try:
        other = space.parse(damaged)
    except ArchError:
        return
    space.check(other)


@every_space_and_pool
def test_foreign_architectures_are_refused(space: Space) -> None:
    arch = space.sample(np.random.default_rng(0))
    foreign = [
        (),
        list(arch),
        arch[:2],
        (*arch, 0, 0),
        (-1, *arch[1:]),
        (99, *arch[1:]),
        (*arch[:-1], 0.0),
        (*arch[:-1], "1"),
    ]
    for wrong in foreign:
        for refuses in (space.check, space.text, space.graph, space.canonical, space.neighbours):
            with pytest.raises(ArchError, match="^Expected "):
                refuses(wrong)  # type: ignore[operator]
    with pytest.raises(UnknownNameError, match="nope"):
        space.text(arch, "nope")


@every_space
def test_foreign_graphs_are_refused(space: Space) -> None:
    graph = space.graph(space.sample(np.random.default_rng(4)))
    operations, adjacency = graph.operations, graph.adjacency
    cut = adjacency.copy()
    cut[0] = False
    foreign = [
        ((), np.zeros((0, 0), dtype=bool)),
        (operations, adjacency[:-1]),
        (operations, adjacency[:-1, :-1]),
        (operations[:-1], adjacency[:-1, :-1]),
        (operations, ~adjacency),
        (operations, adjacency.T),
        (operations, cut),
        (("nope", *operations[1:]), adjacency),
        ((*operations[:-2], "input", operations[-1]), adjacency),
    ]
    for wrong in foreign:
        with pytest.raises(ArchError, match=r"^Expected .*\.$"):
            space.decode(type(graph)(*wrong))
