"""What every pass is given: a module, the minibatches, and a seed; and how the module is called.

The module's own tensors are never written: for a call, parameters and buffers of the pass's own
choice take their places, by the module's tables and not by assignment, and then leave them. (Of a
module that stands in two places, `torch.func.functional_call` would leave them behind.)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, cast

import numpy as np
import torch
import torch.utils.checkpoint
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from bench.base import OptionError
from bench.proxies.computed import UndefinedError, UnrecognisedError
from bench.proxies.passes.recorder import OnCpu, tensors
from bench.proxies.passes.structure import Structure, structure_of

_FEW = 2
"""How many images tell whether a network is one function of them."""
_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


@dataclass(frozen=True, eq=False)
class Batch:
    """A minibatch: `images`, `n x c x h x w`, floating point; `labels`, `n`, int64."""

    images: Tensor
    labels: Tensor


class Network:
    """One network on its way through the passes."""

    def __init__(
        self,
        module: nn.Module,
        batches: Sequence[Batch],
        seed: int,
        *,
        stored: Sequence[Tensor] | None = None,
    ) -> None:
        self.module = module
        self.batches = batches
        self.seed = seed
        self._stored = tuple(module.parameters()) if stored is None else stored

    @property
    def parameter_count(self) -> int:
        """How many parameters there are, each once, as the module stores them."""
        return sum(tensor.numel() for tensor in self._stored)

    @property
    def batch(self) -> Batch:
        """The minibatch that all passes but those over several batches read."""
        return self.batches[0]

    @cached_property
    def structure(self) -> Structure:
        """What the network is made of. Raises what the module raises."""
        with seeded(self.seed, self.batch.images.device):
            return structure_of(self)

    @property
    def layers(self) -> tuple[str, ...]:
        """`layer_names`.

        Raises UnrecognisedError where they are not all that products use, UndefinedError where
        there is none.
        """
        self.structure.check_layers()
        if not self.layer_names:
            raise UndefinedError("the network has no convolution and no linear layer")
        return self.layer_names

    @cached_property
    def layer_names(self) -> tuple[str, ...]:
        """The names of the weights of convolutions and linear layers, as in modules() order.

        They are what the classic proxies sum over. A weight that several layers share counts once,
        by its first name, whatever module that is in.
        """
        first = {id(own): name for _, _, name, own in reversed(self._places)}
        found = [
            first[id(weight)]
            for module in self.module.modules()
            if isinstance(module, _LAYERS)
            and (weight := module._parameters.get("weight")) is not None
        ]
        return tuple(dict.fromkeys(found))

    @property
    def layer_fault(self) -> str | None:
        """Why the weight of a layer cannot be found, if one cannot."""
        for name, module in self.module.named_modules():
            if isinstance(module, _LAYERS) and module._parameters.get("weight") is None:
                return f"the weight of {name} is computed in a way that is not known"
        return None

    def key(self, name: str) -> str:
        """The name of a parameter by which its draws are keyed: without the names of wrappers."""
        return name[len(self._wrapped) :]

    @cached_property
    def _wrapped(self) -> str:
        """What all parameters' names begin with: the name of what is wrapped, and a dot."""
        paths = [name.split(".")[:-1] for name in self.parameters]
        common = []
        for parts in zip(*paths, strict=False):
            if len({*parts}) > 1:
                break
            common.append(f"{parts[0]}.")
        return "".join(common)

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
        for name in self.layer_names:
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
        mode: OnCpu | None = None,
    ) -> Tensor:
        """Run the module and return its logits, `n x k`.

        `mode` is entered around the call. The module may write to its images, which are copies.
        Attention is computed by plain products, which can be derived twice. Raises OptionError
        where the output holds no logits, UnrecognisedError where a part is scripted.
        """
        if self._scripted:
            raise UnrecognisedError("a scripted part hides what it calls")
        if self._unsteady is not None:
            raise UnrecognisedError(self._unsteady)
        held = {**parameters, **(self.buffers() if buffers is None else buffers)}
        return self._run(images, held, OnCpu() if mode is None else mode)

    def _run(self, images: Tensor, held: Mapping[str, Tensor], mode: OnCpu) -> Tensor:
        with (
            self.holding(held),
            without_checkpoints(),
            sdpa_kernel(SDPBackend.MATH),
            mode,
        ):
            output = self.module(images.clone())
        return logits_of(output, len(images))

    @cached_property
    def _unsteady(self) -> str | None:
        """Why the network is not one function of its images, if it is not.

        It is run twice on a few of them, with the same draws, buffers and attributes.
        """
        before = {name: tensor.clone() for name, tensor in self.parameters.items()}
        versions = {name: tensor._version for name, tensor in self.parameters.items()}
        outputs = []
        with suppress(Exception):  # it raises again, for the pass that asked
            outputs = [self._once(), self._once()]
        written = [
            name for name, tensor in self.parameters.items() if tensor._version != versions[name]
        ]
        if written:
            with torch.no_grad():
                for name in written:
                    self.parameters[name].copy_(before[name])
            return f"the network writes to its parameter {written[0]} when it runs"
        if not outputs:
            return None
        first, second = outputs
        # A GPU may add in another order each time.
        slack = 1e-3 if first.is_cuda else 0.0
        if torch.allclose(first, second, rtol=slack, atol=0.0, equal_nan=True):
            return None
        return (
            "the network gives another output each time it runs: it draws from a generator of its "
            "own, or remembers"
        )

    def _once(self) -> Tensor:
        images = self.batch.images
        with seeded(self.seed, images.device), torch.no_grad():
            try:
                return self._run(images[:_FEW], {**self.parameters, **self.buffers()}, OnCpu())
            except Exception:  # noqa: BLE001 - some take only as many as they were made for
                reseed(self.seed)
                return self._run(images, {**self.parameters, **self.buffers()}, OnCpu())

    @cached_property
    def _scripted(self) -> bool:
        return any(isinstance(part, torch.jit.ScriptModule) for part in self.module.modules())

    @contextmanager
    def holding(self, held: Mapping[str, Tensor]) -> Iterator[None]:
        """Put tensors into their places in the module, and then back what was there.

        What the module keeps besides, as attributes, is put back too: no run sees another's.
        A pass that goes backward through a module which runs again meanwhile (a checkpoint) holds
        what it ran forward with.
        """
        were = [table[key] for table, key, _, _ in self._places]
        kept = [(part, vars(part).copy()) for part in self._parts]
        for table, key, name, _ in self._places:
            table[key] = held.get(name, table[key])
        try:
            yield
        finally:
            for part, attributes in kept:
                vars(part).clear()
                vars(part).update(attributes)
            for (table, key, _, _), tensor in zip(self._places, were, strict=True):
                table[key] = tensor

    @cached_property
    def _parts(self) -> list[nn.Module]:
        """The parts whose attributes are Python's own."""
        parts = self.module.modules()
        return [part for part in parts if not isinstance(part, torch.jit.ScriptModule)]

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


def logits_of(output: Any, n: int) -> Tensor:
    """Find the logits, `n x k`, in what a module returned.

    A tensor is taken as it is; of a mapping or an object, what it calls `logits`; of several
    tensors, the only one that holds a row an image. Raises OptionError where there is none, or
    where several might be the logits.
    """
    logits: Tensor = output if isinstance(output, Tensor) else _chosen(output, n)
    if logits.dim() > 2 and len(logits) == n and logits[0, 0].numel() == 1:
        logits = logits.flatten(1)
    if logits.dim() != 2 or len(logits) != n or not logits.is_floating_point():
        raise OptionError(
            f"expected the network to return logits of shape {n} x classes, "
            f"got {tuple(logits.shape)} of {logits.dtype}"
        )
    return logits


def _chosen(output: Any, n: int) -> Tensor:
    """One tensor of a structured output."""
    logits = output.get("logits") if isinstance(output, Mapping) else None
    logits = getattr(output, "logits", None) if logits is None else logits
    if isinstance(logits, Tensor):
        return logits
    # A loss or a flag is no row an image.
    found = [part for part in _parts(output) if part.dim() > 1]
    if len(found) == 1:
        return found[0]
    if found:
        shapes = ", ".join(str(tuple(part.shape)) for part in found)
        raise OptionError(
            f"expected the network to return its logits alone, or by the name logits, got "
            f"{len(found)} tensors that may be the logits: {shapes}"
        )
    raise OptionError(
        f"expected the network to return logits of shape {n} x classes, got {type(output).__name__}"
    )


def _parts(output: Any) -> list[Tensor]:
    """The tensors in an output, in mappings and sequences too, or of an object."""
    if isinstance(output, Mapping | list | tuple) or not hasattr(output, "__dict__"):
        return list(tensors(output))
    return [part for part in vars(output).values() if isinstance(part, Tensor)]


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed every global generator that a module may draw from, and then put them back.

    They are those of torch, Python and numpy.
    """
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        reseed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)  # noqa: NPY002


@contextmanager
def full_precision() -> Iterator[None]:
    """Have a GPU multiply float32 with all digits, and then as before.

    By default, cuDNN rounds what convolutions multiply to TF32, to ten bits: scores would differ
    from a CPU's in the third digit. Nothing changes on a CPU.
    """
    cudnn: Any = torch.backends.cudnn
    matmul: Any = torch.backends.cuda.matmul
    before = cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision, matmul.fp32_precision
    try:
        # By the older of two settings, too: a module that reads it finds them at one.
        cudnn.allow_tf32 = False
        cudnn.conv.fp32_precision = cudnn.rnn.fp32_precision = "ieee"
        matmul.fp32_precision = "ieee"
        yield
    finally:
        cudnn.allow_tf32 = before[0] == "tf32"
        cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision, matmul.fp32_precision = before


@contextmanager
def without_checkpoints() -> Iterator[None]:
    """Keep what checkpoints would compute again while going backward: the values are the same.

    What is computed again would run without the pass's mode and with the module's own tensors. A
    torch that names its parts otherwise computes again.
    """
    table = vars(torch.utils.checkpoint)
    kept = {
        name: (table[name], stand_in)
        for name, stand_in in (
            ("CheckpointFunction", _Kept),
            ("_checkpoint_without_reentrant_generator", _keep),
        )
        if name in table
    }
    table.update({name: stand_in for name, (_, stand_in) in kept.items()})
    try:
        yield
    finally:
        table.update({name: own for name, (own, _) in kept.items()})


class _Kept:
    """In place of the function by which a reentrant checkpoint computes again."""

    @staticmethod
    def apply(function: Callable[..., Any], _preserve: bool, *args: Any) -> Any:
        return function(*args)


def _keep(*_: Any, **__: Any) -> Iterator[None]:
    """In place of what surrounds the forward pass of a checkpoint that is not reentrant."""
    yield


def reseed(seed: int) -> None:
    """Seed the global generators of torch, Python and numpy; `seeded` puts them back."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002


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
