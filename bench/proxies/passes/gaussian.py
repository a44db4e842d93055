"""Gaussian weights by seed and name, drawn once for all architectures that have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from bench.draws import keyed
from bench.proxies.passes.network import Network, in_layout

_KEPT = 1024
"""How many tensors are kept; those of over a million values are drawn anew each time."""
_LARGE = 1 << 17


def gaussian_parameters(
    network: Network, deviation: Callable[[Tensor], float] | None = None
) -> dict[str, Tensor]:
    """Gaussian weights of layers without biases, and norms at 1 and 0; others stay as they are.

    `deviation` gives the standard deviation of a weight; 1 by default.
    """
    layers = set(network.layers)
    parameters = dict(network.parameters)
    for prefix, module in network.module.named_modules():
        for key in module._parameters:
            name = f"{prefix}.{key}" if prefix else key
            if name in layers:
                drawn = gaussian(network.seed, network.key(name), parameters[name])
                parameters[name] = drawn if deviation is None else drawn * deviation(drawn)
            elif name in parameters and (
                isinstance(module, _BatchNorm)
                or (key == "bias" and f"{name.removesuffix('bias')}weight" in layers)
            ):
                parameters[name] = torch.full_like(parameters[name], float(key == "weight"))
    return parameters


def gaussian(seed: int, name: str, like: Tensor) -> Tensor:
    """N(0, 1) weights of the shape, type and place of `like`; do not write to them."""
    draw = _kept if like.numel() <= _LARGE else _drawn
    return draw(seed, name, tuple(like.shape), like.dtype, like.device)


def _drawn(
    seed: int, name: str, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> Tensor:
    values = keyed(seed, "gaussian", name, *shape).standard_normal(shape, dtype=np.float32)
    return in_layout(torch.from_numpy(values).to(device=device, dtype=dtype))


_kept = lru_cache(maxsize=_KEPT)(_drawn)


def gaussian_images(rng: np.random.Generator, shape: Sequence[int], like: Tensor) -> Tensor:
    """Gaussian images of a shape, of the type and place of others."""
    values = rng.standard_normal(tuple(shape), dtype=np.float32)
    return in_layout(torch.from_numpy(values).to(like))
