"""Which architectures compute the same function, and where that makes their scores one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.base import Ints, Space
from bench.runs.tasks import BORROWS


def of_function(space: Space, texts: Sequence[str]) -> Ints:
    """`n` numbers from 0 on, equal where two of `n` architectures compute the same function.

    Raises:
        ArchError: A text is no architecture of the space.
    """
    numbers: dict[object, int] = {}
    found = [numbers.setdefault(space.canonical(space.parse(text)), len(numbers)) for text in texts]
    return np.array(found, dtype=np.int64)


def borrows(task: str) -> bool:
    """Whether a task has its scores of another, by which cells of one function may share one."""
    return BORROWS in task
