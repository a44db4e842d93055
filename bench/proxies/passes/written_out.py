"""Weights that a module computes before every call, written out: the equal network, plainly.

Pruning, `weight_norm`, `spectral_norm` and every other parametrization keep a layer's weight as
other tensors, and compute it when the layer is called. What proxies sum over is the weight that the
layer uses, so each such weight is computed once, as a call in training mode would, and stands as
an ordinary parameter until the scores are done. Then everything is as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

_HOOKS = (BasePruningMethod, SpectralNorm, WeightNorm)
_TABLES = ("_parameters", "_buffers", "_modules", "_forward_pre_hooks")


@contextmanager
def written_out(module: nn.Module) -> Iterator[None]:
    """Put a module's computed weights in place of what they are computed from, and then back."""
    with ExitStack() as stack:
        for part in list(module.modules()):
            if _is_parametrized(part):
                stack.enter_context(_unchanged(part))
                _write_parametrized(part)
            elif any(isinstance(hook, _HOOKS) for hook in part._forward_pre_hooks.values()):
                stack.enter_context(_unchanged(part))
                _write_hooked(part)
        yield


def _is_parametrized(part: nn.Module) -> bool:
    # A scripted module looks up names in its own way.
    return not isinstance(part, torch.jit.ScriptModule) and parametrize.is_parametrized(part)


@contextmanager
def _unchanged(part: nn.Module) -> Iterator[None]:
    """Put the tables, the class and the attributes of a part back as they were."""
    kind = part.__class__
    attributes = dict(part.__dict__)
    tables = {name: dict(getattr(part, name)) for name in _TABLES}
    # What computing a weight writes to, such as the vectors of a spectral norm, is a copy.
    inner = [
        (each, dict(each._buffers))
        for each in part.modules()
        if any(buffer is not None for buffer in each._buffers.values())
    ]
    for each, buffers in inner:
        for key, buffer in buffers.items():
            if buffer is not None:
                each._buffers[key] = buffer.clone()
    try:
        yield
    finally:
        part.__class__ = kind
        part.__dict__.clear()
        part.__dict__.update(attributes)
        for name, table in tables.items():
            getattr(part, name).clear()
            getattr(part, name).update(table)
        for each, buffers in inner:
            each._buffers.update(buffers)


def _write_parametrized(part: nn.Module) -> None:
    names = list(part.parametrizations)  # type: ignore[arg-type]
    with torch.no_grad():
        values = {name: getattr(part, name).detach().clone() for name in names}
    # `register_parametrization` gives the part a class of its own, derived from the one it had.
    part.__class__ = type(part).__bases__[0]
    del part._modules["parametrizations"]
    for name, value in values.items():
        part._parameters[name] = nn.Parameter(value)


def _write_hooked(part: nn.Module) -> None:
    """Run the hooks that compute weights, and no other, once; and take them away."""
    for key, hook in list(part._forward_pre_hooks.items()):
        if not isinstance(hook, _HOOKS):
            continue
        name: str = hook._tensor_name if isinstance(hook, BasePruningMethod) else hook.name
        with torch.no_grad():
            hook(part, None)
        value: Any = getattr(part, name)
        del part._forward_pre_hooks[key]
        for stored in (f"{name}_orig", f"{name}_g", f"{name}_v"):
            part._parameters.pop(stored, None)
        part.__dict__.pop(name, None)
        if isinstance(value, Tensor):
            part._parameters[name] = nn.Parameter(value.detach().clone())
