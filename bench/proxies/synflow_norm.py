"""synflow_norm: synflow with the batch norms left in, in logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.proxies.computed import Computed
from bench.proxies.synflow import log_flow

if TYPE_CHECKING:
    from bench.proxies.passes.linearised import Linearised


def score(linearised_norms: Linearised) -> float:
    """Give log sum |w dR/dw|. Raises UndefinedError where nothing flows."""
    return log_flow(linearised_norms)


synflow_norm = Computed(
    name="synflow_norm",
    function=score,
    passes=("linearised_norms",),
    needs=frozenset({"weights", "gradients"}),
    paper="Tanaka et al., NeurIPS 2020, arXiv:2006.05467",
    follows="NASLib, branch zerocost @8c45f19 (registered there as synflow_bn)",
    definition="log of the sum of |w dR/dw|, norms kept, float64",
    deviations=("the log is taken, as of synflow; a network without flow is undefined",),
)
