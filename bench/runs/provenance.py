"""Where results come from: commit, machine, versions."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import bench
from bench.base import Record

_PACKAGES = ("numpy", "pyarrow", "torch")


@cache
def commit() -> str:
    """The first 12 digits of the checkout's commit, `-dirty` if files differ from it.

    Without a checkout, `v` and the version of the installed package.
    """
    folder = Path(bench.__file__).resolve().parents[1]
    head = _git(folder, "rev-parse", "--short=12", "HEAD")
    if head is None or not (folder / ".git").exists():
        return f"v{bench.__version__}"
    return f"{head}-dirty" if _git(folder, "status", "--porcelain", "-uno") else head


def machine() -> str:
    """The machine's kind, without its name: system, architecture and number of processors."""
    return f"{platform.system()}-{platform.machine()}-{os.cpu_count()}cpu".lower()


def versions() -> Record:
    """Versions of Python and of the packages that numbers depend on; null where absent."""
    found: Record = {"python": platform.python_version(), "ipl-bench": bench.__version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
