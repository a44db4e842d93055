"""NAS-Bench-101: all 423,624 cells with test accuracy; validation, seconds and proxies of some.

Source: Ying et al., ICML 2019, arXiv:1902.09635. Test accuracy is the mean of three runs of 108
epochs (as kept by NiccoloCavagnero/FreeREA, joined to an enumeration of the space). Validation
accuracy and training seconds are known of 30,001 cells (tiga1231/nasbench-vis): two stretches of
rows in the order of the cells' hashes, which is as good as drawn at random. 292 cells have
NAS-Bench-Suite-Zero's proxies (arXiv:2210.03230): its file scores 500 specifications, which are
292 cells once idle vertices are gone and isomorphic ones are one. Of each, the first counts.

A cell may be written with its vertices in another order, so a row stands for all isomorphic cells
(`canonical`), and those 292 are found so: by a hash that no order of vertices changes, then by
comparing canonical forms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.base import DataError, Ints, Space, Table, TableReader
from bench.tables import _cells101
from bench.tables._frame import Frame, read_csv
from bench.tables._rows import parse_all, spread
from bench.tables.suite_zero import read_suite_zero

SPACE = "nasbench101"
CELLS = "nasbench101/nasbench101.parquet"
KNOWN = "nasbench101/validation_30001.csv.gz"
SUITE = "suite_zero/zc_nasbench101.json"
EPOCHS = (4, 12, 36)

_DIGIT = re.compile(r"\d")


def _read(paths: Mapping[str, Path], space: Space) -> Table:
    columns = _read_cells(paths[CELLS])
    n = len(columns["vertices"])
    archs, hashes = _write_cells(columns)
    known = read_csv(paths[KNOWN])
    rows = _known_rows(known, columns)
    suite = read_suite_zero(paths[SUITE], space, "cifar10")
    where, first = np.unique(_find_isomorphic(suite.archs, archs, hashes, space), return_index=True)
    scores = {it: spread(values[first], where, n) for it, values in suite.scores.items()}
    targets = {
        f"validation_epoch{it}": spread(100 * known.numbers(f"val_acc_{it}"), rows, n)
        for it in EPOCHS
    }
    return Table(
        name="nasbench101/cifar10",
        space=SPACE,
        dataset="cifar10",
        archs=archs,
        accuracy={
            "validation": 100 * columns["validation_accuracy"].astype(np.float64),
            "test": 100 * columns["test_accuracy"].astype(np.float64),
        },
        scores=scores | {"params": columns["parameters"] / 1e6},
        targets=targets
        | {"suite_validation": spread(suite.accuracy["validation"][first], where, n)},
        training_seconds=spread(known.numbers("train_time_s"), rows, n),
        canonical=True,
        sources=(CELLS, KNOWN, SUITE),
        notes="test is the mean of three runs; validation and training seconds are known of 30,001"
        " cells, the suite's proxies of 292, params (in millions, from the table) of all;"
        " suite_validation is the suite's own value of one run and differs from validation",
    )


def _read_cells(path: Path) -> dict[str, NDArray[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name}: expected Parquet, got {type(error).__name__}") from error
    return {it: table.column(it).to_numpy() for it in table.column_names}


def _write_cells(columns: Mapping[str, NDArray[Any]]) -> tuple[list[str], NDArray[np.uint64]]:
    """Return the cells' native texts and hashes, one size of cells at a time."""
    sizes = columns["vertices"]
    archs = np.empty(len(sizes), object)
    hashes = np.empty(len(sizes), np.uint64)
    for vertices in np.unique(sizes).tolist():
        rows = np.flatnonzero(sizes == vertices)
        codes = _cells101.encode(
            vertices, columns["adjacency_bits"][rows], columns["operations"][rows]
        )
        archs[rows] = _cells101.texts(codes)
        hashes[rows] = _cells101.fingerprints(codes)
    return archs.tolist(), hashes


def _known_rows(known: Frame, columns: Mapping[str, NDArray[Any]]) -> Ints:
    """Return the rows of the cells whose validation accuracy is known.

    Raises:
        DataError: If the file's `index` does not point at the same cells.
    """
    rows = known.numbers("index").astype(np.int64)
    bits = known.numbers("adj_bits").astype(np.int64)
    same = (columns["adjacency_bits"][rows] == bits) & (
        columns["operations"][rows] == np.array(known.texts("ops"), object)
    )
    if not same.all():
        wrong = int(np.flatnonzero(~same)[0]) + 1
        raise DataError(
            f"{known.name}: expected the cell that its index names, got another in row {wrong}"
        )
    return rows


def _find_isomorphic(
    wanted: Sequence[str], archs: Sequence[str], hashes: NDArray[np.uint64], space: Space
) -> Ints:
    """Return the row of each wanted cell, in whatever order its vertices stand.

    Raises:
        DataError: If a cell is in no row, or in two.
    """
    canonical = [space.canonical(arch) for arch in parse_all(wanted, space, SUITE)]
    order = np.argsort(hashes, kind="stable")
    found = []
    for arch in canonical:
        wanted_hash = _hash(space.text(arch))
        first = np.searchsorted(hashes, wanted_hash, side="left", sorter=order)
        last = np.searchsorted(hashes, wanted_hash, side="right", sorter=order)
        rows = [it for it in order[first:last] if space.canonical(space.parse(archs[it])) == arch]
        if len(rows) != 1:
            raise DataError(
                f"{SUITE}: expected one row of nasbench101/cifar10 for {space.text(arch)},"
                f" got {len(rows)}"
            )
        found.append(rows[0])
    return np.array(found, np.int64)


def _hash(text: str) -> np.uint64:
    """Return the hash of one cell by its native text."""
    codes = np.array([int(digit) for digit in _DIGIT.findall(text)], np.uint8)
    return np.uint64(_cells101.fingerprints(codes[None])[0])


TABLES: tuple[TableReader, ...] = (
    TableReader("nasbench101/cifar10", SPACE, (CELLS, KNOWN, SUITE), _read),
)
