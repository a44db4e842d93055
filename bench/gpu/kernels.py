"""Every Triton kernel against its reference at odd sizes, and what it compiles to.

The reference is plain torch in float64 on the CPU, given the same values. Tolerances are those
that the kernels' own files state; where all is integers, it is none.
"""

from __future__ import annotations

import inspect
import math
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.draws import keyed
from bench.kernels import KERNELS, _choose

_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)

DTYPES: Mapping[str, tuple[torch.dtype, ...]] = {
    "batch_norm_jet": _FLOATS[:2],
    "grouped_conv_norm_relu": _FLOATS,
    "normalised_difference": _FLOATS,
    "pattern_gram": _FLOATS,
    "saliency": _FLOATS,
    "sign_codes": _FLOATS,
}
"""What each kernel is given."""

TOLERANCES: Mapping[str, Mapping[torch.dtype, float]] = {
    "batch_norm_jet": {torch.float32: 1e-5, torch.float64: 1e-10},
    "grouped_conv_norm_relu": {
        torch.float64: 1e-11,
        torch.float32: 1e-4,
        torch.float16: 2e-2,
        torch.bfloat16: 1e-1,
    },
    "normalised_difference": dict.fromkeys(_FLOATS, 1e-12),
    "pattern_gram": dict.fromkeys(_FLOATS, 0.0),
    "saliency": dict.fromkeys(_FLOATS, 1e-13),
    "sign_codes": dict.fromkeys(_FLOATS, 0.0),
}
"""The largest difference that may be: of values in parts of 1 or of the value, whichever is more;
of a sum in parts of the sum of its magnitudes; of a norm's jet in parts of a block's largest."""


def _itself(x: Tensor) -> Tensor:
    return x


@dataclass(frozen=True, eq=False)
class Case:
    """What a kernel is called with; its shape is its name."""

    inputs: tuple[Tensor | None, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    view: Callable[[Tensor], Tensor] = _itself
    """What is made of the first input where it lies; a copy to a GPU would not keep its strides."""

    def on(self, device: str) -> tuple[Tensor | None, ...]:
        """Its inputs on a device."""
        first, *rest = (it if it is None else it.to(device) for it in self.inputs)
        assert first is not None
        return self.view(first), *rest

    @property
    def shape(self) -> str:
        """The shapes of its tensors."""
        return ", ".join("none" if it is None else str(tuple(it.shape)) for it in self.inputs)


def cases(kernel: str, dtype: torch.dtype, *, large: bool = False) -> Iterator[Case]:
    """What a kernel is tried on: sizes of one, odd ones, several tiles; and as in use if `large`.

    Raises KeyError where there is no such kernel.
    """
    draw = _Draw(kernel, dtype)
    yield from {
        "batch_norm_jet": _jets,
        "grouped_conv_norm_relu": _convolutions,
        "normalised_difference": _differences,
        "pattern_gram": _patterns,
        "saliency": _saliencies,
        "sign_codes": _codes,
    }[kernel](draw, large)


class _Draw:
    """Draws normal values by a kernel's name, rounded to a type."""

    def __init__(self, kernel: str, dtype: torch.dtype) -> None:
        self._rng = keyed(0, "gpu", kernel)
        self.dtype = dtype

    def __call__(self, *shape: int, mean: float = 0.0) -> Tensor:
        return torch.from_numpy(self._rng.normal(mean, size=shape)).to(self.dtype)

    def holed(self, *shape: int) -> Tensor:
        """With zeros of either sign, and NaN."""
        x = self(*shape)
        flat = x.view(-1)
        flat[::7], flat[3::11], flat[5::13] = 0.0, -0.0, torch.nan
        return x


def _jets(draw: _Draw, large: bool) -> Iterator[Case]:
    shapes = [(1, 1, 3, 3), (1, 3, 1, 2), (2, 1), (5, 3), (3, 2, 7, 5), (2, 35, 3, 3)]
    shapes += [(1, 2, 33, 1), (2, 1, 1, 1)] + large * [(16, 48, 32, 32), (64, 640, 4, 4)]
    for n, *rest in shapes:
        jet = draw(4 * n, *rest, mean=0.3)
        yield Case((jet, draw(rest[0]), draw(rest[0])))
    wide = draw(8, 3, 6, 10)
    yield Case((wide, None, draw(3)))
    yield Case((wide.contiguous(memory_format=torch.channels_last), draw(3), None))
    yield Case((wide, None, None), view=lambda x: x[..., ::2])


def _convolutions(draw: _Draw, large: bool) -> Iterator[Case]:
    shapes = [(2, 1, 1, 1, 1, 1), (1, 1, 3, 65, 3, 2), (1, 2, 1, 1, 5, 1), (3, 2, 5, 3, 7, 3)]
    shapes += [(1, 3, 16, 16, 5, 5), (1, 1, 64, 64, 3, 3)]
    shapes += large * [(16, 8, 16, 16, 32, 32), (8, 50, 64, 64, 8, 8)]
    for n, a, c, each, h, w in shapes:
        x, weight = draw(n, a * c, h, w), draw(a * each, c, 3, 3)
        yield Case((x, weight, draw(a * each), draw(a * each)))
    x, weight = draw(3, 10, 5, 7), draw(6, 5, 3, 3)
    yield Case((x, weight, None, None))
    if draw.dtype == torch.float32:
        yield Case((x, weight, None, None), {"precision": "ieee"})


def _differences(draw: _Draw, large: bool) -> Iterator[Case]:
    for a, n in [(1, 1), (3, 31), (2, 33), (1, 2500)] + large * [(250, 12800)]:
        yield Case((draw(a, 2, n),))
    yield Case((draw.holed(3, 2, 97),))


def _patterns(draw: _Draw, large: bool) -> Iterator[Case]:
    for shape in [(1, 1), (2, 31), (3, 1), (1, 40), (2, 3, 97), (33, 65), (2, 40, 333)]:
        yield Case((draw.holed(*shape),))
    yield Case((draw.holed(6, 5, 70),), view=lambda x: x.transpose(0, 1))
    if large:
        yield Case((draw.holed(25, 64, 16384),))


def _saliencies(draw: _Draw, large: bool) -> Iterator[Case]:
    for shape in [(1,), (31,), (3, 1), (0, 5), (2, 20000)] + large * [(250, 36864)]:
        yield Case((draw(*shape), draw(*shape)))


def _codes(draw: _Draw, large: bool) -> Iterator[Case]:
    for shape in [(1, 1), (2, 31), (3, 1), (65, 33), (64, 257)] + large * [(64, 65537)]:
        yield Case((draw.holed(*shape),))
    yield Case((draw.holed(9, 130),), view=lambda x: x[:, ::2])


@dataclass(frozen=True)
class Verdict:
    """How far a kernel is from its reference, at most, and on what."""

    difference: float
    """NaN where the two do not agree on what is NaN or infinite, or in shape."""
    shape: str
    cases: int


def check(kernel: str, dtype: torch.dtype, device: str, *, large: bool) -> Verdict:
    """Run a kernel in Triton on every case, and take the largest difference from its reference."""
    worst, where, count = 0.0, "", 0
    for case in cases(kernel, dtype, large=large):
        count += 1
        difference = _difference(kernel, case, device)
        # Not comparable is worse than anything.
        if not difference <= worst:
            worst, where = difference, case.shape
            if math.isnan(difference):
                break
    return Verdict(worst, where, count)


def _difference(kernel: str, case: Case, device: str) -> float:
    module = import_module(f"bench.kernels.{kernel}")
    launcher: Callable[..., Any] = getattr(module, KERNELS[kernel])
    found = launcher(*case.on(device), implementation="triton", **case.options)
    own = case.on("cpu")
    # What is exactly 0 depends on the precision that rows are normalised in.
    exact = own if kernel == "normalised_difference" else _doubled(own)
    expected = launcher(*exact, implementation="torch", **case.options)
    scales = _scales(kernel, expected)
    pairs = zip(_tensors(found), _tensors(expected), scales, strict=True)
    apart = [_apart(one.cpu(), other, scale) for one, other, scale in pairs]
    return float(np.max(apart))  # unlike max, it keeps a NaN


def _doubled(inputs: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
    return tuple(it if it is None else it.double() for it in inputs)


def _tensors(found: Any) -> Sequence[Tensor]:
    return (found,) if isinstance(found, Tensor) else tuple(found)


def _scales(kernel: str, expected: Any) -> Sequence[Tensor | float]:
    """What a difference is measured by."""
    if kernel == "batch_norm_jet":
        blocks = expected.reshape(4, -1).abs().amax(1).clamp_min(1)
        return (blocks.repeat_interleave(len(expected) // 4).view(-1, *[1] * (expected.dim() - 1)),)
    if kernel == "saliency":
        tiny = torch.finfo(torch.float64).tiny
        by = (expected.magnitudes, expected.magnitudes, *expected[2:])
        return tuple(scale.clamp_min(tiny) for scale in by)
    if kernel == "grouped_conv_norm_relu":
        return (expected.abs().clamp_min(1),)  # halves round by a part of the value
    return (1.0,) * len(_tensors(expected))


def _apart(found: Tensor, expected: Tensor, scale: Tensor | float) -> float:
    """The largest difference of values; NaN where they are not comparable."""
    if found.shape != expected.shape:
        return float("nan")
    if not expected.numel():
        return 0.0
    if not expected.is_floating_point():
        return float((found != expected).sum())
    found, expected = found.double(), expected.double()
    same = found.isfinite() == expected.isfinite()
    if not same.all() or not torch.equal(found.isnan(), expected.isnan()):
        return float("nan")
    apart = ((found - expected).abs() / scale).masked_fill(~expected.isfinite(), 0)
    return float(apart.max())


@dataclass(frozen=True)
class Compiled:
    """What one Triton kernel became for compute capability 9.0."""

    kernel: str
    """The name of the Triton function that is compiled."""
    dtype: str
    """Of its first tensor."""
    shared: int
    """Bytes of shared memory a program."""
    registers: int | None
    """A thread; None where there is no ptxas."""
    spills: int | None
    """Bytes that a thread writes to and reads from memory for want of registers."""


_TARGET = ("cuda", 90, 32)
_POINTERS = {
    torch.float64: "*fp64",
    torch.float32: "*fp32",
    torch.float16: "*fp16",
    torch.bfloat16: "*bf16",
    torch.int64: "*i64",
    torch.int32: "*i32",
}


def compile_cases(
    kernel: str, dtype: torch.dtype, *, most: int | None = None
) -> Iterator[Compiled | tuple[str, str]]:
    """Compile what a kernel's cases would launch, without a GPU; each different program once.

    Yields, for a program that does not compile, its function's name and the error. `most` bounds
    how many cases are tried, the last ones, which are the largest.
    """
    seen: dict[tuple[Any, ...], Compiled | tuple[str, str]] = {}
    with _recorded(seen):
        module = import_module(f"bench.kernels.{kernel}")
        tried = list(cases(kernel, dtype))
        for case in tried[-most:] if most else tried:
            getattr(module, KERNELS[kernel])(*case.on("cpu"), **case.options)
    yield from seen.values()


@contextmanager
def _recorded(seen: dict[tuple[Any, ...], Compiled | tuple[str, str]]) -> Iterator[None]:
    """Have every launch compile instead of running."""
    modules = [import_module(f"bench.kernels.{name}") for name in KERNELS]
    before = _choose._compiled, [vars(module)["use_triton"] for module in modules]
    vars(_choose)["_compiled"] = lambda kernel: _Compiler(kernel, seen)
    for module in modules:
        vars(module)["use_triton"] = lambda *_: True
    try:
        yield
    finally:
        vars(_choose)["_compiled"] = before[0]
        for module, was in zip(modules, before[1], strict=True):
            vars(module)["use_triton"] = was


class _Compiler:
    """What `_choose` takes for a compiled kernel."""

    def __init__(
        self, kernel: Any, seen: dict[tuple[Any, ...], Compiled | tuple[str, str]]
    ) -> None:
        import triton
        import triton.language

        kernel.__globals__["tl"] = triton.language
        self._kernel, self._seen = kernel, seen

    def __getitem__(self, _: tuple[int, ...]) -> Any:
        return self._launch

    def _launch(self, *arguments: Any, **constants: Any) -> None:
        names = list(inspect.signature(self._kernel).parameters)
        options = {name: constants.pop(name) for name in list(constants) if name not in names}
        kinds = []
        for name, given in zip(names, arguments, strict=False):
            # Triton makes a constant of an integer of 1.
            one = not isinstance(given, Tensor) and given == 1
            constants |= {name: 1} if one else {}
            pointer = isinstance(given, Tensor)
            kinds.append("constexpr" if one else _POINTERS[given.dtype] if pointer else "i32")
        signature = dict(zip(names, kinds, strict=False)) | dict.fromkeys(constants, "constexpr")
        key = (self._kernel, *signature.items(), *sorted(constants.items()))
        if key not in self._seen:
            dtype = str(arguments[0].dtype).removeprefix("torch.")
            self._seen[key] = self._compile(signature, constants, options, dtype)

    def _compile(
        self,
        signature: dict[str, str],
        constants: dict[str, Any],
        options: dict[str, Any],
        dtype: str,
    ) -> Compiled | tuple[str, str]:
        import triton
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource

        name = self._kernel.__name__
        try:
            source = ASTSource(triton.jit(self._kernel), signature=signature, constexprs=constants)
            done = triton.compile(source, target=GPUTarget(*_TARGET), options=options)
        except Exception as error:  # noqa: BLE001 - a compiler may raise anything; it is a row
            last = str(error).strip().splitlines()[-1:] or [""]
            return name, f"{type(error).__name__}: {last[0][:160]}"
        registers, spills = resources(done.asm["ptx"])
        return Compiled(name, dtype, int(done.metadata.shared), registers, spills)


def resources(ptx: str) -> tuple[int | None, int | None]:
    """Registers a thread, and bytes spilled, as ptxas tells; None where none reads this PTX."""
    arch = re.search(r"^\.target\s+(\w+)", ptx, re.MULTILINE)
    if arch is None:
        return None, None
    with TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(ptx, encoding="utf-8")
        for ptxas in assemblers():
            command = [str(ptxas), "-v", f"-arch={arch[1]}", str(source), "-o", f"{source}.cubin"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            used = re.search(r"Used (\d+) registers", done.stderr)
            if used is not None:
                spilled = re.findall(r"(\d+) bytes spill (?:stores|loads)", done.stderr)
                return int(used[1]), sum(map(int, spilled))
    return None, None


def assemblers() -> Iterator[Path]:
    """NVIDIA's assemblers: those that Triton brings along, of which one is newer, and the user's.

    An assembler reads no PTX that is newer than itself.
    """
    import triton

    folder = Path(triton.__file__).parent / "backends/nvidia/bin"
    yield from (path for name in ("ptxas", "ptxas-blackwell") if (path := folder / name).is_file())
    found = shutil.which("ptxas")
    if found is not None:
        yield Path(found)
