"""Where results come from: commit, machine, versions.

A machine is its system and its processor, with the number of cores, the model, the widest vectors
it has, and a mark where the environment has libraries compute as on another processor. Two
processors add floating-point numbers in different orders, so whatever learns or goes on from them
may part ways: rows of two machines never stand in one file.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from functools import cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import bench
from bench.base import DataError, Record

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


_SETTINGS = (
    *("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"),
    *("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE"),
    *("OPENBLAS_CORETYPE", "MKL_CBWR", "MKL_DEBUG_CPU_TYPE", "MKL_ENABLE_INSTRUCTIONS"),
    *("BLIS_ARCH_TYPE", "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES", "GLIBC_TUNABLES"),
)
"""What has libraries compute as on another processor, or round in another way."""
_CPUINFO = Path("/proc/cpuinfo")
_VECTORS = {"avx512f": "avx512", "avx2": "avx2", "avx": "avx", "sve": "sve", "asimd": "neon"}
"""By the flag that tells of them, the widest first."""
_NAMELESS = r"\((r|tm)\)|\bcpu\b|\bprocessor\b|\b\d+-core\b|@.*"
"""What a processor's name says besides its model, in small letters."""


def machine() -> str:
    """The machine's kind, without its name, such as `linux-x86_64-2cpu-amd-epyc-26-2-avx512`.

    System, architecture, number of processors, and their model: its name, family and number, and
    widest vectors, as far as the system tells. Where the environment sets what libraries take the
    processor for, `-as-` and a hash of these settings follow.
    """
    told = _told()
    name = re.sub(_NAMELESS, " ", told.get("model name", "").lower())
    flags = (told.get("flags") or told.get("Features") or "").split()
    widest = next((name for flag, name in _VECTORS.items() if flag in flags), "")
    numbers = [told.get(key, "") for key in ("cpu family", "model", "CPU part")]
    kind = f"{platform.system()}-{platform.machine()}-{os.cpu_count()}cpu"
    words = re.findall(r"[a-z0-9]+(?:[.][0-9]+)*", " ".join([name, *numbers, widest]).lower())
    settings = processor_settings()
    if settings:
        words += ["as", blake2b(repr(settings).encode(), digest_size=4).hexdigest()]
    return "-".join([kind.lower(), *words])


def processor() -> str:
    """The processor's model; where the system does not tell, its architecture."""
    return _told().get("model name") or platform.processor() or platform.machine()


def processor_settings() -> dict[str, str]:
    """The environment's variables that have libraries compute as on another processor, by name."""
    found = {name: os.environ[name] for name in sorted(_SETTINGS) if os.environ.get(name)}
    # The C library's other tunables, such as how it allocates, change no number.
    if "glibc.cpu" not in found.get("GLIBC_TUNABLES", ""):
        found.pop("GLIBC_TUNABLES", None)
    return found


@cache
def _told() -> dict[str, str]:
    """What the system tells of the first processor; on macOS its name alone, elsewhere nothing."""
    if platform.system() == "Darwin":
        words = ["sysctl", "-n", "machdep.cpu.brand_string"]
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return {}
        return {"model name": done.stdout.strip()}
    try:
        first, _, _ = _CPUINFO.read_text(encoding="utf-8").partition("\n\n")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def folder_of(results: Path, study: str) -> Path:
    """The results folder of a study: `results/<study>/<commit>-<machine>`."""
    return results / study / f"{commit()}-{machine()}"


def require_own(folder: Path) -> None:
    """Raise DataError where results could be gone on with, but not by this machine.

    That is where the folder of a study at this commit is not there for this machine, and is for
    another one. Then whoever asks to go on would begin anew without a word.
    """
    start = f"{commit()}-"
    others = sorted(path.name for path in folder.parent.glob(f"{start}*") if path != folder)
    if others and not folder.exists():
        raise DataError(
            f"expected results of this machine to go on with, {folder.name}, got "
            f"{', '.join(others)} alone, of another processor, which rounds in another way; "
            "without --resume a run begins beside it"
        )


def check_machine(folder: Path, before: object) -> None:
    """Raise DataError where a folder's provenance says that its rows are of another machine."""
    if before is not None and before != machine():
        raise DataError(
            f"{folder} holds results of the machine {before}, and this one is {machine()}, which "
            "may round in another way; move them away and run anew"
        )


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
