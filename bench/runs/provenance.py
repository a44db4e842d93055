"""Where results come from: commit, machine, versions."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import bench
from bench.base import Record

_PACKAGES = ("numpy", "pyarrow", "torch", "scikit-learn", "scipy", "optuna")


@cache
def commit() -> str:
    """The first 12 digits of the checkout's commit; where the code differs, a hash of how.

    Only what lies in `bench` and `ipl` counts, new files too. Without a checkout, `v` and the
    version of the installed package.
    """
    folder = Path(bench.__file__).resolve().parents[1]
    head = _git(folder, "rev-parse", "--short=12", "HEAD")
    if head is None or not (folder / ".git").exists():
        return f"v{bench.__version__}"
    code = ("--", "bench", "ipl")
    new = _git(folder, "ls-files", "--others", "--exclude-standard", *code) or ""
    changes = [_git(folder, "diff", "HEAD", *code) or ""]
    changes += [f"{name}\n{(folder / name).read_text('utf-8', 'replace')}" for name in new.split()]
    if not any(changes):
        return head
    return f"{head}-dirty-{blake2b(''.join(changes).encode(), digest_size=4).hexdigest()}"


def machine() -> str:
    """The machine's kind, without its name: system, architecture and number of processors."""
    return f"{platform.system()}-{platform.machine()}-{os.cpu_count()}cpu".lower()


def folder_of(results: Path, study: str) -> Path:
    """The results folder of a study: `results/<study>/<commit>-<machine>`."""
    return results / study / f"{commit()}-{machine()}"


def shared(study: str) -> Record:
    """The fields that every row of a study has."""
    return {"study": study, "machine": machine(), "commit": commit()}


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
