"""swap: how many patterns of images the network's neurons tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.proxies.computed import Computed, UndefinedError

if TYPE_CHECKING:
    from bench.proxies.passes.activation_patterns import ActivationPatterns

DEVIATIONS = (
    "the network's own weights once, not the mean over 32 draws from N(0, 1)",
    "the first 16 images of the minibatch, as many as the reference's correlation.py takes",
)


def patterns(activation_patterns: ActivationPatterns) -> float:
    """Count the different patterns of neurons over images.

    Raises UndefinedError with fewer images than the definition has: over few, all patterns occur
    in nearly every network.
    """
    from bench.proxies.passes.activation_patterns import IMAGES

    found, images = activation_patterns.distinct, activation_patterns.images
    if images < IMAGES:
        raise UndefinedError(f"expected {IMAGES} images to tell neurons apart, got {images}")
    if found == 1 << images:
        raise UndefinedError(f"all {found} patterns of {images} images occur")
    return float(activation_patterns.distinct)


swap = Computed(
    name="swap",
    function=patterns,
    passes=("activation_patterns",),
    needs=frozenset({"weights", "data"}),
    paper="Peng et al., ICLR 2024, arXiv:2403.04161",
    follows="pym1024/SWAP @8d62256",
    definition="number of different on/off patterns of neurons over 16 images",
    deviations=DEVIATIONS,
)
