"""The pytest plugin: fixtures with which a user's own repository holds a proxy to what it was.

    def test_my_proxy(assert_tau):
        assert_tau("my_proxy.py:few_pools", ["darts/suite"], at_least=0.2)
        assert_tau("my_proxy.py:few_pools", ["darts/suite"], baseline="taus.json")

`pytest --tau-update` writes taus into the files that `baseline` names. Nothing but pytest is
imported before a fixture is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bench.commands.testing import AssertTau


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes taus."""
    parser.getgroup("ipl-bench").addoption(
        "--tau-update", action="store_true", help="Write the taus of assert_tau to its baselines."
    )


@pytest.fixture(scope="session")
def proxy_tau() -> Callable[..., float]:
    """Give `proxy_tau(proxy, task)`: Kendall's tau of a proxy with a task's accuracy."""
    from bench.commands.testing import tau

    return tau


@pytest.fixture(scope="session")
def assert_tau(pytestconfig: pytest.Config) -> AssertTau:
    """Give `assert_tau(proxy, tasks, at_least=..., baseline=...)`: its tau did not fall."""
    from bench.commands.testing import AssertTau

    return AssertTau(pytestconfig.rootpath, update=bool(pytestconfig.getoption("--tau-update")))
