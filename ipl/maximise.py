"""Ways to look for what an objective of latents likes best: ascent, evolution, random, all.

The thesis compares gradient ascent with evolution and random search driven by the same learner.
So that the comparison is fair, evolution and random may show the learner as many latents as ascent
can at most: one a path and step, one for each latent kept on the way, and those that polish. Only
`pool` judges as many as there are.

Shapes: `a` architectures, `r` restarts, `d` latent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bench.base import Arch, OptionError, Problem
from ipl.ascent import Ascent, ascend
from ipl.latents import Latents

Objective = Callable[[Tensor], Tensor]
"""`a` values of `a x d` latents, differentiable."""


@dataclass(frozen=True, eq=False)
class Landscape:
    """Where to look."""

    problem: Problem
    latents: Latents
    ascent: Ascent
    restarts: int
    polish: int
    """How many neighbours of what the ascent found are judged at most."""

    @property
    def calls(self) -> int:
        """How many latents the learner is shown at most in one search: climbed, met, polished."""
        return self.restarts * (self.ascent.steps + self.ascent.kept) + self.polish

    def climb(self, starts: Sequence[Arch], objective: Objective) -> Tensor:
        """The `s x r x d` latents on the way up from `r` architectures, theirs first."""
        autoencoder = self.latents.autoencoder
        return ascend(
            self.latents.of(starts), objective, autoencoder.mean, autoencoder.std, self.ascent
        )

    def draw(self, rng: np.random.Generator, count: int) -> list[Arch]:
        """Draw `count` different architectures, or all where there are fewer."""
        pool, space = self.problem.pool, self.problem.space
        if pool is not None:
            return [pool[i] for i in rng.permutation(len(pool))[: max(count, 0)].tolist()]
        different: dict[Arch, None] = {}
        while len(different) < min(count, space.size):
            different[space.sample(rng)] = None
        return list(different)


def candidates(
    how: str,
    where: Landscape,
    objective: Objective,
    starts: Sequence[Arch],
    rng: np.random.Generator,
) -> list[tuple[Arch, float]]:
    """Look for architectures that an objective likes; return them with its values, best first.

    Each is encoded and judged by itself, however it was found.

    Args:
        how: `ascent`, `evolution`, `random`, or `pool`, which judges all that can be asked for.
        where: The space, its latents, and how much may be spent.
        objective: What to maximise.
        starts: Promising architectures to begin from; random ones fill up.
        rng: Draws.

    Raises:
        OptionError: No such way, or a pool that cannot be listed.
    """
    if how not in WAYS:
        raise OptionError(f"expected search among {', '.join(WAYS)}, got {how!r}")
    found = list(dict.fromkeys(WAYS[how](where, objective, starts, rng)))
    values = judged(where, objective, found)
    order = np.argsort(-values, kind="stable").tolist()
    return [(found[i], float(values[i])) for i in order]


def judged(where: Landscape, objective: Objective, archs: Sequence[Arch]) -> np.ndarray:
    """The objective at the latents of `a` architectures; what is not finite counts as the worst."""
    if not archs:
        return np.empty(0)
    with torch.no_grad():
        values = objective(where.latents.of(archs)).double().cpu().numpy()
    return np.where(np.isfinite(values), values, -np.inf)


def _ascent(
    where: Landscape, objective: Objective, starts: Sequence[Arch], rng: np.random.Generator
) -> list[Arch]:
    first = list(dict.fromkeys(starts))[: where.restarts]
    first += where.draw(rng, where.restarts - len(first))
    path = where.climb(first, objective)
    return _polished(where, objective, where.latents.candidates.of(path.flatten(0, 1)))


def _polished(where: Landscape, objective: Objective, found: list[Arch]) -> list[Arch]:
    """Add neighbours, best first: the latent is smooth, architectures are not.

    Time and again the best one whose neighbours were not judged yet has them judged.
    """
    value = dict(zip(found, judged(where, objective, found).tolist(), strict=True))
    unopened = dict(value)
    left = where.polish
    while left > 0 and unopened:
        best = max(unopened, key=unopened.__getitem__)
        del unopened[best]
        around = [arch for arch in where.problem.space.neighbours(best) if arch not in value]
        around = around[:left]
        new = dict(zip(around, judged(where, objective, around).tolist(), strict=True))
        left -= len(around)
        value |= new
        unopened |= new
    return list(value)


def _evolution(
    where: Landscape, objective: Objective, starts: Sequence[Arch], rng: np.random.Generator
) -> list[Arch]:
    """Regularised evolution, population 50 and tournament 10, as METHODS of the thesis's rival.

    Children are judged 10 at a time, so that the learner is not called for single ones.
    """
    size, tournament, brood = 50, 10, 10
    most = min(size, where.calls)
    first = list(dict.fromkeys(starts))[:most]
    first += where.draw(rng, most - len(first))
    living = deque(zip(judged(where, objective, first).tolist(), first, strict=True), maxlen=size)
    found, spent = list(first), len(first)
    # A pool of one has nothing to move to.
    while spent < where.calls and where.problem.space.size > 1:
        drawn = rng.integers(len(living), size=(min(brood, where.calls - spent), tournament))
        parents = [max(living[i] for i in each)[1] for each in drawn.tolist()]
        children = [where.problem.space.mutate(parent, rng) for parent in parents]
        living.extend(zip(judged(where, objective, children).tolist(), children, strict=True))
        found += children
        spent += len(children)
    return found


def _random(
    where: Landscape, objective: Objective, starts: Sequence[Arch], rng: np.random.Generator
) -> list[Arch]:
    del objective, starts
    return where.draw(rng, where.calls)


def _pool(
    where: Landscape, objective: Objective, starts: Sequence[Arch], rng: np.random.Generator
) -> list[Arch]:
    del objective, starts, rng
    if where.problem.pool is None:
        raise OptionError(
            f"expected search=ascent, evolution or random, as the space "
            f"{where.problem.space.name} cannot be listed, got pool"
        )
    return list(where.problem.pool)


WAYS: Mapping[str, Callable[..., list[Arch]]] = {
    "ascent": _ascent,
    "evolution": _evolution,
    "random": _random,
    "pool": _pool,
}
