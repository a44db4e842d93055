"""IPL computes on one thread, whatever the machine has, and leaves the caller's setting alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from bench.base import Budget
from bench.runs.oracle import Oracle
from bench.runs.tasks import Task
from ipl.predictor import predict
from ipl.searcher import IPL
from ipl.threads import one_thread


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_the_caller_s_threads_come_back_whatever_is_raised() -> None:
    @one_thread()
    def stop() -> None:
        assert torch.get_num_threads() == 1
        raise StopIteration

    with pytest.raises(StopIteration):
        stop()
    assert torch.get_num_threads() == 2


def test_all_is_learnt_and_climbed_on_one_thread(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def noted(module: str, name: str) -> None:
        function = getattr(__import__(module, fromlist=[name]), name)

        def call(*args: object, **kwargs: object) -> object:
            seen.append((name, torch.get_num_threads()))
            return function(*args, **kwargs)

        monkeypatch.setattr(f"{module}.{name}", call)

    for module, name in (
        ("ipl.searcher", "shared"),
        ("ipl.searcher", "told"),
        ("ipl.predictor", "shared"),
        ("ipl.proxies", "fit"),
        ("ipl.maximise", "ascend"),
    ):
        noted(module, name)
    oracle = Oracle(task.answers, Budget(queries=9))
    how = {"scored": 12, "width": 16, "members": 1, "weights": "selected"}
    searcher = IPL(oracle.problem(), np.random.default_rng(0), **how, restarts=3, steps=2)
    for _ in range(9):
        arch = searcher.ask()
        searcher.tell(arch, oracle.query(arch))
        assert torch.get_num_threads() == 2
    predict(oracle.problem(), oracle.query, np.random.default_rng(0), **how)
    assert torch.get_num_threads() == 2
    assert {name for name, _ in seen} == {"shared", "told", "fit", "ascend"}
    assert {threads for _, threads in seen} == {1}
