"""What a space's file in this room says of its networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import nn

from bench.networks.weights import Laws


@dataclass(frozen=True, eq=False)
class Network:
    """How the architectures of one space become torch modules."""

    build: Callable[..., nn.Module]
    """`build(arch, classes=..., **shape)`: an uninitialised module that maps `n x 3 x h x w` to
    `n x classes` logits; on the default device, so also on `meta`. Raises ArchError."""
    laws: Laws
    """What its parameters are drawn from."""
    shape: Mapping[str, int] = field(default_factory=dict)
    """The arguments that size it, with their defaults; those with a default of False are
    switches, all others at least 1."""
