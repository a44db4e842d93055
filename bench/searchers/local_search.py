"""local-search: move at the first improvement, restart where there is none."""

from __future__ import annotations

import numpy as np

from bench.base import Arch, Problem
from bench.searchers._warm import starts


class LocalSearch:
    """Local search (White et al., UAI 2021, arXiv:2005.02960), first improvement.

    Starts at a random architecture, tries its neighbours in random order, moves as soon as one
    is better, and restarts at random when none is. Every evaluation counts, repeats included.
    With `warm` (a proxy), starts and restarts go down its ranking of `warm_pool` samples.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        *,
        warm: str | None = None,
        warm_pool: int = 1000,
    ) -> None:
        self._space = problem.space
        self._rng = rng
        self._waiting = starts(problem, rng, warm, warm_pool)
        self._untried: list[Arch] = []
        self._current = -np.inf

    def ask(self) -> Arch:
        """Return an untried neighbour, or a new start when there is none left."""
        if self._untried:
            return self._untried.pop()
        self._current = -np.inf
        return self._waiting.pop() if self._waiting else self._space.sample(self._rng)

    def tell(self, arch: Arch, validation: float) -> None:
        """Move to `arch` if it is better than where the search stands."""
        if validation > self._current:
            self._current = validation
            around = self._space.neighbours(arch)
            self._untried = [around[i] for i in self._rng.permutation(len(around)).tolist()]
