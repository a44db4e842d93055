"""What a run's rows come to, as values of a baseline, each with its interval.

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
from bench.metrics.bootstrap import bootstrap
from bench.metrics.regret import mean
from bench.reports.baseline import EXACT, OUTCOME, Range, Value, exact, near
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
FEW = 10
"""With fewer seeds a bootstrap says too little: their whole range stands for it."""
FLOOR = 1e-3
"""How far a mean of seeds may move at least under other versions, relatively to the accuracy."""

SINGLE, DOUBLE = "float32", "float64"
_TIGHT = {SINGLE: 1e-6, DOUBLE: EXACT}
_WIDE = {SINGLE: 1e-4, DOUBLE: 1e-6}
_SMALL = 1e-3
"""A score below this moves as far as this one by rounding: its terms are larger than itself."""
_ROUNDING = 10.0
"""By how much more than now float32 may be away from float64 on another machine."""


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


def of_searches(run: SearchRun, outcome: Outcome) -> Iterator[Value]:
    """What the seeds of a searcher found, and what they spent.

    A searcher that overspends, or an oracle that lets it, shows in `most queries`, `most seconds`
    and `mean scored`.
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
        most = fixed("most seconds", max(row["seconds"] for row in rows))
        # Whatever other versions find, the budget is the end.
        yield replace(most, wide=(0.0, float(run.budget.seconds or 0)))
    floor = FLOOR * abs(float(np.mean([row["validation"] for row in rows])))
    for name in ("queries", "scored", "seconds", "regret", "test_regret"):
        found = [row[name] for row in rows]
        if any(each is None or math.isnan(each) for each in found):
            continue
        seeds = np.array(found, dtype=np.float64)
        least = floor if name.endswith("regret") else 0.0
        yield _seeds(fixed(f"mean {name}", float(seeds.mean())), seeds, least)


def _seeds(value: Value, seeds: Floats, floor: float) -> Value:
    """The value with the interval in which another draw of as many seeds would have its mean.

    That mean scatters, and so does this one: their difference does by the square root of two more
    than the bootstrap of either says. What no seed differs in has no such interval.
    """
    middle = float(seeds.mean())
    spread = float(np.ptp(seeds))
    if spread == 0 and floor == 0:
        return value
    low, high = middle - spread, middle + spread
    shown: Range | None = None
    if len(seeds) >= FEW:
        found = bootstrap(mean, seeds, resamples=RESAMPLES, rng=np.random.default_rng(0))
        shown = found.low, found.high
        low, high = (middle + math.sqrt(2) * (end - middle) for end in shown)
    # Other versions may move it at least as far as the same ones.
    least, most = near(middle)
    wide = min(low, middle - floor, least), max(high, middle + floor, most)
    return replace(value, wide=wide, bootstrap=shown)


def of_live(
    name: str, dtype: str, rows: Sequence[Record], double: Sequence[Record] = ()
) -> Iterator[Value]:
    """The scores of untrained networks, turned so that larger is better.

    Args:
        name: What stands for a task: the networks and the images.
        dtype: What the networks were run in.
        rows: A row an architecture, as live runs write them: arch, values and errors by proxy.
        double: The same in float64, of which the tolerance of float32 is made.
    """
    truths = {row["arch"]: row["values"] for row in double}
    for row in rows:
        for proxy, value in row["values"].items():
            # The proxy that does not say why it has no value is one whose network failed.
            why = row["errors"].get(proxy, "undefined").partition(":")[0]
            sign = 1 if members.proxy(proxy).higher_is_better else -1
            scored = exact(
                "live", name, proxy, f"{dtype} of {row['arch']}", why if value is None else value
            )
            truth = truths.get(row["arch"], {}).get(proxy)
            yield _rounded(scored, sign, dtype, truth)


def _rounded(scored: Value, sign: int, dtype: str, truth: Any) -> Value:
    """A score with the intervals of its floating-point numbers, both turned by a sign."""
    if isinstance(scored.value, str):
        return scored
    value = sign * scored.value
    apart = 0.0 if truth is None else _ROUNDING * abs(scored.value - truth)
    low, high = near(value, _WIDE[dtype], _SMALL)
    wide = min(low, value - apart), max(high, value + apart)
    return replace(scored, value=value, tight=near(value, _TIGHT[dtype], _SMALL), wide=wide)


def of_times(kind: str, task: str, of: str, fast: float, slow: float) -> Value:
    """How many times faster one thing is than another, from their seconds in one run.

    It may grow, and fall to half: two runs on a busy machine differ by that.
    """
    ratio = slow / fast
    return Value(kind, task, of, "times as fast", ratio, (ratio / 2, math.inf))
