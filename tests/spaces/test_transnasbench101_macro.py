"""TransNAS-Bench-101, macro: the rule gives the published chains, and moves stay among them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare

from bench.base import Arch, ArchError
from bench.spaces.transnasbench101_macro import TRANSNASBENCH101_MACRO as SPACE


def test_texts() -> None:
    assert SPACE.parse("64-4111-basic") == (4, 1, 1, 1)
    assert SPACE.parse("(1, 2, 4, 2, 0, 0)") == (1, 2, 4, 2)
    assert SPACE.text((1, 2, 4, 2)) == "64-1242-basic"
    assert SPACE.text((1, 2, 4, 2), "tuple") == "(1, 2, 4, 2, 0, 0)"
    assert SPACE.graph((1, 2, 4, 3)).operations == (
        "input",
        "plain",
        "double_channels",
        "double_channels_stride_2",
        "stride_2",
        "output",
    )


@pytest.mark.parametrize(
    "arch",
    [(1, 1, 1, 1), (3, 1, 1, 1), (2, 1, 1, 1), (4, 4, 4, 4), (3, 3, 3, 3, 3, 2), (4, 1, 1)],
)
def test_invalid_chains_are_refused(arch: Arch) -> None:
    with pytest.raises(ArchError, match="one to four"):
        SPACE.check(arch)
    with pytest.raises(ArchError, match="^Expected"):
        SPACE.parse(f"64-{''.join(map(str, arch))}-basic")
    with pytest.raises(ArchError, match="^Expected"):
        SPACE.parse(str(arch + (0,) * (6 - len(arch))))


@pytest.mark.parametrize("text", ["(1, 2, 4, 0, 2, 0)", "(0, 1, 2, 4, 2, 0)", "(1, 2, 4, 2)"])
def test_padding_stands_at_the_end_and_fills_up_to_six(text: str) -> None:
    with pytest.raises(ArchError, match="^Expected"):
        SPACE.parse(text)


def test_samples_are_uniform_over_the_published_chains(data: Path) -> None:
    index = (data / "transnasbench101" / "transnas_arch_index.txt").read_text()
    texts = re.findall(r"arch=(64-\d+-basic),", index)
    published = list(map(SPACE.parse, texts))
    assert [SPACE.text(arch) for arch in published] == texts
    assert Counter(map(len, published)) == {6: 2_296, 5: 750, 4: 210}
    rng = np.random.default_rng(1)
    counts = dict.fromkeys(published, 0)
    for _ in range(10 * SPACE.size):
        counts[SPACE.sample(rng)] += 1
    assert len(counts) == SPACE.size == 3_256
    assert chisquare(list(counts.values())).pvalue > 1e-3


def distance(one: Arch, other: Arch) -> int:
    """Levenshtein's distance."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row = row, [i]
        for j, b in enumerate(other, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
    return row[-1]


def test_neighbours_are_all_chains_at_edit_distance_one() -> None:
    everything = {SPACE.sample(np.random.default_rng(seed)) for seed in range(30_000)}
    assert len(everything) > 3_240  # of 3,256: 30,000 draws miss 0.3 on average
    for arch in sorted(everything)[::400]:
        near = set(SPACE.neighbours(arch))
        assert {other for other in everything if distance(arch, other) == 1} <= near
        assert all(distance(arch, other) == 1 for other in near)
