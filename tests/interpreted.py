"""Imports Triton for the interpreter, where there is no GPU, and leaves the environment as it was.

Triton decides whether to interpret when it is imported, and torch imports it here and there. So it
is imported here, before any test is.
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest

if find_spec("triton") is not None and find_spec("torch") is not None:
    import torch

    if not torch.cuda.is_available():
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TRITON_INTERPRET", "1")
            import triton  # noqa: F401
