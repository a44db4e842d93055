"""Where kernels are tested: on a GPU where there is one, else by Triton's interpreter.

Triton decides whether to interpret when it is imported, and for each kernel when it is compiled.
So it is imported here, before any test runs; other tests see the environment as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import pytest
import torch

if find_spec("triton") is not None and not torch.cuda.is_available():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        import triton  # noqa: F401


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The device on which a test may ask for implementation="triton"."""
    pytest.importorskip("triton")
    if torch.cuda.is_available():
        yield "cuda"
    else:
        monkeypatch.setenv("TRITON_INTERPRET", "1")
        with np.errstate(all="ignore"):  # the interpreter reckons in numpy
            yield "cpu"
