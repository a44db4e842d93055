"""What a run's rows come to, as values of a baseline, each with how far rounding may move it.

Failed rows. A score's failures rank last and are counted; a failed search is counted, and left out
of its searcher's means; a proxy that gives no score of a network is the word why, in its place.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from bench.base import Floats, Record
from bench.reports.baseline import OUTCOME, Value, exact, near
from bench.reports.correlations import correlate
from bench.runs import members
from bench.runs.row import Outcome, ScoreRun, SearchRun, budget_text

MEASURES = (
    *("kendall", "spearman", "kendall_top10", "spearman_top10"),
    *("precision_at_10pct", "best_of_10"),
)
COUNTS = ("n", "n_failed")
RESAMPLES = 1000
"""Of a bootstrap that is published; comparing needs none."""

SINGLE, DOUBLE = "float32", "float64"
_DOUBLE, _SINGLE, _MOST = 1e-8, 1e-2, 0.5
"""How far rounding may move a score in float64, and in float32 at least and at most, relatively.

Measured on this plan on other processors that one machine can stand in for, from SSE4.1 to AVX-512,
with other kernels of oneDNN, MKL, OpenBLAS, ATen and numpy: float64 moved by 1.4e-10 at the most,
which is zico's, and by 2e-12 without it; float32 by 20 % at the most, which is plain's, by 3 %
(epe_nas), .9 % (zico), .7 % (grasp), and .2 % without these.
"""
_MARGIN = 10.0
"""By how much more than the frozen run's float32 another's may be away from float64.

No score left this room on any of those processors; docs/protocol.md counts those that moved."""
_SMALL = 1e-3
"""A score below this moves as far as this one by rounding: its terms are larger than itself."""


def of_scores(run: ScoreRun, outcome: Outcome, *, resamples: int = RESAMPLES) -> Iterator[Value]:
    """The facts of a task, and how well each of its proxies ranks its architectures.

    Args:
        run: The run.
        outcome: What doing it gave.
        resamples: How many bootstrap resamples; with none, values have no bootstrap interval.
    """
    (row,) = outcome.rows
    if outcome.attachment is None:
        yield exact("task", run.task, "the task", OUTCOME, f"failed: {row['error']}")
        return
    table = pq.read_table(io.BytesIO(outcome.attachment.content))
    columns: dict[str, Floats] = {
        name: table.column(name).to_numpy() for name in table.column_names if name != "arch"
    }
    yield from _of_task(run.task, row, columns)
    scores = {name: columns[f"score:{name}"] for name in row["proxies"]}
    records = correlate(
        run.task,
        columns[row["truth"]],
        scores,
        maximise=row["maximise"],
        resamples=resamples,
        groups=columns["group"].astype(np.int64) if "group" in columns else None,
        rng=np.random.default_rng(0),
    )
    for record in records:
        for name in COUNTS:
            yield exact("correlation", run.task, record["proxy"], name, record[name])
        for name in MEASURES:
            yield _correlation(run.task, record, name)


def _of_task(task: str, row: Record, columns: Mapping[str, Floats]) -> Iterator[Value]:
    """What would tell one column from another: counts, means and optima of each accuracy."""
    yield exact("task", task, "the task", "truth", row["truth"])
    yield exact("task", task, "the task", "architectures", row["n"])
    for split in ("validation", "test"):
        known = columns.get(split, np.empty(0))
        known = known[~np.isnan(known)]
        yield exact("task", task, split, "known", len(known))
        if len(known):
            yield exact("task", task, split, "mean", float(known.mean()))
            best = known.max() if row["maximise"] else known.min()
            yield exact("task", task, split, "best", float(best))


def _correlation(task: str, record: Record, name: str) -> Value:
    value = exact("correlation", task, record["proxy"], name, record[name])
    low, high = record.get(f"{name}_low"), record.get(f"{name}_high")
    shown = None if low is None or high is None else (low, high)
    return replace(value, bootstrap=shown)


def of_searches(run: SearchRun, outcome: Outcome, *, learns: bool) -> Iterator[Value]:
    """What the seeds of a searcher found, and what they spent.

    A searcher that overspends, or an oracle that lets it, shows in `most queries`, `most seconds`
    and `mean scored`.

    Args:
        run: The run.
        outcome: What doing it gave.
        learns: Whether the searcher trains a model. Its picks turn on rounding, so seeds are kept.
    """
    rows = [row for row in outcome.rows if row["status"] == "ok"]
    of = f"{run.searcher} at {budget_text(run.budget)}"

    def fixed(measure: str, value: float | str) -> Value:
        return exact("search", run.task, of, measure, value)

    yield fixed("failed seeds", len(outcome.rows) - len(rows))
    if not rows:
        yield fixed(OUTCOME, f"failed: {outcome.rows[0]['error']}")
        return
    if run.budget.queries is not None:
        yield fixed("most queries", max(row["queries"] for row in rows))
    else:
        yield fixed("most seconds", max(row["seconds"] for row in rows))
    for name in (*_SPENT, *_FOUND):
        found = [row[name] for row in rows]
        if any(each is None or math.isnan(each) for each in found):
            continue
        mean = fixed(f"mean {name}", float(np.mean(np.array(found, dtype=np.float64))))
        kept = learns and name in _FOUND
        yield replace(mean, seeds=tuple(map(float, found))) if kept else mean


_SPENT = ("queries", "scored")
"""What the budget and the options of a searcher decide, whatever it learns."""
_FOUND = ("seconds", "regret", "test_regret")


def of_live(name: str, single: Sequence[Record], double: Sequence[Record]) -> Iterator[Value]:
    """The scores of untrained networks, turned so that larger is better.

    Args:
        name: What stands for a task: the networks and the images.
        single: A row an architecture, of networks in float32, as live runs write them: arch, values
            and errors by proxy. Proxies of the graph are among them, and have no rounding.
        double: The same in float64.
    """
    truths = {row["arch"]: row["values"] for row in double}
    rooms = _rooms(single, truths)
    for row in single:
        for value in _scores(name, SINGLE, row):
            yield _rounded(value, rooms.get(value.of))
    for row in double:
        for value in _scores(name, DOUBLE, row):
            yield _rounded(value, _DOUBLE)


def _scores(name: str, dtype: str, row: Record) -> Iterator[Value]:
    """The scores of a network as their proxies define them."""
    for proxy, value in row["values"].items():
        # The proxy that does not say why it has no value is one whose network failed.
        why = row["errors"].get(proxy, "undefined").partition(":")[0]
        measure = f"{dtype} of {row['arch']}"
        yield exact("live", name, proxy, measure, why if value is None else value)


def _rooms(single: Sequence[Record], truths: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """How far rounding may move each proxy's float32, relatively: ten times its worst distance.

    One network may be near float64 by luck, so the worst of a plan stands for all of them. A score
    that is lost in rounding may not move to another sign or to twice itself all the same.
    """
    worst: dict[str, float] = {}
    for row in single:
        for proxy, truth in truths.get(row["arch"], {}).items():
            value = row["values"].get(proxy)
            known = value is not None and truth is not None
            apart = abs(value - truth) / max(_SMALL, abs(truth)) if known else 0.0
            worst[proxy] = max(worst.get(proxy, 0.0), apart)
    return {proxy: min(_MOST, max(_SINGLE, _MARGIN * it)) for proxy, it in worst.items()}


def _rounded(scored: Value, room: float | None) -> Value:
    """A score, turned, with the interval in which rounding may move it; None where it has none."""
    if isinstance(scored.value, str):
        return scored
    sign = 1 if members.proxy(scored.of).higher_is_better else -1
    value = sign * scored.value
    wide = None if room is None else near(value, room, _SMALL)
    return replace(scored, value=value, tight=near(value, least=_SMALL), wide=wide)


def of_times(kind: str, task: str, of: str, fast: float, slow: float) -> Value:
    """How many times faster one thing is than another, from their seconds in one run.

    It may grow, and fall to half: two runs on a busy machine differ by that.
    """
    ratio = slow / fast
    return Value(kind, task, of, "times as fast", ratio, (ratio / 2, math.inf))
