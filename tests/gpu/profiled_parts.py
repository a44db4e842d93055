"""The part `profile` on a CPU, as if that were a GPU."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bench.base import Record
from bench.gpu import measures, parts
from bench.gpu.measures import Setting


def run(setting: Setting) -> Iterable[Record]:
    return measures.profiles(replace(setting, device="cpu"))


PARTS = tuple(replace(part, run=run) for part in parts.PARTS if part.name == "profile")
