"""The models that searchers share, made of scikit-learn's: forests, boosting, a Gaussian process.

scikit-learn is imported when a model is made, never before. Models compute on one thread, so that
a result depends neither on how many cores there are nor on what else runs on them.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import NormalDist
from typing import Any, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from bench.base import Floats, OptionError
from bench.searchers._ranks import mean_ranks

TREES = 100
SETTLED = 1.25
"""A Gaussian process fits its kernel anew once it has this many times the rows of the last fit."""


def library(module: str, what: str, extra: str = "searchers") -> Any:
    """Import a module of an optional library. Raises OptionError where it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise OptionError(
            f"{what} needs {error.name}, which is not installed: pip install 'ipl-bench[{extra}]'"
        ) from error


def normal_scores(values: Floats) -> Floats:
    """Put the standard normal quantile at (rank - 1/2) / a in the place of each of `a` values.

    Equal values share the mean of their ranks. Trees learn from these: accuracies have a long
    lower tail, and squared errors there would drown the differences among the best.
    """
    levels = (mean_ranks(values) - 0.5) / len(values)
    quantile = NormalDist().inv_cdf
    return np.array([quantile(level) for level in levels.tolist()])


class Model(Protocol):
    """Learns from `a x f` rows and `a` values, then predicts the normal scores of others."""

    def fit(self, rows: Floats, values: Floats) -> None: ...

    def predict(self, rows: Floats) -> Floats:
        """Return `a` predictions."""


class Forest:
    """A random forest (Breiman 2001), each split among a third of the features.

    NaN goes to the side of a split where it does best.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._ensemble = library("sklearn.ensemble", "a random forest")
        self._rng = rng

    def fit(self, rows: Floats, values: Floats) -> None:
        """Grow all trees anew, with a seed of their own."""
        seed = int(self._rng.integers(2**32))
        self._trees = self._ensemble.RandomForestRegressor(
            TREES, max_features=1 / 3, random_state=seed
        )
        self._trees.fit(rows, normal_scores(values))

    def predict(self, rows: Floats) -> Floats:
        """Return the mean of the trees, `a`."""
        found: Floats = self._trees.predict(rows)
        return found

    def spread(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return the mean and the standard deviation of the trees, `a` each."""
        narrow = rows.astype(np.float32)
        each = np.stack([tree.predict(narrow) for tree in self._trees.estimators_])
        return each.mean(axis=0), each.std(axis=0)


class Boosting:
    """Gradient boosting of shallow trees on histograms, as LightGBM does (Ke et al. 2017).

    NaN goes to the side of a split where it does best.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._ensemble = library("sklearn.ensemble", "gradient boosting")
        self._rng = rng

    def fit(self, rows: Floats, values: Floats) -> None:
        """Grow all trees anew, with a seed of their own."""
        seed = int(self._rng.integers(2**32))
        self._trees = self._ensemble.HistGradientBoostingRegressor(
            max_iter=TREES,
            max_depth=4,
            min_samples_leaf=3,
            max_features=1 / 3,
            early_stopping=False,
            random_state=seed,
        )
        with one_thread():
            self._trees.fit(rows, normal_scores(values))

    def predict(self, rows: Floats) -> Floats:
        """Return the sum of the trees, `a`."""
        with one_thread():
            found: Floats = self._trees.predict(rows)
        return found


class GaussianProcess:
    """A Gaussian process with a Matern 5/2 kernel of one length, and noise.

    Columns are brought to mean 0 and variance 1 / f over the rows given at first, so that two of
    these are at distance about 1 whatever `f`; the values to mean 0 and variance 1.
    """

    def __init__(self, rows: Floats) -> None:
        process = library("sklearn.gaussian_process", "a Gaussian process")
        kernels = library("sklearn.gaussian_process.kernels", "a Gaussian process")
        self._make = process.GaussianProcessRegressor
        self._kernel = kernels.ConstantKernel(1.0, (1e-3, 1e3)) * kernels.Matern(
            1.0, (1e-2, 1e2), nu=2.5
        ) + kernels.WhiteKernel(0.1, (1e-4, 1.0))
        deviation = rows.std(axis=0)
        scale = np.where(deviation > 0, deviation, 1.0) * np.sqrt(max((deviation > 0).sum(), 1))
        self._rows = (rows - rows.mean(axis=0)) / scale
        self._next_fit = 0.0

    def predict(self, places: list[int], values: Floats) -> tuple[Floats, Floats]:
        """Learn `values` of the rows at `places`; return mean and deviation at all rows.

        Both are in the units of `values`.
        """
        centre, unit = values.mean(), values.std() or 1.0
        settled = len(places) < self._next_fit
        model = self._make(self._kernel, optimizer=None if settled else "fmin_l_bfgs_b")
        with one_thread(), warnings.catch_warnings():
            # Told of nothing but a kernel's parameter at its bound, which is what bounds are for.
            warnings.simplefilter("ignore")
            model.fit(self._rows[places], (values - centre) / unit)
            mean, deviation = model.predict(self._rows, return_std=True)
        if not settled:
            self._kernel, self._next_fit = model.kernel_, SETTLED * len(places)
        return centre + unit * mean, unit * deviation


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread inside."""
    with threadpool_limits(1):
        yield
