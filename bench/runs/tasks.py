"""A task is a space and a table: what can be asked, and what is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import inf, isnan, nan

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

BORROWS = "@"
"""Stands between a table and where its scores come from, in a task's name."""
LEAST_NEIGHBOURS = 8
"""How many neighbours an architecture has in a partial table, the nearest ones if need be."""


@dataclass(frozen=True, eq=False)
class Task:
    """A space and a table of it."""

    space: Space
    table: Table

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

        Raises UnknownNameError where there is neither.
        """
        if name in self.table.scores and name not in members.names("proxies"):
            return None
        return members.proxy(name)

    def truth(self, name: str | None = None) -> tuple[str, Floats]:
        """The column that scores are compared with: its name and `n` values.

        By default validation where all rows have it, else test; any accuracy or target by name.
        """
        if name is None:
            validation = self.table.accuracy.get("validation")
            whole = validation is not None and not np.isnan(validation).any()
            name = "validation" if whole else "test"
        return name, column(self.table, name)


class Answers:
    """What a task can be asked: rows by architecture, oriented validation, seconds, the pool."""

    def __init__(self, task: Task) -> None:
        self.task = task
        table, space = task.table, task.space
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

    def computed(
        self, name: str, proxy: GraphProxy, archs: Sequence[Arch], rows: Sequence[int]
    ) -> Floats:
        """The `a` values of a proxy of graphs, -inf where failed; each is computed once."""
        values = self._computed.setdefault(name, np.full(len(self.task.table.archs), nan))
        new = {row: arch for arch, row in zip(archs, rows, strict=True) if isnan(values[row])}
        if new:
            values[list(new)] = score_graphs(proxy, self.task.space, list(new.values())).values
        chosen: Floats = values[list(rows)]
        return chosen

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
        name: A table's; or `A@B`, which is table A with the scores that B records in place of its
            own, restricted to the architectures that B scored. B is another table of the space, or
            the path of a live run's `live.parquet`.

    Raises:
        UnknownNameError: There is no such table.
        OptionError: A and B are of different spaces.
    """
    own, borrows, lender = name.partition(BORROWS)
    if not borrows or members.known("tables", name):
        return members.reader(name)
    table = members.reader(own)
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
