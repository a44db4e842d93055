"""The passes: what is run once per network, and which passes each one starts from.

A pass comes from outside as well: by an entry point of the group `bench.passes`, or lent for a
while by a caller. It is a `Pass`, or a function of the network and of the records of the passes
that its further parameters name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import entry_points
from typing import Any

from bench.base import OptionError, UnknownNameError
from bench.proxies.computed import LENT_PASSES
from bench.proxies.passes import (
    activation_patterns,
    batch_gradients,
    block_features,
    constant_weights,
    crop_patterns,
    forward,
    hessian_gradient,
    input_jacobian,
    linearised,
    loss_gradients,
    noise_features,
    operations,
    perturbed,
    sample_gradients,
    weights,
)
from bench.proxies.passes.network import Network


@dataclass(frozen=True)
class Pass:
    """`run` is given the network and the records of the passes named in `after`."""

    run: Callable[..., Any]
    after: tuple[str, ...] = ()


def _itself(network: Network) -> Network:
    """The network itself, for proxies that run it in a way of their own."""
    return network


PASSES: Mapping[str, Pass] = {
    "network": Pass(_itself),
    "weights": Pass(weights.run),
    "operations": Pass(operations.run),
    "forward": Pass(forward.run),
    "loss_gradients": Pass(loss_gradients.run, ("forward",)),
    "input_jacobian": Pass(input_jacobian.run, ("forward",)),
    "hessian_gradient": Pass(hessian_gradient.run, ("loss_gradients",)),
    "linearised": Pass(linearised.run),
    "perturbed": Pass(perturbed.run),
    "constant_weights": Pass(constant_weights.run),
    "linearised_norms": Pass(partial(linearised.run, norms=True)),
    "batch_gradients": Pass(batch_gradients.run, ("loss_gradients",)),
    "noise_features": Pass(noise_features.run),
    "block_features": Pass(block_features.run),
    "activation_patterns": Pass(activation_patterns.run),
    "single_images": Pass(sample_gradients.run),
    "tangent_kernel": Pass(sample_gradients.run_kernel, ("single_images",)),
    "sign_agreement": Pass(sample_gradients.run_agreement, ("single_images",)),
    "class_jacobians": Pass(sample_gradients.run_classes, ("single_images",)),
    "crop_patterns": Pass(crop_patterns.run),
}
"""The built-in ones, by name."""


def pass_of(name: str) -> Pass:
    """The pass of that name. Raises UnknownNameError, or OptionError for what is no pass."""
    if name in PASSES:
        return PASSES[name]
    if name in LENT_PASSES:
        return as_pass(name, LENT_PASSES[name])
    return _plugin(name)


@cache
def _plugin(name: str) -> Pass:
    entries = {entry.name: entry for entry in entry_points(group="bench.passes")}
    if name not in entries:
        raise UnknownNameError(f"there is no pass {name!r}; there are {', '.join(PASSES)}")
    return as_pass(name, entries[name].load())


def forget_plugins() -> None:
    """Look for plugins anew; what is installed may have changed."""
    _plugin.cache_clear()


def as_pass(name: str, given: Any) -> Pass:
    """The pass that an object is, or that a function of a network stands for."""
    if isinstance(given, Pass):
        return given
    if not callable(given):
        raise OptionError(
            f"expected the pass {name} to be a function of the network and of other passes' "
            f"records, got {type(given).__name__}"
        )
    _, *after = inspect.signature(given).parameters
    return Pass(given, tuple(after))
