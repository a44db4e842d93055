"""epsilon: how differently the network answers under two constant initialisations.

Under the low constant a batch norm's eps outweighs every variance, so each layer only scales its
input, and what passes without weights (skips, poolings) is all that is left; under the high one
norms normalise. Where all paths have weights, the low output shrinks by about 1e-10 a layer and is
exactly 0 in float32: on NAS-Bench-201 those are the undefined scores, 41 % of the cells.

Constants belong to a space, and are chosen without accuracies: `search_constants`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from math import isnan
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from bench.base import Floats, OptionError
from bench.proxies.computed import Computed, UndefinedError

if TYPE_CHECKING:
    from torch import Tensor

    from bench.proxies.passes.constant_weights import ConstantWeights

CONSTANTS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"nasbench201": (1e-7, 1.0), "nasbench101": (1e-4, 10.0)}
)
"""The paper's, by space; other spaces take those of NAS-Bench-201."""


def score(constant_weights: ConstantWeights, *, low: float, high: float) -> float:
    """Give mean |p - q| / mean of p and q, min-max normalised outputs. Raises UndefinedError."""
    return difference(constant_weights.output(low), constant_weights.output(high))


def difference(low: Tensor, high: Tensor) -> float:
    """The normalised difference of `n` outputs at the low constant and `n` at the high one.

    Raises UndefinedError, saying which kind it is, where there is none.
    """
    import torch

    from bench.kernels.normalised_difference import normalised_difference

    value = float(normalised_difference(torch.stack([low, high.to(low)])[None])[0])
    if isnan(value):
        raise UndefinedError(_reason({"low": low, "high": high}))
    return value


def _reason(outputs: Mapping[str, Tensor]) -> str:
    for constant, row in outputs.items():
        if not row.isfinite().all():
            return f"non-finite output at the {constant} constant"
    for constant, row in outputs.items():
        if is_constant(row):
            return f"constant output at the {constant} constant"
    return "no image with both outputs above the least"


def is_constant(row: Tensor) -> bool:
    """Whether all outputs are one finite number."""
    return bool(row.isfinite().all()) and float(row.min()) == float(row.max())


def epsilon_at(low: float, high: float, *, name: str = "epsilon") -> Computed:
    """The proxy at two constants. Raises OptionError unless they are 0 < low < high."""
    if not 0 < low < high < float("inf"):
        raise OptionError(f"expected constants 0 < low < high, got {low:g} and {high:g}")
    return Computed(
        name=name,
        function=partial(score, low=low, high=high),
        passes=("constant_weights",),
        needs=frozenset({"weights", "data"}),
        paper="Gracheva, 2023, arXiv:2302.04406",
        follows="egracheva/epsinas @7e4a9bc",
        definition="mean absolute difference of min-max normalised outputs at two constants, "
        f"{low:g} and {high:g}, by their mean",
        deviations=(
            "the first of equal logits stands for a head of one class",
            "a score that is not defined is a failure, where the reference's searches take 0",
        ),
    )


def epsilon_for(space: str) -> Computed:
    """The proxy at the constants of a space."""
    found = epsilon_at(*CONSTANTS.get(space, CONSTANTS["nasbench201"]))
    return replace(found, of_space=epsilon_for)


def search_constants(
    scores: Callable[[float, float], Floats],
    *,
    exponents: tuple[int, int] = (-7, 0),
    undefined: float = 0.1,
) -> tuple[float, float]:
    """Find constants as the paper does: the widest pair under which scores are defined.

    No accuracy is needed. Windows of exponents go from the widest to the narrowest, of equally
    wide ones the lowest first.

    Args:
        scores: Given the low and the high constant, the scores of `a` architectures, not finite
            where undefined; the paper draws 100 at random.
        exponents: The lowest and the highest power of ten.
        undefined: The share of undefined scores that a pair must stay below.

    Raises:
        OptionError: If no pair does.
    """
    first, last = exponents
    for width in range(last - first, 0, -1):
        for start in range(first, last - width + 1):
            low, high = 10.0**start, 10.0 ** (start + width)
            if np.mean(~np.isfinite(scores(low, high))) < undefined:
                return low, high
    raise OptionError(
        f"expected constants between 1e{first} and 1e{last} with less than {undefined:.0%} "
        "undefined scores, got none"
    )


epsilon = epsilon_for("nasbench201")
