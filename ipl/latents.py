"""The latent that everything else reads, made once for a space and shared by all seeds.

The autoencoder is trained on architectures alone, no proxy, no accuracy, and so is a head that
tells the graph's features (operation counts, path lengths, degrees) from the latent: features cost
nothing, so it sees thousands of architectures where the proxy learner sees hundreds, and what it
says is handed to the proxy learner beside the latent. Both are differentiable.

Shapes: `a` architectures, `d` latent, `f` features.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from bench.base import Arch, Problem
from ipl.autoencoder import Autoencoder, pretrained
from ipl.candidates import Candidates
from ipl.learner import Learner, fit
from ipl.options import Settings

UNLABELLED = 4_000
"""How many architectures the features are learnt from."""
HEAD = Settings(widths=(256,), members=1, steps=600, batch=256, decay=0.0)


class Latents:
    """Latents of architectures, and what the proxy learner is given of a latent."""

    def __init__(self, problem: Problem, autoencoder: Autoencoder, *, auxiliary: bool) -> None:
        self.autoencoder = autoencoder
        self.candidates = Candidates(problem, autoencoder)
        self._pool: Sequence[Arch] = problem.pool or ()
        self._features = _feature_head(problem, autoencoder) if auxiliary else None

    def of(self, archs: Sequence[Arch]) -> Tensor:
        """The `a x d` latents of architectures; a pool's are worked out once, together."""
        places = [self._places.get(arch, -1) for arch in archs]
        if -1 in places:
            return self.autoencoder.encode(archs)
        return self.candidates.pool[places]

    def inputs(self, latents: Tensor) -> Tensor:
        """The `a x (d + f)` inputs of the proxy learner; differentiable."""
        if self._features is None:
            return latents
        return torch.cat([latents, self._features(latents)], dim=1)

    @cached_property
    def _places(self) -> dict[Arch, int]:
        return {arch: place for place, arch in enumerate(self._pool)}


def _feature_head(problem: Problem, autoencoder: Autoencoder) -> Learner | None:
    """Learn `f` standardised graph features from latents, of at most 4,000 architectures.

    None where no feature differs between them, as in a pool of one.
    """
    rng = np.random.default_rng(0)
    if problem.pool is not None:
        chosen = rng.permutation(len(problem.pool))[:UNLABELLED].tolist()
        archs = [problem.pool[place] for place in sorted(chosen)]
    else:
        archs = [problem.space.sample(rng) for _ in range(UNLABELLED)]
    features = torch.from_numpy(problem.features(archs, "graph")).float()
    varied = features[:, (features != features[0]).any(0)]
    if not varied.shape[1]:
        return None
    standard = (varied - varied.mean(0)) / varied.std(0, correction=0)
    generator = torch.Generator().manual_seed(0)
    return fit(autoencoder.encode(archs), standard, HEAD, generator)


def shared(problem: Problem, *, auxiliary: bool = True) -> Latents:
    """The latents of a problem: made once, then the same for all seeds of a process.

    They depend on the space and on what can be asked for, and on nothing that a search draws.
    """
    pool = None if problem.pool is None else tuple(problem.pool)
    key = (problem.space.name, pool, auxiliary)
    if key not in _MADE:
        if len(_MADE) == MOST:
            del _MADE[next(iter(_MADE))]
        _MADE[key] = Latents(problem, pretrained(problem.space, pool), auxiliary=auxiliary)
    return _MADE[key]


MOST = 4
"""How many tasks' latents are kept."""
_MADE: dict[tuple[str, tuple[Arch, ...] | None, bool], Latents] = {}
