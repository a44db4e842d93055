"""A task is a space and a table: what can be asked, and what is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import inf, isnan, nan
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bench.base import (
    Arch,
    ArchError,
    BenchError,
    DataError,
    Floats,
    GraphProxy,
    Proxy,
    Space,
    Table,
    TableReader,
)
from bench.proxies.scorer import score_graphs
from bench.runs import members
from bench.spaces.features import features
from bench.spaces.pool import Pool
from bench.tables.borrowed import borrowed
from bench.tables.cache import load
from bench.tables.columns import column
from bench.tables.made import file_reader

if TYPE_CHECKING:
    import pandas as pd

BORROWS = "@"
"""Stands between a table and where its scores come from, in a task's name."""
LEAST_NEIGHBOURS = 8
"""How many neighbours an architecture has in a partial table, the nearest ones if need be."""


class Asked(Protocol):
    """What is searched: its name, its proxies, what can be asked of it, and what is true."""

    @property
    def name(self) -> str:
        """Unique among all that is searched."""

    @property
    def table(self) -> Table:
        """What is known of it; for judging, never for searching."""

    @property
    def answers(self) -> Answering:
        """What an oracle answers from."""

    def proxy(self, name: str) -> Proxy | None:
        """The facts of a proxy. Raises UnknownNameError."""


class Answering(Protocol):
    """What an oracle answers from: the rows of a table, or networks that are trained when asked.

    A row is an architecture's number, in the table or in the order they were first asked for.
    """

    @property
    def task(self) -> Asked:
        """Of what."""

    @property
    def space(self) -> Space:
        """Samples and moves among what can be asked."""

    @property
    def pool(self) -> tuple[Arch, ...] | None:
        """All that can be asked; None where that is all of the space and is not listed."""

    @property
    def validation(self) -> Sequence[float]:
        """By row, oriented; NaN where there is none."""

    @property
    def best(self) -> float:
        """The best validation accuracy that can be had, as the table has it; NaN if unknown."""

    @property
    def has_seconds(self) -> bool:
        """Whether it can be told what a query takes."""

    @property
    def least_seconds(self) -> float:
        """The least that a query takes."""

    def row(self, arch: Arch) -> int:
        """The row of an architecture. Raises ArchError where it cannot be asked."""

    def answer(self, row: int) -> tuple[float, float]:
        """The oriented validation accuracy, NaN where training failed, and its seconds."""

    def columns(
        self, names: Sequence[str], archs: Sequence[Arch], rows: Sequence[int]
    ) -> list[tuple[Floats, float]]:
        """For each proxy `a` values, as it defines them, and what reading them costs in seconds.

        NaN where not recorded, -inf where failed. Raises DataError or OptionError for a proxy
        that cannot be had.
        """

    def reasons(self, name: str, rows: Sequence[int]) -> dict[str, int]:
        """How many of some rows, whose proxy was read, failed for each reason, where known."""

    def features(self, archs: Sequence[Arch], kind: str) -> Floats:
        """The `a x f` features of a kind. Raises OptionError for another kind."""

    def proxies(self) -> tuple[str, ...]:
        """The proxies that can be had."""


@dataclass(frozen=True)
class OwnColumn:
    """The facts of a column whose direction a user's table states; nothing else is known."""

    name: str
    higher_is_better: bool
    needs: frozenset[str] = frozenset()
    paper: str = "not stated"


@dataclass(frozen=True, eq=False)
class Task:
    """A space and a table of it."""

    space: Space
    table: Table

    def __repr__(self) -> str:
        table = self.table
        parts = [f"{len(table.archs):,} architectures of {self.space.name}", *table.accuracy]
        for what, columns in (("proxies", table.scores), ("targets", table.targets)):
            parts += [f"{len(columns)} {what}"] if columns else []
        return f"Task({self.name}: {', '.join(parts)})"

    def to_frame(self) -> pd.DataFrame:
        """Give a row an architecture, as a frame of pandas.

        `arch`; accuracies by the names of their splits, in the metric and direction of the source;
        `target:NAME`, such as a latency; `repeat:NAME`, the accuracy of one seed; and `score:NAME`
        of each proxy, as the source has it: NaN where not recorded, -inf where failed.
        """
        import pandas as pd

        table = self.table
        columns: dict[str, Any] = {"arch": list(table.archs), **table.accuracy}
        for kind, known in (
            ("target", table.targets),
            ("repeat", table.repeats),
            ("score", table.scores),
        ):
            columns |= {f"{kind}:{name}": values for name, values in known.items()}
        return pd.DataFrame(columns)

    @property
    def name(self) -> str:
        """The table's name, such as `nasbench201/cifar100`, as `task_reader` takes it."""
        return self.table.name

    @cached_property
    def answers(self) -> Answers:
        """What an oracle answers from, built once. Raises DataError without validation."""
        return Answers(self)

    def proxy(self, name: str) -> Proxy | None:
        """The facts of a proxy, or None for a column of a user's own table.

        A column has the direction that its table states, whatever a built-in proxy of its name
        has. Raises UnknownNameError where there is neither.
        """
        if name in self.table.directions:
            return OwnColumn(name, self.table.directions[name])
        if name in self.table.scores and name not in members.names("proxies"):
            return None
        return members.proxy(name)

    def truth(self, name: str | None = None) -> tuple[str, Floats]:
        """The column that scores are compared with: its name and `n` values.

        By default validation where all rows have it, or no test either, as their networks diverged;
        else test. Any accuracy or target by name.
        """
        if name is None:
            name = "validation" if self._validated() else "test"
        return name, column(self.table, name)

    def _validated(self) -> bool:
        """Whether test is known of no architecture but those that validation is known of."""
        validation = self.table.accuracy.get("validation")
        if validation is None:
            return False
        test = self.table.accuracy.get("test", np.zeros_like(validation))
        return not bool((np.isnan(validation) & ~np.isnan(test)).any())


class Answers:
    """What a task can be asked: rows by architecture, oriented validation, seconds, the pool."""

    def __init__(self, task: Task) -> None:
        self.task = task
        table, space = task.table, task.space
        if "validation" not in table.accuracy and "test" in table.accuracy:
            raise DataError(
                f"{table.name} has no validation accuracy to search on, only "
                f"{', '.join(table.accuracy)}; --search-on test tells searchers test accuracy"
            )
        validation = column(table, "validation")
        known = np.flatnonzero(~np.isnan(validation))
        if not len(known):
            raise DataError(
                f"expected a validation accuracy that can be asked for in {task.name}, got none of "
                f"its {len(table.archs):,} architectures"
            )
        archs = [space.parse(table.archs[row]) for row in known.tolist()]
        self._rows: dict[Arch, int] = dict(zip(archs, known.tolist(), strict=True))
        self.pool: tuple[Arch, ...] = tuple(archs)
        whole = len(archs) == space.size
        self.space: Space = (
            space
            if whole
            else Pool(space, archs, canonical=table.canonical, least=LEAST_NEIGHBOURS)
        )
        self.validation: list[float] = (validation if table.maximise else -validation).tolist()
        self.has_seconds = table.training_seconds is not None
        self.seconds: list[float] = (
            table.training_seconds.tolist()
            if table.training_seconds is not None
            else [nan] * len(table.archs)
        )
        self.least_seconds = min(
            (seconds for row in self._rows.values() if not isnan(seconds := self.seconds[row])),
            default=inf,
        )
        self._computed: dict[str, Floats] = {}
        self._failed: dict[str, dict[int, str]] = {}
        """Why, by computed proxy and row."""
        self._known = known
        self._features: dict[str, Floats] = {}
        self.best = float(np.nanmax(validation) if table.maximise else np.nanmin(validation))

    @cached_property
    def _canonical(self) -> dict[Arch, int]:
        canonical = self.task.space.canonical
        return {canonical(arch): row for arch, row in self._rows.items()}

    def row(self, arch: Arch) -> int:
        """The table's row of an architecture. Raises ArchError where it cannot be asked."""
        row = self._rows.get(arch)
        if row is None and self.task.table.canonical:
            self.task.space.check(arch)
            row = self._canonical.get(self.task.space.canonical(arch))
        if row is None:
            self.task.space.check(arch)
            raise ArchError(
                f"the task {self.task.name} does not know the architecture "
                f"{self.task.space.text(arch)}; it can be asked for {len(self._rows)} others"
            )
        return row

    def answer(self, row: int) -> tuple[float, float]:
        """The oriented validation accuracy of a row, and its training seconds."""
        return self.validation[row], self.seconds[row]

    def columns(
        self, names: Sequence[str], archs: Sequence[Arch], rows: Sequence[int]
    ) -> list[tuple[Floats, float]]:
        """The `a` values of each proxy, and the seconds recorded of them.

        A proxy of the graph alone costs nothing. Raises DataError for one that is not recorded.
        """
        return [self._column(name, archs, rows) for name in names]

    def _column(
        self, name: str, archs: Sequence[Arch], rows: Sequence[int]
    ) -> tuple[Floats, float]:
        table = self.task.table
        proxy = self.task.proxy(name)
        if name in table.scores:
            values = table.scores[name][list(rows)]
            recorded = table.score_seconds.get(name)
            known = ~np.isnan(values)
            cost = nan if recorded is None else float(recorded[list(rows)][known].sum())
            return values, cost
        if isinstance(proxy, GraphProxy):
            return self.computed(name, proxy, archs, rows), 0.0
        raise DataError(
            f"the task {table.name} records no proxy {name}; it records "
            f"{', '.join(table.scores) or 'none'}"
        )

    def computed(
        self, name: str, proxy: GraphProxy, archs: Sequence[Arch], rows: Sequence[int]
    ) -> Floats:
        """The `a` values of a proxy of graphs, -inf where failed; each is computed once."""
        values = self._computed.setdefault(name, np.full(len(self.task.table.archs), nan))
        new = {row: arch for arch, row in zip(archs, rows, strict=True) if isnan(values[row])}
        if new:
            failed = self._failed.setdefault(name, {})
            for row, arch in new.items():
                scored = score_graphs(proxy, self.task.space, [arch])
                values[row] = scored.values[0]
                failed.update((row, reason) for reason in scored.reasons)
        chosen: Floats = values[list(rows)]
        return chosen

    def reasons(self, name: str, rows: Sequence[int]) -> dict[str, int]:
        """How many of some rows failed for each reason, where it is recorded or was seen."""
        recorded = name in self.task.table.scores
        known = (self.task.table.failures if recorded else self._failed).get(name, {})
        return Counter(known[row] for row in rows if row in known)

    def features(self, archs: Sequence[Arch], kind: str) -> Floats:
        """The `a x f` features of a kind; those of the whole pool are worked out once.

        Raises ArchError where an architecture cannot be asked, and OptionError for another kind.
        """
        rows = np.array([self.row(arch) for arch in archs], dtype=np.int64)
        if kind not in self._features:
            self._features[kind] = features(self.task.space, self.pool, kind)
        return self._features[kind][np.searchsorted(self._known, rows)]

    def proxies(self) -> tuple[str, ...]:
        """The proxies that the table records."""
        return tuple(self.task.table.scores)


def task_reader(name: str) -> TableReader:
    """Say which files a task is read from, and how; nothing is read yet.

    Args:
        name: A table's, or the path of one that `make-table` wrote; or `A@B`, which is table A
            with the scores that B records in place of its own, restricted to the architectures
            that B scored. B is another table of the space, or the path of a live run's
            `live.parquet`.

    Raises:
        UnknownNameError: There is no such table.
        OptionError: A and B are of different spaces.
        DataError: A path is of no made table.
    """
    if members.known("tables", name):
        return members.reader(name)
    own, borrows, lender = name.partition(BORROWS)
    made = own.endswith(".parquet") and not members.known("tables", own)
    table = file_reader(own) if made else members.reader(own)
    if not borrows:
        return table
    if lender.endswith(".parquet"):
        # Only here: it brings Arrow along.
        from bench.runs.live_scores import live_reader

        return borrowed(name, table, live_reader(lender, table.space))
    if not members.known("tables", lender):
        raise members.did_you_mean("task or live.parquet", lender, members.names("tables"))
    return borrowed(name, table, members.reader(lender))


@lru_cache(maxsize=4)
def load_task(name: str) -> Task:
    """The task of a name that `task_reader` takes, read from the cache where it was read before.

    Raises UnknownNameError and OptionError, and DataError where a file is missing or damaged.
    """
    reader = task_reader(name)
    space = members.space(reader.space)
    try:
        table = load(reader, space)
    except BenchError:
        raise
    except Exception as error:
        raise DataError(
            f"the table {name} could not be read: {type(error).__name__}: {error}"
        ) from error
    if (table.name, table.space) != (name, space.name):
        raise DataError(
            f"expected the table {name} of the space {space.name}, got {table.name} of "
            f"{table.space}"
        )
    return Task(space, table)
