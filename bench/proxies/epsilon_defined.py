"""epsilon_defined: epsilon, also where every path from input to output has weights.

There the output at the low constant underflows to a constant in float32, and epsilon is undefined:
41 % of NAS-Bench-201's cells. float64 helps little (it defines 97.5 % of them, at a Spearman
correlation of .49 with accuracy): such a path is compared as convolutions blur it, and comes out
too near. Here the low output of these networks, and of no others, is one whose convolutions that
keep the shape hand their input on, as a skip would. A network without any path answers nothing,
and differs by 0.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench.proxies.computed import Computed
from bench.proxies.epsilon import CONSTANTS, difference, is_constant

if TYPE_CHECKING:
    from bench.proxies.passes.constant_weights import ConstantWeights


def score(constant_weights: ConstantWeights, *, low: float, high: float) -> float:
    """Give epsilon, with another low output where its own is constant; 0 if all are constant.

    Constant is what is one number in float32, in whatever type it was computed: the definition does
    not move with the type. Raises UndefinedError where an output is not finite.
    """
    output = constant_weights.output(low)
    if is_constant(output.float()):
        output = constant_weights.output(low, handing_on=True)
    answer = constant_weights.output(high)
    if is_constant(output) or is_constant(answer):
        return 0.0
    return difference(output, answer)


def epsilon_defined_for(space: str) -> Computed:
    """The proxy at the constants of a space."""
    low, high = CONSTANTS.get(space, CONSTANTS["nasbench201"])
    return Computed(
        name="epsilon_defined",
        function=partial(score, low=low, high=high),
        passes=("constant_weights",),
        of_space=epsilon_defined_for,
        needs=frozenset({"weights", "data"}),
        paper="of this project, after Gracheva, 2023, arXiv:2302.04406",
        follows="nothing",
        definition=f"epsilon at {low:g} and {high:g}; where the low output is constant, "
        "convolutions that keep the shape hand their input on",
    )


epsilon_defined = epsilon_defined_for("nasbench201")
