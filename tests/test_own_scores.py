"""The committed scores of every distinct NAS-Bench-201 cell: whole, sound, and as published.

Made by `ipl-bench score nasbench201 --all --distinct --proxies all --dataset cifar10 --batch 32`
(README says the rest); what stands here is read from that file, not computed again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from scipy import stats

from bench.base import Floats
from bench.runs import choose
from bench.runs.tasks import Task, load_task
from bench.spaces.nasbench201 import NASBENCH201

RESULTS = Path(__file__).parents[1] / "results" / "nasbench201-cifar10"
FILE = RESULTS / "635036299876-linux-x86_64-2cpu" / "live.parquet"
CLASSES = 5_653
"""Cells of NAS-Bench-201 that compute different functions."""
PUBLISHED = {
    "synflow": 0.999,
    "zen": 0.99,
    "nwot": 0.99,
    "fisher": 0.97,
    "snip": 0.97,
    "grad_norm": 0.97,
    "jacov": 0.93,
}
"""Spearman with the published scores of 9,445 cells: of other weights and other minibatches."""


@pytest.fixture(scope="module")
def columns() -> Mapping[str, Floats]:
    table = pq.read_table(FILE)
    return {name: table.column(name).to_numpy() for name in table.column_names}


@pytest.fixture(scope="module")
def rows_of(columns: Mapping[str, Floats]) -> Mapping[object, int]:
    return {
        NASBENCH201.canonical(NASBENCH201.parse(text)): row
        for row, text in enumerate(columns["arch"])
    }


def test_the_row_names_the_file() -> None:
    lines = (FILE.parent / "rows.jsonl").read_text().splitlines()
    (row,) = [row for row in map(json.loads, lines) if row["kind"] == "live"]
    assert row["sha256"] == hashlib.sha256(FILE.read_bytes()).hexdigest()
    assert (row["distinct"], row["batch"], row["seeds"]) == (True, 32, [0])
    assert len(row["proxies"]) == 31
    provenance = json.loads((FILE.parent / "provenance.json").read_text())
    assert {"torch", "numpy", "pillow"} <= provenance["versions"].keys()


def test_every_class_is_there_once(columns: Mapping[str, Floats]) -> None:
    cells = choose.distinct(NASBENCH201, choose.whole(NASBENCH201))
    assert len(cells) == CLASSES
    assert columns["arch"].tolist() == [NASBENCH201.text(cell) for cell in cells]


def test_a_score_failed_where_it_has_a_reason_and_only_there() -> None:
    table = pq.read_table(FILE)
    failing = 0
    for name in [it[6:] for it in table.column_names if it.startswith("score:")]:
        failed = pc.is_null(table.column(f"score:{name}"))
        reason = f"error:{name}"
        if reason in table.column_names:
            assert pc.is_valid(table.column(reason)).equals(failed)
            failing += 1
        else:
            assert not pc.any(failed).as_py()
        assert pc.min(table.column(f"seconds:{name}")).as_py() >= 0
    assert failing == 13


def ours(
    name: str, task: Task, columns: Mapping[str, Floats], rows_of: Mapping[object, int]
) -> Floats:
    """Our scores of a task's cells, each that of its class; what failed ranks last."""
    space = task.space
    rows = [rows_of[space.canonical(space.parse(text))] for text in task.table.archs]
    scores = columns[f"score:{name}"][rows]
    return np.where(np.isnan(scores), -np.inf, scores)


def spearman(a: Floats, b: Floats) -> float:
    return float(stats.spearmanr(stats.rankdata(a), stats.rankdata(b)).statistic)


@pytest.mark.parametrize("name", ["naswot", "logsynflow"])
def test_cells_rank_as_freerea_published(
    data: Path, columns: Mapping[str, Floats], name: str
) -> None:
    """As written: naswot counts what leads nowhere, too, so cells of one class differ in it."""
    task = load_task("nasbench201/cifar10-valid")
    row_of = {text: row for row, text in enumerate(task.table.archs)}
    published = task.table.scores[name][[row_of[text] for text in columns["arch"]]]
    found = columns[f"score:{name}"]
    assert spearman(np.where(np.isnan(found), -np.inf, found), published) >= 0.98


@pytest.mark.parametrize("name", PUBLISHED)
def test_cells_rank_as_the_suite_published(
    data: Path, columns: Mapping[str, Floats], rows_of: Mapping[object, int], name: str
) -> None:
    task = load_task("nasbench201-suite/cifar10")
    found = spearman(ours(name, task, columns, rows_of), task.table.scores[name])
    assert found >= PUBLISHED[name]
