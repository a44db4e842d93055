"""`ipl-bench run`: a study's runs into its results folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from bench.base import BenchError, DataError, Record
from bench.runs import members
from bench.runs.pool import execute
from bench.runs.provenance import (
    check_machine,
    folder_of,
    processor_settings,
    require_own,
    shared,
    versions,
)
from bench.runs.row import Run, in_words
from bench.runs.store import PROVENANCE, ROWS, Store
from bench.runs.tasks import task_reader
from bench.studies import STUDIES
from bench.studies.study import Study
from bench.tables import files
from bench.tables.download import MissingError


def run(
    name: str,
    results: Path,
    *,
    workers: int,
    resume: bool,
    tell: Callable[[str], None],
    progress: Callable[[int], Callable[[Run], None]],
) -> Path:
    """Do a study's runs and return its results folder.

    Tasks whose files are not here and cannot be fetched are left out, and `tell` says so in one
    line; with none left, DataError, as where a file is here and damaged. Raises DataError too where
    results are there already and `resume` is not asked for, or they are of other versions, and
    BenchError where rows failed, when all is done.
    """
    study = _study(name)
    folder = folder_of(results, study.name)
    if not resume and (folder / ROWS).exists():
        raise DataError(
            f"{folder} holds results already; go on with them by --resume, or move them away"
        )
    if resume:
        require_own(folder)
    missing = _missing(study)
    plan = [each for each in study.runs() if each.task not in missing]
    if not plan:
        first = next(iter(missing.values()))
        raise DataError(
            f"none of the {len(missing)} tasks of the study {name} has its files here; "
            f"the first: {first}"
        )
    if missing:
        first = next(iter(missing.values()))
        tell(f"left out {len(missing)} tasks, {', '.join(missing)}; the first because: {first}")
    common = shared(study.name)
    with Store.opened(folder, common) as store:
        _provenance(study, common, missing, store)
        store.log({"command": sys.argv[1:]})
        execute(plan, store, workers=workers, progress=progress(len(plan)))
    failed = failures(folder / ROWS)
    if failed:
        first = f"{failed[0]['run']}: {failed[0]['error']}"
        raise BenchError(f"failed rows in {folder}: {len(failed)}, the first {first}")
    return folder


def failures(path: Path) -> list[Record]:
    """The rows of a finished file of rows that failed, or hold no score though some were asked."""
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [_judged(json.loads(line)) for line in lines]
    return [row for row in rows if row["status"] != "ok"]


def _judged(row: Record) -> Record:
    """The row; as failed where it is of scores and every proxy failed on every architecture."""
    errors = row.get("errors", {}) if row["kind"] == "score" else {}
    counts = [sum(errors.get(name, {}).values()) for name in row.get("proxies", ())]
    if not counts or min(counts) < row["n"]:
        return row
    name = row["proxies"][0]
    return row | {"status": "failed", "error": f"no score: {name}, {in_words(errors[name])}"}


def _study(name: str) -> Study:
    known = {study.name: study for study in STUDIES}
    if name not in known:
        raise members.did_you_mean("study", name, known)
    return known[name]


def _missing(study: Study) -> dict[str, str]:
    """The tasks that cannot be had, and why; files that can be fetched are.

    Once an address could not be reached, no other is tried: each may cost its time limit. Raises
    DataError for a file that is here and is not the published one.
    """
    missing: dict[str, str] = {}
    offline = False
    for task in study.tasks():
        for path in task_reader(task).files:
            if offline and files.here(path) is None:
                missing[task] = f"{path} is not here, and the network was not reached"
                break
            try:
                files.find(path)
            except MissingError as error:
                missing[task] = str(error)
                cause = error.__cause__
                offline |= isinstance(cause, OSError) and getattr(cause, "response", None) is None
                break
    return missing


def _provenance(study: Study, common: Record, missing: dict[str, str], store: Store) -> None:
    """Write where the results come from; refuse to go on with those of other versions or data."""
    readers = [task_reader(task) for task in study.tasks() if task not in missing]
    hashes = {path: files.source(path).sha256 for reader in readers for path in reader.files}
    content = {
        **common,
        "versions": versions(),
        "processor_settings": processor_settings(),
        "data_sha256": hashes,
        "left_out": missing,
    }
    path = store.folder / PROVENANCE
    known = _before(path) if store.done and path.exists() else {}
    check_machine(store.folder, known.pop("machine", None))
    for what, before in known.items():
        for name, value in before.items():
            if content[what].get(name, value) != value:
                raise DataError(
                    f"{store.folder} holds results of {name} {value}, and here it is "
                    f"{content[what][name]}; move them away and run anew"
                )
    store.write_provenance(content)


def _before(path: Path) -> Record:
    """Of which machine, versions and data the results beside a provenance are. Raises DataError."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        parts = {what: dict(known.get(what, {})) for what in ("versions", "data_sha256")}
        return {"machine": known.get("machine"), **parts}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"expected the provenance of a study, got {path}: {type(error).__name__}: {error}"
        ) from error
