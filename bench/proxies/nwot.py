"""nwot: how differently images switch the network's ReLUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.proxies.computed import Computed, UndefinedError

if TYPE_CHECKING:
    from bench.proxies.passes.forward import Forward


def score(forward: Forward) -> float:
    """Give log |det K| of the agreements.

    Raises UndefinedError without ReLUs, and where K is singular.
    """
    forward.structure.check_rectifiers()
    agreements = forward.agreements.cpu().numpy()
    sign, logarithm = np.linalg.slogdet(agreements)
    if sign == 0:
        raise UndefinedError("two images switch all ReLUs alike")
    # Of a singular matrix, rounding may leave a determinant.
    if np.linalg.matrix_rank(agreements, hermitian=True) < len(agreements):
        raise UndefinedError("too few ReLUs tell the images apart: their agreements are singular")
    return float(logarithm)


nwot = Computed(
    name="nwot",
    function=score,
    passes=("forward",),
    needs=frozenset({"weights", "data"}),
    paper="Mellor et al., ICML 2021, arXiv:2006.04647",
    follows="NASLib, branch zerocost @8c45f19",
    definition="log |det K|, K how many ReLU inputs agree in sign between two images",
    deviations=(
        "a module is a ReLU by the function it calls, not by its class's name, so each counts once",
    ),
)
