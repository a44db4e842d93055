"""forest: a random forest from graph features to every proxy; the baseline of predictors.

L. Breiman, Random forests, Machine Learning 45, 2001, https://doi.org/10.1023/A:1010933404324; the
implementation is scikit-learn's. A proxy's values are replaced by their ranks among those read:
some proxies span thirty powers of ten, and squared error would follow the largest few alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench.base import (
    Arch,
    BudgetSpentError,
    Floats,
    Ints,
    OptionError,
    Prediction,
    Problem,
)


def random_forest(
    problem: Problem,
    query: Callable[[Arch], float],
    rng: np.random.Generator,
    *,
    scored: int = 500,
    trees: int = 100,
) -> Prediction:
    """Learn every proxy of a few architectures by a random forest on features of their graphs.

    Reads the proxies of `scored` uniformly drawn architectures (of all, where the pool has fewer)
    and queries as many of these as the budget holds; with a query, `accuracy` is predicted too. An
    architecture whose score failed, or is not recorded, is left out for that proxy, and a proxy of
    which nothing is known is not predicted.

    Args:
        problem: Where to predict; `n` architectures in its pool.
        query: Answers an architecture's validation accuracy.
        rng: Draws the architectures and the seeds of the forests.
        scored: Of how many architectures proxies are read.
        trees: Trees of each forest.

    Returns:
        `n` predicted ranks, from 0 to 1, by proxy; and as facts `known:PROXY`, the part of the
        architectures read whose score is a number.

    Raises:
        OptionError: An option below 1, a pool that cannot be listed, or scikit-learn is not here.
    """
    for name, value in (("scored", scored), ("trees", trees)):
        if value < 1:
            raise OptionError(f"expected {name} of at least 1, got {value}")
    pool = problem.pool
    if pool is None:
        raise OptionError(
            f"expected a task whose architectures are listed to predict them all, got one of the "
            f"space {problem.space.name} that is not"
        )
    drawn = rng.permutation(len(pool))[:scored]
    archs = [pool[row] for row in drawn.tolist()]
    values = problem.scores(archs, problem.proxies)
    known = dict(zip(problem.proxies, values.T, strict=True))
    facts = {f"known:{name}": float(np.isfinite(value).mean()) for name, value in known.items()}
    answers = _answers(archs, query)
    if len(answers):
        known["accuracy"] = np.pad(answers, (0, len(archs) - len(answers)), constant_values=np.nan)
    features = problem.features(pool, "graph")
    scores = {
        name: _predicted(features, drawn, value, trees, rng)
        for name, value in known.items()
        if np.isfinite(value).any()
    }
    return Prediction(scores, facts)


def _answers(archs: Sequence[Arch], query: Callable[[Arch], float]) -> Floats:
    """The accuracies of the first architectures, as many as the budget holds."""
    answers: list[float] = []
    for arch in archs:
        try:
            answers.append(query(arch))
        except BudgetSpentError:
            break
    return np.array(answers)


def _predicted(
    features: Floats, drawn: Ints, values: Floats, trees: int, rng: np.random.Generator
) -> Floats:
    """The `n` predicted ranks by `n x f` features, learned from the finite ones of `a` values."""
    known = np.isfinite(values)
    ranks = _ranks(values[known])
    if not features.shape[1]:  # nothing tells the architectures apart
        return np.full(len(features), ranks.mean())
    # A third of the features at a split, as is usual for regression: on nasbench201-suite and
    # darts/suite it ranks unread architectures as well as all of them do, in half the time.
    model = _regressor()(
        n_estimators=trees,
        max_features=1 / 3,
        random_state=int(rng.integers(2**31)),
        n_jobs=1,
    )
    model.fit(features[drawn[known]], ranks)
    predicted: Floats = model.predict(features)
    return predicted


def _ranks(values: Floats) -> Floats:
    """Ranks from 0 to 1, equal values sharing their mean; 0.5 for a single one."""
    _, places, sizes = np.unique(values, return_inverse=True, return_counts=True)
    middles = np.cumsum(sizes) - (sizes + 1) / 2
    ranks: Floats = (middles[places] + 0.5) / len(values)
    return ranks


def _regressor() -> Any:
    """The class of scikit-learn. Raises OptionError where it is not here."""
    try:
        from sklearn.ensemble import RandomForestRegressor
    except ModuleNotFoundError as error:
        raise OptionError(
            f"the predictor forest needs {error.name}, which is not here; "
            "pip install 'ipl-bench[searchers]'"
        ) from error
    return RandomForestRegressor
