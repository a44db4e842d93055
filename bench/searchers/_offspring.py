"""Where the searchers that mutate find candidates."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from bench.base import Arch, Floats, Problem

PATIENCE = 10
"""How many mutations are tried for every mutant that is wanted."""


def fittest(archs: Sequence[Arch], told: Floats, count: int) -> list[Arch]:
    """The `count` of the highest accuracy, best first, the earlier of equals."""
    return [archs[i] for i in np.argsort(-told, kind="stable")[:count].tolist()]


def mutants(
    problem: Problem,
    rng: np.random.Generator,
    parents: Sequence[Arch],
    count: int,
    among: Collection[Arch],
) -> list[Arch]:
    """Mutate the parents in turn into `count` different members of `among`.

    Fewer where they are hard to find: it gives up after `PATIENCE` times as many tries.
    """
    found: dict[Arch, None] = {}
    if not among:
        return []
    for turn in range(PATIENCE * count):
        child = problem.space.mutate(parents[turn % len(parents)], rng)
        if child in among:
            found[child] = None
        if len(found) == count:
            break
    return list(found)


def some(rng: np.random.Generator, archs: Sequence[Arch], count: int) -> list[Arch]:
    """Draw `count` different ones uniformly, or all where there are fewer."""
    return [archs[i] for i in rng.permutation(len(archs))[:count].tolist()]
