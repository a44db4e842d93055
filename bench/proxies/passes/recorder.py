"""What is recorded while a network runs forward: layers, patterns of ReLUs, features, operations.

A `TorchFunctionMode` sees every function that the module calls, so functional networks are seen
as well as those made of modules, and no hook is left on anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node
from torch.overrides import TorchFunctionMode

from bench.kernels.batch_norm import batch_norm
from bench.kernels.box_average import box_average
from bench.proxies.computed import UnrecognisedError

LINEAR = frozenset({"conv1d", "conv2d", "conv3d", "linear"})
RECTIFIERS = frozenset({"relu", "relu6", "leaky_relu", "hardtanh", "prelu", "rrelu"})
COSTLY = LINEAR | {
    *("batch_norm", "relu", "max_pool1d", "max_pool2d", "max_pool3d"),
    *("avg_pool1d", "avg_pool2d", "avg_pool3d"),
    *("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"),
}
"""Functions whose cost has a formula of its own: see `cost`."""
_POOLS = frozenset({"adaptive_avg_pool2d", "avg_pool2d", "mean"})


@dataclass(eq=False)
class Output:
    """What one call of a layer gave, as it was then, and its place in the graph."""

    layer: str
    value: Tensor
    node: Node | None
    function: str
    """`linear`, whose channels stand last, or `conv2d` and its like."""


@lru_cache(maxsize=1024)
def plain(function: Any) -> str:
    """A torch function's name, without the underscore of its in-place or its private form."""
    name: str = getattr(function, "__name__", "")
    return name if name.startswith("__") or name.endswith("__") else name.strip("_")


def argument(args: Sequence[Any], kwargs: Mapping[str, Any], at: int, name: str) -> Any:
    """An argument given by position or by name, or None."""
    return args[at] if len(args) > at else kwargs.get(name)


def tensors(tree: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested tuples, lists and mappings, in order."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, Mapping):
        for part in tree.values():
            yield from tensors(part)
    elif isinstance(tree, list | tuple):
        for part in tree:
            yield from tensors(part)


class OnCpu(TorchFunctionMode):
    """On a CPU, what torch does slowly or inexactly goes by another way.

    Those are overlapping average pools, and norms where channels lie last.

    The other modes are this one too, so that a call goes through one mode and not through two;
    they say in `run` what becomes of a call.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """See `torch.overrides`."""
        return self.run(func, args, kwargs or {})

    def run(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Call a function, or what is faster or more exact."""
        other = _OTHER_WAYS.get(plain(func))
        if other is not None:
            output = other(func, args, kwargs)
            if output is not None:
                return output
        return func(*args, **kwargs)


def _average(_: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
    """An overlapping average pool."""
    images = argument(args, kwargs, 0, "input")
    found = _overlapping(args, kwargs)
    if found is None or images.dtype != torch.float32 or images.is_cuda:
        return None
    return box_average(images, *found[:3], count_padding=found[3])


def _batch_norm(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
    """A batch norm over the batch's statistics, which moves the recorded ones."""
    if func is torch.batch_norm:  # its arguments stand in another order, and few call it
        return None
    names = ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
    recorded_mean, recorded_variance, weight, bias, training, momentum, eps = (
        argument(args, kwargs, at, name) for at, name in enumerate(names, start=1)
    )
    images: Tensor = argument(args, kwargs, 0, "input")
    values = images.numel() // images.shape[1]
    if not training or values < 2 or not _is_summed_badly(images):
        return None
    normed, mean, variance = batch_norm(images, weight, bias, 1e-5 if eps is None else eps)
    if recorded_mean is not None:
        momentum = 0.1 if momentum is None else momentum
        recorded_mean.lerp_(mean.to(recorded_mean), momentum)
        sample = variance.to(recorded_variance) * (values / (values - 1))
        recorded_variance.lerp_(sample, momentum)
    return normed


def _group_norm(
    func: Callable[..., Tensor], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Tensor | None:
    """A group norm, by the way that is exact: channels first."""
    images = argument(args, kwargs, 0, "input")
    if not _is_summed_badly(images):
        return None
    rest = {key: value for key, value in kwargs.items() if key != "input"}
    output = func(images.contiguous(), *args[1:], **rest)
    return output.contiguous(memory_format=torch.channels_last)


def _is_summed_badly(images: Tensor) -> bool:
    """Whether torch adds up a channel's values one after another: on a CPU, channels last."""
    return (
        not images.is_cuda
        and images.dtype in {torch.float32, torch.float64}
        and images.dim() == 4
        and images.is_contiguous(memory_format=torch.channels_last)
        and not images.is_contiguous()
    )


_OTHER_WAYS = {"avg_pool2d": _average, "batch_norm": _batch_norm, "group_norm": _group_norm}


def _overlapping(
    args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[int, int, int, bool] | None:
    """Kernel, stride, padding and whether padding counts, if windows are square and overlap."""
    names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
    kernel, stride, padding, ceil, count, divisor = (
        argument(args, kwargs, at, name)
        for at, name in enumerate((*names, "divisor_override"), start=1)
    )
    padding = 0 if padding is None else padding
    stride = kernel if stride is None else stride
    plain_ints = all(isinstance(value, int) for value in (kernel, stride, padding))
    if not plain_ints or ceil or divisor or stride >= kernel or 2 * padding > kernel:
        return None
    return kernel, stride, padding, count is not False


class Bypass(OnCpu):
    """Batch norms pass their input on; what they recorded or learnt has no say."""

    def run(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Call a function, unless it is a batch norm."""
        if plain(func) == "batch_norm":
            return argument(args, kwargs, 0, "input")
        return super().run(func, args, kwargs)


class Recorder(OnCpu):
    """Record one forward pass.

    `names` maps the identity of a weight to the name of its layer; `on_rectifier` is called with
    what goes into each ReLU, images first: `rows` says along which dimension they stand in the
    first, second, ... ReLU's input (see `structure.Structure.rectifier_rows`). Without `rows`,
    they stand first in all of them. Raises UnrecognisedError where there are more than `rows`.
    """

    def __init__(
        self,
        names: Mapping[int, str],
        *,
        on_rectifier: Callable[[Tensor], None] | None = None,
        rows: Sequence[int | None] | None = None,
    ) -> None:
        super().__init__()
        self._names = names
        self._on_rectifier = on_rectifier
        self._rows = rows
        self._rectifiers = 0
        self.outputs: list[Output] = []
        """Of every call of a convolution or linear layer."""
        self._at: dict[int, list[Output]] = {}
        self.features: Tensor | None = None
        """The input of the last global pooling, `n x c x h x w`."""
        self.operations = 0
        """Of all images, in tensorwatch's convention: see `cost`."""

    def run(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Call a function, and record it."""
        name = plain(func)
        if self._on_rectifier is not None and is_rectifier(name, args, kwargs):
            self._rectified(argument(args, kwargs, 0, "input"))
        elif is_global_pool(name, args, kwargs):
            self.features = argument(args, kwargs, 0, "input")
        if writes(func, args, kwargs):
            self._keep(argument(args, kwargs, 0, "input"))
        output = super().run(func, args, kwargs)
        if name in COSTLY:
            self.operations += cost(name, args, kwargs, output)
        if name in LINEAR:
            weight = argument(args, kwargs, 1, "weight")
            if id(weight) in self._names:
                found = Output(self._names[id(weight)], output, output.grad_fn, name)
                self.outputs.append(found)
                self._at.setdefault(_place(output), []).append(found)
        return output

    def _keep(self, written: Any) -> None:
        """Before a layer's output is overwritten in place, or a view of it, keep what it was."""
        if isinstance(written, Tensor):
            for output in self._at.pop(_place(written), ()):
                output.value = output.value.detach().clone()

    def _rectified(self, source: Tensor) -> None:
        """Hand on what goes into a ReLU, images first, if it depends on them."""
        assert self._on_rectifier is not None
        dimension: int | None = 0
        if self._rows is not None:
            if self._rectifiers == len(self._rows):
                raise UnrecognisedError("the network calls other ReLUs each time it is run")
            dimension = self._rows[self._rectifiers]
        self._rectifiers += 1
        if dimension is None or dimension < 0:
            return
        self._on_rectifier(source.movedim(dimension, 0) if dimension else source)


def is_rectifier(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a call of a function, by its plain name, is a ReLU, with whatever slope or cap."""
    if name in {"clamp", "clamp_min", "clip"}:
        low = argument(args, kwargs, 1, "min")
        high = argument(args, kwargs, 2, "max") if name != "clamp_min" else None
        return isinstance(low, int | float) and low == 0 and high is None
    if name == "threshold":
        return all(
            argument(args, kwargs, at, key) == 0 for at, key in ((1, "threshold"), (2, "value"))
        )
    return name in RECTIFIERS


def is_global_pool(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a call averages `n x c x h x w` over all positions."""
    source = argument(args, kwargs, 0, "input")
    if name not in _POOLS or not isinstance(source, Tensor) or source.dim() != 4:
        return False
    over = argument(args, kwargs, 1, {"mean": "dim"}.get(name, "output_size"))
    if name == "mean":
        dims = {over % 4} if isinstance(over, int) else {dim % 4 for dim in over or ()}
        return dims == {2, 3}
    if name == "adaptive_avg_pool2d":
        return over in (1, (1, 1), [1, 1])
    kernel = kwargs.get("kernel_size", over)
    sides = (kernel, kernel) if isinstance(kernel, int) else tuple(kernel)
    return sides == tuple(source.shape[2:])


def cost(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], output: Tensor) -> int:
    """What a call costs, as tensorwatch counts it for NAS-Bench-Suite-Zero.

    A multiply-accumulate counts once, biases nothing. A batch norm costs one an entry, two with a
    scale; a plain ReLU one; an average or maximum pool its window an entry; an average to a given
    size a position more a side. Other norms, activations and poolings cost nothing.
    """
    if name in LINEAR:
        weight: Tensor = argument(args, kwargs, 1, "weight")
        return output.numel() * weight[0].numel()
    if name == "batch_norm":
        return output.numel() * (1 if argument(args, kwargs, 3, "weight") is None else 2)
    if name == "relu":
        return output.numel()
    source: Tensor = argument(args, kwargs, 0, "input")
    if name.startswith("adaptive_avg_pool"):
        sides = zip(source.shape[2:], output.shape[2:], strict=True)
        return output.numel() * prod(inner // outer + 1 for inner, outer in sides)
    kernel = argument(args, kwargs, 1, "kernel_size")
    window = (kernel,) * (source.dim() - 2) if isinstance(kernel, int) else tuple(kernel)
    return output.numel() * prod(window)


def writes(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a function may write to its first argument."""
    name: str = getattr(func, "__name__", "")
    if name.endswith("_") and not name.startswith("__"):
        return True
    if name.startswith("__i") or name == "__setitem__":
        return True
    return kwargs.get("inplace") is True or (bool(args) and args[-1] is True)


def _place(tensor: Tensor) -> int:
    """Where a tensor's values lie; views of one tensor lie in one place."""
    return tensor.untyped_storage().data_ptr()


def rectified(source: Tensor) -> Tensor:
    """An input of a ReLU as `n x d`, in whatever order its values lie, without a copy if it can.

    What is summed or counted over the `d` values does not ask for their order.
    """
    if source.dim() == 4 and source.is_contiguous(memory_format=torch.channels_last):
        source = source.permute(0, 2, 3, 1)
    return source.detach().reshape(len(source), -1)
