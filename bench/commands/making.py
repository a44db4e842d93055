"""`ipl-bench make-table` and `retrain`: networks of a space trained for real, and trained again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bench.base import Arch, OptionError, Record, Space
from bench.commands.scoring import What, architectures
from bench.commands.showing import rated_bar
from bench.runs import live, members, streamed
from bench.runs.live import STACKED
from bench.runs.recipes import by_content, images_sha256, read
from bench.runs.train import TrainRun
from bench.training.recipe import Recipe

STACK = 32
"""Networks trained at once, where none is told and they can be; on one core more gain nothing."""
SHOWN = (
    *("epochs", "n", "mean", "sd_of_cells", "sd_of_seeds", "ratio", "diverged", "failed"),
    *("seconds",),
)
SHOWN_AGAIN = ("arch", "seed", "equal", "validation", "again", "difference", "sd_of_seeds")


@dataclass(frozen=True)
class Wanted:
    """What a table is to be made of, as the command line says it."""

    recipe: str
    seed: int = 0
    """The first one; samples are drawn by it too."""
    seeds: int = 1
    repeated: int = 0
    repeat: int = 5
    stack: int | None = None
    threads: int = 1
    device: str = "cpu"
    every: bool = False
    sample: int | None = None
    archs: Path | None = None
    distinct: bool = False

    def stack_in(self, space: str) -> int:
        """How many networks of a space are trained at once."""
        return self.stack or (STACK if space == STACKED else 1)


def make_table(
    name: str, wanted: Wanted, results: Path, study: str, *, workers: int = 1, resume: bool = False
) -> tuple[Path, list[Record]]:
    """Train architectures of a space into a table in a results folder.

    Returns:
        The table's path, and one record a checkpoint; see `summary`.

    Raises:
        BenchError: Something is wrong that a user can mend, told before anything is trained.
    """
    live.require_torch()
    from bench.runs import train_made, train_rows, train_store

    folder = streamed.folder_for(results, study, resume=resume, stream=train_store.STREAM)
    space = members.space(name)
    recipe = read(wanted.recipe)
    archs = chosen(space, wanted)
    run = run_of(space, archs, recipe, wanted)
    train_rows.check(run, archs)
    told = train_store.about(run, recipe, images_sha256(recipe))
    about = {
        "data_sha256": {recipe.dataset: told["images_sha256"]},
        # Compared when the run goes on: rows of two kinds of machine are not of one table.
        "versions": told["versions"] | told["trained_on"],
        "workers": workers,
    }
    with streamed.opened(folder) as store:
        streamed.claim(store, run, about, train_store.STREAM)
        if train_store.KEY not in store.done:
            with train_store.TrainStream.opened(folder / train_store.STREAM) as stream:
                done = stream.count(run, space, archs)
                rows = train_rows.rows(run, archs, skip=done, workers=workers)
                with rated_bar(study, run.rows, done) as advance:
                    stream.extend(rows, advance)
                train_store.finish(store, run, recipe, stream, told)
        (folder / train_store.STREAM).unlink(missing_ok=True)
    table = folder / train_store.TABLE
    return table, list(train_made.summary(train_made.read(table)))


def run_of(space: Space, archs: list[Arch], recipe: Recipe, wanted: Wanted) -> TrainRun:
    """The run that trains some architectures as the command line says."""
    first, end = wanted.seed, wanted.seed + wanted.seeds
    if wanted.repeated and wanted.repeat <= wanted.seeds:
        raise OptionError(
            f"expected --repeated architectures to have more seeds than all others, which have "
            f"{wanted.seeds}, got --repeat {wanted.repeat}"
        )
    more = range(end, first + wanted.repeat) if wanted.repeated else ()
    return TrainRun(
        space=space.name,
        archs=len(archs),
        archs_sha256=live.digest(space, archs),
        recipe=str(recipe),
        recipe_hash=by_content(recipe).hash,
        seeds=tuple(range(first, end)),
        repeated=wanted.repeated,
        more_seeds=tuple(more),
        stack=wanted.stack_in(space.name),
        distinct=wanted.distinct,
        threads=wanted.threads,
        device=live.device(wanted.device),
    )


def chosen(space: Space, wanted: Wanted) -> list[Arch]:
    """The architectures asked for; a sample of distinct ones is of as many as were asked for.

    Raises OptionError, DataError or ArchError.
    """
    what = What(
        dataset="",
        batch=1,
        seed=wanted.seed,
        seeds=1,
        stack=wanted.stack_in(space.name),
        every=wanted.every,
        sample=wanted.sample,
        archs=wanted.archs,
        distinct=wanted.distinct,
    )
    archs = architectures(space, what)
    if wanted.sample is None:
        return archs
    drawn = wanted.sample
    while len(archs) < wanted.sample:
        if drawn == space.size:
            raise OptionError(
                f"expected a sample of at most {len(archs):,} distinct architectures of "
                f"{space.name}, got {wanted.sample:,}"
            )
        # A smaller sample begins a larger one.
        drawn = min(2 * drawn, space.size)
        archs = architectures(space, replace(what, sample=drawn))
    return archs[: wanted.sample]


def retrain(
    path: Path,
    count: int,
    seed: int,
    show: Callable[[Record], None],
    *,
    workers: int = 1,
    device: str | None = None,
) -> tuple[bool, str]:
    """Train rows of a made table again, drawn at random, and show a record each as it is done.

    Returns:
        Whether they are what they should be, and a sentence; see `train_again.verdict`.

    Raises:
        BenchError: The file is no made table, or what it was made of is not here.
    """
    live.require_torch()
    from bench.runs import train_again, train_made

    table = train_made.read(path)
    if device is not None:
        table = replace(table, run=replace(table.run, device=device))
    live.device(table.run.device)
    places = train_again.drawn(table, count, seed)
    records: list[Record] = []
    with rated_bar(path.name, count, 0) as advance:
        for record in train_again.again(table, places, workers):
            records.append(record)
            show(record)
            advance()
    return train_again.verdict(table, records)
