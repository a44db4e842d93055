"""The options of `ipl-bench demo`; what it does stands in `bench.commands.demo`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import click

from bench.base import Record
from bench.commands.options import Command, as_json
from bench.commands.showing import Printer


@click.command(cls=Command)
@click.option("--proxy", "proxies", multiple=True, help="Yours: file.py:function; repeatable.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default="ipl-bench-demo/results",
    show_default=True,
)
@click.option(
    "--reports",
    type=click.Path(path_type=Path),
    default="ipl-bench-demo/reports",
    show_default=True,
)
@as_json
def demo(proxies: tuple[str, ...], results: Path, reports: Path, json: bool) -> None:
    """Correlate, search, score and report in a minute; nothing is downloaded.

    What each table means is told on stderr. A second demo replaces the files of the first, and no
    others.
    """
    from bench.commands.demo import Demo, run

    def show(title: str, only: Sequence[str], work: Callable[[], Iterable[Record]]) -> None:
        with Printer(json, title, only) as printer:
            for row in work():
                printer.add(row)

    run(Demo(results, reports, proxies), show)
