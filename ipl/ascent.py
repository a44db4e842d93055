"""Gradient ascent in the latent: from latents and an objective to the latents on the way up.

UP-NAS, equations 5 and 6: Adam on the latent, everything else frozen. Pure: nothing is decoded or
scored here. What a path is worth is known only once its latents are decoded to architectures, and
those encoded and scored again: the objective can rise where nothing is decoded to.

Shapes: `r` restarts, `d` latent, `s` steps kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.base import OptionError

_STILL = 1e-6
"""A dimension of no larger deviation says nothing."""


@dataclass(frozen=True)
class Ascent:
    """How to climb."""

    steps: int = 40
    rate: float = 0.1
    """Adam's, in deviations of the latent."""
    penalty: float = 0.0
    """Times the mean square of the latent's distance from the prior's mean, in its deviations."""
    keep: int = 4
    """Every how many steps a latent is kept; the last always is."""

    @property
    def kept(self) -> int:
        """How many latents of a path are kept, its start included."""
        return 1 + math.ceil(self.steps / self.keep)

    def __post_init__(self) -> None:
        """Raise OptionError for what is no climb."""
        if self.steps < 1 or self.keep < 1:
            raise OptionError(
                f"expected steps and keep to be at least 1, got {self.steps} and {self.keep}"
            )
        if not (0 < self.rate < math.inf and 0 <= self.penalty < math.inf):
            raise OptionError(
                f"expected a finite rate above 0 and a finite penalty of at least 0, got "
                f"{self.rate} and {self.penalty}"
            )


def ascend(
    starts: Tensor,
    objective: Callable[[Tensor], Tensor],
    mean: Tensor,
    deviation: Tensor,
    how: Ascent,
) -> Tensor:
    """Climb from `r x d` latents and return `s x r x d`, the starts first.

    A path stops where its objective or gradient is no longer finite: its later latents equal its
    last good one.

    Args:
        starts: Where to begin.
        objective: `r` values of `r x d` latents, differentiable.
        mean: `d`, of the prior.
        deviation: `d`, of the prior; one of next to 0 is never moved along.
        how: Steps, rate, penalty.
    """
    moves = deviation > _STILL
    # Where nothing moves, a latent stays at its start, be that the mean or not.
    base = torch.where(moves, mean, starts.detach())
    scale = torch.where(moves, deviation, 0.0)
    moved = torch.where(moves, (starts.detach() - mean) / deviation.clamp_min(_STILL), 0.0)
    moved.requires_grad_()
    optimiser = torch.optim.Adam([moved], lr=how.rate)
    alive = torch.ones(len(starts), dtype=torch.bool, device=starts.device)
    good = moved.detach().clone()
    kept = [starts.detach()]
    for step in range(1, how.steps + 1):
        with torch.enable_grad():
            values = objective(base + scale * moved) - how.penalty * moved.square().mean(1)
            (gradient,) = torch.autograd.grad(values.sum(), moved)
        alive &= values.isfinite() & gradient.isfinite().all(1)
        good = torch.where(alive[:, None], moved.detach(), good)
        moved.grad = torch.where(alive[:, None], -gradient, torch.zeros_like(gradient))
        optimiser.step()
        with torch.no_grad():
            # Adam's momentum would carry a stopped path on.
            moved.copy_(torch.where(alive[:, None], moved, good))
        if step % how.keep == 0 or step == how.steps:
            kept.append((base + scale * moved).detach())
    return torch.stack(kept)
