"""Where kernels are tested: on a GPU where there is one, else by Triton's interpreter."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch


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
