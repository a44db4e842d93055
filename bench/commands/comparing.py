"""`ipl-bench baseline` and `ipl-bench compare`: what must not move, written down and looked up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from bench.base import DataError, Record
from bench.commands import measuring
from bench.commands.measuring import Plan
from bench.commands.showing import rated_bar
from bench.reports import baseline as frozen
from bench.reports.baseline import KINDS, Baseline
from bench.reports.baseline_benchmarks import read_benchmarks
from bench.reports.baseline_diff import APPEARED, ROUNDED, Change, changes, decides, differing
from bench.reports.baseline_written import github_lines, junit
from bench.runs.store import write_whole

FOLDER = "baseline"
MEASURED = tuple(kind for kind in KINDS if kind != "benchmark")


def freeze(
    results: Path,
    command: Sequence[str],
    *,
    benchmark: Path | None = None,
    workers: int = 1,
    plan: Plan | None = None,
) -> tuple[Baseline, list[Path]]:
    """Do the study and write its values down: what was measured, and the files written.

    Raises:
        BenchError: A run failed, there is nothing to freeze, or a file cannot be written; then the
            old files stay.
    """
    plan = plan or Plan()
    # First: what is wrong with it is told before anything is measured.
    more = () if benchmark is None else tuple(read_benchmarks(benchmark))
    found = _measured(plan, MEASURED, command, freeze=True, workers=workers)
    whole = Baseline((*found.values, *more), found.provenance)
    if not whole.values:
        raise DataError(
            "expected something to freeze, got no value: no task of the study has its files here"
        )
    return whole, frozen.write(results / FOLDER, whole)


def counts(found: Baseline) -> Iterator[Record]:
    """How many values there are, a record for each kind and task."""
    number = Counter((value.kind, value.task) for value in found.values)
    for (kind, task), values in sorted(number.items()):
        yield {"kind": kind, "task": task, "values": values}


@dataclass(frozen=True)
class Compared:
    """What a comparison found."""

    now: Baseline
    changes: tuple[Change, ...]
    failing: tuple[Change, ...]
    notes: tuple[str, ...]
    """What a reader should know of the circumstances."""

    def rows(self) -> Iterator[Record]:
        """The changes as records; `fails` says which decide."""
        for change in self.changes:
            yield {**change.record(), "fails": change in self.failing}

    def lines(self, *, github: bool) -> Iterator[str]:
        """The changes as sentences, or as GitHub's annotations.

        What rounding may have moved is told by the first of a proxy's or searcher's values.
        """
        if github:
            yield from github_lines(self.changes, self.failing)
            return
        for (status, name), found in groupby(self.changes, key=_by_subject):
            first, *others = found
            if status != ROUNDED or not others:
                for change in (first, *others):
                    yield f"{'FAIL' if change in self.failing else 'note'}  {change.sentence}"
                continue
            _, task, of = name
            yield (
                f"note  {1 + len(others)} values of {of} on {task} moved no further than rounding "
                f"alone may move them; the first: {first.sentence}"
            )


def _by_subject(change: Change) -> tuple[str, tuple[str, str, str]]:
    """What became of a value, and its kind, task, and proxy or searcher."""
    return change.status, change.value.key[:3]


def compare(
    folder: Path,
    command: Sequence[str],
    *,
    kinds: Collection[str] = (),
    everything: bool = False,
    speed: bool = False,
    benchmark: Path | None = None,
    workers: int = 1,
    plan: Plan | None = None,
) -> Compared:
    """Do the study again, and tell what left the intervals of a baseline.

    Args:
        folder: The baseline's.
        command: What the user said.
        kinds: Kinds to measure; all, unless some are named.
        everything: Whether tasks that the baseline has must be here.
        speed: Whether ratios of times are a reason to fail.
        benchmark: A file of pytest-benchmark, compared too.
        workers: Processes.
        plan: What is measured.

    Raises:
        DataError: The baseline is missing, damaged or foreign, holds nothing that can be compared
            here, or tasks that must be here are not.
    """
    plan = plan or Plan()
    before = frozen.read(folder)
    measured = set(kinds or MEASURED)
    more = () if benchmark is None else tuple(read_benchmarks(benchmark))
    missing = measuring.missing_of(plan.study)
    gone = {value.task for value in before.values} & missing.keys()
    if everything and gone:
        raise DataError(
            f"expected all tasks of {folder} with --all, got {len(gone)} of them without their "
            f"files, the first {min(gone)}: {missing[min(gone)]}"
        )
    looked_up = measured | ({"benchmark"} if more else set())
    if not any(it.kind in looked_up and it.task not in gone for it in before.values):
        raise DataError(
            f"expected values in {folder} of {', '.join(sorted(looked_up))} on tasks whose files "
            f"are here, got none of its {len(before.values):,}"
        )
    found = _measured(plan, measured, command, freeze=False, workers=workers)
    now = Baseline((*found.values, *more), found.provenance)
    told = tuple(changes(before, now, kinds=looked_up, without=gone))
    failing = tuple(change for change in told if decides(change, times=speed))
    return Compared(now, told, failing, tuple(_notes(before, now, gone)))


def _measured(
    plan: Plan, kinds: Collection[str], command: Sequence[str], *, freeze: bool, workers: int
) -> Baseline:
    with rated_bar(plan.study.name, measuring.count(plan, kinds), 0) as advance:
        return measuring.measure(
            plan, kinds, command, freeze=freeze, workers=workers, advance=advance
        )


def _notes(before: Baseline, now: Baseline, gone: Collection[str]) -> Iterator[str]:
    if gone:
        values = sum(value.task in gone for value in before.values)
        yield (
            f"not compared: {values} values of {len(gone)} tasks whose files are not here, "
            f"{', '.join(sorted(gone))}"
        )
    if differences := differing(before.provenance, now.provenance):
        yield (
            f"the baseline is of another processor or other versions ({'; '.join(differences)}), "
            "which round in another way: live scores and searches that train a model may move"
        )


def write_junit(path: Path, compared: Compared) -> None:
    """Write the comparison as a JUnit report. Raises DataError where that fails."""
    content = junit(compared.now.values, compared.changes, compared.failing)
    write_whole(path, content)


def summary(compared: Compared) -> str:
    """What a comparison came to, in one sentence."""
    new = sum(change.status == APPEARED for change in compared.changes)
    counted = f"{len(compared.now.values) - new:,} values compared"
    if not compared.changes:
        return f"{counted}: nothing moved"
    told = len(compared.changes) - len(compared.failing)
    return f"{counted}: {len(compared.failing)} reasons to fail, {told} told only"
