"""rank-average: query down the mean rank of several proxies, from its best."""

from __future__ import annotations

import numpy as np

from bench.base import Arch, Problem
from bench.searchers._inputs import named_proxies, ranks, scored_archs


class RankAverage:
    """Greedy by the mean rank of several proxies, learning from no accuracy.

    Ranks `scored` uniformly drawn architectures, or all of the pool, by each of `proxies` and
    asks for them by the mean of these ranks, from the best downwards. By default the proxies that
    UP-NAS (Huang et al., CVPR workshops 2024) selected: jacov, nwot, synflow and flops. Failed and
    unrecorded scores rank last; equal means come in random order.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        *,
        proxies: str = "jacov+nwot+synflow+flops",
        scored: int | None = None,
    ) -> None:
        names = named_proxies(problem, proxies)
        archs = scored_archs(problem, rng, scored)
        means = ranks(problem.scores(archs, names)).mean(axis=1)
        worst_first = np.lexsort((rng.permutation(len(archs)), means))
        self._waiting: list[Arch] = [archs[i] for i in worst_first.tolist()]

    def ask(self) -> Arch:
        """Return the best that was not asked for yet; stop when all have been."""
        if not self._waiting:
            raise StopIteration
        return self._waiting.pop()

    def tell(self, arch: Arch, validation: float) -> None:
        """Learn nothing: the ranking is the proxies' alone."""
