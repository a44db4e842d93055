"""`ipl-bench report`: what the reports say, in one table."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from bench.api.say import tell
from bench.base import BenchError, Record

REFERENCE = "params"


def summary(written: Sequence[Path]) -> Iterator[Record]:
    """A record for every task of every report among the files written.

    The proxy of highest Kendall correlation with its interval, the reference proxy beside it, and
    the searcher of lowest mean validation regret; a task that was searched alone has that alone.
    `by_class` says how many architectures have the score of another of the same function, if any.
    """
    for folder in dict.fromkeys(path.parent for path in written if path.name in _TOLD):
        correlations = folder / "correlations.csv"
        scored = _rows(correlations) if correlations.exists() else []
        searched = _best_searches(folder / "searches.csv")
        found = {
            task: _task(task, rows) for task, rows in groupby(scored, key=lambda row: row["task"])
        }
        for task in dict.fromkeys([*found, *searched]):
            told = found.get(task, {"task": task})
            yield {"study": folder.parent.name, **told, **searched.get(task, {})}


_TOLD = ("correlations.csv", "searches.csv")


def end(written: Sequence[Path]) -> None:
    """Say which reports among the files written have nothing to show, and why.

    That is one of no run that succeeded, or of scores alone of which not one is a number.

    Raises:
        BenchError: None has anything to show.
    """
    reports = [path for path in written if path.name == "sources.csv"]
    empty = {path: why for path in reports if (why := _nothing(path))}
    told = [f"{path.parent.parent.name}: {why}" for path, why in empty.items()]
    if empty and len(empty) == len(reports):
        raise BenchError(f"nothing to show: {'; '.join(told)}")
    for sentence in told:
        tell(f"nothing to show of {sentence}")


def _nothing(sources: Path) -> str | None:
    """Why a report has nothing to show, by what it was made of; None where it has something."""
    rows = _rows(sources)
    fine = [row for row in rows if row["status"] == "ok"]
    correlations = sources.with_name("correlations.csv")
    scored = _rows(correlations) if correlations.exists() else []
    if any(row["n"] > row["n_failed"] for row in _counted(scored)):
        return None
    if any(row["kind"] not in _OF_SCORES for row in fine):
        return None
    failures = sources.with_name("failures.csv")
    first = next(iter(_rows(failures) if failures.exists() else []), None)
    why = "" if first is None else f"; the first, {first['what']} on {first['task']}: "
    why += "" if first is None else first["error"]
    if not fine:
        return f"none of its {len(rows):,} runs succeeded{why}"
    if scored:
        return f"no proxy has a score of any architecture{why}"
    return "it holds scores of no task; ipl-bench score --against TASK says what they are worth"


_OF_SCORES = ("live", "score")
"""Kinds of rows that say something by the correlations of their scores alone."""


def _counted(rows: Iterable[dict[str, str]]) -> Iterator[dict[str, int]]:
    for row in rows:
        yield {name: int(row[name]) for name in ("n", "n_failed")}


def _task(task: str, rows: Iterable[dict[str, str]]) -> Record:
    defined = {row["proxy"]: row for row in rows if row["kendall"]}
    record: Record = {"task": task}
    if defined:
        best = max(defined.values(), key=lambda row: float(row["kendall"]))
        record |= {"n": int(best["n"]), "best_proxy": best["proxy"]}
        for name in ("kendall", "kendall_low", "kendall_high"):
            # Of few architectures there is no interval.
            record[name] = float(best[name]) if best[name] else None
        if int(best.get("by_class") or 0):
            record["by_class"] = int(best["by_class"])
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
