"""Proxies whose values stand in tables alone: their facts, no code.

One of FreeREA (Cavagnero et al., WACV 2023, arXiv:2207.05135) @9c2a726: it counts regions on a
network of one channel, fed with crops of 3 x 3, that is built for the purpose; a network that is
given cannot be looked at that way. What else tables record is computed live, too.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recorded:
    """The facts of a recorded proxy (see `bench.base.Proxy`)."""

    name: str
    needs: frozenset[str]
    paper: str
    definition: str
    higher_is_better: bool = True


RECORDED: tuple[Recorded, ...] = (
    Recorded(
        "nregions",
        frozenset({"weights", "data"}),
        "Chen et al., ICLR 2021, arXiv:2102.11535",
        "linear regions that a batch visits (TE-NAS), as FreeREA computes it",
    ),
)
