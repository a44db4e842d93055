"""What warm-started searchers share: a sampled pool, ranked by a proxy."""

from __future__ import annotations

import numpy as np

from bench.base import Arch, OptionError, Problem


def ranked_sample(problem: Problem, rng: np.random.Generator, proxy: str, size: int) -> list[Arch]:
    """Draw `size` different architectures uniformly and sort them, the proxy's best first.

    Failed and unrecorded scores come last, ties in the order drawn. Where there are fewer
    architectures than `size`, all of them come.
    """
    return ranked(problem, drawn(problem, rng, size), proxy)


def drawn(problem: Problem, rng: np.random.Generator, size: int) -> list[Arch]:
    """Draw `size` different architectures uniformly, or all where there are fewer."""
    if problem.pool is not None:
        places = rng.permutation(len(problem.pool))[:size]
        return [problem.pool[i] for i in places.tolist()]
    different: dict[Arch, None] = {}
    while len(different) < min(size, problem.space.size):
        different[problem.space.sample(rng)] = None
    return list(different)


def ranked(problem: Problem, archs: list[Arch], proxy: str) -> list[Arch]:
    """Sort architectures by one proxy, best first; failed and unrecorded last, ties as given."""
    scores = problem.scores(archs, [proxy])[:, 0]
    order = np.argsort(-np.where(np.isnan(scores), -np.inf, scores), kind="stable")
    return [archs[i] for i in order]


def starts(
    problem: Problem, rng: np.random.Generator, warm: str | None, warm_pool: int
) -> list[Arch]:
    """The architectures a searcher starts from, worst first so that `pop` gives the best.

    Empty without a proxy: then the searcher draws its own.
    """
    if warm is None:
        return []
    at_least("warm_pool", warm_pool, 1)
    return ranked_sample(problem, rng, warm, warm_pool)[::-1]


def at_least(option: str, value: int, least: int) -> None:
    """Refuse an option that is no whole number, or below its least sensible value."""
    if not isinstance(value, int):
        raise OptionError(f"expected {option} to be a whole number, got {value!r}")
    if value < least:
        raise OptionError(f"expected {option} to be at least {least}, got {value}")
