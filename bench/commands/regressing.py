"""The options of `ipl-bench baseline` and `ipl-bench compare`, and what they print."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from bench.api.say import tell
from bench.commands.options import Command, as_json
from bench.commands.showing import Printer

BASELINE = Path("results/baseline")
_KINDS = ("task", "correlation", "search", "live", "speed")

_workers = click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True)
_benchmark = click.option(
    "--benchmark",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Of pytest --benchmark-json: ratios within each group, too.",
)


@click.command(cls=Command)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default="results",
    show_default=True,
    help="The folder of results; the baseline is its folder `baseline`.",
)
@_benchmark
@_workers
@as_json
def baseline(results: Path, benchmark: Path | None, workers: int, json: bool) -> None:
    """Freeze what must not move: correlations, searches, live scores, speed ratios.

    Each value is written down with the interval that `compare` will hold it to.
    """
    from bench.commands import comparing

    with Printer(json, "values frozen") as printer:
        found, written = comparing.freeze(
            results, sys.argv[1:], benchmark=benchmark, workers=workers
        )
        for row in comparing.counts(found):
            printer.add(row)
    for task, why in found.provenance.left_out.items():
        tell(f"left out {task}: {why}")
    tell(f"wrote {', '.join(map(str, written))}")


@click.command(cls=Command)
@click.argument("folder", metavar="[BASELINE]", type=click.Path(path_type=Path), default=BASELINE)
@click.option(
    "--kind", "kinds", type=click.Choice(_KINDS), multiple=True, help="Only these; repeatable."
)
@click.option("--all", "everything", is_flag=True, help="Tasks without their files are misuse.")
@click.option("--speed", is_flag=True, help="A ratio of times out of its interval fails, too.")
@_benchmark
@click.option(
    "--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write a JUnit report."
)
@click.option("--github", is_flag=True, help="Print annotations of GitHub's workflows.")
@_workers
@as_json
def compare(folder: Path, junit: Path | None, github: bool, json: bool, **said: Any) -> int:
    """Measure again what a BASELINE holds, and tell what left its interval.

    Ends with 1 where a value moved or vanished, 2 where nothing could be compared, 0 otherwise.
    Ratios of times are told, and fail with --speed alone.
    """
    from bench.commands import comparing

    # What a user's plugin prints is no change, so only the end is printed here.
    with Printer(json=True, title="changes") as printer:
        compared = comparing.compare(folder, sys.argv[1:], **said)
        for row in compared.rows() if json else ():
            printer.add(row)
    for line in () if json else compared.lines(github=github):
        click.echo(line)
    if junit is not None:  # after what took minutes is told: the file may not be writable
        comparing.write_junit(junit, compared)
    for note in compared.notes:
        tell(note)
    tell(comparing.summary(compared))
    return 1 if compared.failing else 0
