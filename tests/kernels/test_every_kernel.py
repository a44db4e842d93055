"""What holds for every kernel: names, what importing costs, and who runs.

That all compile for a GPU is tested with the check of one, in tests/gpu.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

from bench.kernels import KERNELS, _choose
from bench.kernels._choose import parts, power_of_two, use_triton

ROOT = Path(__file__).resolve().parents[2]


def python(*arguments: str, **environment: str) -> str:
    """What a fresh interpreter prints, with Triton not interpreted."""
    kept = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=kept | {"PYTHONPATH": str(ROOT)} | environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("name", "launcher"), KERNELS.items())
def test_a_file_holds_what_it_should(name: str, launcher: str) -> None:
    module = import_module(f"bench.kernels.{name}")
    for member in (launcher, f"{launcher}_torch", "cost"):
        assert callable(vars(module)[member])


def test_importing_kernels_imports_no_triton() -> None:
    names = ", ".join(f"bench.kernels.{name}" for name in KERNELS)
    printed = python(
        "-c",
        "import sys, bench.kernels; print('torch' in sys.modules); "
        f"import {names}; print('triton' in sys.modules)",
    )
    assert printed.split() == ["False", "False"]


def test_torch_runs_on_a_cpu_unless_told() -> None:
    assert not use_triton(torch.ones(1), None)
    assert not use_triton(torch.ones(1), "torch")


def test_triton_needs_a_gpu_or_the_interpreter(monkeypatch) -> None:
    monkeypatch.setattr(_choose, "_installed", lambda: True)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(ValueError, match="needs a tensor on a CUDA device.* got a tensor on cpu"):
        use_triton(torch.ones(1), "triton")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert use_triton(torch.ones(1), "triton")


def test_triton_needs_to_be_installed(monkeypatch) -> None:
    monkeypatch.setattr(_choose, "_installed", lambda: False)
    with pytest.raises(ValueError, match="needs the package triton, got none installed"):
        use_triton(torch.ones(1), "triton")


def test_other_implementations_are_refused() -> None:
    with pytest.raises(ValueError, match="must be 'torch', 'triton' or None, got 'cuda'"):
        use_triton(torch.ones(1), "cuda")  # type: ignore[arg-type]


def test_sizes() -> None:
    assert [parts(length, 4) for length in (0, 1, 4, 5, 8)] == [0, 1, 1, 2, 2]
    assert [power_of_two(length) for length in (0, 1, 2, 3, 64, 65)] == [1, 1, 2, 4, 64, 128]
    assert power_of_two(3, least=16) == 16
