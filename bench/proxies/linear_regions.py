"""linear_regions: into how many linear pieces the network cuts what it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.proxies.computed import Computed

if TYPE_CHECKING:
    from bench.proxies.passes.crop_patterns import CropPatterns


def score(crop_patterns: CropPatterns) -> float:
    """Count the different patterns of ReLUs over crops."""
    return float(crop_patterns.distinct)


linear_regions = Computed(
    name="linear_regions",
    function=score,
    passes=("crop_patterns",),
    needs=frozenset({"weights", "data"}),
    paper="Chen et al., ICLR 2021, arXiv:2102.11535",
    follows="VITA-Group/TENAS @1115d10",
    definition="number of different on/off patterns of ReLUs over 1,024 crops of 3 x 3",
    deviations=(
        (
            "the first channel of each ReLU of the network itself; the reference builds a network "
            "of one channel, with one cell a stage"
        ),
        (
            "crops of the minibatch's images with all their colours, 1,024 of them; the reference "
            "has 3,000 of one colour"
        ),
        "crops of 4 x 4 where a network is too deep for 3 x 3",
    ),
)
