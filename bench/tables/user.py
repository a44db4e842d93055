"""A table of a user's own, from CSV, Parquet or NAS-Bench-Suite-Zero's JSON.

Nothing of such a table is known but what stands in it, so whatever could be read in two ways is
refused until somebody says which one is meant, or is read by a stated rule and told.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.base import Arch, DataError, Floats, OptionError, Space, Table
from bench.tables import bookkeeping
from bench.tables._cells import NOTHING, Cells, Marks, marks_of, read_cells
from bench.tables._frame import FAILED, Frame, read_csv, read_parquet
from bench.tables._rows import check_encoding, of_rows, parse_own, refuse_repeats
from bench.tables.columns import ACCURACIES
from bench.tables.files import refuse_pickle
from bench.tables.made import is_made, read_made
from bench.tables.suite_zero import METRICS, VALIDATION, encoding_of, read_cells_of

ARCH = "arch"
SECONDS = "training_seconds"
TARGET = "targets."
PROXY = "proxies."
ROLES = (ARCH, *ACCURACIES, SECONDS)
FAILED_CELLS, UNRECORDED_CELLS = "failed", "unrecorded"
EMPTY = (FAILED_CELLS, UNRECORDED_CELLS)
"""What an empty score may mean."""
PERCENT, FRACTION = "accuracy_percent", "accuracy_fraction"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """What a user says of a file, where it does not say so itself."""

    dataset: str
    """What its architectures were trained on; in JSON, which of its datasets to read."""
    maximise: bool = True
    """Whether larger accuracies are better."""
    metric: str | None = None
    """What `train`, `validation` and `test` hold. By default accuracy, in percent or, where none
    is above 1, as a fraction; or what the suite measures on this dataset. Another measure may lie
    anywhere, an accuracy not."""
    columns: Mapping[str, str] | None = None
    """The file's column for a role, as in `{"validation": "val_acc", "arch": "net"}`;
    `targets.latency` makes a target of a column, `proxies.mine` a proxy. Made tables have none."""
    ignore: Collection[str] = ()
    """Columns or proxies that are left out, such as comments."""
    asked: Collection[str] = ()
    """Columns that are proxies because somebody asked for them by name, whatever they look like."""
    lower_is_better: Collection[str] = ()
    """Proxies of which smaller values are better; larger are of all others."""
    empty: str = FAILED_CELLS
    """Whether an empty score is one that `failed` or is `unrecorded`."""
    encoding: str | None = None
    """Whose numbers the architectures are, where they are written as numbers."""
    tell_failures: bool = True
    """Whether scores that failed are told; not where rows that follow count them, by reason."""


def read_table(
    path: Path,
    space: Space,
    *,
    name: str | None = None,
    tell: Callable[[str], None] = _log.warning,
    **stated: Any,
) -> Table:
    """Read a table of architectures, what they reached, and proxies' scores of them.

    A CSV or Parquet file has a column `arch` (any text form of the space) and at least one of
    `train`, `validation`, `test`; `training_seconds` may be there too. Every other column is a
    proxy's score, unless it has a role, is ignored, or `bookkeeping.why_left_out` has a reason. A
    proxy has no direction but the one that the user states, even if a built-in one has its name.

    A score that is an infinity or -1e8 failed. An empty one and a NaN mean the same, as one data
    frame is saved with either: `Reading.empty` says what. Rows without any accuracy are left out.

    A JSON file is in the layout of NAS-Bench-Suite-Zero, and its tuples are NASLib's. A Parquet
    file that `make-table` wrote is read by `read_made`, which knows its columns.

    Args:
        path: A file ending in .csv, .csv.gz, .parquet or .json.
        space: The space of its architectures.
        name: The table's name (default: the file's stem).
        tell: Takes one sentence about each thing that was decided.
        **stated: What the file does not say of itself: the fields of `Reading`.

    Raises:
        DataError: If the file is damaged or foreign, a column is missing or not numeric, an
            accuracy is no possible one, or an architecture is unreadable or there twice.
        OptionError: If the space has no such encoding.
    """
    how = Reading(**stated)
    refuse_pickle(path)
    check_encoding(space, how.encoding)
    if how.empty not in EMPTY:
        raise OptionError(f"expected empty scores to be {' or '.join(EMPTY)}, got {how.empty!r}")
    if not path.is_file():
        raise DataError(f"expected a table, got no file at {path}")

    def told(sentence: str) -> None:
        tell(f"{path.name}: {sentence}")

    if path.suffix == ".parquet" and is_made(path):
        if how.columns:
            raise DataError(
                f"{path.name}: expected no columns to be named for a made table, got {how.columns}"
            )
        table = replace(read_made(path, space), maximise=how.maximise)
    elif path.suffix == ".json":
        table = _read_suite(path, space, how, told)
    else:
        table = _OwnFile(_read_frame(path), space, how, told).table()
    return replace(table, name=name or path.name.partition(".")[0])


def _read_frame(path: Path) -> Frame:
    if path.suffix == ".parquet":
        return read_parquet(path)
    if path.name.endswith((".csv", ".csv.gz")):
        return read_csv(path)
    raise DataError(f"expected a name ending in .csv, .csv.gz, .parquet or .json, got {path.name}")


def _read_suite(path: Path, space: Space, how: Reading, tell: Callable[[str], None]) -> Table:
    """Read a file in the suite's layout, whose tuples are NASLib's unless the user says other."""
    frame, seconds = read_cells_of(path, how.dataset)
    columns = dict(how.columns or {})
    if VALIDATION in frame.cells and VALIDATION not in columns.values():
        columns.setdefault("validation", VALIDATION)
    how = replace(
        how,
        columns=columns,
        encoding=how.encoding or encoding_of(space, how.dataset),
        metric=how.metric or METRICS.get(how.dataset),
    )
    own = _OwnFile(frame, space, how, tell, seconds)
    return own.table(repeated=True)


class _OwnFile:
    """A file on its way to a table."""

    def __init__(
        self,
        frame: Frame,
        space: Space,
        how: Reading,
        tell: Callable[[str], None],
        seconds: Mapping[str, Floats] | None = None,
    ) -> None:
        if not frame.rows:
            raise DataError(f"{frame.name}: expected at least one row, got none")
        for column in (*how.ignore, *_columns(frame, how.asked)):
            frame.column(column)
        self._frame, self._space, self._how, self._tell = frame, space, how, tell
        self._seconds = seconds or {}
        self._roles = _roles(frame, dict(how.columns or {}), set(how.ignore))
        self._marks: Marks = marks_of(frame, [self._roles[ARCH]])

    def table(self, *, repeated: bool = False) -> Table:
        """The table; where architectures may be repeated, the first of each counts."""
        frame, roles, how = self._frame, self._roles, self._how
        if self._marks.remark:
            self._tell(self._marks.remark)
        texts = frame.texts(roles[ARCH])
        archs = parse_own(texts, self._space, frame.name, how.encoding)
        accuracy = {it: self._accuracy(roles[it]) for it in ACCURACIES if it in roles}
        metric = how.metric or _metric(accuracy, how.maximise)
        self._check_range(accuracy, metric)
        kept = self._kept(archs, accuracy, repeated=repeated)
        scores, failures = self._scores(accuracy)
        made = Table(
            name=frame.name,
            space=self._space.name,
            dataset=how.dataset,
            archs=[self._space.text(arch) for arch in archs],
            accuracy=accuracy,
            scores=scores,
            score_seconds={it: took for it, took in self._seconds.items() if it in scores},
            targets={
                role.removeprefix(TARGET): self._numbers(column)
                for role, column in roles.items()
                if role.startswith(TARGET)
            },
            training_seconds=self._numbers(roles[SECONDS]) if SECONDS in roles else None,
            metric=metric,
            maximise=how.maximise,
            sources=(frame.name,),
            directions={it: it not in how.lower_is_better for it in scores},
            failures=failures,
            searched_on=self._searched_on(),
        )
        return of_rows(made, np.array(kept, np.int64))

    def _cells(self, column: str) -> Cells:
        return read_cells(self._frame, column, self._marks)

    def _numbers(self, column: str) -> Floats:
        """A column of numbers, NaN where there is none. Raises DataError for anything else."""
        cells = self._cells(column)
        cells.require_numbers(self._frame.name)
        return cells.values

    def _accuracy(self, column: str) -> Floats:
        """A column of accuracies, NaN where there is none. Raises DataError for an infinity."""
        values = self._numbers(column)
        wrong = np.flatnonzero(np.isinf(values) | (values == FAILED))
        if len(wrong):
            raise DataError(
                f"{self._frame.name}: expected finite accuracies in column {column!r}, got"
                f" {len(wrong)} that are not, the first {values[wrong[0]]:g} in"
                f" {self._row(wrong[0])}; leave the cell empty where training failed"
            )
        return values

    def _row(self, row: int) -> str:
        return f"row {row + 1}, {self._frame.texts(self._roles[ARCH])[row][:80]}"

    def _check_range(self, accuracy: Mapping[str, Floats], metric: str) -> None:
        """Raise DataError for an accuracy that is none; tell of some that seem to be fractions."""
        most = {PERCENT: 100.0, FRACTION: 1.0}.get(metric)
        if most is None:
            return
        for split, values in accuracy.items():
            column = self._roles[split]
            wrong = np.flatnonzero((values < 0) | (values > most))
            if len(wrong):
                raise DataError(
                    f"{self._frame.name}: expected accuracies from 0 to {most:g} in column"
                    f" {column!r}, got {values[wrong[0]]:g} in {self._row(wrong[0])}; if it holds"
                    " another measure, name that by --metric"
                )
            small = values[(values > 0) & (values <= 1)]
            large = values[values > 1]
            if len(small) and len(large) and (100 * small <= large.max()).all():
                self._tell(
                    f"column {column!r} has {len(small)} accuracies of 1 or less and"
                    f" {len(large)} above 1; all are taken in percent"
                )
        fractions = {it for it, values in accuracy.items() if _at_most_one(values)}
        if fractions and fractions != accuracy.keys() and metric == PERCENT:
            self._tell(
                f"{', '.join(sorted(fractions))} has no accuracy above 1, while others have; all"
                " are taken in percent"
            )

    def _kept(
        self, archs: list[Arch], accuracy: Mapping[str, Floats], *, repeated: bool
    ) -> list[int]:
        """The rows that have an accuracy, and of each architecture the first where it may repeat.

        Raises DataError where no row is left, or an architecture stands in two of them.
        """
        known = ~np.logical_and.reduce([np.isnan(values) for values in accuracy.values()])
        n = len(archs)
        if not known.any():
            raise DataError(
                f"{self._frame.name}: expected an accuracy in one row at least, got none in"
                f" {n:,} rows of {', '.join(self._roles[it] for it in accuracy)}"
            )
        if not known.all():
            self._tell(f"{n - known.sum():,} of {n:,} rows have no accuracy and are left out")
        for split, values in accuracy.items():
            lacking = int((np.isnan(values) & known).sum())
            if lacking and split != "train":
                self._tell(f"{split} is empty in {lacking:,} rows that have another accuracy")
        kept = np.flatnonzero(known).tolist()
        if not repeated:
            refuse_repeats(
                [archs[row] for row in kept], self._space, self._frame.name, [it + 1 for it in kept]
            )
            return kept
        first: dict[Arch, int] = {}
        for row in kept:
            first.setdefault(archs[row], row)
        if len(first) < len(kept):
            self._tell(
                f"{len(kept) - len(first):,} entries are an architecture that stands there before"
                " and are left out"
            )
        return list(first.values())

    def _scores(
        self, accuracy: Mapping[str, Floats]
    ) -> tuple[dict[str, Floats], dict[str, dict[int, str]]]:
        """The scores by proxy, and by proxy and row why one failed; tells what is no proxy."""
        how, roles = self._how, self._roles
        named = {it.removeprefix(PROXY): c for it, c in roles.items() if it.startswith(PROXY)}
        asked = {it: it for it in _columns(self._frame, how.asked) if it not in named}
        taken = {*roles.values(), *how.ignore, *asked}
        proxies = {it: self._proxy(column) for it, column in (named | asked).items()}
        left_out: dict[str, str] = {}
        for column in self._frame.cells:
            if column in taken:
                continue
            cells = self._cells(column)
            why = bookkeeping.why_left_out(cells, accuracy, self._frame.index)
            if why is None:
                proxies[column] = self._proxy(column)
            else:
                left_out[column] = why
        self._tell_left_out(left_out)
        lacking = sorted(set(how.lower_is_better) - set(proxies))
        if lacking:
            raise DataError(
                f"{self._frame.name}: expected --lower-is-better to name a proxy, got {lacking[0]};"
                f" its proxies are {', '.join(proxies) or 'none'}"
            )
        scores, failures = {}, {}
        for name, cells in proxies.items():
            failed = cells.failures()
            if how.empty == UNRECORDED_CELLS:
                failed = {row: why for row, why in failed.items() if why not in NOTHING}
            values = cells.values.copy()
            values[list(failed)] = -np.inf
            scores[name], failures[name] = values, failed
            self._tell_of(name, cells, accuracy)
        return scores, {it: reasons for it, reasons in failures.items() if reasons}

    def _proxy(self, column: str) -> Cells:
        cells = self._cells(column)
        cells.require_numbers(self._frame.name)
        return cells

    def _tell_left_out(self, left_out: Mapping[str, str]) -> None:
        if left_out:
            listed = "; ".join(f"{column!r} ({why})" for column, why in left_out.items())
            *_, last = left_out
            self._tell(
                f"no proxy: {listed}; to have one all the same, name it, as in"
                f" --column {PROXY}mine={last!r}"
            )

    def _tell_of(self, name: str, cells: Cells, accuracy: Mapping[str, Floats]) -> None:
        """Tell what became of cells without a score, and of scores that seem to be none."""
        counts = Counter(cells.failures().values())
        if counts and self._how.tell_failures:
            listed = ", ".join(f"{count:,} {why}" for why, count in sorted(counts.items()))
            nothing = sum(counts[why] for why in NOTHING)
            meaning = ""
            if nothing and self._how.empty == FAILED_CELLS:
                meaning = "; --empty unrecorded leaves out rows whose score is empty or nan"
            elif nothing:
                meaning = f"; the {nothing:,} empty or nan count as not recorded, all others failed"
            verb = "failed" if self._how.empty == FAILED_CELLS else "are no numbers"
            self._tell(
                f"{sum(counts.values()):,} of {len(cells.values):,} scores of {name} {verb}:"
                f" {listed}{meaning}"
            )
        split = bookkeeping.orders_as(cells.values, accuracy)
        if split is not None:
            self._tell(
                f"{name} orders architectures just as {split} does, or just against it; if it is"
                f" no proxy, say --ignore {name}"
            )

    def _searched_on(self) -> str:
        """Which accuracy the user put under `validation`: test, if the column's name says so."""
        for split in ("train", "validation", "test"):
            named = self._roles.get(split, "")
            if self._how.maximise and _COST.search(named):
                self._tell(
                    f"column {named!r} is read as {split} of which larger values are better;"
                    " --minimise says that smaller ones are"
                )
        column = self._roles.get("validation", "")
        if "test" not in column.lower():
            return "validation"
        self._tell(
            f"searchers are told column {column!r} as validation: what they find is chosen by test"
            " accuracy"
        )
        return "test"


_COST = re.compile(r"err|loss|perplexity|ppl|(^|_)(rmse|mae|mse|wer)($|_)", re.IGNORECASE)
"""Of what is named so, smaller is usually better."""


def _columns(frame: Frame, asked: Iterable[str]) -> list[str]:
    """The columns among what somebody asked for by name, which may be proxies of other kinds."""
    return [name for name in dict.fromkeys(asked) if name in frame.cells]


def _roles(frame: Frame, columns: dict[str, str], ignore: Collection[str]) -> dict[str, str]:
    """Return the column of each role: the one that was named for it, or the one of its name.

    Raises:
        DataError: If a role is unknown, a named column is missing, one column was named twice, or
            there is no architecture or no accuracy.
    """
    for role, column in columns.items():
        if role not in ROLES and not role.startswith((TARGET, PROXY)):
            raise DataError(
                f"expected a role among {', '.join(ROLES)}, {TARGET}NAME or {PROXY}NAME, got"
                f" {role!r}"
            )
        frame.column(column)
    taken = list(columns.values())
    if len(set(taken)) < len(taken):
        raise DataError(f"{frame.name}: expected every column in one role, got {columns}")
    free = [it for it in frame.cells if it not in taken and it not in ignore]
    roles = {it: it for it in ROLES if it in free} | columns
    if ARCH not in roles:
        frame.column(ARCH)
    if not any(it in roles for it in ACCURACIES):
        raise DataError(
            f"{frame.name}: expected a column train, validation or test, got"
            f" {', '.join(frame.cells)}; say which one it is, as in --column validation=val_acc"
        )
    return roles


def _at_most_one(values: Floats) -> bool:
    known = values[~np.isnan(values)]
    return bool(len(known)) and bool((known >= 0).all() and (known <= 1).all())


def _metric(accuracy: Mapping[str, Floats], maximise: bool) -> str:
    """What accuracies are whose user did not say: fractions where none is above 1."""
    if not maximise:
        return "not stated"
    return FRACTION if all(map(_at_most_one, accuracy.values())) else PERCENT


def sentences_of_directions(table: Table, built_in: Iterable[tuple[str, bool]]) -> Iterator[str]:
    """What to tell of proxies whose direction is not that of the built-in proxy of their name.

    Args:
        table: The table.
        built_in: The built-in proxies, each with whether larger is better.
    """
    for name, higher in built_in:
        own = table.directions.get(name, higher)
        if own != higher:
            words = ("larger", "smaller") if own else ("smaller", "larger")
            yield (
                f"{name} is taken as {words[0]} is better, where the built-in proxy {name} is"
                f" {words[1]} is better"
                + (f"; say --lower-is-better {name} if it is that one" if own else "")
            )
