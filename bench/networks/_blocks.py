"""Blocks that several spaces share, made of plain layers.

Nothing here is drawn: parameters are left uninitialised until `Weights.fill` sets them, and
torch's global random state is never read. No block writes to a tensor that another one reads.
Shapes: `n x c x h x w`, in any memory format.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from bench.spaces._function import EDGES


class _UndrawnConv2d(nn.Conv2d):
    def reset_parameters(self) -> None:
        """Leave the parameters alone."""


class _UndrawnBatchNorm2d(nn.BatchNorm2d):
    def reset_parameters(self) -> None:
        """Leave the parameters alone; the buffers are made with their first values."""


class _UndrawnLinear(nn.Linear):
    def reset_parameters(self) -> None:
        """Leave the parameters alone."""


def conv(
    inputs: int,
    outputs: int,
    kernel: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> nn.Conv2d:
    """A convolution without bias, padded so that only its stride changes the resolution."""
    layer: nn.Conv2d = _UndrawnConv2d(
        inputs,
        outputs,
        kernel,
        stride=stride,
        padding=dilation * (kernel // 2),
        dilation=dilation,
        groups=groups,
        bias=False,
    )
    layer.__class__ = nn.Conv2d  # A plain layer again, whose reset_parameters does its work.
    return layer


def norm(
    channels: int, *, affine: bool = True, eps: float = 1e-5, momentum: float = 0.1
) -> nn.BatchNorm2d:
    """A batch norm, with scale and bias if `affine`."""
    layer: nn.BatchNorm2d = _UndrawnBatchNorm2d(channels, eps, momentum, affine)
    layer.__class__ = nn.BatchNorm2d
    return layer


def linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer with bias."""
    layer: nn.Linear = _UndrawnLinear(inputs, outputs)
    layer.__class__ = nn.Linear
    return layer


def chain(*steps: tuple[str, nn.Module]) -> nn.Sequential:
    """Named modules, one after the other."""
    sequence = nn.Sequential()
    for name, module in steps:
        sequence.add_module(name, module)
    return sequence


def relu_conv_norm(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, affine: bool = True
) -> nn.Sequential:
    """ReLU, convolution, batch norm."""
    return chain(
        ("relu", nn.ReLU()),
        ("conv", conv(inputs, outputs, kernel, stride=stride)),
        ("norm", norm(outputs, affine=affine)),
    )


def conv_norm(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, relu: bool = False
) -> nn.Sequential:
    """Convolution, batch norm, and ReLU if asked for."""
    steps: list[tuple[str, nn.Module]] = [
        ("conv", conv(inputs, outputs, kernel, stride=stride)),
        ("norm", norm(outputs)),
    ]
    return chain(*steps, *([("relu", nn.ReLU())] if relu else []))


class FactorizedReduce(nn.Module):
    """Half the resolution by two 1x1 convolutions of stride 2, the second one pixel further on.

    An odd side is padded with a line of zeros at its end, as TransNAS-Bench-101 does; DARTS knows
    even sides only.
    """

    def __init__(self, inputs: int, outputs: int, *, affine: bool = True) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.even = conv(inputs, outputs // 2, 1, stride=2)
        self.odd = conv(inputs, outputs - outputs // 2, 1, stride=2)
        self.norm = norm(outputs, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        """Map `n x inputs x h x w` to `n x outputs x ⌈h/2⌉ x ⌈w/2⌉`."""
        x = self.relu(x)
        height, width = x.shape[2:]
        shifted = nn.functional.pad(x[:, :, 1:, 1:], (0, width % 2, 0, height % 2))
        both = torch.cat([self.even(x), self.odd(shifted)], dim=1)
        reduced: Tensor = self.norm(both)
        return reduced


def halving_stem(channels: int) -> list[tuple[str, nn.Module]]:
    """The two steps in front of TransNAS-Bench-101: a quarter of the resolution, half first."""
    return [
        ("stem_0", conv_norm(3, channels // 2, 3, stride=2)),
        ("stem_1", relu_conv_norm(channels // 2, channels, 3, stride=2)),
    ]


def head(channels: int, classes: int) -> list[tuple[str, nn.Module]]:
    """The last steps of a chain: global pooling of the features, then one linear layer."""
    return [
        ("pool", nn.AdaptiveAvgPool2d(1)),
        ("flatten", nn.Flatten()),
        ("classifier", linear(channels, classes)),
    ]


def total(terms: Iterable[Tensor]) -> Tensor:
    """The sum of at least one tensor, from the left; one alone is returned as it is.

    The first sum is a tensor of its own, to which the others are added in place.
    """
    first, *others = terms
    if not others:
        return first
    return functools.reduce(operator.iadd, others[1:], first + others[0])


class EdgeCell(nn.Module):
    """Four nodes in a row, an operation on each of the six edges; a node sums what comes in.

    All operations are run, also those that nothing reads; a node that nothing enters is zeros.

    Args:
        operations: For the six edges in the order of `EDGES` a label, and the module or None
            for an edge that carries nothing. Modules are named `edge_<from>_<to>_<label>`.
        channels: What the operations put out.
        stride: By how much the operations on edges from node 0 lower the resolution.
    """

    def __init__(
        self, operations: Sequence[tuple[str, nn.Module | None]], channels: int, stride: int = 1
    ) -> None:
        super().__init__()
        self.channels = channels
        self.stride = stride
        self.incoming: tuple[list[tuple[int, str]], ...] = ([], [], [])
        """By node after the first, (source, module's name)."""
        for (source, target), (label, module) in zip(EDGES, operations, strict=True):
            if module is not None:
                name = f"edge_{source}_{target}_{label}"
                self.add_module(name, module)
                self.incoming[target - 1].append((source, name))

    def forward(self, x: Tensor) -> Tensor:
        """Map `n x c_in x h x w` to `n x channels x h/stride x w/stride`."""
        nodes = [x]
        for incoming in self.incoming:
            terms = [getattr(self, name)(nodes[source]) for source, name in incoming]
            nodes.append(total(terms) if terms else zeros(x, self.channels, self.stride))
        return nodes[-1]


def zeros(x: Tensor, channels: int, stride: int = 1) -> Tensor:
    """The `n x channels x ⌈h/stride⌉ x ⌈w/stride⌉` zeros that stand for no term, in x's layout."""
    strided = x[:, :1, ::stride, ::stride] if stride > 1 else x[:, :1]
    return torch.zeros_like(strided.expand(-1, channels, -1, -1), memory_format=_layout(x))


def _layout(x: Tensor) -> torch.memory_format:
    last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format
