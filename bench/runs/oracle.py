"""The oracle: answers a searcher within its budget, and never shows test accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, nan

import numpy as np

from bench.base import (
    Arch,
    Budget,
    BudgetError,
    BudgetSpentError,
    DataError,
    Floats,
    GraphProxy,
    Ints,
    OptionError,
    Problem,
    UnknownNameError,
)
from bench.proxies.scorer import oriented
from bench.runs.tasks import Answers

REFUSALS = (OptionError, BudgetError, DataError, UnknownNameError)
"""What the user asked for and cannot have: it ends a run, where other errors are a failed row."""


def parse_budget(text: str) -> Budget:
    """Read `queries=N` or `seconds=S`. Raises BudgetError unless it is above zero."""
    kind, _, amount = text.partition("=")
    try:
        if kind == "queries":
            budget = Budget(queries=int(amount))
        elif kind == "seconds":
            budget = Budget(seconds=float(amount))
        else:
            raise ValueError(kind)
    except ValueError:
        raise BudgetError(
            f"expected a budget as queries=100 or seconds=20000, got {text!r}"
        ) from None
    value = budget.queries if budget.queries is not None else budget.seconds
    if value is None or not 0 < value < float("inf"):
        raise BudgetError(f"expected a budget above zero, got {text}")
    return budget


class Oracle:
    """One search's view of a task: `query` and `scores`, charged to one budget.

    `steps` and `clock` are the trace: for every query the table's row and the seconds spent by
    then (NaN once something was asked whose seconds nobody recorded). `scored` counts the
    different architectures of which proxies were read.
    """

    def __init__(self, answers: Answers, budget: Budget) -> None:
        if budget.seconds is not None and not answers.has_seconds:
            raise BudgetError(
                f"the task {answers.task.name} records no training seconds, so a budget in "
                "seconds cannot be charged; give queries=N"
            )
        if budget.seconds is not None and answers.least_seconds <= 0:
            raise DataError(
                f"expected training seconds above zero in {answers.task.name}, got "
                f"{answers.least_seconds:g}; a budget in seconds would never end"
            )
        self._answers = answers
        self._budget = budget
        self._limit = budget.queries if budget.queries is not None else float("inf")
        self._seconds = 0.0
        self._scored: set[int] = set()
        self.steps: list[int] = []
        self.clock: list[float] = []
        self.scored_at: list[int] = []

    def problem(self) -> Problem:
        """What the searcher is given."""
        answers = self._answers

        def scores(archs: Sequence[Arch], proxies: Sequence[str]) -> Floats:
            return self.scores(archs, proxies)

        def features(archs: Sequence[Arch], kind: str) -> Floats:
            return answers.features(archs, kind)

        # Functions, not bound methods: no attribute of what a searcher holds leads to a table.
        return Problem(
            answers.space, answers.pool, self._budget, answers.proxies(), scores, features
        )

    @property
    def spent(self) -> bool:
        """Whether no query is left (a budget in seconds tells only when asked)."""
        return len(self.steps) >= self._limit

    @property
    def scored(self) -> int:
        """How many different architectures had proxies read."""
        return len(self._scored)

    @property
    def seconds(self) -> float:
        """Seconds of all queries and scores by now; NaN where nobody recorded some of them."""
        return self._seconds

    @property
    def scored_rows(self) -> Ints:
        """The table's rows of which proxies were read, in ascending order."""
        return np.array(sorted(self._scored), dtype=np.int64)

    def query(self, arch: Arch) -> float:
        """Return the validation accuracy, oriented so that larger is better.

        Costs one query and the architecture's training seconds, repeats included. Raises
        BudgetSpentError where that is more than the budget holds, and ArchError where the task
        does not know the architecture; neither is charged.
        """
        row = self._answers.row(arch)
        if len(self.steps) >= self._limit:
            raise BudgetSpentError(f"the budget of {self._limit} queries is spent")
        seconds = self._seconds + self._answers.seconds[row]
        self._charge(seconds)
        self.steps.append(row)
        self.clock.append(seconds)
        self.scored_at.append(len(self._scored))
        return self._answers.validation[row]

    def scores(self, archs: Sequence[Arch], proxies: Sequence[str]) -> Floats:
        """Return `a x p` oriented scores, NaN where failed or not recorded.

        Every reading costs its recorded seconds; a proxy of the graph alone costs none.
        """
        rows = [self._answers.row(arch) for arch in archs]
        columns = []
        seconds = self._seconds
        for name in proxies:
            values, cost = self._column(name, archs, rows)
            seconds += cost
            columns.append(values)
        self._charge(seconds)
        self._scored.update(rows)
        return np.stack(columns, axis=1) if columns else np.empty((len(rows), 0))

    def _column(
        self, name: str, archs: Sequence[Arch], rows: Sequence[int]
    ) -> tuple[Floats, float]:
        """The oriented values of one proxy, and the seconds they cost."""
        table = self._answers.task.table
        proxy = self._answers.task.proxy(name)
        if name in table.scores:
            values = table.scores[name][rows]
            recorded = table.score_seconds.get(name)
            known = ~np.isnan(values)
            cost = nan if recorded is None else float(recorded[rows][known].sum())
        elif isinstance(proxy, GraphProxy):
            values, cost = self._answers.computed(name, proxy, archs, rows), 0.0
        else:
            raise DataError(
                f"the task {table.name} records no proxy {name}; it records "
                f"{', '.join(table.scores) or 'none'}"
            )
        return np.where(np.isfinite(values), oriented(values, proxy), nan), cost

    def _charge(self, seconds: float) -> None:
        """Move the clock to `seconds`, unless that is past the budget."""
        limit = self._budget.seconds
        if limit is not None:
            if isnan(seconds):
                raise BudgetError(
                    f"the task {self._answers.task.name} does not record the seconds of what was "
                    "asked, so a budget in seconds cannot be charged; give queries=N"
                )
            if seconds > limit:
                raise BudgetSpentError(f"the budget of {limit} seconds is spent")
        self._seconds = seconds
