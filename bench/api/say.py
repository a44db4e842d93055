"""What a verb says besides what it returns: on stderr, unless it was asked to be quiet."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)


def tell(sentence: str) -> None:
    """Say something to the user, on stderr."""
    if not _QUIET.get():
        sys.stderr.write(f"{sentence}\n")


@contextmanager
def quietly(quiet: bool) -> Iterator[None]:
    """Say nothing meanwhile, where `quiet`."""
    before = _QUIET.set(quiet or _QUIET.get())
    try:
        yield
    finally:
        _QUIET.reset(before)
