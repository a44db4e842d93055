"""`ipl-bench report`: what the reports say, in one table."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from bench.base import Record

REFERENCE = "params"


def summary(written: Sequence[Path]) -> Iterator[Record]:
    """A record for every task of every report among the files written.

    The proxy of highest Kendall correlation with its interval, the reference proxy beside it, and
    the searcher of lowest mean validation regret.
    """
    for path in written:
        if path.name == "correlations.csv":
            found = _best_searches(path.with_name("searches.csv"))
            for task, rows in groupby(_rows(path), key=lambda row: row["task"]):
                yield {"study": path.parent.parent.name, **_task(task, rows), **found.get(task, {})}


def _task(task: str, rows: Iterable[dict[str, str]]) -> Record:
    defined = {row["proxy"]: row for row in rows if row["kendall"]}
    record: Record = {"task": task}
    if defined:
        best = max(defined.values(), key=lambda row: float(row["kendall"]))
        record |= {"n": int(best["n"]), "best_proxy": best["proxy"]}
        for name in ("kendall", "kendall_low", "kendall_high"):
            # Of few architectures there is no interval.
            record[name] = float(best[name]) if best[name] else None
    if REFERENCE in defined:
        record["kendall_of_params"] = float(defined[REFERENCE]["kendall"])
    return record


def _best_searches(path: Path) -> dict[str, Record]:
    if not path.exists():
        return {}
    best: dict[str, Record] = {}
    for row in _rows(path):
        regret = float(row["regret"]) if row["regret"] else float("inf")
        if regret < best.get(row["task"], {}).get("regret", float("inf")):
            best[row["task"]] = {"best_searcher": row["searcher"], "regret": regret}
    return best


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
