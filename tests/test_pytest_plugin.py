"""The pytest plugin in a repository of a user's own."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bench import pytest_plugin

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[1]
OWN = """
    from toy import TOY, toy_table

    from bench.runs.tasks import Task

    def few(graph):
        return {sign}sum(map(int, graph.operations[1:-1]))

    def test_tau(assert_tau, proxy_tau):
        task = Task(TOY, toy_table())
        taus = assert_tau(few, [task], baseline="taus.json")
        assert taus == {{"toy/data": proxy_tau(few, task)}}
"""


def run(pytester: pytest.Pytester, sign: str, *words: str) -> pytest.RunResult:
    pytester.makepyfile(test_own=OWN.format(sign=sign))
    return pytester.runpytest_inprocess("-p", "bench.pytest_plugin", "-q", *words)


@pytest.fixture
def own(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    # Not by its entry point too: the checkout's may be of another day.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return pytester


def test_a_repository_holds_its_proxy_to_what_it_was(own: pytest.Pytester) -> None:
    missing = run(own, "")
    missing.assert_outcomes(failed=1)
    missing.stdout.fnmatch_lines(["*expected a tau of few on toy/data in taus.json, got none*"])
    run(own, "", "--tau-update").assert_outcomes(passed=1)
    assert (own.path / "taus.json").exists()
    run(own, "").assert_outcomes(passed=1)
    fallen = run(own, "-")
    fallen.assert_outcomes(failed=1)
    fallen.stdout.fnmatch_lines(["*AssertionError: tau of few on toy/data fell from 0.* to -0.*"])


def test_its_fixtures_are_listed_with_what_they_do(own: pytest.Pytester) -> None:
    told = own.runpytest_inprocess("-p", "bench.pytest_plugin", "--fixtures")
    told.stdout.fnmatch_lines(["*assert_tau*", "*its tau did not fall*"])


def test_the_entry_point_is_the_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (module,) = project["project"]["entry-points"]["pytest11"].values()
    assert importlib.import_module(module) is pytest_plugin


def test_it_costs_other_people_s_tests_next_to_nothing() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import bench.pytest_plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == ["bench", "bench.pytest_plugin"]
