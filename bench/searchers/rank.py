"""rank: query down a proxy's ranking, from its best."""

from __future__ import annotations

import numpy as np

from bench.base import Arch, OptionError, Problem
from bench.searchers._warm import at_least, ranked, ranked_sample


class Rank:
    """Take the proxy's best: the plainest use of a zero-cost proxy.

    Scores every architecture of the pool, or only `pool` uniformly drawn ones where that many are
    asked for or the pool cannot be listed, and asks for them from the best downwards. `proxy`
    must be given. Equal scores come in random order.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        *,
        proxy: str | None = None,
        pool: int | None = None,
    ) -> None:
        if proxy is None:
            raise OptionError("the searcher rank needs a proxy to rank by: rank,proxy=NAME")
        if pool is not None:
            at_least("pool", pool, 1)
        if problem.pool is not None and pool is None:
            shuffled = [problem.pool[i] for i in rng.permutation(len(problem.pool)).tolist()]
            best_first = ranked(problem, shuffled, proxy)
        elif pool is not None:
            best_first = ranked_sample(problem, rng, proxy, pool)
        else:
            raise OptionError(
                f"the space {problem.space.name} cannot be listed: say how many to rank, "
                f"rank,proxy={proxy},pool=1000"
            )
        self._waiting = best_first[::-1]

    def ask(self) -> Arch:
        """Return the best that was not asked for yet; stop when all have been."""
        if not self._waiting:
            raise StopIteration
        return self._waiting.pop()

    def tell(self, arch: Arch, validation: float) -> None:
        """Learn nothing: the ranking is the proxy's alone."""
