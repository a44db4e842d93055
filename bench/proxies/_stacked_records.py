"""What the passes over a stack showed, made into the records of one architecture after another.

Records are those of `bench.proxies.passes`, on the host, where a proxy's many small steps cost
less than a launch each. They are without a graph to go backward from: what needs one finds an
attribute missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor

from bench.proxies._stack import Stack
from bench.proxies.passes.hessian_gradient import HessianGradient
from bench.proxies.passes.input_jacobian import InputJacobian
from bench.proxies.passes.linearised import Linearised
from bench.proxies.passes.loss_gradients import LayerGradient, LossGradients
from bench.proxies.passes.operations import Operations
from bench.proxies.passes.perturbed import Perturbed
from bench.proxies.passes.structure import OWN, Structure
from bench.proxies.passes.weights import Weights

Host: TypeAlias = Mapping[str, Any]
"""What a pass showed, its tensors on the host."""


@dataclass(frozen=True, eq=False)
class StackedForward:
    """What of one network's `Forward` is kept: all but its graph and what is in it."""

    labels: Tensor
    logits: Tensor
    """`n x k`."""
    agreements: Tensor
    """`n x n`, float64."""
    patterns: int
    operations: int
    structure: Structure = OWN


@dataclass(frozen=True, eq=False)
class Lanes:
    """Where each architecture's own lies, as it was when the passes ran."""

    owners: Mapping[str, tuple[int, ...]]
    """By name of a parameter, a running variance or a part: who has its lanes."""
    shapes: Mapping[str, tuple[int, ...]]
    """Of every parameter in a single network."""
    labels: Tensor
    size: int

    @classmethod
    def of(cls, stack: Stack, labels: Tensor) -> Lanes:
        """Look where they are now."""
        parts = stack.owners
        named = [name for name, _ in stack.module.named_parameters()]
        named += [name for name, _ in stack.module.named_buffers() if name.endswith("running_var")]
        owners = {name: parts[stack.part(name)] for name in named}
        return cls({**parts, **owners}, stack.shapes, labels, stack.size)

    def split(self, tensors: Mapping[str, Tensor], dim: int = 0) -> list[dict[str, Tensor]]:
        """Each architecture's lanes, `dim` being cut, of the tensors that it has."""
        found: list[dict[str, Tensor]] = [{} for _ in range(self.size)]
        for name, tensor in tensors.items():
            owners = self.owners[name]
            for owner, lane in zip(owners, tensor.chunk(len(owners), dim), strict=True):
                found[owner][name] = lane
        return found

    def split_weights(self, tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """The same of weights or their gradients, shaped as in a single network."""
        return [
            {name: lane.view(self.shapes[name]) for name, lane in lanes.items()}
            for lanes in self.split(tensors)
        ]

    def total(self, counts: Mapping[str, int]) -> list[int]:
        """Each architecture's sum of what each part has one owner count."""
        totals = [0] * self.size
        for name, count in counts.items():
            for owner in self.owners[name]:
                totals[owner] += count
        return totals


def weights(lanes: Lanes, host: Host) -> list[Weights]:
    """The weights of each."""
    counts = lanes.total({name: torch.Size(shape).numel() for name, shape in lanes.shapes.items()})
    layers = lanes.split_weights(host["weights"])
    return [
        Weights(count, partial(tuple, mine.values()))
        for mine, count in zip(layers, counts, strict=True)
    ]


def forward(lanes: Lanes, host: Host) -> list[StackedForward]:
    """What the forward pass recorded of each."""
    patterns, operations = lanes.total(host["patterns"]), lanes.total(host["costs"])
    return [
        StackedForward(
            labels=lanes.labels,
            logits=host["logits"][:, i],
            agreements=host["agreements"][i],
            patterns=patterns[i],
            operations=operations[i],
        )
        for i in range(lanes.size)
    ]


def operations(lanes: Lanes, host: Host) -> list[Operations]:
    """What an image costs each."""
    return [Operations(total) for total in lanes.total(host["costs"])]


def loss_gradients(lanes: Lanes, host: Host) -> list[LossGradients]:
    """The gradients of each."""
    weights, gradients = (
        lanes.split_weights(host["weights"]),
        lanes.split_weights(host["gradients"]),
    )
    saliency = lanes.split(host["saliency"], dim=1)
    n = len(lanes.labels)
    return [
        LossGradients(
            float(host["losses"][i]),
            tuple(
                LayerGradient(
                    name=name,
                    weight=weight,
                    gradient=gradients[i][name],
                    saliency=saliency[i].get(name, weight.new_zeros(n, len(weight))),
                )
                for name, weight in weights[i].items()
            ),
        )
        for i in range(lanes.size)
    ]


def input_jacobian(lanes: Lanes, host: Host) -> list[InputJacobian]:
    """What each network answers to each image."""
    rows: Tensor = host["rows"]
    return [InputJacobian(mine, lanes.labels, host["classes"]) for mine in rows.unbind(1)]


def hessian_gradient(_: Lanes, host: Host) -> list[HessianGradient]:
    """The product of each."""
    return [HessianGradient(product, True) for product in host["products"].tolist()]


def linearised(lanes: Lanes, host: Host) -> list[Linearised]:
    """The flow of each."""
    weights, gradients = (
        lanes.split_weights(host["weights"]),
        lanes.split_weights(host["gradients"]),
    )
    return [
        Linearised(output, tuple(weights[i].values()), tuple(gradients[i].values()))
        for i, output in enumerate(host["outputs"].tolist())
    ]


def perturbed(lanes: Lanes, host: Host) -> list[Perturbed]:
    """The features and variances of each."""
    variances = lanes.split(host["variances"])
    features, moved = (host[name].chunk(lanes.size, 1) for name in ("features", "moved"))
    return [Perturbed(features[i], moved[i], variances[i]) for i in range(lanes.size)]


RECORDS: Mapping[str, Callable[[Lanes, Host], list[Any]]] = {
    "weights": weights,
    "forward": forward,
    "operations": operations,
    "loss_gradients": loss_gradients,
    "input_jacobian": input_jacobian,
    "hessian_gradient": hessian_gradient,
    "linearised": linearised,
    "linearised_norms": linearised,
    "perturbed": perturbed,
}
"""By pass, what makes its records."""
