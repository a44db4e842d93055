"""The stranger's package, installed as pip leaves a package, in a folder of its own."""

from __future__ import annotations

import importlib
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.runs import members

STRANGER = Path(__file__).parent / "stranger"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package and what says its entry points."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(STRANGER / "stranger.py", folder)
    about = folder / "stranger-1.0.dist-info"
    about.mkdir()
    about.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    project = tomllib.loads((STRANGER / "pyproject.toml").read_text())["project"]
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    about.joinpath("entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def stranger(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package, here in this process."""
    monkeypatch.syspath_prepend(str(installed))
    importlib.invalidate_caches()
    forget_plugins()
    yield
    monkeypatch.undo()
    sys.modules.pop("stranger", None)
    forget_plugins()


def forget_plugins() -> None:
    """Look for plugins anew. Passes bring torch, so they are imported by tests that run some."""
    members.forget_plugins()
    if "bench.proxies.passes" in sys.modules:
        sys.modules["bench.proxies.passes"].forget_plugins()
