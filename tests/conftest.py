"""Shared fixtures: where the real tables lie, and a cache and results folder of the tests' own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before torch is imported: where two test runs share two cores, threads that wait for each other
# take a hundred times as long as one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import interpreted  # noqa: F401 - before any test imports Triton

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real tables: BENCH_DATA, or `shared/data` beside the checkout."""
    folder = Path(os.environ.get("BENCH_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"the real tables are not here: no folder {folder}; set BENCH_DATA")
    return folder.resolve()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that lasts one test session."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _environment(
    request: pytest.FixtureRequest, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep every test away from the user's own cache, and point it at the real tables."""
    monkeypatch.setenv("BENCH_CACHE", str(cache))
    if "data" in request.fixturenames:
        monkeypatch.setenv("BENCH_DATA", str(request.getfixturevalue("data")))
