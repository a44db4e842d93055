"""The pass that runs nothing: the weights as they are."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bench.proxies.passes.network import Network


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of convolutions and linear layers, and how many parameters there are in all."""

    layers: tuple[Tensor, ...]
    parameters: int


def run(network: Network) -> Weights:
    """Look at the weights."""
    return Weights(
        layers=tuple(network.parameters[name] for name in network.layers),
        parameters=sum(tensor.numel() for tensor in network.parameters.values()),
    )
