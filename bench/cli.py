"""The command line: the only reader of argv.

Everything a user can mend ends in one sentence on stderr and exit code 2; `--json` prints one
JSON object a line on stdout, and nothing else ever goes there. Heavy modules are imported by the
command that needs them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench import __version__
from bench.api.members import KINDS
from bench.api.say import tell
from bench.base import BenchError
from bench.commands.demonstrating import demo
from bench.commands.networks import make_table, profile, retrain, score
from bench.commands.options import (
    Group,
    answered,
    as_json,
    own_table,
    results_folder,
    search_on,
)
from bench.commands.regressing import baseline, compare
from bench.commands.showing import Printer, Progress

if TYPE_CHECKING:
    from bench.runs.tasks import Asked


@click.group(
    cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__)
def cli() -> None:
    """Measure zero-cost proxies and searchers of neural architecture search, fairly."""


for command in (score, profile, make_table, retrain, baseline, compare, demo):
    cli.add_command(command)


def main() -> None:
    """Run the command line; a mistake of the user ends in one sentence and exit code 2."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        _end("interrupted")
    except click.exceptions.NoArgsIsHelpError as error:
        tell(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        _end(error.format_message())
    except BenchError as error:
        _end(str(error))
    except KeyboardInterrupt:
        _end("interrupted")
    except OSError as error:
        _end(f"{error.filename or 'the system'}: {error.strerror or error}")
    sys.exit(code if isinstance(code, int) else 0)


def _end(sentence: str) -> None:
    tell(f"ipl-bench: {' '.join(sentence.split())}")
    sys.exit(2)


@cli.command("list")
@click.argument("kind", type=click.Choice(KINDS))
@as_json
def list_(kind: str, json: bool) -> None:
    """List the members of a kind, plugins included."""
    from bench.api import members

    with Printer(json, kind) as printer:
        for row in members.rows(kind):
            printer.add(row)


@cli.command()
@click.argument("names", metavar="[TABLE]...", nargs=-1)
@as_json
def fetch(names: tuple[str, ...], json: bool) -> None:
    """Find or download the files of tables (all of them by default) and verify them."""
    from bench.commands import fetching

    with Printer(json, "files") as printer, Progress() as progress:
        missing = fetching.fetch(names, printer.add, progress.download)
    if missing:
        raise BenchError(f"{len(missing)} files are missing or damaged: {'; '.join(missing)}")


@cli.command()
@click.argument("names", metavar="TASK...", nargs=-1)
@click.option("--proxy", "proxies", multiple=True, help="A proxy's name, or module:function.")
@click.option("--truth", help="validation, test, or a target; costs are turned round.")
@click.option("--resamples", type=click.IntRange(100, 100_000), default=1000, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@own_table
@as_json
def correlate(
    names: tuple[str, ...],
    proxies: tuple[str, ...],
    truth: str | None,
    resamples: int,
    seed: int,
    json: bool,
    **own: Any,
) -> None:
    """Correlate proxies with accuracy, each with a 95 % interval.

    Failures rank last in the main columns; those that end in _common are on the architectures
    that every selected proxy scored.
    """
    from bench.api.correlate import SHOWN, correlate_tasks
    from bench.api.tasks import tasks

    with Printer(json, "correlations", SHOWN) as printer:
        known = tasks(names, asked=proxies, tell_failures=not json, **own)
        correlate_tasks(known, proxies, truth, resamples, seed, printer.add)


@cli.command()
@click.argument("names", metavar="TASK...", nargs=-1)
@click.option("--searcher", "searchers", multiple=True, metavar="NAME[,OPTION=VALUE]...")
@click.option(
    "--budget",
    default="queries=100",
    show_default=True,
    metavar="queries=N|seconds=S|epochs=E",
    help="Epochs with --oracle train only.",
)
@click.option("--seeds", type=click.IntRange(1, 1_000_000), default=10, show_default=True)
@click.option("--trace", type=click.Path(path_type=Path), help="Write all queries to this Parquet.")
@answered
@search_on
@own_table
@as_json
def search(
    names: tuple[str, ...],
    searchers: tuple[str, ...],
    budget: str,
    seeds: int,
    trace: Path | None,
    oracle: str,
    recipe: str | None,
    json: bool,
    **own: Any,
) -> None:
    """Search tasks within a budget, once for every seed.

    Searchers see validation accuracy only; test is looked up for the pick when a search is over.
    With --oracle train, TASK is a SPACE, and what is asked for is trained by the --recipe.
    """
    from bench.api import search as verb
    from bench.api.tasks import tasks

    how = verb.recipe_of(oracle, recipe)
    asked: Iterable[Asked] = tasks(names, **own) if how is None else verb.trained(names, how, own)
    epochs = None if how is None else how.epochs
    with Printer(json, "searches", verb.SHOWN) as printer:
        rows, traces = verb.rows(asked, searchers, budget, seeds, printer.add, epochs)
    if trace is not None:
        verb.write_traces(trace, traces)
    failed = [row["error"] for row in rows if row["status"] != "ok"]
    if failed:
        raise BenchError(
            f"{len(failed)} of {len(rows)} searches failed, the first with {failed[0]}"
        )


@cli.command()
@click.argument("names", metavar="TASK...", nargs=-1)
@click.option("--predictor", "predictors", multiple=True, metavar="NAME[,OPTION=VALUE]...")
@click.option(
    "--queries",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="How many accuracies may be read.",
)
@click.option("--seeds", type=click.IntRange(1, 1_000_000), default=10, show_default=True)
@click.option(
    "--scores", type=click.Path(path_type=Path), help="Write what was predicted to this Parquet."
)
@search_on
@own_table
@as_json
def predict(
    names: tuple[str, ...],
    predictors: tuple[str, ...],
    queries: int,
    seeds: int,
    scores: Path | None,
    json: bool,
    **own: Any,
) -> None:
    """Predict the scores of whole tasks from the proxies of a few, once for every seed.

    A row says what was read and what the predictor tells of itself; of a study, `report` compares
    the predicted scores with recorded ones and with accuracy.
    """
    from bench.api import predict as verb
    from bench.api.tasks import tasks

    known = tasks(names, **own)
    with Printer(json, "predictions", verb.SHOWN) as printer:
        rows, tables = verb.rows(known, predictors, queries, seeds, printer.add)
    if scores is not None and tables:
        verb.write_scores(scores, tables)
    failed = [row["error"] for row in rows if row["status"] != "ok"]
    if failed:
        raise BenchError(
            f"{len(failed)} of {len(rows)} predictions failed, the first with {failed[0]}"
        )


@cli.command()
@click.argument("name", metavar="STUDY")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--resume", is_flag=True, help="Go on with results that are there already.")
@results_folder
def run(name: str, workers: int, resume: bool, results: Path) -> None:
    """Do a study's runs and append their rows to the results folder."""
    from bench.commands import running

    with Progress() as progress:
        try:
            folder = running.run(
                name,
                results,
                workers=workers,
                resume=resume,
                tell=tell,
                progress=lambda total: progress.bar(name, total),
            )
        except KeyboardInterrupt:
            raise BenchError(
                "interrupted; finished runs are kept, and --resume goes on from them"
            ) from None
    tell(f"rows in {folder}")


@cli.command()
@click.argument("studies", metavar="[STUDY]...", nargs=-1)
@results_folder
@click.option("--reports", type=click.Path(path_type=Path), default="reports", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), help="Processes; one a core by default.")
@as_json
def report(
    studies: tuple[str, ...], results: Path, reports: Path, workers: int | None, json: bool
) -> None:
    """Write the tables and figures of studies, all if none is named, and print the gist of them."""
    from bench.commands import reporting

    try:
        from bench.reports.write import write_reports
    except ModuleNotFoundError as error:
        raise BenchError(
            f"figures need {error.name}, which is not here; pip install 'ipl-bench[figures]'"
        ) from error
    workers = workers or os.cpu_count() or 1
    faults: list[str] = []

    def left_out(study: str, why: str) -> None:
        faults.append(f"{study}: {why}")
        tell(f"left out: {study}, which cannot be reported: {why}")

    with Printer(json, "tasks") as printer:
        written = write_reports(results, reports, studies, workers=workers, left_out=left_out)
        for row in reporting.summary(written):
            printer.add(row)
    pages = [path for path in written if path.name == "README.md"]
    if written:
        tell(f"wrote {len(written)} files; begin with {', '.join(map(str, pages))}")
    if faults:
        raise BenchError(f"{len(faults)} of the studies could not be reported: {'; '.join(faults)}")
    reporting.end(written)
