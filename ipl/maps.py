"""A map of the latent: its two principal components, and the ways that ascent takes on it.

Shapes: `n` architectures, `d` latent, `p` paths of `s` places.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bench.base import Floats, Paths
from ipl.ascent import ascend
from ipl.maximise import Landscape, Objective

PATHS = 6
"""How many are told of: as many as have a colour of their own beside their median's black."""


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
    """Climb from members of the pool drawn uniformly; tell where it leads, and what is met."""
    starts = where.draw(rng, PATHS)
    map_ = where.latents.autoencoder
    path = ascend(where.latents.of(starts), objective, map_.mean, map_.std, where.ascent)
    path = path.transpose(0, 1)
    decode = where.latents.candidates.each
    # In a pool every latent stands for something; a start, for itself.
    met = [
        [start, *(arch for arch in decode(steps[1:]) if arch is not None)]
        for start, steps in zip(starts, path, strict=True)
    ]
    return Paths(score, on.places(path), met)
