"""Parts that go wrong, each in its way; what a process of the check finds them in."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

from bench.base import Record
from bench.gpu.measures import Setting
from bench.gpu.parts import Part


def sound(_: Setting) -> Iterator[Record]:
    print("this goes to nobody's rows")  # noqa: T201
    yield {"figure": "a/one", "value": 1.5, "cells": 3}
    yield {"figure": None, "run": "gpu/a", "what": "pass", "pass": "forward", "seconds": 2.0}
    yield {"figure": "a/two", "value": float("nan"), "error": "no number"}


def crashing(_: Setting) -> Iterator[Record]:
    yield {"figure": "b/one", "value": 2.5}
    raise ZeroDivisionError("by nothing")


def killed(_: Setting) -> Iterator[Record]:
    yield {"figure": "c/one", "value": 3.5}
    os.kill(os.getpid(), signal.SIGSEGV)


def endless(_: Setting) -> Iterator[Record]:
    yield {"figure": "d/one", "value": 4.5}
    time.sleep(600)


def short(_: Setting) -> Iterator[Record]:
    yield {"figure": "e/one", "value": 5.5}


def part(name: str, run: object, stage: int, seconds: float = 60) -> Part:
    figures = {f"{name}/one": "s", f"{name}/two": "s"}
    return Part(name, stage, seconds, figures, run)  # type: ignore[arg-type]


PARTS = (
    part("a", sound, 0),
    part("b", crashing, 1),
    part("c", killed, 1),
    part("d", endless, 2, seconds=12),
    part("e", short, 3),
)
