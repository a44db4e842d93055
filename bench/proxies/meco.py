"""meco: how little the channels of each layer repeat each other, on one image of noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.proxies.computed import Computed, UndefinedError

if TYPE_CHECKING:
    from bench.proxies.passes.noise_features import NoiseFeatures


def score(noise_features: NoiseFeatures) -> float:
    """Sum the least eigenvalue of each output's correlation. Raises UndefinedError without any."""
    if not noise_features.correlations:
        raise UndefinedError("no layer gives an image of features")
    by_width: dict[int, list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]] = {}
    for correlation in noise_features.correlations:
        by_width.setdefault(len(correlation), []).append(correlation.cpu().numpy())
    least = [np.linalg.eigvalsh(np.stack(matrices))[:, 0] for matrices in by_width.values()]
    return float(np.concatenate(least).sum())


meco = Computed(
    name="meco",
    function=score,
    passes=("noise_features",),
    needs=frozenset({"weights"}),
    paper="Jiang et al., NeurIPS 2023",
    follows="HamsterMimi/MeCo @3f6d16e",
    definition="sum over layers of the least eigenvalue of the channels' correlation, "
    "on one Gaussian image of 64 x 64",
    deviations=(
        (
            "a container that hands on what a part of it gave does not count it again, so that "
            "wrapping changes nothing"
        ),
        "float64, and eigenvalues by the routine for symmetric matrices",
    ),
)
