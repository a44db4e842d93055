"""What a computed proxy is: a pure function of what passes recorded, with its facts as data.

Nothing here imports torch, so proxies can be listed without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.base import Floats

PASS_NAMES: tuple[str, ...] = (
    "network",
    "weights",
    "operations",
    "forward",
    "loss_gradients",
    "input_jacobian",
    "hessian_gradient",
    "linearised",
    "perturbed",
    "constant_weights",
    "linearised_norms",
    "batch_gradients",
    "noise_features",
    "block_features",
    "activation_patterns",
    "single_images",
    "tangent_kernel",
    "sign_agreement",
    "class_jacobians",
    "crop_patterns",
)
"""The passes a proxy may read; `bench.proxies.passes` says what each records."""
LENT_PASSES: dict[str, Any] = {}
"""What a caller lends for a while, by name; see `bench.runs.members.lent`."""


@dataclass(frozen=True)
class Computed:
    """A proxy computed live (see `bench.base.Proxy`).

    `function` is given the records of `passes`, in that order. What it returns as NaN or an
    infinity, and what it raises, is a failure with a reason; UndefinedError names one.
    """

    name: str
    function: Callable[..., float]
    passes: tuple[str, ...]
    needs: frozenset[str]
    paper: str
    follows: str
    definition: str
    deviations: tuple[str, ...] = ()
    higher_is_better: bool = True
    of_space: Callable[[str], Computed] | None = None
    """Gives the proxy as it is in a space, where its constants are the space's own."""


@dataclass(frozen=True)
class PopulationRanking:
    """A ranking of `a` networks by several proxies: no score of a network by itself.

    `function` is given the values of `components` by name, `a` each and larger is better, and
    returns `a` values, larger is better. They hold among these `a` networks alone: with another
    network among them, all may change.
    """

    name: str
    components: tuple[str, ...]
    function: Callable[[Mapping[str, Floats]], Floats]
    needs: frozenset[str]
    paper: str
    follows: str
    definition: str
    deviations: tuple[str, ...] = ()
    higher_is_better: bool = True


class UndefinedError(ArithmeticError):
    """A score that its definition does not give for this network; the text is the reason."""


class UnrecognisedError(Exception):
    """A network holds what is not known well enough for a score; the text says what it is."""
