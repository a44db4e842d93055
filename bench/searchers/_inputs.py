"""What the searchers with a model read: proxies of some architectures, and features of all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from bench.base import Arch, DataError, Floats, OptionError, Problem
from bench.searchers._ranks import mean_ranks
from bench.searchers._warm import at_least, drawn

PROXIES = "proxies"
FEATURES = ("one-hot", "paths", "graph")


def named_proxies(problem: Problem, proxies: str | None) -> list[str]:
    """Read `jacov+nwot`, or take all that the task records. Raises OptionError for none."""
    names = proxies.split("+") if proxies is not None else list(problem.proxies)
    if not names or "" in names or len(set(names)) < len(names):
        raise OptionError(
            "expected different proxies as proxies=jacov+nwot, got "
            + (repr(proxies) if proxies is not None else "none, and the task records none")
        )
    return names


def scored_archs(problem: Problem, rng: np.random.Generator, scored: int | None) -> Sequence[Arch]:
    """The architectures whose proxies are read: `scored` drawn ones, or else all of the pool.

    Raises OptionError where neither is possible.
    """
    if scored is not None:
        at_least("scored", scored, 1)
        return drawn(problem, rng, scored)
    if problem.pool is None:
        raise OptionError(
            f"expected scored=N, how many architectures to score, as the space "
            f"{problem.space.name} cannot be listed, got none"
        )
    return problem.pool


def ranks(scores: Floats) -> Floats:
    """Rank `a x p` scores column by column, over `a`: the best of different ones has 1.

    Equal scores share the mean of their ranks; failed and unrecorded ones, NaN, stand last.
    """
    found = np.empty(scores.shape)
    for column, values in enumerate(np.where(np.isnan(scores), -np.inf, scores).T):
        found[:, column] = mean_ranks(values)
    return found / max(len(scores), 1)


class Inputs:
    """Architectures as rows for a model, by one or more blocks, such as `proxies+graph`.

    Blocks are `proxies`, `one-hot`, `paths` and `graph`. Proxies come as their `ranks` among the
    scored; what was not scored, or has none of the proxies recorded, has NaN in their place, and
    a model that reads proxies alone can tell nothing of it.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        *,
        features: str,
        proxies: str | None,
        scored: int | None,
    ) -> None:
        self._problem = problem
        self._blocks = features.split("+")
        if len(set(self._blocks)) < len(self._blocks) or not set(self._blocks) <= {
            PROXIES,
            *FEATURES,
        }:
            raise OptionError(
                f"expected features to be different ones of {PROXIES}, {', '.join(FEATURES)}, "
                f"joined by +, got {features!r}"
            )
        self._ranks: dict[Arch, Floats] = {}
        self._width = 0
        self.reads_proxies = PROXIES in self._blocks
        if self.reads_proxies:
            self._score(rng, named_proxies(problem, proxies), scored)
        elif proxies is not None or scored is not None:
            raise OptionError(
                f"expected proxies and scored only with features that hold {PROXIES}, got "
                f"features={features}"
            )

    def _score(self, rng: np.random.Generator, names: Sequence[str], scored: int | None) -> None:
        archs = scored_archs(self._problem, rng, scored)
        scores = self._problem.scores(archs, names)
        known = np.flatnonzero(~np.isnan(scores).all(axis=1)).tolist()
        if not known:
            raise DataError(
                f"expected a defined score of {', '.join(names)} of at least one of the "
                f"{len(archs):,} architectures read, got none"
            )
        self._width = len(names)
        rows = zip(known, ranks(scores[known]), strict=True)
        self._ranks = {archs[i]: row for i, row in rows}

    def complete(self, rng: np.random.Generator) -> list[Arch]:
        """All architectures that nothing is missing of, in random order."""
        return self._shuffled(rng, self._ranks if self.reads_proxies else self._pool())

    def candidates(self, rng: np.random.Generator) -> list[Arch]:
        """All architectures that a model can tell apart, in random order.

        The scored ones where it reads proxies alone, else all of the pool.
        """
        return self._shuffled(rng, self._ranks if self._blocks == [PROXIES] else self._pool())

    def _pool(self) -> Sequence[Arch]:
        if self._problem.pool is None:
            raise OptionError(
                f"expected features={PROXIES} and scored=N, as the space "
                f"{self._problem.space.name} cannot be listed, got features="
                f"{'+'.join(self._blocks)}"
            )
        return self._problem.pool

    @staticmethod
    def _shuffled(rng: np.random.Generator, archs: Iterable[Arch]) -> list[Arch]:
        ordered = list(archs)
        return [ordered[i] for i in rng.permutation(len(ordered)).tolist()]

    def __call__(self, archs: Sequence[Arch]) -> Floats:
        """Return `a x f`: the blocks side by side."""
        columns = [
            self._proxies(archs) if block == PROXIES else self._problem.features(archs, block)
            for block in self._blocks
        ]
        return np.concatenate(columns, axis=1)

    def _proxies(self, archs: Sequence[Arch]) -> Floats:
        unknown = np.full(self._width, np.nan)
        return np.array([self._ranks.get(arch, unknown) for arch in archs]).reshape(
            len(archs), self._width
        )
