"""`ipl-bench demo`: correlate, search, score and report on a task that comes with the package.

All results are made in a folder that is removed at the end, and moved into place when they are
whole, so that an interrupted demo leaves nothing; a second one replaces what the first wrote, and
refuses where somebody else wrote.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill
from typing import TypeAlias

import numpy as np

from bench.api import correlate as correlating
from bench.api.say import tell
from bench.base import Budget, DataError, OptionError, Record
from bench.commands import reporting, scoring
from bench.commands.running import failures
from bench.reports._written import LIST, digest, listed, replace_files
from bench.reports.load import load_studies
from bench.reports.searches import summarise
from bench.runs import live
from bench.runs.live_scores import read_live
from bench.runs.live_store import SCORES
from bench.runs.pool import execute
from bench.runs.provenance import folder_of, shared, versions
from bench.runs.row import Run, ScoreRun
from bench.runs.store import ROWS, Store
from bench.runs.tasks import Task, load_task
from bench.studies.smoke import EMBEDDED
from bench.studies.study import searches
from bench.training.recipe import parse

TASK = EMBEDDED
"""Cells trained on scikit-learn's digits."""
RECIPE = "digits"
"""What they were trained by: it says how large networks are, and which images they see."""
STUDY, LIVE = "demo", "demo-live"

YARDSTICKS = ("parametric", "random")
WARM = ("jacov", "nwot", "synflow")
"""The first of these that the task records is the proxy that a searcher ranks by."""
QUERIES, SEEDS, RESAMPLES, CELLS = 50, 10, 200, 5
SCORED_BY = ("params", "synflow", "jacov", "nwot", "zen")
CORRELATED = (
    *("proxy", "n", "n_failed", "kendall", "kendall_low", "kendall_high"),
    *("spearman", "best_of_10"),
)
SEARCHED = (
    *("searcher", "seeds", "queries"),
    *("regret", "regret_low", "regret_high", "test_regret"),
)

Show: TypeAlias = Callable[[str, Sequence[str], Callable[[], Iterable[Record]]], None]
"""Prints a table: its title, its columns (all where none are named), and what makes its rows."""


@dataclass(frozen=True)
class Demo:
    """What a demo is of, and where its files go."""

    results: Path
    reports: Path
    proxies: tuple[str, ...] = ()
    """The user's own, beside those that the task records."""
    task: Task = field(default_factory=lambda: load_task(TASK))

    @property
    def computed(self) -> tuple[str, ...]:
        """The proxies of a graph: yardsticks, and the user's own that the task does not record."""
        names = dict.fromkeys([*YARDSTICKS, *self.proxies])
        return tuple(name for name in names if name not in self.task.table.scores)

    @property
    def searchers(self) -> tuple[str, ...]:
        """Two that know nothing, evolution, and the ranking by one proxy."""
        recorded = [name for name in WARM if name in self.task.table.scores]
        proxy = next(iter(recorded), YARDSTICKS[0])
        evolution = "regularised-evolution,population=10"
        return ("random", "local-search", evolution, f"rank,proxy={proxy}")


def run(demo: Demo, show: Show) -> None:
    """Do the demo, telling on stderr what each table means.

    Raises:
        DataError: A file that no demo wrote is in the way; nothing is done then.
        OptionError: Results and reports would go to one folder.
        BenchError: A proxy cannot be had, or a run failed.
    """
    started = time.perf_counter()
    if demo.results.resolve() == demo.reports.resolve():
        raise OptionError(
            "expected --results and --reports to be two folders, as each removes what is no longer "
            f"its own, got {demo.results} for both"
        )
    for folder in (demo.results / STUDY, demo.results / LIVE, demo.reports / STUDY):
        _refuse_foreign(folder)
    demo.results.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=demo.results, prefix=f".{STUDY}-") as scratch:
        # Apart, as the scores of a few cells are shown here and are no study to report.
        searched, scored = Path(scratch, "searched"), Path(scratch, "scored")
        _correlate(demo, show)
        _search(demo, searched, show)
        _score(demo, scored, show)
        _report(demo, searched, show)
        replace_files(demo.results / STUDY, _files(searched / STUDY))
        replace_files(demo.results / LIVE, _files(scored / LIVE))
    _say(_END.format(seconds=round(time.perf_counter() - started), **_facts(demo)))
    tell(_NEXT)


def _correlate(demo: Demo, show: Show) -> None:
    """Every proxy against accuracy, the best first."""
    _say(_CORRELATIONS.format(**_facts(demo)))

    def rows() -> list[Record]:
        wanted = [*demo.task.table.scores, *demo.computed]
        found = correlating.rows(demo.task, wanted, None, RESAMPLES, 0)
        # What is undefined comes last.
        return sorted(found, key=lambda row: (row["kendall"] is None, -(row["kendall"] or 0)))

    show("correlations", CORRELATED, rows)


def _search(demo: Demo, made: Path, show: Show) -> None:
    """A few searchers, a few seeds each; scores are kept beside them for the report."""
    _say(_SEARCHES.format(queries=QUERIES, seeds=SEEDS, **_facts(demo)))

    def rows() -> list[Record]:
        name = demo.task.name
        plan: list[Run] = [
            ScoreRun(name, demo.computed),
            *searches([name], demo.searchers, Budget(queries=QUERIES), SEEDS, SEEDS),
        ]
        folder, common = folder_of(made, STUDY), shared(STUDY)
        with Store.opened(folder, common) as store:
            said = [word for name in demo.proxies for word in ("--proxy", name)]
            command = shlex.join(["ipl-bench", STUDY, *said])
            store.write_provenance({**common, "command": command, "versions": versions()})
            execute(plan, store)
        if failed := failures(folder / ROWS):
            raise DataError(f"expected every run of the demo to end well, got {failed[0]['error']}")
        (study,) = load_studies(made)
        found = summarise(study.searches)
        return sorted(found, key=lambda row: row["regret"])

    show("searches", SEARCHED, rows)


def _score(demo: Demo, made: Path, show: Show) -> None:
    """A few cells from the worst to the best, as the untrained networks that the task trained."""
    try:
        live.require_torch()
        from bench.runs.recipes import split_of

        split_of(parse(RECIPE))  # read once, and kept for what follows
    except OptionError as error:
        _say(f"3. Left out: {error}.")
        return
    _say(_SCORES.format(cells=CELLS, **_facts(demo)))

    def rows() -> Iterator[Record]:
        space, table = demo.task.space, demo.task.table
        truth, values = demo.task.truth()
        chosen = _spread(values)
        made.mkdir()
        listed = made / "cells.txt"
        listed.write_text("".join(f"{table.archs[row]}\n" for row in chosen), encoding="utf-8")
        what = scoring.what(
            recipe=RECIPE,
            batch=16,
            seed=0,
            seeds=1,
            archs=listed,
            proxies=",".join(SCORED_BY),
        )
        folder, rows = scoring.score_space(space.name, what, made, LIVE)
        scoring.end(folder, rows)
        listed.unlink()
        scored = read_live(LIVE, folder / SCORES, space)
        for place, row in enumerate(chosen):
            scores = {name: float(scored.scores[name][place]) for name in SCORED_BY}
            yield {"arch": table.archs[row], truth: float(values[row]), **scores}

    show("scores", (), rows)


def _spread(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[int]:
    """Rows at even steps from the smallest to the largest known value."""
    order = np.argsort(values, kind="stable")
    order = order[: np.count_nonzero(~np.isnan(values))]
    places = np.linspace(0, len(order) - 1, min(CELLS, len(order))).round().astype(int)
    chosen: list[int] = order[places].tolist()
    return chosen


def _report(demo: Demo, made: Path, show: Show) -> None:
    """The tables and figures of all that."""
    try:
        from bench.reports.write import write_reports
    except ModuleNotFoundError as error:
        _say(f"4. Left out: figures need {error.name}; pip install 'ipl-bench[figures]'.")
        return
    _say(_REPORT)
    show(
        "reports",
        (),
        lambda: reporting.summary(
            write_reports(made, demo.reports, resamples=RESAMPLES, command="ipl-bench demo")
        ),
    )


def _files(folder: Path) -> dict[str, bytes]:
    """The files of a folder of results, by name relative to it; locks are left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def _refuse_foreign(folder: Path) -> None:
    """Raise DataError where a folder holds a file that no demo wrote, or one changed since."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"expected a folder {folder} of a demo's files, or none, got a file")
    known = listed(folder)
    for name, content in _files(folder).items():
        if name != LIST and (digest(content), name) not in known:
            raise DataError(
                f"expected {folder} to hold nothing but what an earlier demo wrote, got "
                f"{folder / name}; move it away, or name other folders by --results and --reports"
            )


def _say(text: str) -> None:
    """Tell a paragraph, wrapped, after an empty line."""
    tell("\n" + fill(text, width=90, break_long_words=False, break_on_hyphens=False))


def _facts(demo: Demo) -> dict[str, str]:
    """What the narration says of the task and of where things lie."""
    table = demo.task.table
    return {
        "task": demo.task.name,
        "space": demo.task.space.name,
        "count": f"{len(table.archs):,}",
        "dataset": table.dataset,
        "truth": demo.task.truth()[0],
        "ranked": demo.searchers[-1],
        "results": str(demo.results),
        "reports": str(demo.reports),
    }


_CORRELATIONS = """\
1. Which proxy ranks architectures well? The task {task} holds {count} architectures of {space},
each trained on {dataset}. A proxy is a number for the untrained network. kendall (τ) compares
its ranking with that of {truth} accuracy: 1 is the same order, 0 is chance, and the interval
from kendall_low to kendall_high says how far another sample of architectures would move it. random
shows what chance reaches, params and parametric what size alone does. n_failed counts
architectures without a score, which rank last. best_of_10 is the best accuracy among the ten
scored highest."""

_SEARCHES = """\
2. Which searcher finds a good architecture soon? Each may ask for the accuracy of {queries}
architectures, {seeds} times with different seeds. regret is how far its best one is from the best
there is: smaller is better, and low and high are its interval over seeds. test_regret judges the
same pick by an accuracy that no searcher sees. {ranked} asks for what one proxy scores highest."""

_SCORES = """\
3. How does a score come about? Here are {cells} of the cells, from the worst to the best, as they
were before training, on one minibatch of {dataset} that all of them share. -inf is a proxy that
failed on that cell."""

_REPORT = """\
4. The same as tables and figures, for a page or a paper:"""

_END = """\
That took {seconds} s. Begin with {reports}/demo/README.md; the rows behind it are in {results}."""

_NEXT = """\
Next:
  ipl-bench demo --proxy my_proxy.py:my_function    your own proxy among these
  ipl-bench list tasks                              what else can be measured on
  ipl-bench list proxies                            what else can measure"""
