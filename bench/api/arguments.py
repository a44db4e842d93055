"""What verbs are given, looked at before anything is done."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from bench.base import OptionError

MOST = 2**32 - 1
"""The largest seed, so that it and others after it fit into a column of whole numbers."""


def whole(name: str, value: Any, least: int = 0, most: int = MOST) -> int:
    """A whole number, also one of numpy's. Raises OptionError for what is none, or out of range."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not least <= number <= most:
        raise OptionError(
            f"expected {name} to be a whole number from {least} to {most}, got {value!r}"
        )
    return number


def texts(name: str, given: Any) -> Sequence[str]:
    """A sequence of texts, and no text itself. Raises OptionError."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise OptionError(f"expected {name} to be a list of texts, got {given!r}")
    wrong = next((each for each in given if not isinstance(each, str)), None)
    if wrong is not None:
        raise OptionError(f"expected {name} to be a list of texts, got {wrong!r} in it")
    return given
