"""The accuracy head: a Gaussian process on what the proxy learner predicts, and on the latent.

The prior mean is a line of the unified score, so that before the first query the head ranks as the
proxies do, and the more it is told the less they matter. The kernel is a Matern 5/2 on groups of
inputs, a length each, plus a linear kernel on the first: where the unified score's weights are
wrong, that one learns others. Lengths, noise and the linear share are those of the highest marginal
likelihood on a grid (Rasmussen and Williams 2006, sections 2.2 and 5.4), so no optimiser has to
converge.

Shapes: `n` told architectures, `a` architectures, `f` inputs of a group. All float64.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.base import DataError

LENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0)
NOISES = (0.01, 0.03, 0.1, 0.3)
"""Variances, as shares of the process's own."""
LINEAR = (0.0, 1.0, 4.0)
"""Variances of the linear kernel, likewise."""
SHRINK = 0.3
"""Added to the unified score's variance when its slope is found: few answers, small slope."""


@dataclass(frozen=True, eq=False)
class Head:
    """A Gaussian process that was told `n` values."""

    groups: tuple[Tensor, ...]
    """Inputs of the told, `n x f` each."""
    lengths: tuple[float, ...]
    linear: float
    noise: float
    factor: Tensor
    """Cholesky factor of the kernel with noise, `n x n`."""
    solved: Tensor
    """`n`: the kernel's inverse times the residuals."""
    scale: float
    offset: float
    slope: float
    best: float
    """The highest value told."""

    def __call__(self, groups: Sequence[Tensor], unified: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation, `a` each, from inputs `a x f` a group and `a` unified scores."""
        cross = _matern(_squares(groups, self.groups), self.lengths)
        cross = cross + self.linear * groups[0] @ self.groups[0].mT
        half = torch.linalg.solve_triangular(self.factor, cross.mT, upper=False)
        mean = self.offset + self.slope * unified + self.scale * (cross @ self.solved)
        own = 1 + self.linear * groups[0].square().sum(1)
        variance = (own - half.square().sum(0)).clamp_min(1e-9)
        return mean, self.scale * variance.sqrt()


def told(
    groups: Sequence[Tensor], unified: Tensor, values: Tensor, *, believing: bool = True
) -> Head:
    """Tell a Gaussian process `n` values.

    Args:
        groups: `n x f` inputs each, standardised over the space and divided by the root of `f`.
        unified: `n` unified scores, standardised over the space.
        values: `n` accuracies, in a scale in which equal steps matter equally.
        believing: Whether the prior mean rises with the unified score; flat otherwise.

    Raises:
        DataError: There are no values, or one is not finite.
    """
    if len(values) == 0 or not bool(values.isfinite().all()):
        raise DataError(f"expected finite accuracies to learn from, got {values.tolist()}")
    slope = _slope(unified, values) if believing else 0.0
    offset = float(values.mean() - slope * unified.mean())
    residual = values - offset - slope * unified
    unit = float(residual.square().mean().sqrt()) or 1.0
    fit = _likeliest(groups, residual / unit)
    return Head(
        groups=tuple(groups),
        lengths=fit.lengths,
        linear=fit.linear,
        noise=fit.noise,
        factor=fit.factor,
        solved=fit.solved / fit.deviation,
        scale=unit * fit.deviation,
        offset=offset,
        slope=slope,
        best=float(values.max()),
    )


@dataclass(frozen=True, eq=False)
class _Fit:
    """One point of the grid."""

    evidence: float
    lengths: tuple[float, ...]
    linear: float
    noise: float
    factor: Tensor
    solved: Tensor
    deviation: float
    """The process's own, which the evidence is highest for."""


def _likeliest(groups: Sequence[Tensor], y: Tensor) -> _Fit:
    """The point of the grid with the most evidence; of equal ones, the first.

    Each choice of lengths is one batch: all of the grid at once would hold 300 kernels `n x n`.
    """
    squares, products = _squares(groups, groups), groups[0] @ groups[0].mT
    eye = torch.eye(len(y), dtype=y.dtype, device=y.device)
    shares = list(itertools.product(LINEAR, NOISES))
    best: _Fit | None = None
    for lengths in itertools.product(LENGTHS, repeat=len(groups)):
        smooth = _matern(squares, lengths)
        kernels = [smooth + linear * products + noise * eye for linear, noise in shares]
        factors = torch.linalg.cholesky(torch.stack(kernels))
        solved = torch.cholesky_solve(y[:, None].expand(len(shares), -1, 1), factors)[:, :, 0]
        power = (solved @ y / len(y)).clamp_min(1e-9)
        fits = -0.5 * len(y) * power.log() - factors.diagonal(dim1=1, dim2=2).log().sum(1)
        fits = fits + fits.new_tensor([_prior(lengths, noise) for _, noise in shares])
        at = int(fits.argmax())
        if best is None or float(fits[at]) > best.evidence:
            linear, noise = shares[at]
            deviation = math.sqrt(float(power[at]))
            best = _Fit(float(fits[at]), lengths, linear, noise, factors[at], solved[at], deviation)
    if best is None:
        raise DataError("expected at least one group of inputs, got none")
    return best


def _slope(unified: Tensor, values: Tensor) -> float:
    """The least-squares slope of values over unified scores, shrunk, and never negative."""
    spread = unified - unified.mean()
    slope = float((spread @ (values - values.mean())) / len(values))
    return max(slope / (float(spread.square().mean()) + SHRINK), 0.0)


def _prior(lengths: Sequence[float], noise: float) -> float:
    """A log-normal around a length of 2 and a noise of 0.05, weak: for the first few answers."""
    spread = sum(math.log(length / 2) ** 2 for length in lengths)
    return -0.05 * spread - 0.05 * math.log(noise / 0.05) ** 2


def _squares(left: Sequence[Tensor], right: Sequence[Tensor]) -> list[Tensor]:
    """Squared distances, `a x n` a group, never below 0 and differentiable."""
    found = []
    for x, y in zip(left, right, strict=True):
        products = x @ y.mT
        sizes = x.square().sum(1)[:, None] + y.square().sum(1)[None]
        found.append((sizes - 2 * products).clamp_min(0))
    return found


def _matern(squares: Sequence[Tensor], lengths: Sequence[float]) -> Tensor:
    """Matern 5/2 of the distance over all groups, each in its own length."""
    total = sum(
        (square / length**2 for square, length in zip(squares, lengths, strict=True)),
        torch.zeros(()),
    )
    # A root's slope at 0 is infinite, the kernel's is 0: a shift that changes neither.
    distance = (5 * total + 1e-12).sqrt()
    return (1 + distance + distance.square() / 3) * (-distance).exp()


def expected_improvement(mean: Tensor, deviation: Tensor, best: float) -> Tensor:
    """Log E max(0, Y - best) for `a` normal Y; differentiable far below `best` too.

    After Ament et al., NeurIPS 2023, https://arxiv.org/abs/2310.20708: in logs, because the
    improvement itself underflows where most of a space lies.
    """
    z = (mean - best) / deviation
    near = z.clamp_min(-1.0)
    normal = (-0.5 * near.square()).exp() / math.sqrt(2 * math.pi)
    upper = (normal + near * torch.special.ndtr(near)).log()
    far = z.clamp_max(-1.0)
    # phi(z) + z Phi(z) = phi(z) (1 + z Phi(z) / phi(z)), whose ratio erfcx gives without underflow.
    mills = math.sqrt(math.pi / 2) * torch.special.erfcx(-far / math.sqrt(2))
    # That sum is 1 / z^2 - 3 / z^4 + ... far out, where rounding would eat it.
    series = -2 * (-far).log() - 3 / far.square()
    rest = torch.where(far > -1e3, torch.log1p(far.clamp_min(-1e3) * mills), series)
    lower = -0.5 * far.square() - 0.5 * math.log(2 * math.pi) + rest
    return torch.where(z > -1.0, upper, lower) + deviation.log()
