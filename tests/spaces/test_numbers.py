"""Architectures as bare numbers: which project's they are is said before them, and then counts."""

from __future__ import annotations

import itertools

import pytest

from bench.base import ArchError, Numbered, Space
from bench.spaces import DARTS, NASBENCH101, NASBENCH201, SPACES, TRANSNASBENCH101_MICRO
from bench.spaces.pool import Pool

PAIR = "(({0}, {1}), (1, 3), (0, 4), (2, 5), (3, 6), (1, 3), (4, 3), (0, 2))"


def numbered(space: Space) -> Numbered:
    assert isinstance(space, Numbered)
    return space


@pytest.mark.parametrize("cell", list(itertools.product((0, 2, 4), repeat=6))[::37])
def test_nasbench201_by_its_own_list(cell: tuple[int, ...]) -> None:
    operations = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
    text = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*(operations[it] for it in cell))
    assert NASBENCH201.text(NASBENCH201.parse(f"nasbench201: {cell}")) == text


def test_transnasbench101_micro_by_naslibs_graphs() -> None:
    # (0-1) skip, (0-2) conv3x3, (0-3) none, (1-2) conv1x1, (1-3) none, (2-3) skip.
    arch = TRANSNASBENCH101_MICRO.parse("naslib-graph:(0, 2, 1, 3, 1, 0)")
    assert TRANSNASBENCH101_MICRO.text(arch) == "64-41414-1_32_001"


@pytest.mark.parametrize(
    ("number", "label"), [(0, "none"), (1, "max_pool_3x3"), (2, "avg_pool_3x3")]
)
def test_darts_by_its_own_list(number: int, label: str) -> None:
    cell = PAIR.format(0, number)
    arch = DARTS.parse(f"darts:({cell}, {cell})")
    assert DARTS.graph(arch).operations[2] == label
    # sep_conv_3x3 is 4 in that list, and 3 in NASLib's.
    assert DARTS.graph(arch).operations[4] == "sep_conv_3x3"


def test_naslibs_numbers_are_the_tuples_that_spaces_write() -> None:
    for space in (NASBENCH201, NASBENCH101, DARTS, TRANSNASBENCH101_MICRO):
        arch = space.parse(
            {
                "nasbench101": "(0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 4, 1)",
                "darts": f"({PAIR.format(0, 1)}, {PAIR.format(1, 6)})",
            }.get(space.name, "(1, 0, 3, 2, 1, 3)")
        )
        assert space.parse("naslib:" + space.text(arch, "tuple")) == arch


@pytest.mark.parametrize("space", [it for it in SPACES if isinstance(it, Numbered)], ids=str)
def test_a_pool_has_the_encodings_of_its_space_and_each_is_explained(space: Space) -> None:
    encodings = numbered(space).encodings
    assert "naslib" in encodings
    assert len(set(encodings.values())) == len(encodings)
    sample = NASBENCH101.parse("(0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 4, 1)")
    assert numbered(Pool(NASBENCH101, [sample])).encodings == NASBENCH101.encodings
    for name in encodings:
        with pytest.raises(ArchError, match=r"^Expected"):
            space.parse(f"{name}:(9, 9)")
        with pytest.raises(ArchError, match=r"^Expected"):
            space.parse(f"{name}: {space.name}")
    with pytest.raises(ArchError, match=r"^Expected"):
        space.parse("nobodys:(0, 0, 0, 0, 0, 0)")
