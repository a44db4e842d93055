"""The results folder of a run that streams its rows: named, claimed by one run, and read back.

A folder holds one such run. Its provenance is written before the first row; whoever goes on with
it must be the same run, of the same versions and data.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, asdict, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.base import DataError, OptionError, Record
from bench.runs.provenance import (
    check_machine,
    folder_of,
    processor_settings,
    require_own,
    shared,
    versions,
)
from bench.runs.store import PROVENANCE, ROWS, Store

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    """The locked store of a folder that `folder_for` named. Raises DataError."""
    with Store.opened(folder, shared(folder.parent.name)) as store:
        yield store


def folder_for(results: Path, study: str, *, resume: bool, stream: str) -> Path:
    """The results folder of a run that streams its rows; nothing is made.

    Raises OptionError for a name that is no folder's, and DataError where it holds results,
    finished or not, that are not to be gone on with, or those to be gone on with are another
    machine's.
    """
    if not re.fullmatch(r"\w[\w.-]*", study):
        raise OptionError(f"expected --name to be a folder's name, got {study!r}")
    folder = folder_of(results, study)
    if not resume and any((folder / name).exists() for name in (ROWS, stream, PROVENANCE)):
        raise DataError(
            f"{folder} holds results already; go on with them by --resume, or give another --name"
        )
    if resume:
        require_own(folder)
    return folder


def claim(store: Store, run: DataclassInstance, content: Record, stream: str) -> None:
    """Write where a run's rows come from, before the first; or see that they go on as they began.

    Raises DataError where the folder holds another run, or one of other versions, data or machine.
    """
    path = store.folder / PROVENANCE
    content = {
        **shared(store.folder.parent.name),
        "run": asdict(run),
        "versions": all_versions(),
        "processor_settings": processor_settings(),
        "command": sys.argv[1:],
        **content,
    }
    content = json.loads(json.dumps(content))
    store.log({name: content[name] for name in ("command", "workers")})
    if path.exists():
        before = _checked(path, content, _defaults(run))
        content = {**before, "data_sha256": {**before["data_sha256"], **content["data_sha256"]}}
    elif store.done or (store.folder / stream).exists():
        raise DataError(
            f"{store.folder} holds rows, and no {PROVENANCE} that says of what run; move it away "
            "and run anew"
        )
    store.write_provenance(content)


def _defaults(run: DataclassInstance) -> Record:
    """What stands in for the fields that runs did not have when an earlier one began."""
    known = {each.name: each.default for each in fields(run) if each.default is not MISSING}
    filled: Record = json.loads(json.dumps(known))
    return filled


def _checked(path: Path, content: Record, defaults: Record) -> Record:
    """The provenance that is there. Raises DataError where what is now would be another."""
    try:
        before: Record = json.loads(path.read_text(encoding="utf-8"))
        parts = {what: dict(before[what]) for what in ("run", "versions", "data_sha256")}
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise DataError(f"expected the provenance of a run, got {path}") from error
    check_machine(path.parent, before.get("machine"))
    parts["run"] = {**defaults, **parts["run"]}
    hashes = parts["data_sha256"], content["data_sha256"]
    for what, known in parts.items():
        for name, value in known.items():
            now = content[what].get(name, value)
            if now != value and _by_content(now, hashes[1]) != _by_content(value, hashes[0]):
                raise DataError(
                    f"{path.parent} holds results of {name} {_short(value)}, and here it is "
                    f"{_short(content[what][name])}; move them away, or give another --name"
                )
    return before


def _by_content(value: Any, hashes: Record) -> Any:
    """A value of provenance; where a text begins with a file's path, its SHA-256 in place of that.

    So that a file that is spelled in another way, or lies elsewhere, is the same one.
    """
    if not isinstance(value, str):
        return value
    text = value.removeprefix("./")
    for path, sha256 in hashes.items():
        plain = path.removeprefix("./")
        if text == plain or text.startswith((f"{plain},", f"{plain};")):
            return f"sha256:{sha256}{text[len(plain) :]}"
    return value


def all_versions() -> Record:
    """Versions that scores depend on; Pillow's too, which decodes the images."""
    try:
        pillow: str | None = version("pillow")
    except PackageNotFoundError:
        pillow = None
    return versions() | {"pillow": pillow}


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def finished(folder: Path, key: str) -> Record:
    """The row of a finished run. Raises DataError where there is none."""
    path = folder / ROWS
    with path.open(encoding="utf-8") as file:
        for text in file:
            row: Record = json.loads(text)
            if row["run"] == key:
                return row
    raise DataError(f"expected the row of a finished {key} run in {path}, got none")
