"""DARTS: three tables of CIFAR-10 accuracies that were made in three ways; never rank them as one.

- `darts/suite`: 725 genotypes with NAS-Bench-Suite-Zero's proxies (arXiv:2210.03230); validation
  is what NAS-Bench-301's surrogate predicts (arXiv:2008.09777), not a training.
- `darts/swap1000`: 1,000 trained genotypes of pym1024/SWAP (arXiv:2403.04161), with one accuracy
  each, of which the file does not say the split; it stands under `test`.
- `darts/oncenas545`: 545 genotypes trained for 50 epochs (OnceNAS-Bench). Its `valid_acc50` is
  `test_acc50` rounded, one measurement, so only `test` is offered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.base import DataError, Floats, Space, Table, TableReader
from bench.tables._frame import Frame, read_csv
from bench.tables._rows import parse_all, refuse_repeats
from bench.tables.suite_zero import read_suite_zero

SPACE = "darts"
SUITE = "suite_zero/zc_nasbench301.json"
SWAP = "darts/DARTS_archs_CIFAR10.csv"
ONCENAS = "darts/data-545.csv"
ROUNDING = 0.021
"""Points by which OnceNAS-Bench's rounded accuracy may differ from the unrounded one."""

_SPAN = re.compile(r"(\d+):([0-5]\d):([0-5]\d)")


def _read_suite(paths: Mapping[str, Path], space: Space) -> Table:
    table = read_suite_zero(paths[SUITE], space, "cifar10", "darts/suite")
    return replace(
        table,
        sources=(SUITE,),
        notes="validation is the prediction of NAS-Bench-301's surrogate, not a trained accuracy",
    )


def _read_swap(paths: Mapping[str, Path], space: Space) -> Table:
    frame = read_csv(paths[SWAP], header=("genotype", "accuracy"))
    return Table(
        name="darts/swap1000",
        space=SPACE,
        dataset="cifar10",
        archs=_archs(frame, "genotype", space),
        accuracy={"test": frame.numbers("accuracy")},
        sources=(SWAP,),
        notes="one accuracy after training; the source does not say of which split, and test is"
        " assumed",
    )


def _read_oncenas(paths: Mapping[str, Path], space: Space) -> Table:
    frame = read_csv(paths[ONCENAS])
    rounded, test = frame.numbers("valid_acc50"), frame.numbers("test_acc50")
    worst = float(np.max(np.abs(rounded - test), initial=0.0))
    if not worst <= ROUNDING:
        raise DataError(
            f"{frame.name}: expected valid_acc50 to be test_acc50 rounded,"
            f" got {worst:g} points between them"
        )
    costs = [name for name in frame.cells if name.endswith("_latency")]
    return Table(
        name="darts/oncenas545",
        space=SPACE,
        dataset="cifar10",
        archs=_archs(frame, "architecture", space),
        accuracy={"train": frame.numbers("train_acc50"), "test": test},
        scores={"flops": frame.scores("flop"), "params": frame.scores("params")},
        targets={name: frame.numbers(name) for name in ("train_acc10", "valid_acc10", *costs)}
        | {"train_seconds10": _seconds(frame, "train_time10")},
        training_seconds=_seconds(frame, "train_time50"),
        sources=(ONCENAS,),
        notes="trained for 50 epochs; the source's valid_acc50 is its test_acc50 rounded, so there"
        " is no validation accuracy; flops and params are in millions",
    )


def _archs(frame: Frame, column: str, space: Space) -> list[str]:
    archs = parse_all(frame.texts(column), space, frame.name)
    refuse_repeats(archs, space, frame.name)
    return [space.text(arch) for arch in archs]


def _seconds(frame: Frame, column: str) -> Floats:
    """Return a column of H:MM:SS in seconds."""
    out = []
    for row, text in enumerate(frame.texts(column), 1):
        match = _SPAN.fullmatch(text)
        if match is None:
            raise DataError(
                f"{frame.name}: expected H:MM:SS in column {column!r}, got {text!r} in row {row}"
            )
        hours, minutes, seconds = (int(part) for part in match.groups())
        out.append(3600.0 * hours + 60.0 * minutes + seconds)
    return np.array(out, np.float64)


TABLES: tuple[TableReader, ...] = (
    TableReader("darts/suite", SPACE, (SUITE,), _read_suite),
    TableReader("darts/swap1000", SPACE, (SWAP,), _read_swap),
    TableReader("darts/oncenas545", SPACE, (ONCENAS,), _read_oncenas),
)
