"""The options of the commands that run networks: score, profile, make-table and retrain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from bench.api.say import tell
from bench.base import BenchError
from bench.commands.options import Command, as_json, by_recipe, kept, made, results_folder, scored
from bench.commands.showing import Printer


@contextmanager
def _resumable() -> Iterator[None]:
    """Say of an interrupt that nothing finished is lost."""
    try:
        yield
    except KeyboardInterrupt:
        raise BenchError(
            "interrupted; finished rows are kept, and --resume goes on from them"
        ) from None


@click.command(cls=Command)
@click.argument("space", required=False)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="MODULE:FUNCTION",
    help="Score this model, and no space; repeatable.",
)
@by_recipe
@scored
@click.option(
    "--canonical",
    is_flag=True,
    help="Score the canonical form of each, without operations that lead nowhere, in its place.",
)
@kept("live")
@results_folder
@as_json
def score(
    space: str | None,
    models: tuple[str, ...],
    workers: int,
    resume: bool,
    name: str,
    results: Path,
    json: bool,
    **said: Any,
) -> None:
    """Score untrained networks live: those of a SPACE, or a model of your own.

    In place of a SPACE, a TASK's name scores architectures that it knows, against it.

    Rows of a space are streamed into the results folder, and none is lost or repeated when the
    command is killed and goes on by --resume; --against adds what `report` reads.
    """
    from bench.commands import scoring

    what = scoring.beside(space, scoring.what(**said))
    if (space is None) == (not models):
        raise BenchError("expected either a SPACE or --model, got " + ("both" if space else "none"))
    if models:
        found = []
        with Printer(json, "scores", scoring.SHOWN_OF_MODEL) as printer:
            for row in scoring.score_models(models, what):
                found.append(row)
                printer.add(row)
        scoring.end_of_models(found)
        return
    with Printer(json, "proxies", scoring.SHOWN) as printer:
        with _resumable():
            folder, rows = scoring.score_space(
                str(space), what, results, name, workers=workers, resume=resume
            )
        for row in rows:
            printer.add(row)
    if unshown := scoring.unranked(what):
        tell(f"{', '.join(unshown)} ranks a population, and is told by --against TASK")
    tell(f"rows in {folder}")
    scoring.end(folder, rows)


@click.command(cls=Command)
@click.argument("space")
@scored
@results_folder
@as_json
def profile(space: str, results: Path, json: bool, **said: Any) -> None:
    """Measure where the time of scoring a SPACE goes: passes, operations, kernels, ceilings.

    The rows go to the results folder, and `report` draws them.
    """
    from bench.commands import profiling, scoring

    with Printer(json, "profile", profiling.SHOWN) as printer:
        folder, rows = profiling.profile_space(space, scoring.what(**said), results)
        for row in rows:
            printer.add(row)
    tell(f"rows in {folder}")


@click.command("make-table", cls=Command)
@click.argument("space")
@made
@kept("table")
@results_folder
@as_json
def make_table(
    space: str, workers: int, resume: bool, name: str, results: Path, json: bool, **said: Any
) -> None:
    """Train networks of a SPACE for real, into a Parquet table with accuracies at each checkpoint.

    Rows are streamed into the results folder, and none is lost or repeated when the command is
    killed and goes on by --resume. The table says in its metadata how each row was trained.
    """
    from bench.commands import making

    with Printer(json, "checkpoints", making.SHOWN) as printer:
        with _resumable():
            table, rows = making.make_table(
                space, making.Wanted(**said), results, name, workers=workers, resume=resume
            )
        for row in rows:
            printer.add(row)
    tell(f"table in {table}")


@click.command(cls=Command)
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--sample", type=click.IntRange(min=1), default=10, show_default=True, metavar="N")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), help="Other than the one it was trained on."
)
@as_json
def retrain(
    table: Path, sample: int, seed: int, workers: int, device: str | None, json: bool
) -> int:
    """Train N rows of a made TABLE again, drawn at random, and compare them with it.

    A row's whole stack is trained. On a machine of the recorded kind all accuracies must be equal
    bit for bit; elsewhere they must differ no more than seeds do. Exit code 1 if not.
    """
    from bench.commands import making

    with Printer(json, "trained again", making.SHOWN_AGAIN) as printer:
        right, sentence = making.retrain(
            table, sample, seed, printer.add, workers=workers, device=device
        )
    tell(sentence)
    return 0 if right else 1
