"""`ipl-bench run`: a study's runs into its results folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from bench.base import BenchError, DataError, Record, TableReader
from bench.runs import members
from bench.runs.pool import execute
from bench.runs.provenance import commit, machine, versions
from bench.runs.row import Attachment, Run
from bench.runs.store import ROWS, Store
from bench.studies import STUDIES
from bench.studies.study import Study
from bench.tables import files


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

    Tasks whose files are not here and cannot be fetched are left out, and `tell` says so;
    with none left, DataError. Raises DataError where results are there already and `resume`
    is not asked for.
    """
    study = _study(name)
    folder = results / study.name / f"{commit()}-{machine()}"
    if not resume and (folder / ROWS).exists():
        raise DataError(
            f"{folder} holds results already; go on with them by --resume, or move them away"
        )
    missing = _missing(study)
    for task, why in missing.items():
        tell(f"left out {task}: {why}")
    plan = [each for each in study.runs() if each.task not in missing]
    if not plan:
        raise DataError(f"none of the {len(missing)} tasks of the study {name} has its files here")
    common = {"study": study.name, "machine": machine(), "commit": commit()}
    with Store.opened(folder, common) as store:
        store.write(_provenance(study, common, missing))
        store.log({"command": sys.argv[1:]})
        execute(plan, store, workers=workers, progress=progress(len(plan)))
    return folder


def _study(name: str) -> Study:
    known = {study.name: study for study in STUDIES}
    if name not in known:
        raise members.did_you_mean("study", name, known)
    return known[name]


def _missing(study: Study) -> dict[str, str]:
    """The tasks that cannot be had, and why; files that can be fetched are."""
    missing: dict[str, str] = {}
    for task in study.tasks():
        try:
            for path in members.reader(task).files:
                files.find(path)
        except BenchError as error:
            missing[task] = str(error)
    return missing


def _provenance(study: Study, common: Record, missing: dict[str, str]) -> Attachment:
    readers: list[TableReader] = [members.reader(task) for task in study.tasks()]
    known = files.known()
    hashes = {path: known[path].sha256 for reader in readers for path in reader.files}
    content = {**common, "versions": versions(), "data_sha256": hashes, "left_out": missing}
    return Attachment("provenance.json", (json.dumps(content, indent=1) + "\n").encode())
