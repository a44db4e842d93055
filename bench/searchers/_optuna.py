"""What the Optuna searchers share: a study over categories, kept to the pool."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bench.base import Arch, Problem
from bench.searchers._categories import Categories
from bench.searchers._models import library


class Study:
    """One of Optuna's samplers (Akiba et al., KDD 2019, arXiv:1907.10902) as ask and tell.

    The sampler suggests categories; asked for is the nearest architecture of the pool that was
    not asked for before (see `Categories`), and the sampler is told the categories of that one.
    So neither a partial table nor a repeated suggestion costs a query.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        what: str,
        sampler: Callable[[Any, int], Any],
    ) -> None:
        """Take `sampler`, made of the module `optuna.samplers` and a seed; `what` is its name."""
        self._optuna = library("optuna", what)
        self._rng = rng
        self._categories = Categories(problem)
        self._space = {
            name: self._optuna.distributions.CategoricalDistribution(choices)
            for name, choices in self._categories.choices.items()
        }
        with _quiet(self._optuna.logging):
            self._study = self._optuna.create_study(
                direction="maximize",
                sampler=sampler(self._optuna.samplers, int(rng.integers(2**32))),
            )

    def ask(self) -> Arch:
        """Return the nearest to the sampler's suggestion; stop when all were asked for."""
        trial = self._study.ask(self._space)
        # What comes of the suggestion is told as a trial of its own; the suggestion ends here.
        self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        suggested = [trial.params[name] for name in self._space]
        arch = self._categories.nearest(suggested, self._rng)
        if arch is None:
            raise StopIteration
        return arch

    def tell(self, arch: Arch, validation: float) -> None:
        """Tell the sampler what was asked for, and its accuracy."""
        self._study.add_trial(
            self._optuna.trial.create_trial(
                params=self._categories.parameters(arch),
                distributions=self._space,
                value=validation,
            )
        )


@contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """Optuna says of every study that it was made; not here."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
