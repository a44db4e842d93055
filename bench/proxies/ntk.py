"""ntk: how unequally the tangent kernel sees directions; a large one is slow to train."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.proxies.computed import Computed, UndefinedError

if TYPE_CHECKING:
    from bench.proxies.passes.sample_gradients import Kernel


def score(tangent_kernel: Kernel) -> float:
    """Give the largest by the least eigenvalue. Raises UndefinedError where that is no more."""
    gram = tangent_kernel.gram.cpu().numpy()
    if not np.isfinite(gram).all():
        return float("nan")
    eigenvalues = np.linalg.eigvalsh(gram)
    if not eigenvalues[0] > eigenvalues[-1] * RESOLUTION:
        raise UndefinedError("the tangent kernel is singular")
    return float(eigenvalues[-1] / eigenvalues[0])


RESOLUTION = 1e-7
"""Below this share of the largest, an eigenvalue of float32 gradients is rounding."""

ntk = Computed(
    name="ntk",
    function=score,
    passes=("tangent_kernel",),
    needs=frozenset({"weights", "data", "gradients"}),
    paper="Chen et al., ICLR 2021, arXiv:2102.11535",
    follows="VITA-Group/TENAS @1115d10",
    definition="condition number of the Gram matrix of 16 images' gradients of the summed logits",
    deviations=(
        (
            "each image is normalised by its own statistics, so one backward gives all gradients; "
            "the reference goes backward once an image, through the statistics of the batch"
        ),
        "the first 16 images of the minibatch; the reference takes 72",
        (
            "weights of convolutions, linear layers and batch norms; the reference takes every "
            "parameter whose name has weight in it"
        ),
        "a kernel that is singular to rounding is undefined",
    ),
    higher_is_better=False,
)
