"""The traces of a race as arrays: what each searcher had reached after every number of queries.

`bench.reports.load` keeps what all reports need of a trace. A race also needs how many
architectures were scored by then, and which architecture was the best so far, to know its test
accuracy; that is most of a trace's bytes, so only what is asked of it here is kept.

Shapes: `n` seeds, `t` queries, `b` marks (the numbers of queries that are reported).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from bench.base import Floats, Ints, Record
from bench.reports.load import Study, read_rows
from bench.reports.searches import parse_budget
from bench.runs.store import ROWS

MARKS = (10, 25, 50, 100, 200)
_COLUMNS = ("run", "seed", "queries", "arch", "validation", "seconds", "scored")


@dataclass(frozen=True, eq=False)
class Entry:
    """One searcher on one task at its largest budget of queries, `n` seeds in ascending order.

    A search that gave back the rest of its budget stays at its last values.
    """

    task: str
    searcher: str
    place: int
    """The searcher's place in the order in which the study ran them."""
    budget: int
    failed: frozenset[int]
    """Seeds whose search failed; they are not among `seeds`."""
    marks: Ints
    """`b` numbers of queries, none above the budget."""
    seeds: Ints
    regret: Floats
    """`n x t`: validation regret of the best so far after 1, 2, ... queries."""
    test_regret: Floats
    """`n x b`: test regret of the best so far by validation, NaN where its accuracy is unknown."""
    seconds: Floats
    """`n x b` simulated seconds, NaN where not recorded."""
    scored: Floats
    """`n x b` different architectures whose proxies were read, NaN where not recorded."""
    queries: Ints
    """`n` queries made; fewer than the budget where the rest was given back."""

    def at(self, mark: int) -> Floats:
        """The `n` validation regrets after so many queries."""
        return self.regret[:, mark - 1]


@dataclass(frozen=True, eq=False)
class _Part:
    """The seeds of one trace file that count: `n x t` values, and rows of the results."""

    rows: Sequence[Record]
    validation: Floats
    codes: Ints
    archs: pyarrow.Array
    seconds: Floats
    scored: Floats
    queries: Ints


_PER_TASK = "found_on"


def common_name(searcher: str) -> str:
    """A searcher's text without the option that must differ between tasks.

    Weights found on a task are not for that task, so `found_on` says what was given, not what it
    was given to; by this name one searcher is ranked over all tasks.

    >>> common_name("ipl,found_on=nasbench201/cifar10,scored=200")
    'ipl,scored=200'
    """
    options = searcher.split(",")
    return ",".join(each for each in options if each.partition("=")[0] != _PER_TASK)


def _names(searches: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What every searcher is called: by its common name, unless two on one task share that."""
    there = set(searches)
    sharing = Counter((task, common_name(searcher)) for task, searcher in there)
    several = {name for (_, name), count in sharing.items() if count > 1}
    return {
        searcher: searcher if common_name(searcher) in several else common_name(searcher)
        for _, searcher in there
    }


def read_entries(results: Path, study: Study, marks: Sequence[int] = MARKS) -> list[Entry]:
    """Read the searches of a study that have a budget in queries, by task and order of rows.

    Of several rows of one task, searcher, budget and seed, the last counts. Marks above the
    largest budget are left out; if that leaves none, the largest budget is the only one.
    """
    found: list[tuple[Path, Record, int]] = []
    for path in sorted((results / study.name).glob(f"*/{ROWS}")):
        for row in read_rows(path):
            if row["commit"] == study.commit and row["kind"] == "search":
                unit, amount = parse_budget(str(row["budget"]))
                if unit == "queries":
                    found.append((path.parent, row, int(amount)))
    names = _names((str(row["task"]), str(row["searcher"])) for _, row, _ in found)
    last: dict[tuple[str, str, int, int], tuple[Path, Record]] = {}
    for folder, row, amount in found:
        key = (str(row["task"]), names[str(row["searcher"])], amount, int(row["seed"]))
        last[key] = (folder, row)
    largest: dict[tuple[str, str], int] = {}
    for task, searcher, budget, _ in last:
        largest[task, searcher] = max(budget, largest.get((task, searcher), 0))
    grouped: dict[tuple[str, str], list[tuple[Path, Record]]] = {name: [] for name in largest}
    for (task, searcher, budget, _), pair in last.items():
        if budget == largest[task, searcher]:
            grouped[task, searcher].append(pair)
    most = max(largest.values(), default=0)
    shown = [mark for mark in marks if mark <= most] or [most]
    return _entries(study, grouped, largest, shown)


def _entries(
    study: Study,
    grouped: Mapping[tuple[str, str], Sequence[tuple[Path, Record]]],
    budgets: Mapping[tuple[str, str], int],
    marks: Sequence[int],
) -> list[Entry]:
    entries = []
    order = list(dict.fromkeys(searcher for _, searcher in grouped))
    for task in sorted({task for task, _ in grouped}):
        here = {searcher: pairs for (name, searcher), pairs in grouped.items() if name == task}
        parts = {s: list(_parts(pairs, budgets[task, s])) for s, pairs in here.items()}
        truth = _truth(study, task, [part for each in parts.values() for part in each])
        for searcher, pairs in here.items():
            failed = frozenset(int(row["seed"]) for _, row in pairs if row["status"] == "failed")
            budget = budgets[task, searcher]
            within = np.array([mark for mark in marks if mark <= budget], dtype=np.int64)
            found = [_measured(part, within, truth) for part in parts[searcher]]
            columns = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
            # As within a file: what is known of some seeds only is known of none.
            columns["test_regret"][:, np.isnan(columns["test_regret"]).any(axis=0)] = np.nan
            by_seed = np.argsort(columns["seeds"], kind="stable")
            arrays = {name: column[by_seed] for name, column in columns.items()}
            place = order.index(searcher)
            entries.append(Entry(task, searcher, place, budget, failed, within, **arrays))
    return entries


def _parts(pairs: Sequence[tuple[Path, Record]], budget: int) -> Iterator[_Part]:
    """The successful rows of one searcher on one task, file by file; one empty part if none."""
    files: dict[Path, list[Record]] = {}
    for folder, row in pairs:
        if row["status"] == "ok" and row.get("file"):
            files.setdefault(folder / row["file"], []).append(row)
    for path, rows in files.items():
        yield _read(path, rows, budget)
    if not files:
        nothing, none = np.zeros((0, budget)), np.zeros((0, budget), dtype=np.int64)
        archs = pyarrow.array([], pyarrow.string())
        yield _Part([], nothing, none, archs, nothing, nothing, none[:, 0])


def _read(path: Path, rows: Sequence[Record], budget: int) -> _Part:
    """Lay a trace file out as `n x t`, a row for each of the rows given, NaN where nothing was."""
    file = pyarrow.parquet.ParquetFile(path, read_dictionary=["run", "arch"])
    columns = [name for name in _COLUMNS if name in file.schema_arrow.names]
    table = file.read(columns, use_threads=False).unify_dictionaries().combine_chunks()
    place = _places(table, rows)
    query = table.column("queries").to_numpy() - 1
    used = (place >= 0) & (query < budget)
    place, query = place[used], query[used]

    def laid_out(name: str) -> Floats:
        matrix = np.full((len(rows), budget), np.nan)
        if name in columns:
            matrix[place, query] = table.column(name).to_numpy()[used]
        return matrix

    archs = table.column("arch").combine_chunks()
    codes = np.zeros((len(rows), budget), dtype=np.int64)
    codes[place, query] = archs.indices.to_numpy()[used]
    return _Part(
        rows=rows,
        validation=laid_out("validation"),
        codes=codes,
        archs=archs.dictionary,
        seconds=laid_out("seconds"),
        scored=laid_out("scored"),
        queries=np.bincount(place, minlength=len(rows)),
    )


def _places(table: pyarrow.Table, rows: Sequence[Record]) -> Ints:
    """Which of the rows given each line of a trace file belongs to, -1 for none of them."""
    runs = table.column("run").combine_chunks()
    names = runs.dictionary.to_pylist()
    seeds = table.column("seed").to_numpy()
    codes = runs.indices.to_numpy().astype(np.int64)
    # A search's lines stand together, as it was written, so few places begin another one.
    starts = np.flatnonzero((np.diff(codes, prepend=-1) != 0) | (np.diff(seeds, prepend=-1) != 0))
    wanted = {(str(row["run"]), int(row["seed"])): place for place, row in enumerate(rows)}
    begun = zip(codes[starts].tolist(), seeds[starts].tolist(), strict=True)
    places = np.array([wanted.get((names[run], seed), -1) for run, seed in begun], dtype=np.int64)
    return np.repeat(places, np.diff(starts, append=len(codes)))


@dataclass(frozen=True, eq=False)
class _Truth:
    """What the searches of one task are measured against."""

    sign: float
    """1 where larger validation values are better, else -1."""
    optimum: float
    """The best oriented validation value that could be asked for."""
    test: Mapping[str, float]
    """Test accuracy by architecture, from the study's own scores of the task."""


def _truth(study: Study, task: str, parts: Sequence[_Part]) -> _Truth:
    """The direction and the optimum, as rows imply them.

    Smaller is better where a pick was not its trace's largest value. The optimum is the same for
    all rows, so that equal finds have equal regrets: a pick and its regret, of the row nearest to
    it, where the sum is least rounded.
    """
    sign = 1.0
    for part in parts:
        if (_numbers(part.rows, "validation") < np.fmax.reduce(part.validation, axis=1)).any():
            sign = -1.0
    rows = [row for part in parts for row in part.rows if row["regret"] is not None]
    nearest = min(rows, key=lambda row: float(row["regret"]), default=None)
    optimum = np.nan if nearest is None else sign * nearest["validation"] + nearest["regret"]
    scores = [each for each in study.score_sets if each.task == task and "test" in each.accuracy]
    test = {
        arch: value
        for each in scores
        for arch, value in zip(each.archs, each.accuracy["test"].tolist(), strict=True)
    }
    return _Truth(sign, float(optimum), test)


def _measured(part: _Part, marks: Ints, truth: _Truth) -> dict[str, Any]:
    """The arrays of an `Entry` for the seeds of one file."""
    seen = truth.sign * part.validation
    best = np.fmax.accumulate(seen, axis=1)
    before = np.column_stack([np.full(len(seen), -np.inf), best[:, :-1]])
    # The earliest of equal values is the pick, as in `bench.runs.search`.
    better = np.where(
        seen > np.where(np.isnan(before), -np.inf, before), np.arange(seen.shape[1]), 0
    )
    pick = np.maximum.accumulate(better, axis=1)
    return {
        "seeds": np.array([row["seed"] for row in part.rows], dtype=np.int64),
        "regret": np.maximum(truth.optimum - best, 0.0),
        "test_regret": _test_regrets(part, pick, marks, truth),
        "seconds": _carried(part.seconds)[:, marks - 1],
        "scored": _carried(part.scored)[:, marks - 1],
        "queries": part.queries,
    }


def _carried(values: Floats) -> Floats:
    """Non-decreasing values, the last one carried on to where nothing was asked any more."""
    carried: Floats = np.fmax.accumulate(values, axis=1)
    return carried


def _test_regrets(part: _Part, pick: Ints, marks: Ints, truth: _Truth) -> Floats:
    """`n x b` test regrets of the best so far: the row's own where it is the pick, else looked up.

    A column in which some seed's accuracy is unknown is NaN throughout: what is known of the
    others would be of those searches that found their pick early.
    """
    at = pick[:, marks - 1]
    codes = part.codes[np.arange(len(at))[:, None], at]
    different, places = np.unique(codes, return_inverse=True)
    texts = part.archs.take(pyarrow.array(different)).to_pylist()
    values = np.array([truth.test.get(text, np.nan) for text in texts])[places.reshape(codes.shape)]
    final = _numbers(part.rows, "test_regret")[:, None]
    optimum = truth.sign * _numbers(part.rows, "test")[:, None] + final
    found: Floats = np.maximum(optimum - truth.sign * values, 0.0)
    found = np.where(at == pick[:, -1:], final, found)
    found[:, np.isnan(found).any(axis=0)] = np.nan
    return found


def _numbers(rows: Sequence[Record], name: str) -> Floats:
    return np.array([np.nan if row.get(name) is None else row[name] for row in rows], np.float64)
