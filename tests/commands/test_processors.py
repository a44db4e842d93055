"""The regression check on other processors, which this one stands in for by what libraries ask.

Here a small part of it, on the farthest one; `tox -e regress-nehalem` does it all, and there are
environments of tox for others.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from bench.runs import provenance

ROOT = Path(__file__).parents[2]
PART = ROOT / "tests" / "regression_part.py"


def settings() -> dict[str, dict[str, str]]:
    """The environment that tox.ini gives each processor."""
    tox = ConfigParser()
    tox.read(ROOT / "tox.ini")
    (section,) = (name for name in tox.sections() if name.startswith("testenv:regress"))
    found: dict[str, dict[str, str]] = {}
    for line in tox[section]["set_env"].strip().splitlines():
        processor, colon, pair = line.partition(": ")
        if colon:
            name, _, value = pair.partition("=")
            found.setdefault(processor, {})[name.strip()] = value.strip()
    return found


PROCESSORS = settings()
pytestmark = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"),
    reason="it stands in for other processors of its own architecture alone",
)


def on(processor: str, folder: Path) -> list[dict[str, Any]]:
    """What came of comparing on a processor, without and with a fault."""
    done = subprocess.run(
        [sys.executable, str(PART), str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **PROCESSORS[processor]},
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_on_another_processor_nothing_fails_and_a_fault_is_named(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    import regression_part

    regression_part.freeze(tmp_path / "baseline")
    honest, faulty = on("nehalem", tmp_path / "baseline")
    assert honest["failing"] == []
    assert honest["values"] == 32
    assert honest["environment"]["machine"] != provenance.machine()
    assert "of another processor" in honest["notes"][0]
    # Nothing is told but what rounds: float32, and picks of a trained model.
    assert all("float32 of" in it or "what its model picks" in it for it in honest["told"])
    assert honest["environment"]["instructions"] == "DEFAULT"
    if torch.backends.cpu.get_cpu_capability() != "DEFAULT":
        assert len(honest["told"]) > 3
    single, double = faulty["failing"]
    for dtype, sentence in (("float32", single), ("float64", double)):
        assert sentence.startswith(f"{dtype} of ")
        assert " of snip on nasbench201-small/noise moved from " in sentence


def test_three_processors_and_more_are_stood_in_for() -> None:
    assert {"haswell", "nehalem", "sandybridge"} <= PROCESSORS.keys()
    for chosen in PROCESSORS.values():
        assert set(chosen) <= set(provenance._SETTINGS)
