"""The record: what a run is, what it leaves, and how a row is written."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeAlias

from bench.base import Budget, Record

NO_QUERIES = Budget(queries=0)
"""What a predictor may ask that reads proxies and no accuracy."""


@dataclass(frozen=True)
class ScoreRun:
    """Collect the scores of a task's architectures by every recorded and the named proxies."""

    task: str
    proxies: tuple[str, ...] = ()
    """Computed proxies, in addition to all that the task records."""

    @property
    def key(self) -> str:
        """The run's name, unique within a study."""
        return "/".join(["score", self.task, *self.proxies])


@dataclass(frozen=True)
class SearchRun:
    """Run one searcher on one task, once for every seed of a block."""

    task: str
    searcher: str
    budget: Budget
    first_seed: int
    seeds: int

    @property
    def key(self) -> str:
        """The run's name, unique within a study."""
        return "/".join(["search", self.task, self.searcher, *_budget_and_seeds(self)])


@dataclass(frozen=True)
class PredictRun:
    """Run one predictor on one task, once for every seed of a block.

    A budget of no queries, `NO_QUERIES`, leaves it the proxies alone.
    """

    task: str
    predictor: str
    budget: Budget
    first_seed: int
    seeds: int

    @property
    def key(self) -> str:
        """The run's name, unique within a study."""
        return "/".join(["predict", self.task, self.predictor, *_budget_and_seeds(self)])


def _budget_and_seeds(run: SearchRun | PredictRun) -> tuple[str, str]:
    last = run.first_seed + run.seeds - 1
    return budget_text(run.budget), f"seeds={run.first_seed}-{last}"


Run: TypeAlias = ScoreRun | SearchRun | PredictRun


@dataclass(frozen=True, eq=False)
class Attachment:
    """A file that belongs to a run's rows: its path below the results folder, and its bytes."""

    path: str
    content: bytes


@dataclass(frozen=True, eq=False)
class Outcome:
    """What doing a run gave: its rows, without the fields that all rows share, and its file."""

    rows: list[Record]
    attachment: Attachment | None = None
    wall_seconds: float = field(default=math.nan)


def budget_text(budget: Budget) -> str:
    """Write a budget as it is read: `queries=100` or `seconds=20000`."""
    if budget.queries is not None:
        return f"queries={budget.queries}"
    seconds = float(budget.seconds or 0)
    return f"seconds={int(seconds) if seconds.is_integer() else seconds!r}"


def line(record: Record) -> str:
    """One row as one line of JSON; a number that is not finite is written as null."""
    clean = {key: _json_safe(value) for key, value in record.items()}
    # Escaped, so that whatever text a user's error holds can be written.
    return json.dumps(clean, ensure_ascii=True, allow_nan=False) + "\n"


def _json_safe(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _json_safe(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_json_safe(each) for each in value]
    return value


def file_name(key: str) -> str:
    """A run's key as a file name that any file system takes, different for different keys."""
    readable = "".join(c if c.isascii() and (c.isalnum() or c in "-_.=") else "_" for c in key)
    return f"{readable[:120]}-{blake2b(key.encode(), digest_size=4).hexdigest()}"


def in_words(reasons: Mapping[str, int], most: int = 3) -> str:
    """The commonest reasons of failures, each with its number; empty where none is known.

    >>> in_words({"non-finite": 1, "ValueError: no norm": 8})
    '8 with ValueError: no norm, 1 with non-finite'
    """
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{count:,} with {reason}" for reason, count in ordered[:most]]
    rest = sum(count for _, count in ordered[most:])
    return ", ".join([*told, *([f"{rest:,} for other reasons"] if rest else [])])
