"""Which architectures compute the same function."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.base import Ints, Space


def of_function(space: Space, texts: Sequence[str]) -> Ints:
    """`n` numbers from 0 on, equal where two of `n` architectures compute the same function.

    Raises:
        ArchError: A text is no architecture of the space.
    """
    numbers: dict[object, int] = {}
    found = [numbers.setdefault(space.canonical(space.parse(text)), len(numbers)) for text in texts]
    return np.array(found, dtype=np.int64)
