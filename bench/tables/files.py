"""Where the data files are: found on this machine or fetched by address, and verified either way.

A file named in sources.json is looked for in the folder BENCH_DATA (where that is set), then in
`data` under the cache folder (BENCH_CACHE, or the user's own), and is fetched there otherwise.
Those under `packaged/` lie beside this module, and are looked for nowhere else. Nothing is handed
out before its size and SHA-256 are those of sources.json.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import hashlib
import json
import logging
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.base import DataError
from bench.tables.download import MissingError, reason, stream

PICKLES = frozenset({".pkl", ".pickle", ".pt", ".pth"})
PACKAGED = "packaged/"
"""Begins the paths of files that come with the package."""
HERE = Path(__file__).parent

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """One file of sources.json: what it holds, whose it is, and how it is known to be right."""

    path: str
    bytes: int
    sha256: str
    url: str | None
    licence: str
    what: str
    paper: str
    repository: str
    commit: str
    upstream_path: str
    derived: str | None
    """How the file was made from the upstream one; None where it is the upstream one."""
    origin: str | None
    """Where a file without an address comes from, as a clause."""


@functools.cache
def known() -> Mapping[str, Source]:
    """Return every file of sources.json by its path."""
    text = Path(__file__).with_name("sources.json").read_text(encoding="utf-8")
    return MappingProxyType({path: Source(path, **it) for path, it in json.loads(text).items()})


def source(path: str) -> Source:
    """Return what sources.json says of one file, or what a file of somebody's own is.

    Raises:
        DataError: If no such file is listed there, or none lies at an own file's path.
    """
    if is_own(path):
        return _described(path)
    try:
        return known()[path]
    except KeyError:
        close = difflib.get_close_matches(path, known(), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise DataError(f"expected a path of sources.json, got {path!r}{hint}") from None


def is_own(path: str) -> bool:
    """Say whether a path names a plugin's or a user's own file, and none of sources.json.

    It is absolute, or begins with `./` and is looked for in the working folder: so written, it
    is the same on every machine.
    """
    return path.startswith("./") or Path(path).is_absolute()


def _described(path: str) -> Source:
    """Describe an own file, which is right as it is."""
    place = Path(path)
    if not place.is_file():
        raise MissingError(f"expected a file of a plugin's or your own, got none at {place}")
    return Source(
        path=path,
        bytes=place.stat().st_size,
        sha256=_sha256(place),
        url=None,
        licence="its owner's",
        what="a plugin's or a user's own file",
        paper="",
        repository="",
        commit="",
        upstream_path="",
        derived=None,
        origin=None,
    )


def cache_folder() -> Path:
    """Return the folder for fetched files and parsed tables: BENCH_CACHE, or the user's own."""
    named = os.environ.get("BENCH_CACHE")
    if named:
        return Path(named)
    import platformdirs

    return platformdirs.user_cache_path("ipl-bench")


def find(path: str, progress: Any = None) -> Path:
    """Return where a file of sources.json lies, verified, after fetching it if need be.

    Args:
        path: The file's path in sources.json.
        progress: None, or an object with `total`, `update(bytes)`, `reset()` and `close()`.

    Raises:
        MissingError: If the file is not here and cannot be fetched, or has no address to fetch it
            from.
        DataError: If the file is unknown, or is not the one that was published.
    """
    wanted = source(path)
    damaged: DataError | None = None
    try:
        place = here(path)
    except DataError as error:
        # Our own copy of what can be had again is replaced; all others are for their owner to mend.
        if wanted.url is None or _place(path) != _cached(path):
            raise
        _log.warning("fetching %s again: %s", path, error)
        place, damaged = None, error
    if place is not None:
        return place
    if wanted.url is None:
        raise MissingError(_nowhere(wanted))
    try:
        _download(wanted, wanted.url, _cached(path), progress)
    except MissingError:
        if damaged is not None:
            raise damaged from None
        raise
    return _cached(path)


def here(path: str) -> Path | None:
    """Return where a file lies on this machine, verified; None where it does not.

    Raises:
        DataError: If the file is unknown, or is not the one that was published.
    """
    wanted = source(path)
    place = _place(path)
    if is_own(path):
        return place
    if not place.exists():
        return None
    _verify(place, wanted)
    return place


def _place(path: str) -> Path:
    """Return where a file is looked for: the first place that has it, or else the last."""
    if is_own(path):
        return Path(path)
    if path.startswith(PACKAGED):
        return HERE / path
    own = _data_folder()
    if own is not None and (own / path).exists():
        return own / path
    return _cached(path)


def _cached(path: str) -> Path:
    """Return where a fetched file is kept."""
    return cache_folder() / "data" / path


def _nowhere(wanted: Source) -> str:
    """Say of a file without an address that it is not here, and where it should be."""
    if wanted.path.startswith(PACKAGED):
        return (
            f"expected {wanted.path} to come with ipl-bench, got an installation without it;"
            " install it anew"
        )
    return (
        f"{wanted.path} is not on this machine and has no address to fetch it from:"
        f" {wanted.origin}; put it, under that path, into"
        f" {_data_folder() or 'a folder that BENCH_DATA names'}, or at {_cached(wanted.path)}"
    )


def fetch(paths: Iterable[str], progress: Any = None) -> dict[str, Path]:
    """Find each of several files, as `find` does, and return their places by path."""
    return {path: find(path, progress) for path in paths}


def available(path: str) -> bool:
    """Say whether a file of sources.json is here, in the right size, without the network.

    Its hash is left to `find`.
    """
    if is_own(path):
        return Path(path).is_file()
    wanted, place = source(path), _place(path)
    return place.is_file() and place.stat().st_size == wanted.bytes


def refuse_pickle(path: Path) -> None:
    """Raise DataError for a file whose name says that opening it could run code."""
    if path.suffix.lower() in PICKLES:
        raise DataError(
            f"expected CSV, Parquet or JSON, got {path.name}: opening a pickle can run any code"
            " inside it, so none is ever loaded"
        )


def _data_folder() -> Path | None:
    """Return the folder BENCH_DATA, or None where it is not set."""
    named = os.environ.get("BENCH_DATA")
    if not named:
        return None
    folder = Path(named)
    if not folder.is_dir():
        raise DataError(f"expected BENCH_DATA to name a folder, got {named!r}")
    return folder


def _verify(place: Path, wanted: Source) -> None:
    """Raise DataError unless the file has the published size and SHA-256.

    A file that passed is remembered by place, size and time of change, and not hashed again.
    """
    remembered, name = _remembered(), str(place.absolute())
    try:
        state = place.stat()
        memo = [state.st_size, state.st_mtime_ns, wanted.sha256]
        if remembered.get(name) == memo:
            return
        found = _sha256(place)
    except OSError as error:
        raise DataError(f"expected to read {place}, got {reason(error)}") from error
    if (state.st_size, found) != (wanted.bytes, wanted.sha256):
        raise DataError(
            f"{place} is not the published {wanted.path}: expected {wanted.bytes} bytes with"
            f" SHA-256 {wanted.sha256}, got {state.st_size} bytes with {found}"
        )
    _remember(remembered | {name: memo})


def _sha256(place: Path) -> str:
    with place.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _memory() -> Path:
    return cache_folder() / "verified.json"


def _remembered() -> dict[str, Any]:
    """Return what was verified before; nothing where that cannot be read."""
    try:
        content = json.loads(_memory().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _remember(content: Mapping[str, Any]) -> None:
    """Write down what was verified; hashing again next time is all that a failure costs."""
    try:
        with replacing(_memory()) as temporary:
            temporary.write_text(json.dumps(content), encoding="utf-8")
    except OSError as error:
        _log.debug("verified files are not remembered: %s", error)


@contextlib.contextmanager
def replacing(place: Path) -> Iterator[Path]:
    """Give a temporary name beside `place`, which takes its place if the block succeeds.

    So a reader sees the old file or the new one, never half of one.

    Raises:
        OSError: If the folder cannot be made or written.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        temporary.replace(place)
    finally:
        temporary.unlink(missing_ok=True)


def _download(wanted: Source, url: str, place: Path, progress: Any) -> None:
    """Fetch a file to a temporary name, verify it there, then move it to its place."""
    with contextlib.ExitStack() as stack:
        try:
            temporary = stack.enter_context(replacing(place))
        except OSError as error:
            raise MissingError(
                f"expected to write {place}, got {reason(error)};"
                " set BENCH_CACHE to a folder that can be written"
            ) from error
        stream(url, temporary, wanted.path, progress)
        size, found = temporary.stat().st_size, _sha256(temporary)
        if (size, found) != (wanted.bytes, wanted.sha256):
            raise DataError(
                f"{url} did not serve the published {wanted.path}: expected {wanted.bytes} bytes"
                f" with SHA-256 {wanted.sha256}, got {size} bytes with {found}; nothing was kept"
            )
