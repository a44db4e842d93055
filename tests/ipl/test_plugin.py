"""What the bench finds of IPL by entry point, where its libraries are not installed."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from bench.base import Budget, OptionError
from bench.runs.oracle import Oracle
from bench.runs.tasks import Task
from ipl.plugin import ipl, predict


def test_without_torch_one_sentence_says_what_to_install(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle = Oracle(task.answers, Budget(queries=2))
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(OptionError, match=r"^ipl needs torch, .*: pip install 'ipl-bench\[ipl\]'$"):
        ipl(oracle.problem(), np.random.default_rng(0))
    with pytest.raises(OptionError, match="ipl needs torch"):
        predict(oracle.problem(), oracle.query, np.random.default_rng(0))
