"""jacov: how differently the network answers to different images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.proxies.computed import Computed, UndefinedError

if TYPE_CHECKING:
    from bench.proxies.passes.input_jacobian import InputJacobian

K = 1e-5


def score(jacobian: InputJacobian) -> float:
    """Give -sum(log(v + k) + 1 / (v + k)) over the eigenvalues v of the rows' correlation."""
    rows = jacobian.rows.double().cpu().numpy()
    if len(rows) < 2:
        raise UndefinedError("one image has nothing to be correlated with")
    if (rows.std(axis=1) == 0).any():
        raise UndefinedError("the outputs do not depend on the images")
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(rows))
    return float(-(np.log(eigenvalues + K) + 1 / (eigenvalues + K)).sum())


jacov = Computed(
    name="jacov",
    function=score,
    passes=("input_jacobian",),
    needs=frozenset({"weights", "data", "gradients"}),
    paper="Mellor et al., 2020, arXiv:2006.04647v1",
    follows="NASLib, branch zerocost @8c45f19",
    definition="eigenvalue spread of the correlation of the input Jacobian's rows",
    deviations=(
        "eigenvalues by the routine for symmetric matrices, which a correlation is",
        # All that is pooled may come from batch norms, whose mean over a minibatch is constant.
        "undefined where the sum of the logits moves with the images by rounding alone",
    ),
)
