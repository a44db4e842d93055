"""The passes: what is run once per network, and which passes each one starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

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
