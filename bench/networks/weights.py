"""Initial weights by name: the same name, shape and seed give the same weights in every network.

A parameter's name says where it stands (macro position, edge or vertex, operation), so two
architectures that share an operation on an edge share its weights, and scores of a space are a
paired design. Values are drawn by numpy from `bench.draws.keyed(seed, "weight", name, *shape)`,
never by torch, and kept in a cache bounded in bytes: scoring a whole space draws each tensor once.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.base import OptionError
from bench.draws import keyed


@dataclass(frozen=True)
class Law:
    """What a parameter's entries are drawn from, around 0."""

    kind: Literal["normal", "uniform"]
    scale: float
    """The standard deviation; the bound on either side."""


Laws: TypeAlias = Callable[[nn.Module], Mapping[str, Law | float]]
"""The laws of a layer's own parameters, or the constants they are set to, by their names in the
layer (`weight`, `bias`)."""

_CPU = torch.device("cpu")


class Weights:
    """The initial weights of one seed.

    Args:
        seed: Another seed gives other weights everywhere.
        cache_bytes: Drawn tensors kept for the next network, the least recently used go first.
    """

    def __init__(self, seed: int, cache_bytes: int = 256 * 2**20) -> None:
        self.seed = seed
        self.cache_bytes = cache_bytes
        self.cached_bytes = 0
        self._cache: OrderedDict[tuple[object, ...], Tensor] = OrderedDict()

    @torch.no_grad()
    def fill(self, module: nn.Module, laws: Laws) -> None:
        """Set every parameter in place, and reset what batch norms have recorded.

        Raises:
            OptionError: `laws` does not say what one of the parameters is drawn from.
        """
        for prefix, layer in module.named_modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.reset_running_stats()
            own = list(layer.named_parameters(prefix, recurse=False))
            known = laws(layer) if own else {}
            for name, parameter in own:
                law = known.get(name.rpartition(".")[2])
                if law is None:
                    raise OptionError(
                        f"expected a law for every parameter, got none for {name} of a "
                        f"{type(layer).__name__}"
                    )
                if isinstance(law, Law):
                    shape = tuple(parameter.shape)
                    parameter.copy_(self.draw(name, shape, law, parameter.device))
                else:
                    parameter.fill_(law)

    def draw(
        self, name: str, shape: tuple[int, ...], law: Law, device: torch.device = _CPU
    ) -> Tensor:
        """Return the values of the parameter of this name, float32; shared, so not to be written.

        Args:
            name: The parameter's full name in its network.
            shape: Part of the key: at another width the weights are others.
            law: What they are drawn from.
            device: Where the tensor is wanted; drawn on the CPU, so the same on all.
        """
        key = (name, shape, law, device)
        values = self._cache.get(key)
        if values is not None:
            self._cache.move_to_end(key)
            return values
        rng = keyed(self.seed, "weight", name, *shape)
        values = torch.from_numpy(_drawn(rng, shape, law)).to(device)
        self._cache[key] = values
        self.cached_bytes += values.nbytes
        while self.cached_bytes > self.cache_bytes:
            _, oldest = self._cache.popitem(last=False)
            self.cached_bytes -= oldest.nbytes
        return values


def _drawn(rng: np.random.Generator, shape: tuple[int, ...], law: Law) -> NDArray[np.float32]:
    scale = np.float32(law.scale)
    if law.kind == "normal":
        return rng.standard_normal(shape, dtype=np.float32) * scale
    return (2 * rng.random(shape, dtype=np.float32) - 1) * scale


def pytorch(layer: nn.Module) -> dict[str, Law | float]:
    """PyTorch's own initialisation: uniform within ±1/√fan_in, weights and biases alike.

    That is Kaiming's (He et al., ICCV 2015) with a = √5, as `nn.Conv2d` and `nn.Linear` have it.
    """
    if isinstance(layer, nn.Conv2d | nn.Linear):
        law = Law("uniform", 1 / math.sqrt(layer.weight[0].numel()))
        return {"weight": law, "bias": law}
    return _norm(layer)


def nasbench101(layer: nn.Module) -> dict[str, Law | float]:
    """NAS-Bench-Suite-Zero's for NAS-Bench-101: convolutions N(0, 2/(k²·c_out)), linear N(0, .01²).

    Biases are 0.
    """
    if isinstance(layer, nn.Conv2d):
        return {"weight": _fan_out(layer), "bias": 0.0}
    if isinstance(layer, nn.Linear):
        return {"weight": Law("normal", 0.01), "bias": 0.0}
    return _norm(layer)


def transnasbench101(layer: nn.Module) -> dict[str, Law | float]:
    """TransNAS-Bench-101's: convolutions Kaiming normal by fan-out, linear as PyTorch's."""
    return {"weight": _fan_out(layer)} if isinstance(layer, nn.Conv2d) else pytorch(layer)


def _fan_out(layer: nn.Conv2d) -> Law:
    return Law("normal", math.sqrt(2 / (math.prod(layer.kernel_size) * layer.out_channels)))


def _norm(layer: nn.Module) -> dict[str, Law | float]:
    return {"weight": 1.0, "bias": 0.0} if isinstance(layer, nn.BatchNorm2d) else {}
