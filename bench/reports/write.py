"""Write everything: the tables and figures of every study, and a page that shows them.

`reports/<study>/README.md` lists the commits that the study has results of, and each has a folder
`reports/<study>/<commit>/`, which stays where it is however many there are: README.md, tables as
CSV, Markdown and LaTeX, and `figures/` as PNG and PDF. Same results, same bytes: draws come from a
fixed seed, and no date is written.

`reports/<study>/written.sha256` says what was written, as `sha256sum -c` reads it. By it the next
report removes what it no longer writes, and nothing that somebody else put there or changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from threadpoolctl import threadpool_limits

from bench.base import BenchError, Record
from bench.reports import tables
from bench.reports._written import replace_files
from bench.reports.gpu import gpu_tables
from bench.reports.load import Study, load_study, nothing_in, study_names
from bench.reports.numbers import measure
from bench.reports.own_table import noise_tables
from bench.reports.page import index, page
from bench.reports.pictures import figures_of
from bench.reports.predictions import (
    FACTS,
    measure_predictions,
    prediction_tables,
)
from bench.reports.profiles import profile_tables
from bench.reports.race import measure_race
from bench.reports.race_tables import short_tables, task_tables
from bench.reports.sampling import sampling_table
from bench.reports.site.page import NAME, Made, site
from bench.reports.style import as_bytes, paper_style
from bench.reports.target_table import target_tables

SEED = 0


def write_reports(
    results: Path,
    reports: Path,
    names: Sequence[str] = (),
    *,
    resamples: int = 1000,
    workers: int = 1,
    command: str = "ipl-bench report",
    left_out: Callable[[str, str], None] | None = None,
) -> list[Path]:
    """Write the reports of studies under `results`.

    Args:
        results: The folder that runs wrote to.
        reports: The folder to write to; what an earlier report wrote there is replaced.
        names: Of the studies; none for all.
        resamples: How many bootstrap resamples stand behind intervals of many architectures.
        workers: How many processes compute; the files are the same for any number.
        command: What the page says made it.
        left_out: Told the name of a study that cannot be reported, and why; the others are.

    Returns:
        The files written.

    Raises:
        UnknownNameError: There is no study of a name.
        DataError: There is nothing to report, or a file cannot be written; or, unless `left_out`
            is told, results are missing, damaged or foreign.
    """
    written: list[Path] = []
    faults = 0
    for name in study_names(results, names):
        try:
            files = _files_of(results, name, resamples, workers, command)
        except Exception as error:  # one study's fault, ours or its own, is no other's
            if left_out is None:
                raise
            faults += 1
            known = isinstance(error, BenchError)
            left_out(name, str(error) if known else f"{type(error).__name__}: {error}")
        else:
            written += replace_files(reports / name, files) if files else []
    if not written and not faults:
        raise nothing_in(results)
    return written


def _files_of(
    results: Path, name: str, resamples: int, workers: int, command: str
) -> dict[str, bytes]:
    """The files of one study; none where it has no rows yet."""
    studies = list(load_study(results, name))
    if not studies:
        return {}
    # By one thread each: how many there are would show in a sum's last digits.
    with threadpool_limits(1, "blas"):
        return dict(_study_files(results, studies, resamples, workers, command))


def _study_files(
    results: Path, studies: Sequence[Study], resamples: int, workers: int, command: str
) -> Iterator[tuple[str, bytes]]:
    """The files of one study at several commits: names relative to its folder, and contents."""
    yield "README.md", index(studies, command).encode()
    for study in studies:
        for name, content in _files(results, study, resamples, workers, command):
            yield f"{study.commit}/{name}", content


def _files(
    results: Path, study: Study, resamples: int, workers: int, command: str
) -> Iterator[tuple[str, bytes]]:
    """The files of one report: names relative to its folder, and contents."""
    numbers = measure(study, seed=SEED, resamples=resamples, workers=workers)
    predicted = measure_predictions(study, workers=workers)
    race = measure_race(study, results)
    pictures = []
    images = {}
    with paper_style():
        for picture, figure in figures_of(study, numbers, predicted, race):
            pictures.append(picture)
            images[picture.png] = as_bytes(figure, "png")
            images[picture.pdf] = as_bytes(figure, "pdf")
    yield from images.items()
    shown = {
        "correlations": tables.correlation_tables(numbers.correlations, numbers.leads),
        "targets": target_tables(numbers.targets),
        "sampling": [sampling_table(numbers.sampling)] if numbers.sampling else [],
        "own-noise": noise_tables(numbers.own_tables),
        "searches": tables.search_tables(numbers.searches),
        "race": [] if race is None else short_tables(race),
        "predictions": prediction_tables(predicted),
        "gpu": gpu_tables(study.checks),
        "profiles": profile_tables(study.profiles),
        "failures": [tables.failure_table(numbers.failures)] if numbers.failures else [],
    }
    long = {"race-tasks": [] if race is None else task_tables(race)}
    for name, parts in (shown | long).items():
        if parts:
            yield f"{name}.md", "\n".join(map(tables.markdown_text, parts)).encode()
            yield f"{name}.tex", "\n".join(map(tables.latex_text, parts)).encode()
    records = {
        "correlations": numbers.correlations,
        "comparisons": numbers.comparisons,
        "ceilings": numbers.ceilings,
        "targets": numbers.targets,
        "fronts": numbers.fronts,
        "proxy-pairs": numbers.proxy_pairs,
        "agreements": numbers.agreements,
        "sampling": numbers.sampling,
        "own-noise": [record for each in numbers.own_tables for record in each.spreads],
        "own-noise-proxies": [record for each in numbers.own_tables for record in each.proxies],
        "noise": numbers.noise,
        "seeds": numbers.seeds,
        "gpu": _same_fields(study.checks),
        "profiles": _same_fields(study.profiles),
        "searches": numbers.searches,
        "predictions": predicted.scores,
        FACTS: predicted.facts,
        "failures": numbers.failures,
        "sources": study.sources,
    }
    records |= {} if race is None else race.records()
    for name, rows in records.items():
        if rows:
            yield f"{name}.csv", tables.csv_text(rows).encode()
    yield "README.md", page(study, numbers, race, shown, pictures, command).encode()
    made = Made(command, SEED, resamples)
    yield NAME, site(study, numbers, race, shown, pictures, images, made)


def _same_fields(rows: Sequence[Record]) -> list[Record]:
    """Rows of several shapes with the fields of all, None where one has none."""
    fields = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in fields} for row in rows]
