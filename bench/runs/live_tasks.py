"""Live scores against what a task knows: the rows and files that reports read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.base import Arch, DataError, Floats, Ints, OptionError
from bench.proxies.computed import PopulationRanking
from bench.proxies.scorer import oriented
from bench.runs import members
from bench.runs.live import LiveRun
from bench.runs.row import Outcome
from bench.runs.score import task_outcome
from bench.runs.tasks import Task, load_task


@dataclass(frozen=True, eq=False)
class Against:
    """A task, and which of the scored architectures its rows are.

    `rows` are those of its table whose truth is known and whose scores are, `n` in ascending
    order; `scored` says for each the place of its architecture among the scored ones, and
    `by_class` how many rows have the score of another architecture of the same function.
    """

    task: Task
    rows: Ints
    scored: Ints
    by_class: int

    @property
    def known(self) -> int:
        """How many of the scored architectures it knows."""
        return len(np.unique(self.scored))


def against(
    name: str, run: LiveRun, archs: Sequence[Arch], scored: Sequence[Arch] | None = None
) -> Against:
    """Find the architectures that were meant, and so scored, in a task's table.

    They are looked up as written, each a row. Where the table's rows stand for isomorphism classes,
    or those that were scored do (`run.distinct`), others are looked up by their canonical form.
    Every row of a class has the scores of the one that stands for it only where all of the space,
    or of this task, were scored (`run.whole`); of a sample, one row a class is judged.

    Args:
        name: The task's.
        run: What is scored.
        archs: The architectures that were meant.
        scored: Those that were scored in place of them, the canonical forms of all their classes;
            None where they were scored themselves.

    Raises:
        OptionError: The task is of another space.
        DataError: It knows none of the architectures.
    """
    task = load_task(name)
    if task.space.name != run.space:
        raise OptionError(
            f"expected tasks of the space {run.space}, got {name}, which is of {task.space.name}"
        )
    _, truth = task.truth()
    known: list[int] = np.flatnonzero(~np.isnan(truth)).tolist()
    places = _matched(task, known, archs, run)
    if not places:
        raise DataError(
            f"the task {name} knows none of the {len(archs):,} architectures; to score some that "
            f"it knows, name it in place of the space: ipl-bench score {name} --sample {len(archs)}"
        )
    rows = sorted(places)
    space = task.space
    at = [places[row] for row in rows]
    if scored is not None:
        place_of = {arch: place for place, arch in enumerate(scored)}
        at = [place_of[space.canonical(archs[place])] for place in at]
    texts = [space.text(arch) for arch in (archs if scored is None else scored)]
    by_class = sum(
        task.table.archs[row] != texts[place] for row, place in zip(rows, at, strict=True)
    )
    return Against(task, np.array(rows), np.array(at), by_class)


def _matched(
    task: Task, known: Sequence[int], archs: Sequence[Arch], run: LiveRun
) -> dict[int, int]:
    """By row of the table, the place of its architecture among those scored."""
    space, table = task.space, task.table
    row_of = {table.archs[row]: row for row in known}
    places = {
        row: place
        for place, arch in enumerate(archs)
        if (row := row_of.get(space.text(arch))) is not None
    }
    if table.canonical or run.distinct:
        others = [row for row in known if row not in places]
        unplaced = set(range(len(archs))) - set(places.values())
        # Where each row is a class of its own, those that were found have no other row.
        whole = run.whole in (space.name, task.name)
        shared = run.distinct and whole and not table.canonical
        sought = range(len(archs)) if shared else unplaced
        classes: dict[Arch, int] = {}
        for place in sought:
            classes.setdefault(space.canonical(archs[place]), place)
        for row in others if classes else ():
            form = space.canonical(space.parse(table.archs[row]))
            found = classes.get(form) if shared else classes.pop(form, None)
            if found is not None:
                places[row] = found
    return places


def key(task: str, seed: int) -> str:
    """The key of a task's row of one seed in rows.jsonl."""
    return f"live/{task}/seed={seed}"


def outcome(path: Path, run: LiveRun, found: Against, seed: int) -> Outcome:
    """The row of one task and seed, and its Parquet file, as a recorded score run leaves them.

    Larger is better, by what proxies say of themselves; failures are -inf.

    Args:
        path: The Parquet of all rows.
        run: Its run.
        found: The task.
        seed: One of the run's.
    """
    task = found.task
    live = pq.read_table(path, filters=[("seed", "==", seed)]).combine_chunks()
    scores, errors = _scores(live, run, found), _errors(live, run, found)
    for name in run.rankings:
        scores[name], lost = _ranked(name, scores)
        if lost is not None:
            errors[name] = {f"undefined: {lost} scored none of them": len(found.rows)}
    return task_outcome(
        key(task.name, seed),
        task,
        found.rows,
        scores,
        {name: live.column(f"seconds:{name}").to_numpy()[found.scored] for name in run.proxies},
        errors=errors,
        seed=seed,
        groups=found.scored if found.known < len(found.rows) else None,
        images=run.dataset,
        by_class=found.by_class,
    )


def _scores(live: pa.Table, run: LiveRun, found: Against) -> dict[str, Floats]:
    """The oriented scores of a task's `n` rows under a seed."""
    scores = {}
    for name in run.proxies:
        values: Floats = live.column(f"score:{name}").to_numpy().astype(np.float64)
        failed = np.where(np.isnan(values), -np.inf, values)
        scores[name] = oriented(failed, members.proxy(name))[found.scored]
    return scores


def _ranked(name: str, scores: Mapping[str, Floats]) -> tuple[Floats, str | None]:
    """How a ranking puts the `n` rows that are judged, and no other architecture that was scored.

    By a part that scored none of them there is no ranking, as the other parts alone would be
    another: all have failed, and the part's name says why.
    """
    ranking = members.proxy(name)
    if not isinstance(ranking, PopulationRanking):
        raise OptionError(f"expected a ranking of a population, got {name}")
    parts = {each: scores[each] for each in ranking.components}
    for part, values in parts.items():
        if not np.isfinite(values).any():
            return np.full(len(values), -np.inf), part
    return ranking.function(parts), None


def _errors(live: pa.Table, run: LiveRun, found: Against) -> dict[str, dict[str, int]]:
    """How many rows of the task have no score, for each reason, by proxy."""
    counts = {}
    for name in run.proxies:
        if f"error:{name}" in live.column_names:
            reasons = live.column(f"error:{name}").take(found.scored).drop_null()
            each = {
                item["values"].as_py(): item["counts"].as_py() for item in reasons.value_counts()
            }
            if each:
                counts[name] = each
    return counts
