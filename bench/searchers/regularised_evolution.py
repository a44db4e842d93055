"""regularised-evolution: tournament, one mutation, the oldest dies."""

from __future__ import annotations

from collections import deque

import numpy as np

from bench.base import Arch, Problem
from bench.searchers._warm import at_least, starts


class RegularisedEvolution:
    """Ageing evolution (Real et al., AAAI 2019, arXiv:1802.01548).

    The first `population` architectures are drawn (or, with `warm`, the best of `warm_pool`
    samples by that proxy). Then, query by query: draw `sample` different ones of the living
    (all, where there are fewer), mutate the best of them by one edit, and let the oldest die.

    Deviation: the paper's pseudocode draws with replacement; the published NAS-Bench-201 figures
    are met without.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        *,
        population: int = 10,
        sample: int = 3,
        warm: str | None = None,
        warm_pool: int = 1000,
    ) -> None:
        at_least("population", population, 1)
        at_least("sample", sample, 1)
        self._space = problem.space
        self._rng = rng
        self._size = population
        self._sample = sample
        self._waiting = starts(problem, rng, warm, warm_pool)
        self._living: deque[tuple[float, Arch]] = deque()

    def ask(self) -> Arch:
        """Return a founder while the population fills, then a mutated tournament winner."""
        if len(self._living) < self._size:
            return self._waiting.pop() if self._waiting else self._space.sample(self._rng)
        drawn = self._rng.permutation(self._size)[: self._sample].tolist()
        _, parent = max((self._living[i] for i in drawn), key=lambda member: member[0])
        return self._space.mutate(parent, self._rng)

    def tell(self, arch: Arch, validation: float) -> None:
        """Add the youngest; the oldest dies once the population is full."""
        self._living.append((validation, arch))
        if len(self._living) > self._size:
            self._living.popleft()
