"""The library that makes tables sortable: DataTables, as the package itables carries it.

DataTables (https://datatables.net, MIT) sorts, filters and pages tables that stand in the page
already, by keyboard too; itables (https://itables.org, MIT) brings its code as one module for use
without a network. Only that file is read: itables is never imported.
"""

from __future__ import annotations

from base64 import b64encode
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from bench.base import DataError

_PACKAGE = "itables"
_BUNDLE = f"{_PACKAGE}/html/dt_bundle.js"


def module_url() -> str:
    """The code of DataTables as an address to import from, which holds the code itself.

    Raises:
        DataError: itables is not installed, or does not carry the code where it used to.
    """
    try:
        found = distribution(_PACKAGE)
    except PackageNotFoundError as error:
        raise DataError(
            f"expected the package {_PACKAGE} for the page; got none, so "
            "pip install 'ipl-bench[figures]'"
        ) from error
    path = Path(str(found.locate_file(_BUNDLE)))
    try:
        code = path.read_bytes()
    except OSError as error:
        raise DataError(f"expected {_BUNDLE} in {_PACKAGE} {found.version}; got none") from error
    return f"data:text/javascript;base64,{b64encode(code).decode()}"


def version() -> str:
    """The package and its version, as the page tells them."""
    return f"{_PACKAGE} {distribution(_PACKAGE).version}"
