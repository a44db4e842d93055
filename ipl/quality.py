"""How good an autoencoder is: what comes back, what its prior decodes to, how smooth a value is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from bench.base import Arch, Floats, OptionError
from ipl.autoencoder import Autoencoder


def quality(
    autoencoder: Autoencoder,
    held_out: Sequence[Arch],
    generator: torch.Generator,
    *,
    samples: int = 1000,
) -> dict[str, float]:
    """Measure an autoencoder on architectures it has not seen, and on draws from its prior.

    Args:
        autoencoder: What is measured.
        held_out: Architectures to reconstruct; those it was trained on are left out.
        generator: Draws the latents.
        samples: How many latents are drawn of either prior.

    Returns:
        reconstruction: The share of the held-out whose latent decodes to just them.
        validity: The share of draws from the prior fitted to training that decode to something.
        validity_standard: The same for draws from N(0, I).
        uniqueness: The share of different ones among the former's architectures.
        novelty: The share of these different ones that were not trained on.
        seconds: What training took.

        A share of nothing is NaN.
    """
    unseen = [arch for arch in held_out if arch not in autoencoder.trained_on]
    back = autoencoder.decode(autoencoder.encode(unseen))
    same = sum(arch == other for arch, other in zip(unseen, back, strict=True))
    fitted = _valid(autoencoder.decode(autoencoder.sample(generator, samples)))
    normal = torch.randn((samples, autoencoder.latent), generator=generator)
    standard = _valid(autoencoder.decode(normal))
    different = set(fitted)
    return {
        "reconstruction": _share(same, len(unseen)),
        "validity": _share(len(fitted), samples),
        "validity_standard": _share(len(standard), samples),
        "uniqueness": _share(len(different), len(fitted)),
        "novelty": _share(len(different - autoencoder.trained_on), len(different)),
        "seconds": autoencoder.seconds,
    }


def smoothness(
    autoencoder: Autoencoder,
    archs: Sequence[Arch],
    values: Sequence[float] | Floats,
    *,
    lines: int = 200,
    points: int = 65,
    seed: int = 0,
) -> dict[str, float]:
    """Measure how smoothly a value changes along straight lines through the latent space.

    A line leads from the latent of one drawn architecture to that of another. It is decoded at
    `points` places; the different architectures met whose value is known are its stops. Lines of
    fewer than three stops are left out.

    Args:
        autoencoder: What is measured.
        archs: `a` architectures.
        values: Their `a` values, such as accuracy; NaN where unknown. Ranks resist outliers.
        lines: How many lines are drawn.
        points: Places on each, ends included.
        seed: Which lines are drawn.

    Returns:
        step: How much the value changes from one stop to the next, absolute, mean over lines.
        random_step: What it would be with the stops in random order: by expectation, the mean
            difference of all pairs of a line's stops.
        ratio: The former over the latter: 1 is no smoother than chance, 0 is constant.
        stops: Stops on a line, mean.

        All are NaN where no line has three stops; `ratio` is, where values do not differ.

    Raises:
        OptionError: Other than one value for each architecture, or none at all.
    """
    if not archs or len(archs) != len(values):
        raise OptionError(
            f"expected one value for each of at least one architecture, got {len(archs)} "
            f"architectures and {len(values)} values"
        )
    known = {
        arch: float(value)
        for arch, value in zip(archs, values, strict=True)
        if not math.isnan(value)
    }
    generator = torch.Generator().manual_seed(seed)
    ends = torch.randint(len(archs), (2 * lines,), generator=generator).tolist()
    start, end = autoencoder.encode([archs[place] for place in ends]).reshape(2, lines, -1)
    share = torch.linspace(0, 1, points)[:, None]
    measured = []
    for low, high in zip(start, end, strict=True):
        met = dict.fromkeys(autoencoder.decode(low + share * (high - low)))
        stops = np.array([known[arch] for arch in met if arch in known])
        if len(stops) >= 3:
            measured.append((*_steps(stops), len(stops)))
    if not measured:
        return dict.fromkeys(("step", "random_step", "ratio", "stops"), math.nan)
    step, random_step, count = np.mean(measured, axis=0).tolist()
    ratio = _share(step, random_step)
    return {"step": step, "random_step": random_step, "ratio": ratio, "stops": count}


def _steps(stops: Floats) -> tuple[float, float]:
    """The mean difference of neighbours among `n` values, and that of all pairs."""
    n = len(stops)
    pairs = np.abs(stops[:, None] - stops).sum() / (n * (n - 1))
    return float(np.abs(np.diff(stops)).mean()), float(pairs)


def _valid(decoded: Sequence[Arch | None]) -> list[Arch]:
    """The architectures among what was decoded; the space has accepted each, or it were None."""
    return [arch for arch in decoded if arch is not None]


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
