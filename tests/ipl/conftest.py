"""What the tests of `ipl` share: the toy task with proxies of known names, and a quick IPL."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from toy import ARCHS, TOY, toy_table

from bench.base import Table
from bench.runs.tasks import Task
from ipl import latents, options
from ipl.autoencoder import Options, pretrained
from ipl.latents import Latents
from ipl.options import Settings

QUICK = Options(hidden=32, layers=2, steps=100)
HEAD = Settings(widths=(32,), members=1, steps=80, rate=1e-2, decay=0.0)


def toy_scores() -> dict[str, np.ndarray]:
    """Four proxies of `ipl`'s modes, of 64 values each: two good ones, a poor one, a bad one."""
    a, b, c = np.array(ARCHS, dtype=float).T
    return {
        "jacov": 5 * a + b + c,
        "nwot": a + b + c,
        "synflow": (a * b + 2 * c) % 5,
        "snip": -10 * a - 3 * b - c,
    }


def named_table(**changes: object) -> Table:
    """The toy table, with scores that `ipl` has weights for."""
    return toy_table(**({"scores": toy_scores(), "score_seconds": {}} | changes))


def hasten(setting: Callable[[object, str, object], None]) -> None:
    """Have little trained, with `setattr` or a test's own."""
    setting(latents, "pretrained", partial(pretrained, options=QUICK))
    setting(latents, "HEAD", HEAD)
    setting(options, "Settings", partial(Settings, steps=40, rate=1e-2))


@pytest.fixture(scope="session")
def made() -> dict[object, Latents]:
    """The latents of quick autoencoders, trained once for all tests."""
    return {}


@pytest.fixture
def quick(made: dict[object, Latents], monkeypatch: pytest.MonkeyPatch) -> None:
    """Small autoencoders, and learners of a few steps."""
    hasten(monkeypatch.setattr)
    monkeypatch.setattr(latents, "_MADE", made)
    monkeypatch.setattr(latents, "MOST", 100)


@pytest.fixture
def task(quick: None) -> Task:
    """The toy task, for a quick IPL."""
    return Task(TOY, named_table())
