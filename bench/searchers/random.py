"""random: uniform draws with replacement, or down a proxy's ranking of a sampled pool."""

from __future__ import annotations

import numpy as np

from bench.base import Arch, Problem
from bench.searchers._warm import starts


class Random:
    """Random search (Li and Talwalkar, UAI 2019, arXiv:1902.07638).

    Repeats count as queries, as in the published NAS-Bench-201 baseline. With `warm` (a proxy),
    `warm_pool` sampled architectures are asked for in the proxy's order before anything is drawn.
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

    def ask(self) -> Arch:
        """Return the next start, or a uniform draw."""
        return self._waiting.pop() if self._waiting else self._space.sample(self._rng)

    def tell(self, arch: Arch, validation: float) -> None:
        """Learn nothing."""
