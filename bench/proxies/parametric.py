"""parametric: how many operations with weights lie on a path from an input to the output.

Needs only the graph, so it costs microseconds and is defined in every space: the yardstick that a
proxy which runs the network has to beat. Vertices called `none` carry nothing and break a path.
"""

from __future__ import annotations

import numpy as np

from bench.base import Graph

WEIGHTLESS = ("input", "output", "c_{k-", "none", "skip")
"""What the names of vertices without weights begin with; pools have none either."""


class Parametric:
    """Count operations with weights that take part in the output (see `bench.base.GraphProxy`)."""

    name = "parametric"
    higher_is_better = True
    needs = frozenset({"graph"})
    paper = "a baseline of this project"
    definition = "number of operations with weights on a path from an input to the output"

    def __call__(self, graph: Graph) -> float:
        """Return the count for one graph of `v` vertices."""
        names = graph.operations
        sources, targets = (ends.tolist() for ends in np.nonzero(graph.adjacency))
        edges = [
            (source, target)
            for source, target in zip(sources, targets, strict=True)
            if "none" not in (names[source], names[target])
        ]
        # Edges come sorted by source, and vertices are in topological order.
        fed = {vertex for vertex, name in enumerate(names) if name.startswith(("input", "c_{k-"))}
        for source, target in edges:
            if source in fed:
                fed.add(target)
        used = {vertex for vertex, name in enumerate(names) if name == "output"}
        for source, target in reversed(edges):
            if target in used:
                used.add(source)
        return float(sum(_has_weights(names[vertex]) for vertex in fed & used))


def _has_weights(name: str) -> bool:
    return not name.startswith(WEIGHTLESS) and "pool" not in name


parametric = Parametric()
