"""A file fetched from its address, or the one sentence that says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.base import DataError

TIMEOUT_SECONDS = 30
CHUNK_BYTES = 1 << 16


class MissingError(DataError):
    """A file that is not on this machine, and cannot be fetched now; a damaged one is none."""


def stream(url: str, temporary: Path, path: str, progress: Any) -> None:
    """Fetch what an address serves into a file; `path` is what it should be called.

    Raises:
        MissingError: If the address cannot be reached, or serves nothing.
    """
    import pooch

    download = pooch.HTTPDownloader(
        progressbar=progress or False, chunk_size=CHUNK_BYTES, timeout=TIMEOUT_SECONDS
    )
    try:
        download(url, str(temporary), None)
    except OSError as error:  # the errors of requests are OSErrors too
        response = getattr(error, "response", None)
        got = reason(error) if error.strerror else type(error).__name__
        if response is not None:
            got = f"HTTP status {response.status_code}"
            response.close()
        raise MissingError(
            f"expected to fetch {url}, got {got};"
            f" a copy may be put, as {path}, into a folder that BENCH_DATA names"
        ) from error


def reason(error: OSError) -> str:
    """What the system says of an error."""
    return f"{type(error).__name__}: {error.strerror or error}"
