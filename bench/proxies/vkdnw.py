"""vkdnw: how evenly the weights can be known, and how many layers' there are.

The Fisher information of one entry of each parameter, over images and the network's own labels;
the entropy of the deciles of its eigenvalues lies between 0 and log 9, so the count of parameters
decides, and the entropy among networks that share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.base import Floats
from bench.proxies.computed import Computed, UndefinedError

if TYPE_CHECKING:
    from bench.proxies.passes.sample_gradients import ClassJacobians

SMOOTHING = 0.05
"""How much of the labels' distribution is uniform."""
TINY = 1e-10


def score(class_jacobians: ClassJacobians) -> float:
    """Give the number of parameters plus the entropy. Raises UndefinedError where none matters."""
    jacobians = class_jacobians.jacobians.cpu().numpy()
    n, classes, parameters = jacobians.shape
    p = class_jacobians.probabilities.cpu().numpy() * (1 - SMOOTHING) + SMOOTHING / classes
    # F = mean J'(diag p - pp')J is the mean over classes of J - its mean over classes, squared.
    spread = jacobians - np.einsum("nk,nkp->np", p, jacobians)[:, None]
    root = (np.sqrt(p)[:, :, None] * spread).reshape(n * classes, parameters)
    if not np.isfinite(root).all():
        return float("nan")
    eigenvalues = np.zeros(parameters)
    values = np.linalg.svd(root, compute_uv=False) ** 2 / n
    eigenvalues[: len(values)] = values[:parameters]
    if not eigenvalues.any():
        raise UndefinedError("no parameter has a say in the outputs")
    return float(parameters) + entropy(np.quantile(eigenvalues, np.arange(1, 10) / 10))


def entropy(deciles: Floats) -> float:
    """The entropy of positive numbers that are normalised to sum to 1."""
    shares = deciles / (deciles.sum() + TINY)
    return float(-(shares * np.log(shares + TINY)).sum())


vkdnw = Computed(
    name="vkdnw",
    function=score,
    passes=("class_jacobians",),
    needs=frozenset({"weights", "data", "gradients"}),
    paper="Tybl and Neumann, CVPR 2025, arXiv:2502.04975",
    follows="ondratybl/VKDNW @3b2d12f",
    definition="number of parameters plus the entropy of the deciles of the Fisher information's "
    "eigenvalues",
    deviations=(
        "the network's own weights, not Kaiming normal ones",
        "the first 16 images of the minibatch; the reference takes 32",
        (
            "entries of parameters other than those of convolutions, linear layers and batch norms "
            "count, but are taken to have no say"
        ),
        "float64 from the Jacobian on",
    ),
)
