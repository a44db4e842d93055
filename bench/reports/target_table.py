"""The table of targets: how proxies rank what else is wanted of an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from bench.base import Record
from bench.reports.tables import Cell, Table, with_interval
from bench.reports.targets import shown_targets


def target_tables(records: Sequence[Record]) -> list[Table]:
    """A table a task: tau with accuracy, and with each target that figures show.

    A number is bold where it is the highest of its target, and the paired 95 % interval of its
    difference to the runner-up excludes zero.

    Args:
        records: As from `bench.reports.targets.score_targets`, of any number of tasks.
    """
    tables = []
    for task, group in groupby(records, key=lambda record: record["task"]):
        here = list(group)
        shown = [name for names in shown_targets(here).values() for name in names]
        cells = {(r["proxy"], r["target"]): r for r in here}
        rows = []
        for name in sorted({r["proxy"] for r in here}, key=lambda name: _place(cells, name, shown)):
            row = [Cell(name)]
            for target in shown:
                record = cells[name, target]
                row.append(Cell(with_interval(record, "kendall", 2), record["best"]))
            rows.append(tuple(row))
        told = [r for r in here if r["target"] in shown and r["kendall"] is not None]
        inverted = sum(r["inverted"] for r in told)
        caption = (
            f"Kendall’s τ of proxies with other targets on {task}, costs turned round so that a "
            f"positive τ finds what is wanted, with 95 % intervals; {inverted} of {len(told)} lie "
            "on the other side of zero than the proxy’s τ with accuracy, neither interval holding "
            "zero."
        )
        tables.append(Table(f"targets-{task}", caption, ("proxy", *shown), tuple(rows), 1))
    return tables


def _place(
    cells: dict[tuple[str, str], Record], name: str, shown: Sequence[str]
) -> tuple[bool, float, str]:
    """By correlation with accuracy, the best first; undefined ones last, then by name."""
    value = cells[name, shown[0]]["accuracy_kendall"]
    return (value is None, -(value or 0.0), name)
