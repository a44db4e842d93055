"""The canonical order against all permutations."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.spaces._order import canonical_order

Form = tuple[tuple[int, ...], tuple[int, ...]]


def form(colours: list[int], edges: list[list[int]], order: tuple[int, ...]) -> Form:
    return tuple(colours[i] for i in order), tuple(edges[i][j] for i in order for j in order)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[int], list[list[int]]]:
    v = draw(st.integers(1, 5))
    colours = draw(st.lists(st.integers(0, 1), min_size=v, max_size=v))
    row = st.lists(st.sampled_from([0, 0, 1, 2]), min_size=v, max_size=v)
    return colours, draw(st.lists(row, min_size=v, max_size=v))


@settings(max_examples=200, deadline=None)
@given(graph=graphs(), other=graphs(), seed=st.randoms(use_true_random=False))
def test_forms_are_equal_exactly_if_graphs_are_isomorphic(graph, other, seed) -> None:  # type: ignore[no-untyped-def]
    colours, edges = graph
    ours = form(colours, edges, canonical_order(colours, edges))
    assert list(ours[0]) == sorted(colours)
    every = {form(colours, edges, o) for o in itertools.permutations(range(len(colours)))}
    assert ours in every
    shuffled = list(range(len(colours)))
    seed.shuffle(shuffled)
    moved = [colours[i] for i in shuffled], [[edges[i][j] for j in shuffled] for i in shuffled]
    assert form(*moved, canonical_order(*moved)) == ours
    theirs = form(*other, canonical_order(*other))
    assert (theirs == ours) == (form(*other, tuple(range(len(other[0])))) in every)


def test_symmetric_graphs_need_the_permutations() -> None:
    # A six-cycle and two triangles: refinement alone cannot tell their vertices apart.
    cycle = [[int((i - j) % 6 in (1, 5)) for j in range(6)] for i in range(6)]
    triangles = [[int(i != j and i // 3 == j // 3) for j in range(6)] for i in range(6)]
    forms = {form([0] * 6, g, canonical_order([0] * 6, g)) for g in (cycle, triangles)}
    assert len(forms) == 2
    turned = [cycle[(i + 2) % 6][3:] + cycle[(i + 2) % 6][:3] for i in range(6)]
    relabelled = [[cycle[(5 * i) % 6][(5 * j) % 6] for j in range(6)] for i in range(6)]
    assert turned != cycle
    assert form([0] * 6, relabelled, canonical_order([0] * 6, relabelled)) in forms
