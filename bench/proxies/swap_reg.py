"""swap_reg: swap, less of it the further the parameter count is from a wanted one.

The factor is exp(-(p - mu)^2 / sigma), p in thousands of parameters. The paper sets mu and sigma
by hand for a space. Here mu is the parameter count of the space's largest network, so the factor
favours size, and sigma is mu squared, so it goes from 1/e at no parameters to 1: no accuracy is
needed for either.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import exp
from typing import TYPE_CHECKING

from bench.base import OptionError
from bench.proxies.computed import Computed, UndefinedError
from bench.proxies.swap import DEVIATIONS, patterns

if TYPE_CHECKING:
    from bench.proxies.passes.activation_patterns import ActivationPatterns
    from bench.proxies.passes.weights import Weights

MU = 1531.546
"""Thousands of parameters of NAS-Bench-201's largest network, 3 x 3 convolutions throughout."""


def score(
    activation_patterns: ActivationPatterns, weights: Weights, *, mu: float, sigma: float
) -> float:
    """Count the different patterns of neurons, times the factor of size."""
    return patterns(activation_patterns) * exp(-((weights.parameters / 1e3 - mu) ** 2) / sigma)


def swap_reg_at(mu: float, sigma: float | None = None, *, name: str = "swap_reg") -> Computed:
    """The proxy at a parameter count, in thousands; `sigma` is its square unless given.

    Raises OptionError unless both are positive.
    """
    sigma = mu * mu if sigma is None else sigma
    if not (mu > 0 and sigma > 0):
        raise OptionError(f"expected mu and sigma to be positive, got {mu:g} and {sigma:g}")
    return Computed(
        name=name,
        function=partial(score, mu=mu, sigma=sigma),
        passes=("activation_patterns", "weights"),
        needs=frozenset({"weights", "data"}),
        paper="Peng et al., ICLR 2024, arXiv:2403.04161",
        follows="pym1024/SWAP @8d62256",
        definition=f"swap times exp(-(p - {mu:g})^2 / {sigma:g}), p thousands of parameters",
        deviations=(
            *DEVIATIONS,
            (
                "mu is the size of the space's largest network and sigma its square; the paper "
                "sets both by hand"
            ),
        ),
    )


def swap_reg_for(space: str) -> Computed:
    """The proxy in a space: undefined where the size of the largest network is not known."""
    found = swap_reg_at(MU) if space == "nasbench201" else replace(_UNKNOWN)
    return replace(found, of_space=swap_reg_for)


def _undefined(_patterns: ActivationPatterns, _weights: Weights) -> float:
    raise UndefinedError("the size of the space's largest network is not known; see swap_reg_at")


_UNKNOWN = replace(
    swap_reg_at(1.0),
    function=_undefined,
    definition="swap, regularised by size; undefined here",
)

swap_reg = swap_reg_for("nasbench201")
