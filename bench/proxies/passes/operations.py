"""The pass that tells what one image costs; how it is counted is a matter of `structure`."""

from __future__ import annotations

from dataclasses import dataclass

from bench.proxies.computed import UnrecognisedError
from bench.proxies.passes.network import Network


@dataclass(frozen=True, eq=False)
class Operations:
    """What one image costs, as `recorder.cost` counts."""

    operations: int


def run(network: Network) -> Operations:
    """Count on a few images. Raises UnrecognisedError where an operation's cost is not known."""
    structure = network.structure
    if structure.operations is None:
        raise UnrecognisedError(structure.cost_fault or "the cost is not known")
    return Operations(structure.operations)
