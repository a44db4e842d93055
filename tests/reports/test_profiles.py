"""The rows of a profile as tables and a figure."""

from __future__ import annotations

import pytest

from bench.base import Record
from bench.reports.figures.roofline import rooflines
from bench.reports.profiles import profile_tables
from bench.reports.style import as_bytes, paper_style


def rated(what: str, name: str, seconds: float, **more: object) -> Record:
    flops, moved = 4_000_000, 1_000_000
    return {
        "run": "profile/toy",
        "what": what,
        "name": name,
        "seconds": seconds,
        "calls": 3,
        "flops": flops,
        "bytes": moved,
        "flops_per_second": flops / seconds,
        "bytes_per_second": moved / seconds,
        "intensity": 4.0,
        "bound": "memory",
        "of_roof": 0.25,
        "pass": "forward",
        **more,
    }


@pytest.fixture
def rows() -> list[Record]:
    ceilings = {"run": "profile/toy", "what": "ceilings", "device": "cpu", "threads": 2}
    ceilings |= {"flops_per_second": 2e11, "bytes_per_second": 1e10}
    spent = {"run": "profile/toy", "what": "pass", "pass": "forward", "seconds": 0.5}
    kernel = {"run": "profile/toy", "what": "kernel", "name": "gram", "shape": "(4, 4)"}
    return [
        ceilings,
        spent | {"share": 1.0, "networks": 2},
        rated("operation", "mm", 0.01),
        rated("operation", "convolution", 0.4),
        rated("kernel", "gram", 0.02, implementation="torch", shape="(4, 4)"),
        kernel | {"implementation": "triton", "seconds": None, "note": "no GPU here"},
    ]


def test_tables_show_the_dearest_first_and_what_was_not_measured(rows: list[Record]) -> None:
    passes, operations, kernels = profile_tables(rows)
    assert [cell.text for cell in passes.rows[0]] == ["forward", "0.5000", "100.0 %", "2"]
    assert [row[1].text for row in operations.rows] == ["convolution", "mm"]
    assert "200.0 GFLOP/s" in passes.caption
    measured, missing = kernels.rows
    assert [cell.text for cell in measured[3:5]] == ["0.02000", "0.2"]
    assert missing[3].text == "—"
    assert missing[-1].text == "no GPU here"
    assert all(len(row) == len(kernels.columns) for row in kernels.rows)


def test_a_run_has_its_own_tables_and_figure(rows: list[Record]) -> None:
    both = [*rows, *({**row, "run": "profile/other"} for row in rows)]
    assert len(profile_tables(both)) == 6
    with paper_style():
        figures = list(rooflines(both))
        assert len(figures) == 2
        assert as_bytes(figures[0], "png") == as_bytes(next(rooflines(rows)), "png")
    labels = figures[0].axes[1].get_legend_handles_labels()[1]
    assert labels == ["1  convolution (98 %)", "2  mm (2 %)", "3  gram"]


def test_nothing_gives_nothing() -> None:
    assert profile_tables([]) == []
    assert list(rooflines([])) == []
