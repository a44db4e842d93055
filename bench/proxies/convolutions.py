"""convolutions: how many convolutions lie on a path from an input to the output.

Needs only the graph, so it costs microseconds and is defined in every space: the yardstick a
proxy that runs the network has to beat. Vertices called `none` carry nothing and break a path.
"""

from __future__ import annotations

import numpy as np

from bench.base import Graph


class Convolutions:
    """Count convolutions that can take part in the output (see `bench.base.GraphProxy`)."""

    name = "convolutions"
    higher_is_better = True
    needs = frozenset({"graph"})
    paper = "a baseline of this project"
    definition = "number of convolutions on a path from an input to the output"

    def __call__(self, graph: Graph) -> float:
        """Return the count for one graph of `v` vertices."""
        alive = np.array([name != "none" for name in graph.operations])
        adjacency = graph.adjacency & alive[:, None] & alive[None, :]
        forward = _reach(adjacency, [name.startswith("input") for name in graph.operations])
        backward = _reach(
            adjacency[::-1, ::-1].T, [name == "output" for name in graph.operations[::-1]]
        )[::-1]
        useful = forward & backward
        return float(
            sum(on and "conv" in name for on, name in zip(useful, graph.operations, strict=True))
        )


def _reach(adjacency: np.ndarray, start: list[bool]) -> np.ndarray:
    """Which vertices can be reached from `start`; vertices are in topological order."""
    seen = np.array(start)
    for vertex in range(len(start)):
        seen[vertex] |= bool((adjacency[:vertex, vertex] & seen[:vertex]).any())
    return seen


convolutions = Convolutions()
