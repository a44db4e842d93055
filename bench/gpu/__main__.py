"""`python -m bench.gpu FOLDER`: what `tools/gpu.sh` calls; and what a part's process is."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from bench.base import BenchError, OptionError, Record

SECONDS = 560.0
"""Less than the ten minutes that a machine is lent for at a time."""


def main() -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="tools/gpu.sh",
        description="Check and measure kernels, stacks and CUDA graphs on the GPU of this machine; "
        "without one, rehearse it. Rows go to FOLDER, one a figure.",
    )
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER")
    said = f"for all parts; by default {SECONDS:g}"
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="SECONDS", help=said)
    parser.add_argument("--parts", metavar="NAME,NAME", help="these alone")
    for inner, count in (("--part", 2), ("--sweep", 1)):
        parser.add_argument(inner, nargs=count, help=argparse.SUPPRESS)
    for inner in ("--launch", "--facts"):
        parser.add_argument(inner, action="store_const", const=[], help=argparse.SUPPRESS)
    given = parser.parse_args()
    for inner, run in _INNER.items():
        words = getattr(given, inner)
        if words is not None:
            return run(*words)
    try:
        return _check(given.folder, given.seconds, given.parts)
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _check(folder: Path | None, seconds: float, names: str | None) -> int:
    from bench.gpu.check import Check
    from bench.gpu.parts import PARTS

    if folder is None:
        raise OptionError("expected a folder for the rows, got none")
    if not seconds > 0:
        raise OptionError(f"expected seconds above 0, got {seconds:g}")
    known = {part.name: part for part in PARTS}
    wanted = [*known] if names is None else names.split(",")
    for name in wanted:
        if name not in known:
            raise OptionError(f"expected parts among {', '.join(known)}, got {name!r}")
    failed = Check(
        folder, seconds, [known[name] for name in known if name in {"probe", *wanted}]
    ).run()
    return 1 if failed else 0


def _part(name: str, text: str) -> int:
    """Run one part in this process; its rows go to standard output, and nothing else does."""
    rows = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    told = json.loads(text)
    from bench.gpu.measures import Setting

    module, _, name = name.partition(":")
    (part,) = (each for each in import_module(module).PARTS if each.name == name)
    _without_triton(told, name)
    setting = Setting(**{**told, "scratch": Path(told["scratch"])})
    for row in part.run(setting):
        rows.write(json.dumps(row) + "\n")
        rows.flush()
    return 0


def _without_triton(told: Record, name: str) -> None:
    """Where Triton did not compile at all, have all but its own parts go without."""
    from bench.kernels import _choose

    if not told["triton"] and not name.startswith(("kernels", "ncu", "compiled")):
        vars(_choose)["_installed"] = lambda: False


def _sweep(text: str) -> int:
    from bench.gpu.measures import sweep_part

    told = json.loads(text)
    _without_triton(told, "sweep")
    sys.stdout.write(json.dumps(sweep_part(told)) + "\n")
    return 0


def _launch() -> int:
    from bench.gpu.parts import launch

    launch()
    return 0


def _facts() -> int:
    """Print what machine this is, as JSON."""
    import torch

    found: Record = {"device": None, "torch": torch.__version__, "errors": None}
    found |= {"cuda": torch.version.cuda, "triton": None, "driver": _driver()}
    try:
        import triton

        found["triton"] = triton.__version__
    except ImportError as error:
        found["errors"] = str(error)
    try:
        if torch.cuda.is_available():
            found["device"] = torch.cuda.get_device_name()
    except RuntimeError as error:
        found["errors"] = str(error)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def _driver() -> str | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = ["--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            [program, *query], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().partition("\n")[0] or None


_INNER: Mapping[str, Callable[..., int]] = {
    "part": _part,
    "sweep": _sweep,
    "launch": _launch,
    "facts": _facts,
}

if __name__ == "__main__":
    sys.exit(main())
