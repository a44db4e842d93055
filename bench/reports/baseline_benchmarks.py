"""Ratios of benchmarks, from the JSON file that `pytest --benchmark-json FILE` writes.

Seconds of two machines cannot be compared; ratios within one run can. A group is what
pytest-benchmark calls one: benchmarks that do the same in different ways. In each, every benchmark
is compared with the first by name, by the shortest of its rounds, which other work disturbs least.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from bench.base import DataError
from bench.reports.baseline import Value
from bench.reports.baseline_values import of_times


def read_benchmarks(path: Path) -> list[Value]:
    """How many times faster each benchmark of a group is than the group's first by name.

    Raises:
        DataError: The file cannot be read, is no such file, or has no group of two.
    """
    try:
        found = sorted(_benchmarks(json.loads(path.read_bytes())))
    except OSError as error:
        raise DataError(f"could not read {path}: {error.strerror or error}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"expected {path} as pytest --benchmark-json writes it, got one with "
            f"{type(error).__name__}: {error}"
        ) from None
    values = []
    for group, members in groupby(found, key=itemgetter(0)):
        (_, first, slow), *others = members
        for _, name, fast in others:
            of = f"{name} over {first}"
            values.append(of_times("benchmark", group, of, fast=fast, slow=slow))
    if not values:
        raise DataError(
            f"expected a group of two or more benchmarks in {path}, got {len(found)} benchmarks "
            "with none in common"
        )
    return values


def _benchmarks(content: object) -> Iterator[tuple[str, str, float]]:
    """Group, name and shortest seconds of each. Raises ValueError and what indexing may raise."""
    if not isinstance(content, dict):
        raise ValueError("no object")
    for each in content["benchmarks"]:
        seconds = float(each["stats"]["min"])
        if not seconds > 0:
            raise ValueError(f"{seconds} seconds")
        # Benchmarks without a group are one group by themselves.
        yield str(each["group"] or "no group"), str(each["name"]), seconds
