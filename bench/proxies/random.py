"""random: a number drawn for each architecture, the null that every table should show.

Its true correlation with anything is zero, so it shows what chance alone reaches at this number
of architectures. The draw is keyed by the graph: equal architectures get equal numbers, on every
machine and in every order.
"""

from __future__ import annotations

from hashlib import blake2b

from bench.base import Graph


class Random:
    """Draw a uniform number in [0, 1) for each graph (see `bench.base.GraphProxy`)."""

    name = "random"
    higher_is_better = True
    needs = frozenset({"graph"})
    paper = "a baseline of this project"
    definition = "a uniform number keyed by the architecture"

    def __call__(self, graph: Graph) -> float:
        """Return the number for one graph of `v` vertices."""
        text = ",".join(graph.operations).encode() + graph.adjacency.tobytes()
        return int.from_bytes(blake2b(text, digest_size=8).digest()) / 2**64


random = Random()
