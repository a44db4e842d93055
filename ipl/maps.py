"""A map of the latent: its two principal components, and the ways that ascent takes on it.

Shapes: `n` architectures, `d` latent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from bench.base import Arch, DataError, Floats, Paths
from ipl.maximise import Landscape, Objective

PATHS = 6
"""How many are told of, enough to see where they go."""


class Map:
    """Where latents are drawn: the first two principal components of those of a pool."""

    def __init__(self, latents: Tensor) -> None:
        """Take the axes of `n x d` latents, each of one sign for good."""
        latents = latents.double()
        self._mean = latents.mean(0)
        centred = latents - self._mean
        _, vectors = torch.linalg.eigh(centred.mT @ centred)
        axes = vectors[:, -2:].flip(1)
        largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
        self._axes = axes * largest.sign()

    def places(self, latents: Tensor) -> Floats:
        """The `... x 2` places of `... x d` latents."""
        places: Floats = ((latents.double() - self._mean) @ self._axes).cpu().numpy()
        return places


def climbed(
    where: Landscape, score: str, objective: Objective, on: Map, rng: np.random.Generator
) -> Paths:
    """Climb from members of a pool drawn uniformly; tell where it leads, and what is met.

    Args:
        where: The pool, its latents, and how to climb.
        score: What `objective` is called.
        objective: What is climbed.
        on: The map of the pool.
        rng: Draws the starts.

    Raises:
        DataError: There is no pool, and a latent stands for no architecture.
    """
    starts = where.draw(rng, PATHS)
    path = where.climb(starts, objective).transpose(0, 1)
    met = [
        [start, *_members(where.latents.candidates.each(places[1:]))]
        for start, places in zip(starts, path, strict=True)
    ]
    return Paths(score, on.places(path), met)


def _members(found: Sequence[Arch | None]) -> list[Arch]:
    members = [arch for arch in found if arch is not None]
    if len(members) < len(found):
        raise DataError(
            f"expected latents that stand for members of a pool, got {len(found) - len(members)} "
            f"of {len(found)} that stand for nothing"
        )
    return members
