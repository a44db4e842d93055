"""evolution: generations of a fixed size, parents by tournament, the best survive."""

from __future__ import annotations

import numpy as np

from bench.base import Arch, Problem
from bench.searchers._warm import at_least, starts


class Evolution:
    """Generational evolution with elitism, a (mu + lambda) scheme with mu = lambda.

    The first `population` architectures are drawn (or, with `warm`, the best of `warm_pool`
    samples by that proxy). Each generation makes `population` children: the best of `tournament`
    members drawn with replacement, mutated by one edit. The best `population` of parents and
    children go on; of equals, the older.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        *,
        population: int = 20,
        tournament: int = 3,
        warm: str | None = None,
        warm_pool: int = 1000,
    ) -> None:
        at_least("population", population, 1)
        at_least("tournament", tournament, 1)
        self._space = problem.space
        self._rng = rng
        self._size = population
        self._tournament = tournament
        self._waiting = starts(problem, rng, warm, warm_pool)
        self._parents: list[tuple[float, Arch]] = []
        self._children: list[tuple[float, Arch]] = []

    def ask(self) -> Arch:
        """Return a founder in the first generation, a tournament winner's child afterwards."""
        if not self._parents:
            return self._waiting.pop() if self._waiting else self._space.sample(self._rng)
        drawn = self._rng.integers(len(self._parents), size=self._tournament).tolist()
        _, parent = max((self._parents[i] for i in drawn), key=lambda member: member[0])
        return self._space.mutate(parent, self._rng)

    def tell(self, arch: Arch, validation: float) -> None:
        """Add a child; a full generation takes the place of the last."""
        self._children.append((validation, arch))
        if len(self._children) == self._size:
            everyone = sorted(self._parents + self._children, key=lambda member: -member[0])
            self._parents, self._children = everyone[: self._size], []
