"""Architectures as torch modules, one file a space."""

from collections.abc import Mapping
from types import MappingProxyType

from torch import nn

from bench.base import Arch, OptionError, UnknownNameError
from bench.networks._network import Network
from bench.networks.darts import DARTS
from bench.networks.nasbench101 import NASBENCH101
from bench.networks.nasbench201 import NASBENCH201
from bench.networks.stacked import Stack
from bench.networks.transnasbench101_macro import TRANSNASBENCH101_MACRO
from bench.networks.transnasbench101_micro import TRANSNASBENCH101_MICRO
from bench.networks.weights import Weights

__all__ = ["NETWORKS", "Network", "Stack", "Weights", "network"]

NETWORKS: Mapping[str, Network] = MappingProxyType(
    {
        "nasbench201": NASBENCH201,
        "nasbench101": NASBENCH101,
        "darts": DARTS,
        "transnasbench101-micro": TRANSNASBENCH101_MICRO,
        "transnasbench101-macro": TRANSNASBENCH101_MACRO,
    }
)
"""By the name of the space; members of others are found by `bench.runs.members.network`."""


def network(
    space: str | Network, arch: Arch, weights: Weights, *, classes: int = 10, **shape: int
) -> nn.Module:
    """The network of an architecture, with its initial weights, on the default device.

    Args:
        space: The name of a space, or how architectures of another one become modules.
        arch: One of its architectures.
        weights: Where the initial weights come from.
        classes: Logits.
        shape: What sizes the network, such as `channels`; see `NETWORKS[space].shape`.

    Raises:
        ArchError: The space has no such architecture.
        OptionError: The space's networks have no such argument, or cannot have it at that value.
        UnknownNameError: No such space.
    """
    known = NETWORKS.get(space) if isinstance(space, str) else space
    if known is None:
        raise UnknownNameError(f"expected a space among {', '.join(NETWORKS)}, got {space!r}")
    for name, value in {"classes": classes, **shape}.items():
        default = known.shape.get(name, 1 if name == "classes" else None)
        if default is None:
            raise OptionError(
                f"expected {_called(space)} networks sized by classes, {', '.join(known.shape)}, "
                f"got {name!r}"
            )
        if value not in (0, 1) if default is False else value < 1:
            wanted = "a switch, 0 or 1" if default is False else "at least 1"
            raise OptionError(f"expected {name} to be {wanted}, got {value}")
    module = known.build(arch, classes=classes, **shape)
    weights.fill(module, known.laws)
    return module


def _called(space: str | Network) -> str:
    return space if isinstance(space, str) else space.build.__module__
