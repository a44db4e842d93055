"""The pass that runs nothing: the weights as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from bench.proxies.passes.network import Network


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of convolutions and linear layers, and how many parameters there are in all."""

    parameters: int
    """As the module stores them: a weight that is computed from others counts as these do."""
    find: Callable[[], tuple[Tensor, ...]]

    @property
    def layers(self) -> tuple[Tensor, ...]:
        """The layers' weights. Raises UnrecognisedError where they cannot be told."""
        return self.find()


def run(network: Network) -> Weights:
    """Look at the weights."""
    return Weights(
        network.parameter_count,
        lambda: tuple(network.parameters[name] for name in network.layers),
    )
