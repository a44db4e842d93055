"""synflow: how much flows through the network of absolute weights, in logs."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

from bench.proxies.computed import Computed, UndefinedError

if TYPE_CHECKING:
    from bench.proxies.passes.linearised import Linearised


def score(linearised: Linearised) -> float:
    """Give log sum |w dR/dw|. Raises UndefinedError where nothing flows."""
    return log_flow(linearised)


def log_flow(linearised: Linearised) -> float:
    """Give log sum |w dR/dw| of a pass, with norms or without. Raises UndefinedError at 0."""
    pairs = zip(linearised.weights, linearised.gradients, strict=True)
    total = float(sum((weight * gradient).abs().sum() for weight, gradient in pairs))
    if total == 0:
        raise UndefinedError("nothing flows from the input to the output")
    return log(total)


synflow = Computed(
    name="synflow",
    function=score,
    passes=("linearised",),
    needs=frozenset({"weights", "gradients"}),
    paper="Tanaka et al., NeurIPS 2020, arXiv:2006.05467",
    follows="NASLib, branch zerocost @8c45f19",
    definition="log of the sum of |w dR/dw|, norms left out, float64",
    deviations=(
        "a network without flow is undefined, where the reference gives 0",
        "biases are absolute too, as in the reference, but the module itself is left alone",
    ),
)
