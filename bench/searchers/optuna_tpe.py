"""optuna-tpe: Optuna's tree-structured Parzen estimator over the entries of an architecture."""

from __future__ import annotations

import numpy as np

from bench.base import Arch, Problem
from bench.searchers._optuna import Study
from bench.searchers._warm import at_least


class OptunaTpe:
    """TPE (Bergstra et al., NeurIPS 2011), multivariate (Falkner et al., ICML 2018), by Optuna.

    The first `initial` suggestions are random. Reads neither proxies nor the graph's features:
    the parameters are the entries of the architecture, and the nearest member of the pool that
    was not asked for yet is taken.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator, *, initial: int = 10) -> None:
        at_least("initial", initial, 1)
        self._study = Study(
            problem,
            rng,
            "optuna-tpe",
            lambda samplers, seed: samplers.TPESampler(
                seed=seed, multivariate=True, n_startup_trials=initial
            ),
        )

    def ask(self) -> Arch:
        """Return the nearest to what Optuna suggests."""
        return self._study.ask()

    def tell(self, arch: Arch, validation: float) -> None:
        """Tell Optuna."""
        self._study.tell(arch, validation)
