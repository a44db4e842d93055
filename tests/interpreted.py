"""Imports Triton for the interpreter, where there is no GPU, and leaves the environment as it was.

Triton decides whether to interpret when it is imported, and for each kernel when it is compiled. So
whichever folder of tests imports it first does so by this file.
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

if find_spec("triton") is not None and not torch.cuda.is_available():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        import triton  # noqa: F401
