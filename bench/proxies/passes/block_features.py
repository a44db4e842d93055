"""The pass of az-nas: Gaussian images through blocks, and Rademacher noise back through each.

Weights are Kaiming normal by fan-in, drawn by seed and name, biases 0, norms 1 and 0. A block is
what stands at the top of a network, less its head: a part of its own making, or a convolution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.base import OptionError
from bench.draws import keyed
from bench.proxies.computed import UnrecognisedError
from bench.proxies.passes.gaussian import gaussian_images, gaussian_parameters
from bench.proxies.passes.network import Network, in_layout

IMAGES = 32
"""At most; the statistics are over images and positions, so half a minibatch has plenty."""
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True, eq=False)
class BlockFeatures:
    """What `b` blocks give, and what they do to gradients."""

    covariances: tuple[Tensor, ...]
    """`b` of `c x c`, float64: of the channels of a block's output, over images and positions."""
    jacobians: tuple[Tensor | None, ...]
    """`b - 1` of `c_in s^2 x c_out`, float64: of each block but the first, the mean outer product
    of noise and what goes back from it, positions that a stride merges as channels. None where
    a block hands on noise unchanged."""
    jacobian_fault: str | None = None
    """Why there are no Jacobians."""


def run(network: Network) -> BlockFeatures:
    """Run forward once and backward through each block. Raises OptionError without blocks."""
    network.structure.check_channels()
    outputs = _outputs(network)
    if len(outputs) < 2:
        raise OptionError(
            f"expected a network of at least two blocks that give images, got {len(outputs)}"
        )
    covariances = [_covariance(_rows(output)) for output in outputs]
    try:
        jacobians = [
            _jacobian(network.seed, index, source, target)
            for index, (source, target) in enumerate(pairwise(outputs))
        ]
    except UnrecognisedError as error:
        return BlockFeatures(tuple(covariances), (), str(error))
    return BlockFeatures(tuple(covariances), tuple(jacobians))


def blocks(module: nn.Module) -> list[nn.Module]:
    """The blocks of a network, in the order of its children; of a wrapper, those within."""
    found = list(_blocks(module))
    while len(found) == 1 and next(found[0].children(), None) is not None:
        found = list(_blocks(found[0]))
    return found


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        chain = isinstance(child, nn.Sequential | nn.ModuleList)
        if chain and any(next(part.children(), None) is not None for part in child.children()):
            yield from _blocks(child)
        elif chain:
            if any(isinstance(part, _CONVOLUTIONS) for part in child.children()):
                yield child
        elif isinstance(child, _CONVOLUTIONS) or not type(child).__module__.startswith("torch.nn."):
            yield child


def _outputs(network: Network) -> list[Tensor]:
    """The outputs of all blocks, `n x c x h x w`, with the graph between them."""
    like = network.batch.images[:IMAGES]
    rng = keyed(network.seed, "block-features", *like.shape)
    images = gaussian_images(rng, like.shape, like).requires_grad_()
    outputs: list[Tensor] = []

    def add(_module: nn.Module, _arguments: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 4:
            outputs.append(output)

    hooks = [block.register_forward_hook(add) for block in blocks(network.module)]
    try:
        with torch.enable_grad():
            network.call(images, gaussian_parameters(network, _kaiming))
    finally:
        for hook in hooks:
            hook.remove()
    return outputs


def _kaiming(weight: Tensor) -> float:
    """The standard deviation that keeps activations' variance, by fan-in."""
    return float((2 / weight[0].numel()) ** 0.5)


def _rows(features: Tensor) -> Tensor:
    """`n h w x c` of `n x c x h x w`."""
    return features.detach().permute(0, 2, 3, 1).reshape(-1, features.shape[1])


def _covariance(rows: Tensor) -> Tensor:
    centred = rows - rows.mean(dim=0)
    return (centred.mT @ centred).double() / len(rows)


def _jacobian(seed: int, index: int, source: Tensor, target: Tensor) -> Tensor | None:
    """The mean outer product of what goes back to the source and what came in at the target."""
    noise = _signs(seed, index, target)
    back = torch.zeros_like(source)
    if target.requires_grad and source.requires_grad:
        (back,) = torch.autograd.grad(
            target, source, noise, retain_graph=True, allow_unused=True, materialize_grads=True
        )
    if back.shape == noise.shape and bool((back == noise).all()):
        return None
    if back.shape[2:] != noise.shape[2:]:
        ratio = back.shape[2] // noise.shape[2]
        if [side * ratio for side in noise.shape[2:]] != list(back.shape[2:]):
            before, after = (tuple(each.shape[2:]) for each in (back, noise))
            raise UnrecognisedError(
                f"a block makes maps of {after} from {before}: positions do not divide"
            )
        back = functional.pixel_unshuffle(back, ratio)
    rows = _rows(noise)
    return (_rows(back).mT @ rows).double() / len(rows)


def _signs(seed: int, index: int, like: Tensor) -> Tensor:
    """-1 and 1 with equal probability, of the shape, type and place of another tensor."""
    octets = keyed(seed, "signs", index, *like.shape).bytes(-(-like.numel() // 8))
    bits = np.unpackbits(np.frombuffer(octets, dtype=np.uint8), count=like.numel())
    signs = torch.from_numpy(bits.reshape(tuple(like.shape))).to(like)
    return in_layout(signs.mul_(2).sub_(1))
