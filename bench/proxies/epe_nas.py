"""epe_nas: how alike the network answers to images of one class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.proxies.computed import Computed, UndefinedError

if TYPE_CHECKING:
    from bench.proxies.passes.input_jacobian import InputJacobian

K = 1e-5
MANY = 100
"""Above this many classes, sums are compared between classes instead of added."""


def score(jacobian: InputJacobian) -> float:
    """Sum |s_c| over classes, or over pairs of classes |s_c - s_c'| where there are many."""
    rows = jacobian.rows.double().cpu().numpy()
    if (rows.std(axis=1) == 0).any():
        raise UndefinedError("the outputs do not depend on the images")
    labels = jacobian.labels.cpu().numpy()
    classes = [_class_score(rows[labels == label]) for label in np.unique(labels)]
    if jacobian.classes <= MANY:
        return float(np.abs(classes).sum())
    sizes = np.unique(labels, return_counts=True)[1]
    spread = [s / n for s, n in zip(classes, sizes, strict=True) if n > 1]
    return float(np.abs(np.subtract.outer(spread, spread)).sum() / len(sizes))


def _class_score(rows: NDArray[np.float64]) -> float:
    """Sum log(|correlation| + k) over the pairs of images of one class; one alone has itself."""
    return float(np.log(np.abs(np.corrcoef(rows)) + K).sum())


epe_nas = Computed(
    name="epe_nas",
    function=score,
    passes=("input_jacobian",),
    needs=frozenset({"weights", "data", "labels", "gradients"}),
    paper="Lopes et al., ICANN 2021, arXiv:2102.08099",
    follows="NASLib, branch zerocost @8c45f19",
    definition="within-class correlation of the input Jacobian's rows",
    deviations=("undefined where the sum of the logits moves with the images by rounding alone",),
)
