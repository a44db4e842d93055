"""What is known of the proxies: scores of a few architectures, and a learner that tells the rest.

Shapes: `n` scored architectures, `a` architectures, `d` latent, `p` proxies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bench.base import Arch, DataError, Floats, Problem
from ipl.latents import Latents
from ipl.learner import Learner, fit
from ipl.options import Settings
from ipl.transforms import Transform, fitted


@dataclass(frozen=True, eq=False)
class Knowledge:
    """The proxies of `n` architectures, and of all others by prediction."""

    names: tuple[str, ...]
    """The `p` proxies that were defined for at least one."""
    archs: tuple[Arch, ...]
    """The `n` scored, in the order they were scored."""
    scores: Floats
    """`n x p`, transformed; NaN where it failed."""
    transform: Transform
    latents: Latents
    learner: Learner

    def predicted(self, latents: Tensor) -> Tensor:
        """The `a x p` transformed scores that `a x d` latents will have; differentiable."""
        return self.learner(self.latents.inputs(latents))

    def unified(self, latents: Tensor, weights: Tensor) -> Tensor:
        """The `a` unified scores by `p` weights that `a x d` latents will have; differentiable."""
        return self.predicted(latents) @ weights


@dataclass(frozen=True, eq=False)
class Study:
    """How proxies are learnt."""

    problem: Problem
    latents: Latents
    transform: str
    settings: Settings

    def of(
        self, archs: Sequence[Arch], rng: np.random.Generator, before: Knowledge | None = None
    ) -> Knowledge:
        """Read the proxies of more architectures, and learn from all that were read.

        The transform is the one of `before`, whose architectures were drawn uniformly; fitted on
        promising ones too, it would stretch where they are.

        Raises:
            DataError: No proxy is defined for any of them.
        """
        raw = self.problem.scores(archs, self.problem.proxies if before is None else before.names)
        if before is None:
            defined = np.isfinite(raw).any(axis=0)
            names = tuple(self.problem.proxies[i] for i in np.flatnonzero(defined).tolist())
            if not names:
                raise DataError(
                    f"expected proxies of {len(archs)} architectures to learn from, got no "
                    f"defined score of {', '.join(self.problem.proxies) or 'any, none is recorded'}"
                )
            transform = fitted(self.transform, raw[:, defined])
            scored, scores = tuple(archs), transform(raw[:, defined])
        else:
            names, transform = before.names, before.transform
            scored = (*before.archs, *archs)
            scores = np.concatenate([before.scores, transform(raw)])
        inputs = self.latents.inputs(self.latents.of(scored))
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        learner = fit(inputs, torch.from_numpy(scores).float(), self.settings, generator)
        return Knowledge(names, scored, scores, transform, self.latents, learner)
