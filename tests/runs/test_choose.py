"""Which architectures are scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy import ARCHS, TOY, ToySpace

from bench.base import ArchError, BenchError, DataError, OptionError
from bench.runs import choose, members


@pytest.mark.parametrize(
    "name", ["nasbench201", "transnasbench101-micro", "transnasbench101-macro"]
)
def test_a_space_is_listed_whole(name: str) -> None:
    space = members.space(name)
    found = choose.whole(space)
    assert len(found) == len(set(found)) == space.size
    assert found == sorted(found)
    for arch in found[:: max(1, len(found) // 50)]:
        space.check(arch)


def test_the_whole_of_a_space_of_ones_own() -> None:
    assert choose.whole(TOY) == ARCHS


@pytest.mark.parametrize("name", ["nasbench101", "darts"])
def test_a_space_too_large_is_not_listed(name: str) -> None:
    with pytest.raises(OptionError, match=rf"at most 100,000 .* got {name}"):
        choose.whole(members.space(name))


def test_a_space_that_moves_do_not_reach_is_told() -> None:
    class Torn(ToySpace):
        def neighbours(self, arch: tuple[int, ...]) -> list[tuple[int, ...]]:
            return [near for near in super().neighbours(arch) if near[0] == arch[0]]

    with pytest.raises(OptionError, match="reach all 64 .* got 16"):
        choose.whole(Torn())


def test_a_sample_is_different_ones_and_begins_a_larger_one() -> None:
    found = choose.sampled(TOY, 64, np.random.default_rng(3))
    assert sorted(found) == ARCHS
    assert choose.sampled(TOY, 20, np.random.default_rng(3)) == found[:20]
    assert choose.sampled(TOY, 20, np.random.default_rng(4)) != found[:20]


@pytest.mark.parametrize("count", [0, 65])
def test_a_sample_is_no_larger_than_the_space(count: int) -> None:
    with pytest.raises(OptionError, match=f"1 to 64 .* got {count}"):
        choose.sampled(TOY, count, np.random.default_rng(0))


def test_a_file_holds_any_text_form_and_blank_lines(tmp_path: Path) -> None:
    space = members.space("nasbench201")
    archs = choose.sampled(space, 4, np.random.default_rng(0))
    lines = [space.text(arch, form) for arch, form in zip(archs, space.forms * 2, strict=True)]
    # A tuple of numbers says whose they are.
    lines = [f"naslib:{line}" if line.startswith("(") else line for line in lines]
    path = tmp_path / "archs.txt"
    path.write_text("\n\n".join(lines) + "\r\n  \n")
    assert choose.read(space, path) == archs


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (b"012\n999\n", ArchError, r"line 2 of .*archs\.txt"),
        (b"012\n\n321\n012\n", DataError, "once .* 012 on lines 1 and 4"),
        (b" \n\n", DataError, "one architecture a line .* got none"),
        (b"\xff\xfe0", DataError, "UnicodeDecodeError"),
    ],
)
def test_a_foreign_file_is_told(
    content: bytes, error: type[BenchError], says: str, tmp_path: Path
) -> None:
    path = tmp_path / "archs.txt"
    path.write_bytes(content)
    with pytest.raises(error, match=says):
        choose.read(TOY, path)


def test_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="FileNotFoundError"):
        choose.read(TOY, tmp_path / "archs.txt")


def test_of_a_class_the_first_is_kept() -> None:
    assert choose.distinct(TOY, [(2, 1, 0), (3, 3, 3), (0, 1, 2), (1, 0, 2)]) == [
        (2, 1, 0),
        (3, 3, 3),
    ]
    assert len(choose.distinct(TOY, ARCHS)) == 20
