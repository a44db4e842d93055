"""What the tests of tables share: the spaces by name, and a table by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bench.base import Space, Table
from bench.spaces import SPACES
from bench.tables import TABLES
from bench.tables.cache import load


@pytest.fixture(scope="session")
def _loaded() -> dict[str, Table]:
    """Tables that an earlier test loaded; nothing about a table changes after that."""
    return {}


@pytest.fixture(scope="session")
def spaces() -> Mapping[str, Space]:
    return {space.name: space for space in SPACES}


@pytest.fixture
def table(
    data: Path, spaces: Mapping[str, Space], _loaded: dict[str, Table]
) -> Callable[[str], Table]:
    """Load a table by its name; each is parsed and loaded once."""
    readers = {reader.name: reader for reader in TABLES}

    def loading(name: str) -> Table:
        if name not in _loaded:
            _loaded[name] = load(readers[name], spaces[readers[name].space])
        return _loaded[name]

    return loading
