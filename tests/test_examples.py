"""The examples of README and CONTRIBUTING, run as they stand there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)
RUN = re.compile(r"<!-- run -->\n```console\n(.*?)```", re.DOTALL)


def commands(document: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return [line for block in RUN.findall(text) for line in block.splitlines()]


@pytest.mark.parametrize(
    ("document", "command"),
    [(name, command) for name in ("README.md", "CONTRIBUTING.md") for command in commands(name)],
)
def test_examples_run(document: str, command: str, data: Path, tmp_path: Path) -> None:
    for name, content in FILE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        (tmp_path / name).write_text(content)
    program, *words = shlex.split(command)
    assert program == "ipl-bench"
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (ROOT / target).exists(), target


def test_there_is_an_example_of_every_kind_of_member() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = [name for name, _ in FILE.findall(text)]
    assert names == [
        *("my_proxy.py", "my_live_proxy.py", "my_model.py"),
        *("my_searcher.py", "my_predictor.py", "my_table.csv"),
    ]
    assert len(commands("CONTRIBUTING.md")) == 5
