"""How a network runs on every image alone, several images at once, and what each weight gets.

A batch norm in training mode that sees one image normalises by that image's own statistics. With
that in place of the batch's, images do not touch each other, so one backward from a sum over
images gives every image its own gradients, and they are exact. At a single position one image
has no statistics; there the batch's stand in, as constants. The gradient of a layer's weight is
put together, image by image, from what went into the layer and what comes back to its output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node
from torch.nn import functional

from bench.base import OptionError
from bench.proxies.passes.recorder import LINEAR, OnCpu, argument, plain

Pair = tuple[int, int]


@dataclass(frozen=True)
class Grid:
    """How the kernel of a convolution moves over its input: rows, columns."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a convolution or linear layer, for `n` images."""

    name: str
    """Of its weight."""
    bias: str | None
    """The name of its bias."""
    source: Tensor
    """`n x c x h x w`, or of a linear layer `n x ... x c`; detached."""
    node: Node
    """Where the gradient of its output comes by."""
    grid: Grid | None
    """How a convolution's kernel moves; None for a linear layer."""

    def weight_gradients(self, back: Tensor) -> Tensor:
        """Each image's gradient of the weight, `n x groups x c_out / groups x d`.

        `back` is the gradient of the layer's output. `d` holds kernel positions, then channels.
        """
        n = len(back)
        if self.grid is None:
            source = self.source.reshape(n, -1, self.source.shape[-1])
            return (back.reshape(n, -1, back.shape[-1]).mT @ source)[:, None]
        groups, (height, width) = self.grid.groups, back.shape[2:]
        patches = _patches(self.source, self.grid, height, width)
        rows = back.permute(0, 2, 3, 1).reshape(n, height * width, -1)
        if groups == 1:
            return (rows.mT @ patches.reshape(n, height * width, -1))[:, None]
        split = patches.reshape(n, height * width, patches.shape[3], groups, -1)
        rows = rows.reshape(n, height * width, groups, -1)
        return torch.einsum("nlgo,nlkgi->ngoki", rows, split).flatten(3)

    def first_gradients(self, back: Tensor) -> Tensor:
        """Each image's gradient of the very first entry of the weight, `n`."""
        if self.grid is None:
            return (back[..., 0] * self.source[..., 0]).reshape(len(back), -1).sum(1)
        (top, left), (down, right) = self.grid.padding, self.grid.stride
        height, width = back.shape[2:]
        source = functional.pad(self.source[:, 0], (left, left, top, top))
        return (source[:, ::down, ::right][:, :height, :width] * back[:, 0]).sum((1, 2))

    def first_bias_gradients(self, back: Tensor) -> Tensor:
        """Each image's gradient of the first entry of the bias, `n`."""
        channel = back[..., 0] if self.grid is None else back[:, 0]
        return channel.reshape(len(back), -1).sum(1)


def _patches(source: Tensor, grid: Grid, height: int, width: int) -> Tensor:
    """What each position of the output sees, `n x height x width x kernel x c`."""
    (top, left), (down, right) = grid.padding, grid.stride
    padded = functional.pad(source.permute(0, 2, 3, 1), (0, 0, left, left, top, top)).contiguous()
    image, row, column, channel = padded.stride()
    return padded.as_strided(
        (len(padded), height, width, *grid.kernel, padded.shape[3]),
        (
            image,
            row * down,
            column * right,
            row * grid.dilation[0],
            column * grid.dilation[1],
            channel,
        ),
    ).flatten(3, 4)


@dataclass(frozen=True, eq=False)
class Norm:
    """One call of a batch norm with a scale: leaves that hold the scale and shift of each image."""

    names: tuple[str | None, str | None]
    """Of the scale and the shift."""
    leaves: tuple[Tensor, Tensor]
    """`n x c` each."""


class Alone(OnCpu):
    """Run every image alone, and record calls. `names` maps a parameter's identity to its name."""

    def __init__(self, names: Mapping[int, str]) -> None:
        super().__init__()
        self._names = names
        self.calls: list[Call] = []
        self.norms: list[Norm] = []
        self.starts: list[Tensor] = []
        """What layers were given that no other gradient would reach; leaves to go backward to."""

    @property
    def route(self) -> tuple[list[str], list[tuple[str | None, str | None]]]:
        """Which layers and norms were called, in order."""
        return [call.name for call in self.calls], [norm.names for norm in self.norms]

    def run(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Call a function. Raises OptionError at a layer that cannot be taken apart."""
        name = plain(func)
        if name == "batch_norm":
            return self._normalised(args, kwargs)
        if name not in LINEAR:
            output = super().run(func, args, kwargs)
            if name in {"requires_grad", "__set__"} and args[0].requires_grad and args[0].is_leaf:
                # The network takes gradients of what it is given, as for a reentrant checkpoint.
                self.starts.append(args[0])
            return output
        weight = self._names.get(id(argument(args, kwargs, 1, "weight")))
        if weight is None:
            return func(*args, **kwargs)
        grid = None if name == "linear" else _grid(name, args, kwargs)
        source: Tensor = argument(args, kwargs, 0, "input")
        if not source.requires_grad:
            source = source.detach().requires_grad_()
            self.starts.append(source)
        kwargs = {key: value for key, value in kwargs.items() if key != "input"}
        output = func(source, *args[1:], **kwargs)
        if output.grad_fn is None:
            # Gradients are turned off: the call has no say in any.
            return output
        bias = self._names.get(id(argument(args, kwargs, 2, "bias")))
        self.calls.append(Call(weight, bias, source.detach(), output.grad_fn, grid))
        return output

    def _normalised(self, args: Any, kwargs: Any) -> Tensor:
        """What `batch_norm` does, with each image's own statistics where it takes a batch's."""
        names = ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
        mean, variance, weight, bias, training, _, eps = (
            argument(args, kwargs, at, name) for at, name in enumerate(names, start=1)
        )
        source: Tensor = argument(args, kwargs, 0, "input")
        shape = source.shape[:2]
        own = bool(training or mean is None)
        if own:
            variance, mean = _statistics(source)
        rate = (variance + (1e-5 if eps is None else eps)).rsqrt().expand(shape)
        mean = mean.expand(shape)
        own = own and source[0, 0].numel() > 1
        scale, shift = (
            source.new_full(shape, constant)
            if leaf is None
            else leaf.detach().expand(shape).clone()
            for leaf, constant in ((weight, 1), (bias, 0))
        )
        if weight is not None:
            scale.requires_grad_()
            shift.requires_grad_()
            self.norms.append(
                Norm((self._names.get(id(weight)), self._names.get(id(bias))), (scale, shift))
            )
        normalised: Tensor = _Normalise.apply(source, mean, rate, scale, shift, own)  # type: ignore[no-untyped-call]
        return normalised


class _Normalise(torch.autograd.Function):
    """(source - mean) * rate * scale + shift, `n x c x ...`; all but the source are `n x c`.

    Where `own`, mean and rate are those of each image's channel, and move with it.
    """

    @staticmethod
    def forward(
        ctx: Any,
        source: Tensor,
        mean: Tensor,
        rate: Tensor,
        scale: Tensor,
        shift: Tensor,
        own: bool,
    ) -> Tensor:
        ctx.save_for_backward(source, mean, rate, scale)
        ctx.own = own
        slope = rate * scale
        at = (*slope.shape, *[1] * (source.dim() - 2))
        return torch.addcmul((shift - mean * slope).view(at), source, slope.view(at))

    @staticmethod
    def backward(ctx: Any, back: Tensor) -> tuple[Tensor | None, ...]:
        source, mean, rate, scale = ctx.saved_tensors
        at = (*rate.shape, *[1] * (source.dim() - 2))
        for_shift = back.flatten(2).sum(2) if back.dim() > 2 else back
        product = back * source
        for_scale = rate * (
            (product.flatten(2).sum(2) if back.dim() > 2 else product) - mean * for_shift
        )
        slope = rate * scale
        result = back * slope.view(at)
        if ctx.own:
            along = slope * rate * for_scale / source[0, 0].numel()
            level = along * mean - slope * for_shift / source[0, 0].numel()
            result.addcmul_(source, along.view(at), value=-1).add_(level.view(at))
        return result, None, None, for_scale, for_shift, None


def _statistics(source: Tensor) -> tuple[Tensor, Tensor]:
    """Variance and mean of each image's channels, `n x c`; at a single position of the batch's."""
    if source[0, 0].numel() > 1:
        return torch.var_mean(source.detach(), dim=list(range(2, source.dim())), correction=0)
    of_batch = torch.var_mean(source.detach().flatten(1), dim=0, correction=0)
    return of_batch[0], of_batch[1]


def _grid(name: str, args: Any, kwargs: Any) -> Grid:
    """How the kernel of a call moves. Raises OptionError where it is not over images."""
    padding = argument(args, kwargs, 4, "padding") or 0
    if name != "conv2d" or isinstance(padding, str):
        raise OptionError(
            "expected linear layers and two-dimensional convolutions padded by numbers, "
            f"got a {name} padded by {padding}"
        )
    weight = argument(args, kwargs, 1, "weight")
    return Grid(
        kernel=(weight.shape[2], weight.shape[3]),
        stride=_pair(argument(args, kwargs, 3, "stride") or 1),
        padding=_pair(padding),
        dilation=_pair(argument(args, kwargs, 5, "dilation") or 1),
        groups=argument(args, kwargs, 6, "groups") or 1,
    )


def _pair(value: Any) -> Pair:
    first, second = (value, value) if isinstance(value, int) else value
    return first, second
