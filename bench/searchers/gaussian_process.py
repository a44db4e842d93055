"""gaussian-process: Bayesian optimisation over proxies or features of the graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.base import Arch, Floats, OptionError, Problem
from bench.searchers._inputs import Inputs
from bench.searchers._models import GaussianProcess, library
from bench.searchers._rounds import Rounds
from bench.searchers._warm import at_least

_ACQUISITIONS = ("ucb", "ei")
EXPLORE = 2.0
"""How many deviations `ucb` adds to the mean."""


class GaussianProcessSearch:
    """A Gaussian process with a Matern 5/2 kernel on the ranks of the task's proxies.

    After `initial` uniformly drawn candidates, each round asks for the `batch` best by `ucb`
    (mean + 2 deviations; Srinivas et al., ICML 2010, arXiv:0912.3995) or `ei` (expected
    improvement; Jones et al. 1998). `features` names what is read of an architecture: any of
    proxies, one-hot, paths and graph, joined by +.

    Candidates are the architectures whose proxies are known, `scored` drawn ones or all of the
    pool, as the model cannot do without a value; without proxies, all of the pool. No candidate is
    asked for twice.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        *,
        features: str = "proxies",
        proxies: str | None = None,
        scored: int | None = None,
        initial: int = 8,
        batch: int = 4,
        acquisition: str = "ucb",
    ) -> None:
        at_least("initial", initial, 1)
        at_least("batch", batch, 1)
        if acquisition not in _ACQUISITIONS:
            raise OptionError(
                f"expected acquisition to be {' or '.join(_ACQUISITIONS)}, got {acquisition!r}"
            )
        inputs = Inputs(problem, rng, features=features, proxies=proxies, scored=scored)
        self._candidates = inputs.complete(rng)
        self._model = GaussianProcess(inputs(self._candidates))
        self._place = {arch: place for place, arch in enumerate(self._candidates)}
        self._batch = batch
        self._acquisition = acquisition
        self._rounds = Rounds(self._candidates[:initial], self._choose)

    def ask(self) -> Arch:
        """Return a drawn candidate at first, then the round's next."""
        return self._rounds.ask()

    def tell(self, arch: Arch, validation: float) -> None:
        """Keep the answer for the next round."""
        self._rounds.tell(arch, validation)

    def _choose(self, archs: Sequence[Arch], told: Floats) -> list[Arch]:
        places = [self._place[arch] for arch in archs]
        if len(places) == len(self._candidates):
            return []
        mean, deviation = self._model.predict(places, told)
        value = (
            mean + EXPLORE * deviation
            if self._acquisition == "ucb"
            else expected_improvement(mean, deviation, float(told.max()))
        )
        value[places] = -np.inf
        best = np.argsort(-value, kind="stable")[: self._batch]
        return [self._candidates[i] for i in best.tolist() if value[i] > -np.inf]


def expected_improvement(mean: Floats, deviation: Floats, best: float) -> Floats:
    """E max(0, Y - best) for `a` normal Y: (mean - best) Phi(z) + deviation phi(z)."""
    above = mean - best
    z = above / np.maximum(deviation, 1e-12)
    below = library("scipy.special", "expected improvement").ndtr(z)
    gain: Floats = above * below + deviation * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return gain
