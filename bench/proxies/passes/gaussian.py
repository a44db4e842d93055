"""Gaussian weights by seed and name, drawn once for all architectures that have them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from bench.draws import keyed
from bench.proxies.passes.network import in_layout

_KEPT = 1024
"""How many tensors are kept; those of over a million values are drawn anew each time."""
_LARGE = 1 << 17


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
