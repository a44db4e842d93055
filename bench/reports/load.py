"""Read back what runs wrote: rows, score tables, traces, predictions of one study at one commit.

A study's results lie in `results/<study>/<commit>-<machine>/`, one folder a machine. Machines of
one commit are read together; commits are never mixed. Where a run was repeated, the last row
counts. Every attachment is checked against the SHA-256 its row states.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.base import DataError, Record
from bench.reports.attachments import Attachments, Trace
from bench.reports.predicted import Predictions, grouped
from bench.reports.score_sets import ScoreSet, score_set
from bench.runs.members import did_you_mean
from bench.runs.store import PROVENANCE, ROWS

_SHARED_FIELDS = (
    *("study", "machine", "commit", "seed", "run", "part", "parts"),
    *("kind", "task", "status", "error"),
)
_SCORE_FIELDS = ("space", "dataset", "metric", "maximise", "truth", "proxies", "file", "sha256")
_SEARCH_FIELDS = ("searcher", "budget", "queries", "seconds", "validation", "regret")
_PREDICT_FIELDS = (
    *("predictor", "budget", "queries", "seconds", "scored"),
    *("n", "predicted", "facts", "file", "sha256"),
)
_FIELDS = {
    "score": _SCORE_FIELDS,
    "search": _SEARCH_FIELDS,
    "predict": _PREDICT_FIELDS,
    "table": ("file", "sha256"),
}
_COMMIT = r"\w[\w.+-]*"
"""What a commit is called; a report's folder is called the same."""
_KEY = ("kind", "run", "task", "searcher", "budget", "seed")
_NUMBERED = frozenset({"profile"})
"""Kinds of rows that nothing but their part tells apart."""


@dataclass(frozen=True, eq=False)
class Search:
    """How one search with one seed ended; NaN where a value is unknown."""

    task: str
    searcher: str
    budget: str
    seed: int
    queries: int
    seconds: float
    validation: float
    test: float
    regret: float
    test_regret: float
    trace: Trace | None
    arch: str = ""
    """The best architecture that was found, as text; empty where nothing was told."""


@dataclass(frozen=True, eq=False)
class Study:
    """All that is known of one study at one commit."""

    name: str
    commit: str
    machines: tuple[str, ...]
    score_sets: tuple[ScoreSet, ...]
    """By task, in alphabetical order; where a task was scored with several seeds, the first."""
    repeats: tuple[ScoreSet, ...]
    """By task and seed, of tasks that were scored with several seeds: all of them."""
    searches: tuple[Search, ...]
    """By task, searcher, budget and seed."""
    predictions: tuple[Predictions, ...]
    """By task, predictor and budget; each is read when its numbers are computed."""
    profiles: tuple[Record, ...]
    """Rows of `ipl-bench profile`, by run and part."""
    checks: tuple[Record, ...]
    """Rows of `tools/gpu.sh`, one a figure, measured or not."""
    made: tuple[tuple[Path, Record], ...]
    """The row, and its folder, of every table that was made by training networks."""
    failed: tuple[Record, ...]
    """The rows of runs that failed, as written; but for `checks`, which say so themselves."""
    sources: tuple[Record, ...]
    """Every row that counts: what it is of, its run and seed, and the file it names."""
    provenance: Mapping[str, Record]
    """By machine, what provenance.json says."""


def load_studies(results: Path, names: Sequence[str] = ()) -> Iterator[Study]:
    """Read the studies of those names under `results`, or all, each commit of them apart.

    In alphabetical order.

    Raises:
        UnknownNameError: There is no study of a name.
        DataError: There is nothing to report, or a file is missing, damaged or foreign.
    """
    found = 0
    for name in study_names(results, names):
        for study in load_study(results, name):
            found += 1
            yield study
    if not found:
        raise nothing_in(results)


def study_names(results: Path, names: Sequence[str] = ()) -> list[str]:
    """The studies under `results`, of those names where any are given, in alphabetical order.

    Raises:
        UnknownNameError: There is no study of a name.
        DataError: There is no such folder, or no study in it.
    """
    if not results.is_dir():
        raise DataError(f"expected a folder of results; got {results}, which does not exist")
    known = sorted({path.parent.parent.name for path in results.glob(f"*/*/{ROWS}")})
    if not known:
        raise nothing_in(results)
    for name in names:
        if name not in known:
            raise did_you_mean("study", name, known)
    return [name for name in known if not names or name in names]


def nothing_in(results: Path) -> DataError:
    """The error where a folder of results has no rows."""
    return DataError(f"expected a study with rows in {results}/STUDY/*/{ROWS}; got none")


def load_study(results: Path, name: str) -> Iterator[Study]:
    """Read one study of `results`, each commit of it apart; none where no row is there.

    Raises DataError where a file is missing, damaged or foreign.
    """
    rows = _read_folders(results / name)
    for commit in sorted({row["commit"] for _, row in rows}):
        yield _build(name, commit, [pair for pair in rows if pair[1]["commit"] == commit])


def _read_folders(folder: Path) -> list[tuple[Path, Record]]:
    """All rows of one study, each with the folder its attachments lie in."""
    paths = sorted(folder.glob(f"*/{ROWS}"))
    return [(path.parent, row) for path in paths for row in read_rows(path)]


def read_rows(path: Path) -> list[Record]:
    """Read a rows.jsonl; what a crash left unfinished at its end is left out.

    That is a last line without its newline, and rows of a last run whose parts are not all there.

    Raises:
        DataError: A line in the middle is damaged, or a line is no row of ipl-bench.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError as error:
        raise DataError(f"expected a readable file of rows; got {path}: {error}") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            if number == len(lines):  # torn: the writer died before the newline
                break
            raise DataError(f"expected JSON in {path}, line {number}; got {line[:60]!r}") from error
        _check_row(row, f"{path}, line {number}")
        rows.append(row)
    while rows and rows[-1]["part"] + 1 < rows[-1]["parts"]:
        rows.pop()
    return rows


def _check_row(row: Any, where: str) -> None:
    if not isinstance(row, dict):
        raise DataError(f"expected an object in {where}; got a {type(row).__name__}")
    wanted = list(_SHARED_FIELDS)
    if row.get("status") == "ok":
        wanted += _FIELDS.get(str(row.get("kind")), ())
    if not re.fullmatch(_COMMIT, str(row.get("commit", "none"))):
        raise DataError(f"expected the name of a commit in {where}; got {row['commit']!r}")
    missing = [name for name in wanted if name not in row]
    if missing:
        raise DataError(
            f"expected a row of ipl-bench in {where}; got one without {', '.join(missing)}"
        )
    if row["status"] not in ("ok", "failed"):
        raise DataError(f"expected status 'ok' or 'failed' in {where}; got {row['status']!r}")


def _build(name: str, commit: str, rows: Sequence[tuple[Path, Record]]) -> Study:
    last = {_key(row): (folder, row) for folder, row in rows}
    kept = [last[key] for key in sorted(last)]
    attachments = Attachments()
    fine = [(folder, row) for folder, row in kept if row["status"] == "ok"]
    # Of all rows, as each machine has one, of which the last counts. Since runs say whether they
    # are of a whole space, a column of the scores says which are shared.
    shared = {
        folder
        for folder, row in rows
        if row["kind"] == "live" and row.get("distinct") and "whole" not in row
    }
    score_sets = [
        score_set(f, row, attachments, shared=f in shared)
        for f, row in fine
        if row["kind"] == "score"
    ]
    searches = [
        search_of(row, attachments.trace(folder, row) if row.get("file") else None)
        for folder, row in fine
        if row["kind"] == "search"
    ]
    by_task = _by_task(name, score_sets)
    folders = sorted({folder for folder, _ in rows})
    return Study(
        name=name,
        commit=commit,
        machines=tuple(sorted({str(row["machine"]) for _, row in rows})),
        score_sets=tuple(each[0] for each in by_task.values()),
        repeats=tuple(one for each in by_task.values() if len(each) > 1 for one in each),
        searches=tuple(sorted(searches, key=lambda s: (s.task, s.searcher, s.budget, s.seed))),
        predictions=grouped((f, row) for f, row in fine if row["kind"] == "predict"),
        profiles=tuple(row for _, row in fine if row["kind"] == "profile"),
        checks=tuple(row for _, row in kept if row["kind"] == "gpu"),
        made=tuple((folder, row) for folder, row in fine if row["kind"] == "table"),
        failed=tuple(row for _, row in kept if row["status"] == "failed" and row["kind"] != "gpu"),
        sources=tuple(_source(folder, row) for folder, row in kept),
        provenance={folder.name: _provenance(folder) for folder in folders},
    )


def _source(folder: Path, row: Record) -> Record:
    """Where numbers of a row come from, and what leads to it."""
    who = row.get("searcher") or row.get("predictor")
    source: Record = {"kind": row["kind"], "task": row["task"], "who": who}
    named = ("budget", "seed", "run", "part", "status", "file", "sha256")
    return source | {"folder": folder.name} | {name: row.get(name) for name in named}


def _key(row: Record) -> tuple[str, ...]:
    """What makes two rows the same one, of which the last counts."""
    part = (f"{row['part']:06d}",) if row["kind"] in _NUMBERED else ()
    return (*(str(row.get(name)) for name in _KEY), *part)


def _by_task(name: str, score_sets: Sequence[ScoreSet]) -> dict[str, list[ScoreSet]]:
    """The score sets of each task, by seed. Raises DataError for two of one task and seed."""
    ordered = sorted(score_sets, key=lambda each: (each.task, each.seed))
    keys = [(each.task, each.seed) for each in ordered]
    if len(set(keys)) < len(keys):
        twice = sorted({task for task, seed in keys if keys.count((task, seed)) > 1})
        raise DataError(
            "expected one score row a task and seed in study "
            f"{name!r}; got several of {', '.join(twice)}"
        )
    return {task: list(group) for task, group in groupby(ordered, key=lambda each: each.task)}


def _provenance(folder: Path) -> Record:
    path = folder / PROVENANCE
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"expected JSON in {path}; got {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"expected an object in {path}; got a {type(found).__name__}")
    return found


def search_of(row: Record, trace: Trace | None = None) -> Search:
    """What a search's row says, with its trace where that is wanted."""
    return Search(
        task=str(row["task"]),
        searcher=str(row["searcher"]),
        budget=str(row["budget"]),
        seed=int(row["seed"]),
        queries=int(row["queries"]),
        seconds=_number(row["seconds"]),
        validation=_number(row["validation"]),
        test=_number(row.get("test")),
        regret=_number(row["regret"]),
        test_regret=_number(row.get("test_regret")),
        trace=trace,
        arch=str(row.get("arch") or ""),
    )


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
