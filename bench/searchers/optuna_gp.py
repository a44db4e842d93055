"""optuna-gp: Optuna's Gaussian process over the entries of an architecture."""

from __future__ import annotations

import numpy as np

from bench.base import Arch, Problem
from bench.searchers._models import library, one_thread
from bench.searchers._optuna import Study
from bench.searchers._warm import at_least


class OptunaGp:
    """Optuna's Gaussian process (Matern 5/2, log expected improvement) on categories.

    The first `initial` suggestions are random. Reads neither proxies nor the graph's features:
    the parameters are the entries of the architecture, and the nearest member of the pool that
    was not asked for yet is taken. It fits anew for every query: a tenth of a second or more.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator, *, initial: int = 10) -> None:
        at_least("initial", initial, 1)
        library("torch", "optuna-gp", "searchers,ipl")
        library("scipy", "optuna-gp")
        self._study = Study(
            problem,
            rng,
            "optuna-gp",
            lambda samplers, seed: samplers.GPSampler(seed=seed, n_startup_trials=initial),
        )

    def ask(self) -> Arch:
        """Return the nearest to what Optuna suggests."""
        with one_thread():
            return self._study.ask()

    def tell(self, arch: Arch, validation: float) -> None:
        """Tell Optuna."""
        self._study.tell(arch, validation)
