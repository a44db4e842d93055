"""A stack of networks on its way through the passes, and how it is called and looked at.

Many architectures are one module whose channels lie in lanes, an architecture a lane. A part of
the module belongs to some of them, its owners, and has lanes for these only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from bench.base import OptionError
from bench.kernels.pattern_gram import pattern_gram
from bench.proxies.passes.jets import Jets
from bench.proxies.passes.network import Batch, Network, in_layout
from bench.proxies.passes.recorder import OnCpu, Recorder, plain
from bench.proxies.passes.structure import OWN


class Stack(Protocol):
    """`a` networks as one module, an architecture a lane of channels; parts see their owners only.

    `bench.networks.Stack` is one.
    """

    size: int
    """`a`."""
    module: nn.Module
    """Maps `n x (a*c) x h x w` to `n x (a*k)`. All its weights and norms are in lanes."""
    shapes: Mapping[str, tuple[int, ...]]
    """What each parameter is shaped in a single network; here its rows are `s` times as many."""

    @property
    def owners(self) -> Mapping[str, tuple[int, ...]]:
        """The architectures of each part in the order of its lanes; the part "" is all of them."""

    def lanes(self, part: str) -> Tensor:
        """The owners of a part, `s`, as a tensor that changes with them."""

    def part(self, name: str) -> str:
        """The part that a parameter or a norm's buffer is in."""


class Wide(Network):
    """A stack on its way through the passes."""

    def __init__(self, stack: Stack, batch: Batch, seed: int) -> None:
        images = batch.images.repeat(1, stack.size, 1, 1)
        super().__init__(stack.module, [Batch(images, batch.labels)], seed)
        self.stack = stack
        self.size = stack.size
        self.single = batch
        self.targets = batch.labels.repeat_interleave(stack.size)
        """`n*a`, as logits come."""
        self.structure = OWN
        self._span = int(batch.labels.min()), int(batch.labels.max())

    def split(self, logits: Tensor) -> Tensor:
        """Logits `m x (a*k)` as `m x a x k`."""
        return logits.view(len(logits), self.size, -1)

    def check_labels(self, classes: int) -> None:
        """Raise OptionError where a label has no logit; on the host, as a graph may be captured."""
        if self._span[0] < 0 or self._span[1] >= classes:
            raise OptionError(
                f"expected labels below {classes}, which is how many logits the network gives, "
                f"got {self._span[0]} to {self._span[1]}"
            )


class Shared(Network):
    """A stack that looks like one network, whose parameters and images all architectures have."""

    def __init__(self, net: Wide) -> None:
        super().__init__(net.module, [net.single], net.seed)
        self.structure = OWN
        self._net = net

    @cached_property
    def parameters(self) -> dict[str, Tensor]:
        """Those of one lane, shaped as in a single network."""
        shapes = self._net.stack.shapes
        return {
            name: tensor[: shapes[name][0]].view(shapes[name])
            for name, tensor in self._net.parameters.items()
        }

    def call(
        self,
        images: Tensor,
        parameters: Mapping[str, Tensor],
        *,
        buffers: Mapping[str, Tensor] | None = None,
        mode: OnCpu | None = None,
    ) -> Tensor:
        """Run all networks on these images and parameters; `n x (a*k)`."""
        repeated = {}
        for name, wide in self._net.parameters.items():
            one = parameters[name]
            lanes = one.expand(wide.numel() // one.numel(), *one.shape)
            repeated[name] = in_layout(lanes.reshape(wide.shape))
        images = in_layout(images.repeat(1, self._net.size, 1, 1))
        return self._net.call(images, repeated, buffers=buffers, mode=mode)


@dataclass
class Where:
    """The part that is being run."""

    part: str = ""


@dataclass
class Agreements:
    """Sums the agreement of signs over all ReLUs, for each architecture."""

    stack: Stack
    where: Where
    total: Tensor
    """`a x n x n`, float64."""
    patterns: Counter[str] = field(default_factory=Counter)
    """How many inputs of ReLUs a part has, of one image and architecture."""

    def add(self, source: Tensor) -> None:
        """Add the input of one ReLU, `n x (s*c) x h x w`."""
        owners = self.stack.lanes(self.where.part)
        # The order of its values does not count: `s x n x d`, copied only if it must be.
        source = source.detach()
        n, channels, height, width = source.shape
        shape = (len(owners), channels // len(owners))
        if source.is_contiguous(memory_format=torch.channels_last):
            lanes = source.permute(0, 2, 3, 1).view(n, height, width, *shape).movedim(3, 0)
        else:
            lanes = source.reshape(n, *shape, height, width).movedim(1, 0)
        values = lanes.flatten(2)
        self.total.index_add_(0, owners, pattern_gram(values))
        self.patterns[self.where.part] += values.shape[2]


class PartRecorder(Recorder):
    """Counts operations by part."""

    def __init__(
        self,
        where: Where,
        names: Mapping[int, str],
        *,
        on_rectifier: Callable[[Tensor], None] | None = None,
    ) -> None:
        super().__init__(names, on_rectifier=on_rectifier)
        self._where = where
        self.costs: Counter[str] = Counter()
        """Operations, of all images and owners."""

    def run(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Call a function, and count what it costs."""
        before = self.operations
        output = super().run(func, args, kwargs)
        self.costs[self._where.part] += self.operations - before
        return output


@contextmanager
def followed(stack: Stack) -> Iterator[Where]:
    """Follow which part is being run, by hooks that are gone afterwards."""
    where = Where()

    def tell(part: str, *_: Any) -> None:
        where.part = part

    hooks = []
    for part in stack.owners:
        if part:
            module = stack.module.get_submodule(part)
            hooks.append(module.register_forward_pre_hook(partial(tell, part)))
            hooks.append(module.register_forward_hook(partial(tell, "")))
    try:
        yield where
    finally:
        for hook in hooks:
            hook.remove()


class LaneJets(Jets):
    """Jets that may be taken out of lanes and put into them: linear, and every image by itself."""

    _BLIND = frozenset({"index_add", "index_select", "permute"})
    """A stack calls them along dimensions that are not the batch."""

    def __init__(self, n: int, directions: Mapping[int, Tensor]) -> None:
        super().__init__(n, directions)
        # A stack makes tensors of as many rows to add lanes to.
        self.told = 4 * n

    def run(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Call a function on jets. Raises UnknownRuleError."""
        if plain(func) in self._BLIND:
            return self.know(func(*args, **kwargs))
        return super().run(func, args, kwargs)
