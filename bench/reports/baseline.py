"""The baseline: values that must not move, each with how far rounding may move it, as text files.

A folder holds `values.csv`, one value a line in the order of its names; `speed.csv`, likewise, for
ratios of times, which no two runs share; and `provenance.json`: versions, processor, commit, data
and the command. Numbers have twelve significant digits, so the same seed gives the same bytes.

A value that moved is a reason to fail, unless rounding alone may have moved it as far: processors
and versions of libraries add in different orders. Then it is told. The rule is the same everywhere,
on the processor of the baseline too.

==============================  ===========================  =====================================
kind                            did not move                 moved, and is told only
==============================  ===========================  =====================================
task, correlation               equal to 1e-9, relatively    never: what is recorded is read back
search without a model          equal to 1e-9, relatively    never: it compares recorded numbers
search that trains a model      equal to 1e-9, relatively    its seeds and the baseline's are alike
live, float64                   equal to 1e-9, relatively    within 1e-8, relatively
live, float32                   equal to 1e-9, relatively    within ten times the distance of the
                                                             proxy's float32 from its float64, but
                                                             from 1e-2 to a half, relatively
speed                           at least half                never, and fails only where asked
==============================  ===========================  =====================================

Seeds are alike unless a permutation test of their means rejects it at one in a thousand. An
interval of publication judges nothing: it says what another sample of architectures would give, and
here the sample is the same. That of a correlation is kept beside it, to be read.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from bench.base import DataError, Record
from bench.runs.provenance import commit, versions
from bench.runs.store import write_whole

Key: TypeAlias = tuple[str, str, str, str]
Range: TypeAlias = tuple[float, float]

STUDY, FORMAT = "regression", 2
VALUES, SPEED, PROVENANCE = "values.csv", "speed.csv", "provenance.json"
KINDS = ("task", "correlation", "search", "live", "speed", "benchmark")
TIMES = ("speed", "benchmark")
"""Kinds that are ratios of times: told, and no reason to fail unless that is asked for."""
OUTCOME = "outcome"
"""The measure of a run that failed as a whole; its value says why."""
EXACT = 1e-9
"""How far a number may be from itself, relatively, or absolutely below 1."""

_NAMES = ("kind", "task", "of", "measure")
_RANGES = ("tight", "wide", "bootstrap")
_HEAD = (
    *(*_NAMES, "value"),
    *(f"{name}_{end}" for name in _RANGES for end in ("low", "high")),
    "seeds",
)


@dataclass(frozen=True)
class Value:
    """One thing that must not move: a number, or a word such as `undefined`."""

    kind: str
    task: str
    of: str
    """A proxy, a searcher with its budget, or a pair of times."""
    measure: str
    value: float | str
    tight: Range | None = None
    """Where it is that it did not move; None for a word, which must stay."""
    wide: Range | None = None
    """Where rounding may move it; None where it may not, or where seeds judge that."""
    bootstrap: Range | None = None
    """The 95 % bootstrap interval, for publication."""
    seeds: tuple[float, ...] = ()
    """Of a mean that rounding may move by what a trained model makes of it: what each seed gave."""

    @property
    def key(self) -> Key:
        """What tells it from all others; values are sorted by it."""
        return self.kind, self.task, self.of, self.measure

    @property
    def name(self) -> str:
        """The value's name in a sentence."""
        return f"{self.measure} of {self.of} on {self.task}"


@dataclass(frozen=True)
class Provenance:
    """Where a baseline comes from."""

    command: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Tasks whose files were not there, and why."""
    data_sha256: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str | None] = field(default_factory=dict)
    """What values depend on besides the code, by name."""
    commit: str = ""
    versions: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Baseline:
    """Frozen values, different in their keys, and where they come from."""

    values: tuple[Value, ...]
    provenance: Provenance


def near(value: float, within: float = EXACT, least: float = 1.0) -> Range:
    """The interval of what equals a number up to rounding, relatively, but absolutely at 0.

    Numbers smaller than `least` may move as far as that one.
    """
    room = within * max(least, abs(value))
    return value - room, value + room


def exact(kind: str, task: str, of: str, measure: str, value: float | str | None) -> Value:
    """A value that is the same everywhere; None, or NaN, is the word `undefined`."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        value = "undefined"
    elif isinstance(value, float) and math.isinf(value):
        value = str(float(value))  # nothing is near it
    if isinstance(value, str):
        return Value(kind, task, of, measure, value)
    return Value(kind, task, of, measure, float(value), near(float(value)))


def environment(more: Mapping[str, str | None] | None = None) -> dict[str, str | None]:
    """What values depend on besides code and data: versions of what computes, and `more`."""
    found = versions()
    names = ("numpy", "torch", "scikit-learn", "scipy", "optuna")
    return {**{name: found[name] for name in names}, **(more or {})}


def provenance(
    command: Iterable[str],
    left_out: Mapping[str, str],
    data_sha256: Mapping[str, str],
    more: Mapping[str, str | None],
) -> Provenance:
    """The provenance of what is measured here and now; `more` goes to the environment."""
    return Provenance(
        tuple(command), left_out, data_sha256, environment(more), commit(), versions()
    )


def write(folder: Path, baseline: Baseline) -> list[Path]:
    """Write a baseline's files. Raises DataError where that fails.

    `speed.csv` is left as it was where there is no value of its kinds to write.
    """
    slow = [value for value in baseline.values if value.kind in TIMES]
    content = {VALUES: _csv(value for value in baseline.values if value.kind not in TIMES)}
    if slow or not (folder / SPEED).exists():
        content[SPEED] = _csv(slow)
    about: Record = {
        "study": STUDY,
        "format": FORMAT,
        **{name: getattr(baseline.provenance, name) for name in _ABOUT},
        "sha256": {VALUES: sha256(content[VALUES]).hexdigest()},
    }
    content[PROVENANCE] = (json.dumps(about, indent=1, sort_keys=True) + "\n").encode()
    for name, text in content.items():
        write_whole(folder / name, text)
    return [folder / name for name in content]


_ABOUT = ("command", "left_out", "data_sha256", "environment", "commit", "versions")


def read(folder: Path) -> Baseline:
    """Read a baseline.

    Raises:
        DataError: It is missing, not one of this study and format, or damaged.
    """
    path = folder / PROVENANCE
    about = _about(path)
    content = _content(folder / VALUES)
    wanted, found = about["sha256"].get(VALUES), sha256(content).hexdigest()
    if wanted != found:
        raise DataError(
            f"expected {folder / VALUES} as {PROVENANCE} beside it says, with SHA-256 {wanted}, "
            f"got {found}; take both from one commit, or write them anew by ipl-bench baseline"
        )
    values = _values(folder / VALUES, content, [kind for kind in KINDS if kind not in TIMES])
    if (folder / SPEED).exists():
        values += _values(folder / SPEED, _content(folder / SPEED), TIMES)
    facts = {name: about[name] for name in _ABOUT}
    return Baseline(tuple(values), Provenance(**{**facts, "command": tuple(facts["command"])}))


def _about(path: Path) -> Record:
    """What provenance.json says. Raises DataError for what `write` did not write."""
    content = _content(path)
    try:
        about = json.loads(content)
    except ValueError as error:
        raise DataError(f"expected {path} to be JSON, got {content[:40]!r}: {error}") from None
    said = about if isinstance(about, dict) else {}
    if (said.get("study"), said.get("format")) != (STUDY, FORMAT):
        raise DataError(
            f"expected {path} of the study {STUDY} in format {FORMAT}, got study "
            f"{said.get('study')!r} in format {said.get('format')!r}; ipl-bench baseline writes "
            "one anew"
        )
    kinds: dict[str, type] = dict.fromkeys((*_ABOUT, "sha256"), dict)
    kinds |= {"command": list, "commit": str}
    for name, kind in kinds.items():
        if not isinstance(said.get(name), kind):
            raise DataError(
                f"expected {path} to hold a {kind.__name__} {name!r}, got {said.get(name)!r}"
            )
    return said


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"expected a baseline, got no file {path}; ipl-bench baseline writes one"
        ) from None
    except OSError as error:
        raise DataError(f"could not read {path}: {error.strerror or error}") from error


def _csv(values: Iterable[Value]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEAD)
    for value in sorted(values, key=lambda each: each.key):
        ranges = [end for name in _RANGES for end in (getattr(value, name) or (None, None))]
        seeds = " ".join(map(_cell, value.seeds))
        writer.writerow([*value.key, *map(_cell, (value.value, *ranges)), seeds])
    return text.getvalue().encode()


def _cell(value: float | str | None) -> str:
    return f"{value:.12g}" if isinstance(value, float) else value or ""


def _values(path: Path, content: bytes, kinds: Collection[str]) -> list[Value]:
    """The values of a file, of some kinds. Raises DataError for what `write` does not write."""
    try:
        lines = list(csv.reader(io.StringIO(content.decode()), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"expected {path} to be a CSV file, got one with {error}") from None
    if not lines or tuple(lines[0]) != _HEAD:
        raise DataError(
            f"expected {path} to begin with {','.join(_HEAD)}, got {','.join(*lines[:1])!r}"
        )
    values: dict[Key, Value] = {}
    for number, line in enumerate(lines[1:], start=2):
        value = _value(line)
        if value is None or value.kind not in kinds or value.key in values:
            raise DataError(
                f"expected line {number} of {path} to be one more value of a kind among "
                f"{', '.join(kinds)}, got {','.join(line)[:80]!r}"
            )
        values[value.key] = value
    return list(values.values())


def _value(line: list[str]) -> Value | None:
    """The value of a line; None where it is none."""
    if len(line) != len(_HEAD) or not line[4]:
        return None
    kind, task, of, measure, text, *ends, each = line
    try:
        tight, wide, bootstrap = map(_range, ends[::2], ends[1::2])
        # A word has no interval, and whatever has one is a number.
        value = text if tight is None else float(text)
        seeds = tuple(map(float, each.split()))
        numbers = (*seeds, value) if isinstance(value, float) else seeds
        if not all(map(math.isfinite, numbers)):
            return None
    except ValueError:
        return None
    return Value(kind, task, of, measure, value, tight, wide, bootstrap, seeds)


def _range(low: str, high: str) -> Range | None:
    """The interval of two cells, None of empty ones. Raises ValueError for anything else."""
    if not (low or high):
        return None
    ends = float(low), float(high)
    if not ends[0] <= ends[1]:  # as with NaN
        raise ValueError(f"wanted an interval from a lower end to a higher one, got {low}, {high}")
    return ends
