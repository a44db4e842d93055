"""The resamples of a race, and the intervals read off them."""

from __future__ import annotations

from copy import deepcopy

import numpy as np

from bench.base import Floats
from bench.metrics.draws import Counts
from bench.metrics.ranking import stratified_resample


class Draws:
    """The resamples of a race: for equal numbers of seeds always the same, so that they pair."""

    def __init__(self, rng: np.random.Generator, resamples: int) -> None:
        self._rng = rng
        self._resamples = resamples
        self._known: dict[tuple[int, ...], Counts] = {}

    def __call__(self, *sizes: int) -> Counts:
        """`r x sum(sizes)` counts, every stratum resampled by itself."""
        if sizes not in self._known:
            rng = deepcopy(self._rng)
            self._known[sizes] = stratified_resample(sizes, self._resamples, rng)
        return self._known[sizes]


def interval(drawn: Floats) -> Floats:
    """`2 x ...`: the ends of the 95 % percentile interval of values over `r` resamples."""
    ends: Floats = np.quantile(drawn, [0.025, 0.975], axis=0)
    return ends
