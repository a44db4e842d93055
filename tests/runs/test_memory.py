"""Keeping freed memory."""

from __future__ import annotations

import platform

from bench.runs.memory import keep_freed


def test_glibc_keeps_what_it_is_asked_to() -> None:
    assert keep_freed() == (platform.libc_ver()[0] == "glibc")
