"""The proxy learner: an MLP on the latent that predicts all proxies at once.

Follows the published description (UP-NAS, Huang et al., CVPR 2024 workshops: layers of Linear,
batch norm and ReLU, then one linear layer to all proxies, squared error). Deviations:
1. Layer norm takes the place of batch norm: a few hundred architectures are trained on, and a
   candidate is judged by itself. SiLU takes the place of ReLU, whose kinks an ascent would feel.
2. A proxy that failed on an architecture is masked out of the loss.
3. Several members, each of its own initial weights and batches, are averaged.
4. The encoder is frozen: the latent that is decoded is the latent that is scored.

Shapes: `n` training architectures, `a` architectures, `i` inputs, `p` targets, `m` members.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from bench.base import DataError
from ipl.options import Settings


class Learner:
    """`m` trained MLPs as one: predictions are the members' mean."""

    def __init__(self, layers: list[Tensor], shift: Tensor, scale: Tensor, loss: float) -> None:
        self._layers = layers
        self._shift, self._scale = shift, scale
        self.loss = loss
        """The last training loss, mean squared error of a target."""

    def __call__(self, inputs: Tensor) -> Tensor:
        """Predict `a x p` targets of `a x i` inputs; differentiable."""
        return _forward(self._layers, (inputs - self._shift) * self._scale).mean(0)


def fit(inputs: Tensor, targets: Tensor, settings: Settings, generator: torch.Generator) -> Learner:
    """Train a learner.

    Args:
        inputs: `n x i`, float32.
        targets: `n x p`; NaN where unknown.
        settings: How.
        generator: Of the CPU; draws initial weights and batches.

    Raises:
        DataError: No architectures, or no target known.
    """
    known = ~targets.isnan()
    if not known.any():
        raise DataError(f"expected scores to learn from, got none of {targets.numel()} defined")
    shift, deviation = inputs.mean(0), inputs.std(0, correction=0)
    scale = 1 / deviation.clamp_min(1e-3)
    x, y = (inputs - shift) * scale, targets.nan_to_num(0.0)
    n, members = len(x), settings.members
    layers = _initial([x.shape[1], *settings.widths, y.shape[1]], members, generator)
    layers = [layer.to(x.device).requires_grad_() for layer in layers]
    optimiser = torch.optim.AdamW(layers, lr=settings.rate, weight_decay=settings.decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
    size = min(settings.batch, n)
    with torch.enable_grad():
        for _ in range(settings.steps):
            rows = torch.rand(members, n, generator=generator).argsort(1)[:, :size].to(x.device)
            error = (_forward(layers, x[rows]) - y[rows]) * known[rows]
            loss = error.square().sum() / known[rows].sum().clamp_min(1)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return Learner([layer.detach() for layer in layers], shift, scale, float(loss.detach()))


def _initial(sizes: list[int], members: int, generator: torch.Generator) -> list[Tensor]:
    """Weights `m x in x out` and biases `m x 1 x out` of all layers, He et al.'s scale."""
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        weight = torch.randn(members, inputs, outputs, generator=generator)
        layers += [weight * (2 / inputs) ** 0.5, torch.zeros(members, 1, outputs)]
    layers[-2] *= 0.5**0.5
    return layers


def _forward(layers: list[Tensor], x: Tensor) -> Tensor:
    """`m x a x p` predictions of `a x i` inputs, or of `m x a x i`."""
    h = x.expand(layers[0].shape[0], *x.shape[-2:])
    for place in range(0, len(layers) - 2, 2):
        h = torch.baddbmm(layers[place + 1], h, layers[place])
        h = torch.nn.functional.silu(torch.nn.functional.layer_norm(h, h.shape[-1:]))
    return torch.baddbmm(layers[-1], h, layers[-2])
