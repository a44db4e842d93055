"""zico: how large gradients are beside how much they change from one minibatch to the next."""

from __future__ import annotations

from math import log, nan
from typing import TYPE_CHECKING

from bench.proxies.computed import Computed, UndefinedError

if TYPE_CHECKING:
    from bench.proxies.passes.batch_gradients import BatchGradients


def score(batch_gradients: BatchGradients) -> float:
    """Sum over layers log sum over weights E|g| / std(g); NaN if a gradient is not finite.

    Raises UndefinedError where no gradient changes.
    """
    if not all(bool(gradients.isfinite().all()) for gradients in batch_gradients.layers):
        return nan
    total, layers = 0.0, 0
    for gradients in batch_gradients.layers:
        deviation = gradients.std(dim=0, correction=0)
        moves = deviation > 0
        ratios = float((gradients.abs().mean(dim=0)[moves] / deviation[moves]).double().sum())
        if ratios > 0:
            total += log(ratios)
            layers += 1
    if not layers:
        raise UndefinedError("no gradient changes from one minibatch to the next")
    return total


zico = Computed(
    name="zico",
    function=score,
    passes=("batch_gradients",),
    needs=frozenset({"weights", "data", "labels", "gradients"}),
    paper="Li et al., ICLR 2023, arXiv:2301.11300",
    follows="SLDGroup/ZiCo @bbabe28",
    definition="sum over layers of log sum E|g| / std(g), over minibatches",
    deviations=(
        (
            "gradients are each minibatch's own, as in the paper; the reference does not reset "
            "them between minibatches, so that its second is the sum of both"
        ),
        "a single minibatch is split in two halves",
    ),
)
