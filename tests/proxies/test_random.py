from __future__ import annotations

import numpy as np

from bench.base import Graph
from bench.proxies.random import random
from bench.proxies.scorer import score_graphs
from bench.runs import members


def test_numbers_are_uniform_and_keyed_by_the_architecture() -> None:
    space = members.space("transnasbench101-micro")
    rng = np.random.default_rng(0)
    archs = list(dict.fromkeys(space.sample(rng) for _ in range(3000)))
    values = score_graphs(random, space, archs).values
    assert len(set(values.tolist())) == len(archs)
    # Kolmogorov-Smirnov distance to uniform; 1.95 / sqrt(n) is its 99.9th percentile.
    ranks = np.arange(1, len(values) + 1) / len(values)
    assert np.abs(np.sort(values) - ranks).max() < 1.95 / np.sqrt(len(values))
    np.testing.assert_array_equal(values, score_graphs(random, space, archs).values)


def test_the_number_is_the_same_on_every_machine() -> None:
    graph = Graph(("input", "output"), np.array([[False, True], [False, False]]))
    assert random(graph) == 0.09756776535290484
