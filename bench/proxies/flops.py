"""FLOPs: what one image costs forward, in millions, as tensorwatch counts.

A multiply-accumulate is one; `passes/recorder.py:cost` says what norms, ReLUs and pools add.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.proxies.computed import Computed

if TYPE_CHECKING:
    from bench.proxies.passes.operations import Operations


def score(operations: Operations) -> float:
    """Count what one image costs, in millions."""
    return operations.operations / 1e6


flops = Computed(
    name="flops",
    function=score,
    passes=("operations",),
    needs=frozenset({"weights"}),
    paper="Ning et al., NeurIPS 2021, arXiv:2008.03064",
    follows="NASLib, branch zerocost @8c45f19",
    definition="millions of multiply-accumulates of one forward, norms and pools counted too",
)
