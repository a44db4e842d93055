"""npenas: evolution whose offspring a predictor picks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.base import Arch, Floats, Problem
from bench.searchers._inputs import Inputs
from bench.searchers._models import Forest
from bench.searchers._offspring import fittest, mutants, some
from bench.searchers._rounds import Rounds
from bench.searchers._warm import at_least

POPULATION = 10
"""How many of the best become parents."""


class Npenas:
    """Predictor-guided evolution after NPENAS (Wei et al. 2020, arXiv:2003.12857).

    After `initial` uniformly drawn architectures, each generation mutates the 10 best of
    all told so far into `offspring` new ones, and asks for the `batch` that a predictor learned
    from all of them has highest. Nothing is asked for twice. `features` names what is read of an
    architecture: any of graph, paths, one-hot and proxies, joined by +.

    Where proxies are read of `scored` architectures only, the others have missing values, which
    the predictor takes; with proxies alone, the scored ones are the only candidates.

    Deviations: the predictor is a random forest on features of the graph, where the paper's
    NPENAS-NP has a graph neural network. Where the best have fewer offspring than a batch (a
    pool's islands), random architectures fill it up.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        *,
        features: str = "graph",
        proxies: str | None = None,
        scored: int | None = None,
        initial: int = 10,
        batch: int = 10,
        offspring: int = 100,
    ) -> None:
        at_least("initial", initial, 1)
        at_least("batch", batch, 1)
        at_least("offspring", offspring, 1)
        self._problem = problem
        self._rng = rng
        self._inputs = Inputs(problem, rng, features=features, proxies=proxies, scored=scored)
        self._left = dict.fromkeys(self._inputs.candidates(rng))
        self._batch, self._offspring = batch, offspring
        self._model = Forest(rng)
        self._rounds = Rounds(self._inputs.complete(rng)[:initial], self._choose)

    def ask(self) -> Arch:
        """Return a drawn architecture at first, then the generation's next."""
        return self._rounds.ask()

    def tell(self, arch: Arch, validation: float) -> None:
        """Keep the answer for the next generation."""
        self._left.pop(arch, None)
        self._rounds.tell(arch, validation)

    def _choose(self, archs: Sequence[Arch], told: Floats) -> list[Arch]:
        best = fittest(archs, told, POPULATION)
        bred = mutants(self._problem, self._rng, best, self._offspring, self._left)
        if len(bred) < self._batch:
            others = some(self._rng, list(self._left), self._batch)
            bred = list(dict.fromkeys([*bred, *others]))
        if not bred:
            return []
        self._model.fit(self._inputs(archs), told)
        return fittest(bred, self._model.predict(self._inputs(bred)), self._batch)
