"""A package of somebody else's: a space with its network, a pass, proxies, a searcher, a predictor,
and a table. Nothing of the bench knows it; it is found by its entry points alone."""

from __future__ import annotations

from itertools import product
from types import MappingProxyType

import numpy as np

from bench.base import ArchError, Graph, Prediction, Table, TableReader


class Widths:
    """Two layers, each of 1, 2 or 4 times eight channels; a neighbour changes one of them."""

    name = "widths"
    operations = ("input", "1", "2", "4", "output")
    forms = ("digits",)
    size = 9

    def parse(self, text):
        arch = tuple(int(part) for part in text.split("-") if part.isdecimal())
        self.check(arch)
        return arch

    def text(self, arch, form=None):
        return "-".join(map(str, arch))

    def check(self, arch):
        if len(arch) != 2 or not {*arch} <= {1, 2, 4}:
            raise ArchError(f"expected two widths among 1, 2 and 4, got {arch}")

    def sample(self, rng):
        return tuple(int(width) for width in rng.choice([1, 2, 4], size=2))

    def neighbours(self, arch):
        first, second = arch
        return [
            *((width, second) for width in (1, 2, 4) if width != first),
            *((first, width) for width in (1, 2, 4) if width != second),
        ]

    def mutate(self, arch, rng):
        return self.neighbours(arch)[int(rng.integers(4))]

    def canonical(self, arch):
        return arch

    def graph(self, arch):
        return Graph(("input", *map(str, arch), "output"), np.eye(4, k=1, dtype=bool))

    def decode(self, graph):
        return tuple(int(name) for name in graph.operations[1:-1])


WIDTHS = Widths()


def networks():
    from torch import nn

    from bench.networks import Network
    from bench.networks.weights import Law

    def build(arch, *, classes=10, channels=8):
        first, second = (channels * width for width in arch)
        return nn.Sequential(
            nn.Conv2d(3, first, 3, padding=1, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, padding=1, bias=False),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(second, classes),
        )

    def laws(layer):
        if isinstance(layer, nn.BatchNorm2d):
            return {"weight": 1.0, "bias": 0.0}
        return {"weight": Law("normal", 0.1), "bias": 0.0}

    return Network(build, laws, MappingProxyType({"channels": 8}))


def __getattr__(name):
    if name == "NETWORKS":
        return networks()
    raise AttributeError(name)


def logit_spread(network, forward):
    """The standard deviation of the logits over images, meaned over classes."""
    return float(forward.logits.detach().std(0).mean())


def spread(logit_spread):
    """How far a pass of the stranger's saw logits apart."""
    return logit_spread


def widest(graph):
    """The wider of the two layers."""
    return max(int(name) for name in graph.operations[1:-1])


class Widening:
    """Begins at a random architecture and takes a random neighbour each time."""

    def __init__(self, problem, rng):
        self._space, self._rng = problem.space, rng
        self._next = problem.space.sample(rng)

    def ask(self):
        return self._next

    def tell(self, arch, validation):
        self._next = self._space.mutate(arch, self._rng)


def by_width(problem, query, rng, *, weight: float = 1.0):
    """The sum of the widths, times a weight."""
    found = np.array([weight * sum(arch) for arch in problem.pool])
    return Prediction({"by-width": found}, {"weight": weight})


def _read(paths, space):
    archs = list(product((1, 2, 4), repeat=2))
    width = np.array([first + 2 * second for first, second in archs], dtype=float)
    return Table(
        name="widths/made-up",
        space="widths",
        dataset="made-up",
        archs=["-".join(map(str, arch)) for arch in archs],
        accuracy={"validation": 50 + width, "test": 49 + width},
        scores={"params": width**2},
        notes="made up",
    )


TABLE = TableReader("widths/made-up", "widths", (), _read)
