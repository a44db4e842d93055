"""logsynflow: synflow with each gradient in logs, so that no weight outweighs all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.proxies.computed import Computed

if TYPE_CHECKING:
    from bench.proxies.passes.linearised import Linearised


def score(linearised: Linearised) -> float:
    """Sum |w log(1 + dR/dw)| over all weights of layers; 0 where nothing flows."""
    pairs = zip(linearised.weights, linearised.gradients, strict=True)
    return float(sum((weight * gradient.log1p()).abs().sum() for weight, gradient in pairs))


logsynflow = Computed(
    name="logsynflow",
    function=score,
    passes=("linearised",),
    needs=frozenset({"weights", "gradients"}),
    paper="Cavagnero et al., WACV 2023, arXiv:2207.05135",
    follows="NiccoloCavagnero/FreeREA @9c2a726",
    definition="sum of |w log(1 + dR/dw)|, norms left out, float64",
    deviations=(
        "the network's own weights once, not the mean over three Kaiming normal initialisations",
    ),
)
