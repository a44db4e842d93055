"""The reference's proxies of features, of constant weights, and of costs: see `reference.py`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from fuzz import reference
from fuzz.reference import (
    BATCH_NORMS,
    CONVOLUTIONS,
    LAYERS,
    OTHER_NORMS,
    SEED,
    Judge,
    Unknown,
    run,
)
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from bench.draws import keyed

# Gaussian weights.


def gaussian(judge: Judge, deviation: Callable[[Tensor], float] = lambda _: 1.0) -> nn.Module:
    """The network with weights of layers from N(0, 1) by name, their biases 0, norms 1 and 0.

    The name is without what all names begin with, which is a wrapper's.
    """
    module = judge.fresh()
    table = dict(module.named_parameters())
    paths = [name.split(".")[:-1] for name in table]
    common = 0
    while paths and all(len(path) > common and path[common] == paths[0][common] for path in paths):
        common += 1
    with torch.no_grad():
        for name in judge.names:
            shape = tuple(table[name].shape)
            key = ".".join(name.split(".")[common:])
            values = keyed(SEED, "gaussian", key, *shape).standard_normal(shape, dtype=np.float32)
            table[name].copy_(judge.moved(torch.from_numpy(values)) * deviation(table[name]))
        for part in module.modules():
            if isinstance(part, BATCH_NORMS) and part.affine:
                nn.init.ones_(part.weight)
                nn.init.zeros_(part.bias)
            elif isinstance(part, LAYERS) and part.bias is not None:
                nn.init.zeros_(part.bias)
    return module


def _gaussian_images(
    judge: Judge, rng: np.random.Generator, shape: tuple[int, ...]
) -> torch.Tensor:
    return judge.moved(torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)))


class _Pools(TorchFunctionMode):
    """The inputs of global average poolings, and the variances of what batch norms are given.

    The output of one pooling may be held fixed.
    """

    def __init__(self, fixed: int | None = None) -> None:
        super().__init__()
        self.fixed = fixed
        self.sources: list[Tensor] = []
        self.variances: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        source = args[0] if args else kwargs.get("input")
        if not isinstance(source, Tensor) or source.dim() != 4 or not isinstance(output, Tensor):
            return output
        if name == "batch_norm":
            training = kwargs.get("training", args[5] if len(args) > 5 else False)
            if not training and args[1] is not None:
                self.variances.append(source.new_full((), math.nan))  # Recorded statistics.
            self.variances.append(source.detach().var((0, 2, 3)))
        pooled = name in ("adaptive_avg_pool2d", "avg_pool2d") and output.shape[2:] == (1, 1)
        if name == "mean":
            dims = args[1] if len(args) > 1 else kwargs.get("dim")
            pooled = isinstance(dims, list | tuple) and {d % 4 for d in dims} == {2, 3}
        if pooled:
            self.sources.append(source.detach().clone())
            if self.fixed == len(self.sources) - 1:
                return output.detach()
        return output


def head_pool(judge: Judge) -> int:
    """Which global average pooling is the last; all ways from images to logits go through it."""
    with _Pools() as pools:
        run(judge.fresh(), judge.images)
    last = len(pools.sources) - 1
    images = judge.images.clone().requires_grad_()
    with _Pools(last):
        logits = run(judge.fresh(), images)
    if last < 0 or (logits.requires_grad and torch.autograd.grad(
        logits.sum(), images, allow_unused=True, materialize_grads=True
    )[0].any()):  # fmt: skip
        raise Unknown("no global average pooling that all goes through")
    return last


def zen(judge: Judge) -> float:
    """log E|f(x) - f(x')| plus the logs of the deviations that batch norms of maps take away.

    A norm's variance is what one of momentum 0.1 would have recorded, from 1, in both forwards.
    """
    index = head_pool(judge)
    module = gaussian(judge)
    if any(isinstance(part, OTHER_NORMS) for part in module.modules()):
        raise Unknown("another norm than a batch norm")
    shape = tuple(judge.images.shape)
    rng = keyed(SEED, "zen", *shape)
    x, move = (_gaussian_images(judge, rng, shape) for _ in range(2))
    features, variances = [], []
    state = {name: buffer.clone() for name, buffer in module.named_buffers()}
    for images in (x, x + 0.01 * move):
        for name, value in state.items():
            owner, _, key = name.rpartition(".")
            module.get_submodule(owner)._buffers[key] = value.clone()
        with torch.no_grad(), _Pools() as pools:
            run(module, images)
        features.append(pools.sources[index])
        variances.append(pools.variances)
    moved = (features[0] - features[1]).abs().flatten(1).sum(1).mean().item()
    if moved == 0:
        raise Unknown("features do not move")
    recorded = [0.81 + 0.09 * a + 0.1 * b for a, b in zip(*variances, strict=True)]
    return math.log(moved) + sum(0.5 * math.log(v.mean().item()) for v in recorded)


# Blocks.


def blocks(module: nn.Module) -> list[nn.Module]:
    """What stands at the top, less the head: parts of their own making, convolutions, and chains.

    A chain of parts that have parts is taken apart; one of plain parts is a block if it holds a
    convolution. Of a wrapper, those within.
    """

    def within(outer: nn.Module) -> Iterator[nn.Module]:
        for child in outer.children():
            inner = list(child.children())
            chain = isinstance(child, nn.Sequential | nn.ModuleList)
            if chain and any(list(part.children()) for part in inner):
                yield from within(child)
            elif chain:
                if any(isinstance(part, CONVOLUTIONS) for part in inner):
                    yield child
            elif isinstance(child, CONVOLUTIONS) or not type(child).__module__.startswith(
                "torch.nn."
            ):
                yield child

    found = list(within(module))
    while len(found) == 1 and list(found[0].children()):
        found = list(within(found[0]))
    return found


def _block_outputs(judge: Judge) -> list[Tensor]:
    module = gaussian(judge, lambda w: math.sqrt(2 / w[0].numel()))
    outputs: list[Tensor] = []

    def keep(_: nn.Module, __: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 4:
            outputs.append(output)

    for block in blocks(module):
        block.register_forward_hook(keep)
    shape = tuple(judge.images[:32].shape)
    rng = keyed(SEED, "block-features", *shape)
    run(module, _gaussian_images(judge, rng, shape).requires_grad_())
    if len(outputs) < 2:
        raise Unknown("less than two blocks")
    return outputs


def _rows(features: Tensor) -> np.ndarray:
    return features.detach().permute(0, 2, 3, 1).reshape(-1, features.shape[1]).numpy()


def _entropies(judge: Judge) -> np.ndarray:
    found = []
    for output in _block_outputs(judge):
        v = np.linalg.eigvalsh(np.cov(_rows(output).T, bias=True).reshape(output.shape[1], -1))
        if not v[-1] > 0:
            raise Unknown("constant features")
        shares = v.clip(0) / v.sum()
        found.append(-(shares * np.log(shares + 1e-8)).sum())
    return np.array(found)


def az_expressivity(judge: Judge) -> float:
    """Sum over blocks of the entropy of the features' principal components."""
    return float(_entropies(judge).sum())


def az_progressivity(judge: Judge) -> float:
    """The least growth of that from block to block."""
    return float(np.diff(_entropies(judge)).min())


def az_trainability(judge: Judge) -> float:
    """The mean over blocks of 2 - s - 1/s, s the spectral norm of a block's mean Jacobian."""
    outputs = _block_outputs(judge)
    scores = []
    for index, (source, target) in enumerate(pairwise(outputs)):
        octets = keyed(SEED, "signs", index, *target.shape).bytes(-(-target.numel() // 8))
        bits = np.unpackbits(np.frombuffer(octets, dtype=np.uint8), count=target.numel())
        noise = torch.from_numpy(bits.reshape(tuple(target.shape))).double() * 2 - 1
        back = torch.zeros_like(source)
        if target.requires_grad and source.requires_grad:
            (back,) = torch.autograd.grad(
                target, source, noise, retain_graph=True, allow_unused=True, materialize_grads=True
            )
        if back.shape == noise.shape and (back == noise).all():
            raise Unknown("a block hands gradients on")
        if back.shape[2:] != noise.shape[2:]:
            ratio = back.shape[2] // noise.shape[2]
            if tuple(side * ratio for side in noise.shape[2:]) != tuple(back.shape[2:]):
                raise Unknown("positions do not divide")
            back = functional.pixel_unshuffle(back, ratio)
        rows = _rows(noise)
        s = np.linalg.svd(_rows(back).T @ rows / len(rows), compute_uv=False)[0]
        scores.append(2 - s - 1 / (s + 1e-6))
    return float(np.mean(scores))


# Constants.


def _constant(judge: Judge, constant: float, *, handing_on: bool = False) -> Tensor:
    """The first logit with all weights at a constant, and biases 0."""
    module = judge.fresh()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            kind = name.rpartition(".")[2]
            if kind not in ("weight", "bias"):
                raise Unknown(f"{name} is neither a weight nor a bias")
            parameter.fill_(constant if kind == "weight" else 0)
        with _HandingOn() if handing_on else ExitStack():
            logits = run(module, judge.images)
    if (logits - logits[:, :1]).abs().max() > 1e-3 * logits.abs().max():
        raise Unknown("classes differ")
    return logits[:, 0]


class _HandingOn(TorchFunctionMode):
    """Convolutions that keep the shape give their input, and a batch norm on that only centres."""

    def __init__(self) -> None:
        super().__init__()
        self.handed: Tensor | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        source = args[0] if args else kwargs.get("input")
        if name == "batch_norm" and source is self.handed:
            return source - source.mean((0, 2, 3), keepdim=True)
        output = func(*args, **kwargs)
        if name == "conv2d" and output.shape == source.shape:
            output = self.handed = source.clone()
        return output


def _flat(row: Tensor) -> bool:
    return bool(row.isfinite().all()) and bool(row.min() == row.max())


def _difference(low: Tensor, high: Tensor) -> float:
    rows = []
    for row in (low.numpy(), high.numpy()):
        if not np.isfinite(row).all() or row.min() == row.max():
            raise Unknown("constant or infinite outputs")
        p = (row - row.min()) / (row.max() - row.min())
        rows.append(np.where(p == 0, np.nan, p))
    distance = np.abs(rows[0] - rows[1])
    if np.isnan(distance).all():
        raise Unknown("no image left")
    return float(np.nanmean(distance) / np.nanmean(np.stack(rows)))


def epsilon(judge: Judge) -> float:
    """The difference of min-max normalised outputs with all weights 1e-7 and 1, biases 0."""
    return _difference(_constant(judge, 1e-7), _constant(judge, 1.0))


def epsilon_defined(judge: Judge) -> float:
    """epsilon; where the low output is constant in float32, convolutions of one shape hand on."""
    low, high = (_constant(judge, constant) for constant in (1e-7, 1.0))
    if _flat(low.float()):
        low = _constant(judge, 1e-7, handing_on=True)
    return 0.0 if _flat(low) or _flat(high) else _difference(low, high)


# Channels.


def meco(judge: Judge) -> float:
    """Sum over modules' outputs of the least eigenvalue of the channels' correlation.

    On one Gaussian image of 64 x 64. What a container hands on from within is not counted again.
    Unknown where outputs may be tokens, whose channels stand last.
    """
    channels = judge.images.shape[1]
    image = _gaussian_images(
        judge, keyed(SEED, "noise-features", channels, 64), (1, channels, 64, 64)
    )
    module = judge.fresh()
    last = (nn.Linear, nn.LayerNorm, nn.RMSNorm, nn.MultiheadAttention, nn.RNNBase, nn.Embedding)
    known: list[Tensor] = []
    least: list[float] = []

    def note(part: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        outputs = output[0] if isinstance(output, tuple) else output
        if isinstance(part, last) and outputs.dim() > 2 and not (
            isinstance(part, nn.LayerNorm) and len(part.normalized_shape) > 1
        ):  # fmt: skip
            raise Unknown("tokens: positions and channels")
        if not isinstance(output, Tensor) or output.dim() < 3 or output.is_complex():
            return
        if any(output is each for each in known) and list(part.children()):
            return
        known.append(output)
        rows = output[0].flatten(1).detach().numpy()
        rows = rows - rows.mean(1, keepdims=True)
        covariance = rows @ rows.T
        scale = np.sqrt(np.diag(covariance))
        with np.errstate(all="ignore"):
            r = covariance / scale / scale[:, None]
        r = np.nan_to_num(r, nan=0, posinf=0, neginf=0).clip(-1, 1)
        least.append(float(np.linalg.eigvalsh(r)[0]))

    for part in module.modules():
        part.register_forward_hook(note)
    with torch.no_grad():
        run(module, image)
    if not least:
        raise Unknown("no features")
    return sum(least)


# Costs.

_UNCOUNTED = re.compile(
    r"fft|trilinear|cdist|linalg_(?!vector_norm)|grid|linear2d|lstm|gru|rnn|dot|mv"
)
"""Operations that make products which torch's counter has no formula for."""


class _Products(TorchDispatchMode):
    """Multiply-accumulates by torch's own formulas."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        packet = func.overloadpacket
        if packet in flop_registry:
            self.total += flop_registry[packet](*args, **(kwargs or {}), out_val=output) / 2
        elif _UNCOUNTED.search(packet.__name__):
            raise Unknown(f"the cost of {packet.__name__}")
        return output


class _Others(TorchFunctionMode):
    """What tensorwatch adds: batch norms, ReLUs, average and maximum pools."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        name = getattr(func, "__name__", "").strip("_")
        source = args[0] if args else kwargs.get("input")
        if name == "batch_norm":
            scale = kwargs.get("weight", args[3] if len(args) > 3 else None)
            self.total += output.numel() * (1 if scale is None else 2)
        elif name == "relu":
            self.total += output.numel()
        elif name.startswith("adaptive_avg_pool"):
            sides = zip(source.shape[2:], output.shape[2:], strict=True)
            self.total += output.numel() * math.prod(a // b + 1 for a, b in sides)
        elif re.fullmatch("(avg|max)_pool[123]d|boolean_dispatch", name):
            kernel = args[1] if len(args) > 1 else kwargs["kernel_size"]
            sides = [kernel] * (source.dim() - 2) if isinstance(kernel, int) else kernel
            self.total += output.numel() * math.prod(sides)
        return output


def flops(judge: Judge) -> float:
    """Millions of multiply-accumulates of one image, and what norms, ReLUs and pools add."""
    n, totals = len(judge.images), []
    for images in (judge.images, judge.images[1:]):
        module = judge.fresh()
        try:
            with torch.no_grad(), _Products() as products, _Others() as others:
                run(module, images)
        except RuntimeError:
            # The network takes so many images and no less.
            return totals[0] / n / 1e6
        totals.append(products.total + others.total)
    # What does not grow with the images, such as weights that are computed, counts whole.
    return (totals[0] - (n - 1) * (totals[0] - totals[1])) / 1e6


PROXIES: Mapping[str, Callable[[Judge], float]] = {
    **reference.PROXIES,
    **{
        function.__name__: function
        for function in (
            flops, zen, az_expressivity, az_progressivity, az_trainability, epsilon,
            epsilon_defined, meco,
        )
    },
}  # fmt: skip
