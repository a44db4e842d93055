"""The project's files agree with one another."""

from __future__ import annotations

import re
import tomllib
from configparser import ConfigParser
from pathlib import Path

from bench import __version__

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)


def lower_bounds() -> dict[str, str]:
    needed = list(PROJECT["project"]["dependencies"])
    for extra in PROJECT["project"]["optional-dependencies"].values():
        needed += extra
    pairs = [re.match(r"([\w-]+)>=([\d.]+)(?:; .*)?$", it) for it in needed]
    assert all(pairs)
    return {pair[1]: pair[2] for pair in pairs if pair}


def test_the_lowest_environment_has_the_lower_bounds() -> None:
    tox = ConfigParser()
    tox.read(ROOT / "tox.ini")
    deps = dict(dep.split("==") for dep in tox["testenv:lowest"]["deps"].split())
    # Older builds of torch for CPUs alone are not in the common registry; Triton goes with torch.
    assert deps.pop("torch") == PINS["torch"]
    bounds = lower_bounds()
    assert deps == {name: bounds[name] for name in bounds.keys() - {"torch", "triton"}}


def test_constraints_pin_every_dependency() -> None:
    groups = PROJECT["dependency-groups"].values()
    tools = {re.split(r"[><=]", dep)[0] for group in groups for dep in group}
    assert (set(lower_bounds()) | tools) <= set(PINS)
    assert PINS["torch"] == "2.13.0"


def test_pre_commit_uses_the_pinned_linter() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"ruff==([\d.]+)", text)) == {PINS["ruff"]}


def test_the_version_is_one() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {__version__}\n" in citation


def test_ci_runs_what_readme_says() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- tests -->\n```console\n(.*)\n```", readme)
    assert block is not None
    assert block[1].endswith("tox")
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "<!-- tests -->" in script


def test_no_file_names_a_machine() -> None:
    """Paths of one machine have no place in a project."""
    suspicious = re.compile(r"/(?:work|home|root)/[a-z]|file:///")
    for path in ROOT.rglob("*"):
        inside = path.relative_to(ROOT).parts
        known = {".py", ".md", ".toml", ".ini", ".txt", ".json", ".yaml", ".cff"}
        ours = inside[0] in {"bench", "ipl", "tests", ".ci"} or len(inside) == 1
        if ours and path.suffix in known and path != Path(__file__):
            assert not suspicious.search(path.read_text(encoding="utf-8")), path
