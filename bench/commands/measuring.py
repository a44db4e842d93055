"""The study `regression` done here and now: its values, and where they come from."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from bench.base import BenchError, Record
from bench.reports import baseline_values
from bench.reports.baseline import Baseline, Value, provenance
from bench.runs import live, live_rows, members
from bench.runs.pool import do, in_order
from bench.runs.provenance import machine, processor_settings
from bench.runs.row import Outcome, Run, ScoreRun, SearchRun
from bench.runs.tasks import task_reader
from bench.studies import regression
from bench.studies.regression import LivePlan
from bench.studies.study import Study
from bench.tables import files

ROUNDS = 3
"""Of each timing; the shortest counts."""
STACKED = 5


@dataclass(frozen=True)
class Plan:
    """What is measured: the frozen study, unless a test says otherwise."""

    study: Study = regression.REGRESSION
    live_runs: Callable[[], Iterable[LivePlan]] = regression.live_runs
    timed: str = regression.TIMED


def measure(
    plan: Plan,
    kinds: Collection[str],
    command: Iterable[str],
    *,
    freeze: bool,
    workers: int = 1,
    advance: Callable[[], None],
) -> Baseline:
    """Do the study.

    Args:
        plan: What is measured.
        kinds: The kinds of values that are wanted.
        command: What the user said, for provenance.
        freeze: Whether it becomes a baseline: then with intervals that comparing does not need.
        workers: Processes that do runs.
        advance: Called after each part.
    """
    missing = missing_of(plan.study)
    runs = [run for run in plan.study.runs() if run.task not in missing and _wanted(run, kinds)]
    values: list[Value] = []
    for run, outcome in in_order(do, runs, workers):
        failed = [row["error"] for row in outcome.rows if row["error"] is not None]
        if freeze and failed:
            raise BenchError(f"expected runs that do not fail, got {run.key}: {failed[0]}")
        # Facts of a task come with its correlations.
        values += [value for value in _values(run, outcome, freeze) if value.kind in kinds]
        advance()
    if "live" in kinds:
        for each in plan.live_runs():
            values += scored(each)
            advance()
    if "speed" in kinds:
        values += timed(plan.timed)
        advance()
    about = provenance(command, missing, _hashes(plan.study, missing), _processor())
    return Baseline(tuple(values), about)


def missing_of(study: Study) -> dict[str, str]:
    """The tasks of a study whose files are not here, and the first such file; none is fetched."""
    missing = {}
    for task in study.tasks():
        absent = [path for path in task_reader(task).files if not files.available(path)]
        if absent:
            missing[task] = f"{absent[0]} is not here; ipl-bench fetch gets what it can"
    return missing


def _hashes(study: Study, missing: Collection[str]) -> dict[str, str]:
    """The SHA-256 of the files that are read, by name."""
    readers = [task_reader(task) for task in study.tasks() if task not in missing]
    return {path: files.source(path).sha256 for reader in readers for path in reader.files}


def count(plan: Plan, kinds: Collection[str]) -> int:
    """How many parts `measure` has."""
    missing = missing_of(plan.study)
    runs = sum(run.task not in missing and _wanted(run, kinds) for run in plan.study.runs())
    return runs + ("live" in kinds) * len([*plan.live_runs()]) + ("speed" in kinds)


def _wanted(run: Run, kinds: Collection[str]) -> bool:
    if isinstance(run, ScoreRun):
        return "task" in kinds or "correlation" in kinds
    return "search" in kinds


def _values(run: Run, outcome: Outcome, freeze: bool) -> Iterator[Value]:
    if isinstance(run, ScoreRun):
        resamples = baseline_values.RESAMPLES if freeze else 0
        yield from baseline_values.of_scores(run, outcome, resamples=resamples)
    elif isinstance(run, SearchRun):
        yield from baseline_values.of_searches(run, outcome, learns=regression.learns(run))
    else:
        raise BenchError(f"expected a study of scores and searches, got the run {run.key}")


def scored(plan: LivePlan) -> Iterator[Value]:
    """Live scores in float32, as users are given them, and in float64, which rounds far less.

    Raises OptionError where torch is not here.
    """
    live.require_torch()
    single = list(live_rows.rows(plan.run, plan.archs))
    yield from baseline_values.of_live(plan.name, single, doubled(plan))


def doubled(plan: LivePlan) -> list[Record]:
    """The rows of a live run whose networks are made float64 before anything is run."""
    from bench.networks import Weights, network
    from bench.proxies.live import score

    run, rows = plan.run, []
    space = members.space(run.space)
    computed = live_rows.Scorer(run).computed
    for seed in run.seeds:
        weights, batches = Weights(seed), live.minibatches(run.dataset, run.batch, seed)
        for arch in plan.archs:
            module = network(run.space, arch, weights, **dict(run.shape)).double()
            with live_rows.threaded(run.threads):
                found = score(module, batches, computed, seed=seed)
            row: Record = {"arch": space.text(arch), "seed": seed}
            row["values"] = {name: each.value for name, each in found.items()}
            row["errors"] = {name: each.error for name, each in found.items() if each.error}
            rows.append(row)
    return rows


def timed(operations: str) -> Iterator[Value]:
    """How many times as fast shared passes are as single ones, and a stack as its networks alone.

    Raises OptionError where torch is not here.
    """
    live.require_torch()
    from bench.networks import Stack, Weights, network
    from bench.proxies import COMPUTED
    from bench.proxies.live import score
    from bench.proxies.stacked import StackScorer

    arch = members.space(regression.SPACE).parse(regression.cell_text(operations))
    proxies, shape = COMPUTED[:13], dict(regression.SMALL)
    batches = live.minibatches("noise", regression.BATCH, 0)
    weights = Weights(0)
    module = network(regression.SPACE, arch, weights, **shape)
    stack = StackScorer(Stack([arch] * STACKED, weights, **shape), batches, proxies, seed=0)
    task = f"{regression.SPACE}-small/noise"
    with live_rows.threaded(1):
        shared = _seconds(lambda: score(module, batches, proxies))
        single = _seconds(lambda: [score(module, batches, [each]) for each in proxies])
        stacked = _seconds(stack.score)
    yield baseline_values.of_times(
        "speed", task, "13 proxies in shared passes over each alone", shared, single
    )
    yield baseline_values.of_times(
        "speed", task, f"{STACKED} networks in a stack over each alone", stacked, STACKED * shared
    )


def _seconds(work: Callable[[], object]) -> float:
    """The shortest time that something takes, after one round that is not counted."""
    work()
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _processor() -> dict[str, str | None]:
    """The processor, and what kernels torch picks by, where it is here; they round differently."""
    found: dict[str, str | None] = {"machine": machine(), **processor_settings()}
    try:
        import torch
    except ModuleNotFoundError:
        return found
    return {**found, "instructions": torch.backends.cpu.get_cpu_capability()}
