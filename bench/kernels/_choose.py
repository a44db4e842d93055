"""Which implementation of a kernel runs, and how Triton is reached only when it is needed.

Triton is optional, so no kernel's file imports it. A Triton kernel stands there as a plain
function that names `tl`; `launch` imports Triton, gives that name its meaning, and compiles.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal, TypeAlias

import torch

Implementation: TypeAlias = Literal["torch", "triton"]
Kernel: TypeAlias = Callable[..., None]


def use_triton(x: torch.Tensor, implementation: Implementation | None) -> bool:
    """Whether a kernel called with `x` runs in Triton.

    Unless told, it does where `x` lies on a CUDA device and Triton is installed. ValueError where
    what is asked for does not exist or cannot run.
    """
    if implementation is None:
        return x.is_cuda and _installed()
    if implementation == "torch":
        return False
    if implementation != "triton":
        raise ValueError(
            f"implementation must be 'torch', 'triton' or None, got {implementation!r}"
        )
    if not _installed():
        raise ValueError("implementation='triton' needs the package triton, got none installed")
    if not (x.is_cuda or os.environ.get("TRITON_INTERPRET") == "1"):
        raise ValueError(
            "implementation='triton' needs a tensor on a CUDA device, or TRITON_INTERPRET=1 set "
            f"before triton is imported, got a tensor on {x.device}"
        )
    return True


def launch(kernel: Kernel, grid: tuple[int, ...], *arguments: Any, **constants: Any) -> None:
    """Run a Triton kernel on the device of its first argument, a tensor.

    `constants` holds its `tl.constexpr` parameters, and Triton's own options such as `num_warps`.
    """
    device = arguments[0].device
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        _compiled(kernel)[grid](*arguments, **constants)


def parts(length: int, size: int) -> int:
    """How many parts of at most `size` a length has: their ratio, rounded up."""
    return -(-length // size)


def power_of_two(length: int, least: int = 1) -> int:
    """The smallest power of two that is at least `length` and `least`."""
    return 1 << (max(length, least) - 1).bit_length()


@cache
def _installed() -> bool:
    return find_spec("triton") is not None


@cache
def _compiled(kernel: Kernel) -> Any:
    import triton
    import triton.language

    # Triton looks a kernel's names up in its module, where types alone needed `tl` so far.
    kernel.__globals__["tl"] = triton.language
    return triton.jit(kernel)
