"""What every pass is given: a module, the minibatches, and a seed; and how the module is called.

The module's own tensors are never written: for a call, parameters and buffers of the pass's own
choice take their places, by the module's tables and not by assignment, and then leave them. (Of a
module that stands in two places, `torch.func.functional_call` would leave them behind.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, cast

import torch
from torch import Tensor, nn

from bench.base import OptionError
from bench.proxies.passes.recorder import FastPools

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


@dataclass(frozen=True, eq=False)
class Batch:
    """A minibatch: `images`, `n x c x h x w`, floating point; `labels`, `n`, int64."""

    images: Tensor
    labels: Tensor


class Network:
    """One network on its way through the passes."""

    def __init__(self, module: nn.Module, batches: Sequence[Batch], seed: int) -> None:
        self.module = module
        self.batches = batches
        self.seed = seed

    @property
    def batch(self) -> Batch:
        """The minibatch that all passes but those over several batches read."""
        return self.batches[0]

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The names of the weights of convolutions and linear layers, as in modules() order.

        They are what the classic proxies sum over. A weight that several layers share counts once;
        one that is made anew from other parameters, such as by `weight_norm`, does not count.
        """
        seen: set[int] = set()
        found: list[str] = []
        for name, module in self.module.named_modules():
            weight = module._parameters.get("weight")
            if isinstance(module, _LAYERS) and weight is not None and id(weight) not in seen:
                seen.add(id(weight))
                found.append(f"{name}.weight" if name else "weight")
        return tuple(found)

    @cached_property
    def parameters(self) -> dict[str, Tensor]:
        """All parameters, detached, in the layout that the images have."""
        return {
            name: in_layout(_usable(parameter.detach()))
            for name, parameter in self.module.named_parameters()
        }

    def leaves(self) -> dict[str, Tensor]:
        """The parameters, those of `layers` anew as leaves that require a gradient."""
        leaves = dict(self.parameters)
        for name in self.layers:
            leaves[name] = leaves[name].detach().requires_grad_()
        return leaves

    def buffers(self) -> dict[str, Tensor]:
        """Copies of all buffers, for a pass to let the module write to."""
        return {name: buffer.clone() for name, buffer in self._buffers}

    @cached_property
    def _buffers(self) -> list[tuple[str, Tensor]]:
        return list(self.module.named_buffers())

    def call(
        self,
        images: Tensor,
        parameters: Mapping[str, Tensor],
        *,
        buffers: Mapping[str, Tensor] | None = None,
        mode: FastPools | None = None,
    ) -> Tensor:
        """Run the module and return its logits, `n x k`.

        `mode` is entered around the call. The module may write to its images, which are copies.
        Raises OptionError where the output holds no logits.
        """
        tensors = {**parameters, **(self.buffers() if buffers is None else buffers)}
        with self._holding(tensors), FastPools() if mode is None else mode:
            output = self.module(images.clone())
        return logits_of(output, len(images), self._classes)

    @contextmanager
    def _holding(self, tensors: Mapping[str, Tensor]) -> Iterator[None]:
        """Put tensors into their places in the module, and then its own back."""
        for table, key, name, _ in self._places:
            table[key] = tensors[name]
        try:
            yield
        finally:
            for table, key, _, own in self._places:
                table[key] = own

    @cached_property
    def _places(self) -> list[tuple[dict[str, Tensor | None], str, str, Tensor]]:
        """Each place of a tensor in the module: table, key, the tensor's first name, and itself."""
        first: dict[int, str] = {}
        places = []
        for prefix, module in self.module.named_modules():
            for table in (module._parameters, module._buffers):
                for key, own in table.items():
                    if own is not None:
                        name = first.setdefault(id(own), f"{prefix}.{key}" if prefix else key)
                        places.append((cast("dict[str, Tensor | None]", table), key, name, own))
        return places

    @cached_property
    def _classes(self) -> int | None:
        """What the last linear layer gives, if there is one."""
        widths = [m.out_features for m in self.module.modules() if isinstance(m, nn.Linear)]
        return widths[-1] if widths else None


def logits_of(output: Any, n: int, classes: int | None = None) -> Tensor:
    """Find the logits, `n x k`, in what a module returned.

    A tensor is taken as it is; of a mapping or an object its `logits`; of several tensors the first
    that is `n x classes` (what the last linear layer gives), else the first that is `n x k`. Maps,
    `n x k x ...`, are averaged over their positions. Raises OptionError where there is none.
    """
    logits: Tensor = output if isinstance(output, Tensor) else _chosen(output, n, classes)
    if logits.dim() > 2 and len(logits) == n:
        logits = logits.flatten(2).mean(2)
    if logits.dim() != 2 or len(logits) != n or not logits.is_floating_point():
        raise OptionError(
            f"expected the network to return logits of shape {n} x classes, "
            f"got {tuple(logits.shape)} of {logits.dtype}"
        )
    return logits


def _chosen(output: Any, n: int, classes: int | None) -> Tensor:
    """One tensor of a structured output."""
    parts = output.values() if isinstance(output, Mapping) else output
    logits = output.get("logits") if isinstance(output, Mapping) else None
    logits = getattr(output, "logits", None) if logits is None else logits
    if isinstance(logits, Tensor):
        return logits
    tensors = [part for part in parts if isinstance(part, Tensor)] if _iterable(parts) else []
    flat = [tensor for tensor in tensors if tensor.dim() == 2 and len(tensor) == n]
    heads = [tensor for tensor in flat if tensor.shape[1] == classes]
    for candidates in (heads, flat, tensors):
        if candidates:
            return candidates[0]
    raise OptionError(
        f"expected the network to return logits of shape {n} x classes, got {type(output).__name__}"
    )


def _iterable(parts: Any) -> bool:
    return hasattr(parts, "__iter__")


def _usable(tensor: Tensor) -> Tensor:
    """The tensor, or a copy of one that was made in inference mode."""
    return tensor.clone() if tensor.is_inference() else tensor


def in_layout(tensor: Tensor) -> Tensor:
    """On a CPU, a four-dimensional tensor in channels-last order, in which it computes fastest."""
    if tensor.dim() == 4 and tensor.device.type == "cpu":
        return tensor.contiguous(memory_format=torch.channels_last)
    return tensor


def device_of(module: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Where a module's floating-point tensors lie, and their type."""
    for tensor in chain(module.parameters(), module.buffers()):
        if tensor.is_floating_point():
            return tensor.device, tensor.dtype
    return torch.device("cpu"), torch.get_default_dtype()
