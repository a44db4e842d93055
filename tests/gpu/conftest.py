"""Triton is imported for the interpreter, before the check's own modules import it."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import interpreted  # noqa: F401
