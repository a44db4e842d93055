"""Compiles every Triton kernel for an H200 (compute capability 9.0), on a machine without a GPU.

Run by test_every_kernel.py as a process of its own, without TRITON_INTERPRET: launchers are called
with small tensors, and each launch compiles instead of running. Prints, a line each, the kernel's
name and the bytes of shared memory it needs.
"""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from typing import Any

import torch

from bench.kernels import KERNELS, _choose

POINTERS = {
    torch.float64: "*fp64",
    torch.float32: "*fp32",
    torch.int64: "*i64",
    torch.int32: "*i32",
}


class Compiler:
    """What `_choose` takes for a compiled kernel."""

    def __init__(self, kernel: Any) -> None:
        import triton

        kernel.__globals__["tl"] = triton.language
        self.kernel = kernel

    def __getitem__(self, grid: tuple[int, ...]) -> Any:
        return self.compile

    def compile(self, *arguments: Any, **constants: Any) -> None:
        import triton
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource

        names = list(inspect.signature(self.kernel).parameters)
        options = {name: constants.pop(name) for name in list(constants) if name not in names}
        kinds = [POINTERS[it.dtype] if torch.is_tensor(it) else "i32" for it in arguments]
        signature = dict(zip(names, kinds, strict=False)) | dict.fromkeys(constants, "constexpr")
        source = ASTSource(triton.jit(self.kernel), signature=signature, constexprs=constants)
        done = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
        sys.stdout.write(f"{self.kernel.__name__} {done.metadata.shared}\n")


def main() -> None:
    _choose._compiled = Compiler  # type: ignore[assignment]
    for name in KERNELS:
        vars(import_module(f"bench.kernels.{name}"))["use_triton"] = lambda *_: True
    from bench.kernels.batch_norm_jet import batch_norm_jet
    from bench.kernels.grouped_conv_norm_relu import grouped_conv_norm_relu
    from bench.kernels.normalised_difference import normalised_difference
    from bench.kernels.pattern_gram import pattern_gram
    from bench.kernels.saliency import saliency_sums
    from bench.kernels.sign_codes import sign_codes

    x, vector = torch.ones(4, 128, 8, 8), torch.ones(128)
    weight = torch.ones(128, 64, 3, 3)
    grouped_conv_norm_relu(x, weight, vector, vector)
    grouped_conv_norm_relu(x.double(), weight.double(), vector.double(), vector.double())
    pattern_gram(x.flatten(1))
    sign_codes(x.flatten(1))
    saliency_sums(x.flatten(1), x.flatten(1))
    batch_norm_jet(x, vector, vector)
    normalised_difference(x.view(-1, 2, 64))


if __name__ == "__main__":
    main()
