"""The oracle: answers a searcher within its budget, and never shows test accuracy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isnan, nan

import numpy as np

from bench.base import (
    Arch,
    BenchError,
    Budget,
    BudgetError,
    BudgetSpentError,
    DataError,
    Floats,
    Ints,
    Problem,
)
from bench.proxies.scorer import oriented
from bench.runs.row import in_words
from bench.runs.tasks import Answering


class QueryFailedError(BenchError):
    """A query that was charged and has no answer: the network was trained, and diverged."""


def parse_budget(text: str, epochs: int | None = None) -> Budget:
    """Read `queries=N` or `seconds=S`; or `epochs=E`, where a query trains for so many.

    Raises BudgetError unless it is above zero, and holds a query.
    """
    kind, _, amount = text.partition("=")
    try:
        if kind == "queries":
            budget = Budget(queries=int(amount))
        elif kind == "seconds":
            budget = Budget(seconds=float(amount))
        elif kind == "epochs" and epochs is not None:
            budget = Budget(queries=int(amount) // epochs)
        else:
            raise ValueError(kind)
    except ValueError:
        known = "queries=100 or seconds=20000"
        if epochs is not None:
            known = "queries=100, seconds=20000 or epochs=3000"
        raise BudgetError(f"expected a budget as {known}, got {text!r}") from None
    if kind == "epochs" and budget.queries == 0:
        raise BudgetError(
            f"expected a budget of at least the {epochs} epochs that one query trains for, got "
            f"{text}"
        )
    value = budget.queries if budget.queries is not None else budget.seconds
    if value is None or not 0 < value < float("inf"):
        raise BudgetError(f"expected a budget above zero, got {text}")
    return budget


class Oracle:
    """One search's view of a task: `query` and `scores`, charged to one budget.

    `steps` and `clock` are the trace: for every query, failed ones too, the table's row and the
    seconds spent by then (NaN once something was asked whose seconds nobody recorded). `scored`
    counts the different architectures of which proxies were read.
    """

    def __init__(self, answers: Answering, budget: Budget) -> None:
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
        self._defined: set[int] = set()
        self._unscored: set[int] = set()
        self._read: dict[str, Counter[str]] = {}
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
            answers.space,
            answers.pool,
            self._budget,
            answers.proxies(),
            scores,
            features,
            answers.task.name,
            answers.task.table.dataset,
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
    def unscored_queries(self) -> int:
        """How many queries were of architectures whose proxies were read and gave no score."""
        nothing = self._unscored - self._defined
        return sum(row in nothing for row in self.steps)

    @property
    def nothing_read(self) -> str | None:
        """Why proxies told nothing, where they were read and none gave any score; else None."""
        if self._defined or not self._read:
            return None
        name, reasons = next(iter(self._read.items()))
        why = in_words(reasons)
        return (
            f"none of its proxies gave a score of any of the {len(self._scored):,} architectures "
            f"read: {name}{f', {why}' if why else ' is recorded for none of them'}"
        )

    @property
    def scored_rows(self) -> Ints:
        """The table's rows of which proxies were read, in ascending order."""
        return np.array(sorted(self._scored), dtype=np.int64)

    def query(self, arch: Arch) -> float:
        """Return the validation accuracy, oriented so that larger is better.

        Costs one query and the architecture's training seconds, repeats included. Raises
        BudgetSpentError where that is more than the budget holds, and ArchError where the task
        does not know the architecture; neither is charged. Raises QueryFailedError where there is
        no accuracy, as the network diverged, which is charged.
        """
        row = self._answers.row(arch)
        if len(self.steps) >= self._limit:
            raise BudgetSpentError(f"the budget of {self._limit} queries is spent")
        validation, cost = self._answers.answer(row)
        seconds = self._seconds + cost
        self._charge(seconds)
        self.steps.append(row)
        self.clock.append(seconds)
        self.scored_at.append(len(self._scored))
        if isnan(validation):
            raise QueryFailedError(
                f"expected an accuracy of {self._answers.space.text(arch)}, got none: its network "
                "diverged"
            )
        return validation

    def scores(self, archs: Sequence[Arch], proxies: Sequence[str]) -> Floats:
        """Return `a x p` oriented scores, NaN where failed or not recorded.

        Every reading costs its recorded seconds; a proxy of the graph alone costs none.
        """
        rows = [self._answers.row(arch) for arch in archs]
        columns = []
        seconds = self._seconds
        answered = self._answers.columns(proxies, archs, rows)
        for name, (values, cost) in zip(proxies, answered, strict=True):
            seconds += cost
            proxy = self._answers.task.proxy(name)
            columns.append(np.where(np.isfinite(values), oriented(values, proxy), nan))
        self._charge(seconds)
        new = [row for row in dict.fromkeys(rows) if row not in self._scored]
        self._scored.update(rows)
        if columns:
            told = np.isfinite(columns).any(axis=0)
            read = np.array(rows, dtype=np.int64)
            self._defined.update(read[told].tolist())
            self._unscored.update(read[~told].tolist())
        if not self._defined:
            for name in proxies:
                self._read.setdefault(name, Counter()).update(self._answers.reasons(name, new))
        return np.stack(columns, axis=1) if columns else np.empty((len(rows), 0))

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
