"""bananas: mutants of the best and random candidates, by independent Thompson sampling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.base import Arch, Floats, Problem
from bench.searchers._inputs import Inputs
from bench.searchers._models import Forest
from bench.searchers._offspring import fittest, mutants, some
from bench.searchers._rounds import Rounds
from bench.searchers._warm import at_least

PARENTS, MUTANTS = 5, 100
"""How many of the best are mutated, and into how many candidates."""


class Bananas:
    """Bayesian optimisation after BANANAS (White et al., AAAI 2021, arXiv:1910.11858).

    After `initial` uniformly drawn architectures, each round learns an ensemble, makes 100
    mutants of the 5 best and draws `drawn` others, samples every candidate's accuracy
    from the normal distribution of its predictions, independently, and asks for the `batch`
    highest samples. `features` names what is read of an architecture: any of paths, one-hot,
    graph and proxies, joined by +.

    Where proxies are read of `scored` architectures only, the others have missing values, which
    the ensemble takes; with proxies alone, the scored ones are the only candidates.

    Deviations: the ensemble is a random forest, spread by its trees, where the paper has five
    multilayer perceptrons: it learns in a tenth of a second. The paper mutates only; candidates
    drawn at random are of its ablation.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        *,
        features: str = "paths",
        proxies: str | None = None,
        scored: int | None = None,
        initial: int = 10,
        batch: int = 10,
        drawn: int = 100,
    ) -> None:
        at_least("initial", initial, 1)
        at_least("batch", batch, 1)
        at_least("drawn", drawn, 0)
        self._problem = problem
        self._rng = rng
        self._inputs = Inputs(problem, rng, features=features, proxies=proxies, scored=scored)
        self._left = dict.fromkeys(self._inputs.candidates(rng))
        self._batch, self._drawn = batch, drawn
        self._model = Forest(rng)
        self._rounds = Rounds(self._inputs.complete(rng)[:initial], self._choose)

    def ask(self) -> Arch:
        """Return a drawn architecture at first, then the round's next."""
        return self._rounds.ask()

    def tell(self, arch: Arch, validation: float) -> None:
        """Keep the answer for the next round."""
        self._left.pop(arch, None)
        self._rounds.tell(arch, validation)

    def _choose(self, archs: Sequence[Arch], told: Floats) -> list[Arch]:
        best = fittest(archs, told, PARENTS)
        bred = mutants(self._problem, self._rng, best, MUTANTS, self._left)
        # Where mutants are too few for a round, more are drawn: a round is always full.
        others = some(self._rng, list(self._left), max(self._drawn, self._batch - len(bred)))
        candidates = list(dict.fromkeys([*bred, *others]))
        if not candidates:
            return []
        self._model.fit(self._inputs(archs), told)
        mean, deviation = self._model.spread(self._inputs(candidates))
        sample = self._rng.normal(mean, deviation)
        return fittest(candidates, sample, self._batch)
