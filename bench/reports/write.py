"""Write everything: the tables and figures of every study, and a page that shows them.

`reports/<study>/README.md` lists the commits that the study has results of, and each has a folder
`reports/<study>/<commit>/`, which stays where it is however many there are: README.md, tables as
CSV, Markdown and LaTeX, and `figures/` as PNG and PDF. Same results, same bytes: draws come from a
fixed seed, and no date is written.

`reports/<study>/written.sha256` says what was written, as `sha256sum -c` reads it. By it the next
report removes what it no longer writes, and nothing that somebody else put there or changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from bench.base import Record
from bench.reports import tables
from bench.reports._written import replace_files
from bench.reports.figures.embedding import embedding
from bench.reports.figures.heatmap import heatmaps
from bench.reports.figures.noise import noise_figure
from bench.reports.figures.predictions import prediction_figures
from bench.reports.figures.roofline import rooflines
from bench.reports.figures.scatter import scatter
from bench.reports.figures.search import search_curves
from bench.reports.figures.top import top_curves
from bench.reports.load import Study, load_studies
from bench.reports.maps import measure_maps
from bench.reports.numbers import Numbers, measure
from bench.reports.page import Picture, index, page
from bench.reports.predictions import (
    FACTS,
    PredictionNumbers,
    measure_predictions,
    prediction_tables,
)
from bench.reports.profiles import profile_tables
from bench.reports.race import Race, measure_race
from bench.reports.race_figures import race_figures
from bench.reports.race_tables import short_tables, task_tables
from bench.reports.style import as_bytes, paper_style

SEED = 0


def write_reports(
    results: Path,
    reports: Path,
    *,
    resamples: int = 1000,
    workers: int = 1,
    command: str = "ipl-bench report",
) -> list[Path]:
    """Write the report of every study under `results`.

    Args:
        results: The folder that runs wrote to.
        reports: The folder to write to; what an earlier report wrote there is replaced.
        resamples: How many bootstrap resamples stand behind every interval.
        workers: How many processes compute; the files are the same for any number.
        command: What the page says made it.

    Returns:
        The files written.

    Raises:
        DataError: There is nothing to report, results are missing, damaged or foreign, or a file
            cannot be written.
    """
    written = []
    for name, group in groupby(list(load_studies(results)), key=lambda study: study.name):
        files = dict(_study_files(results, list(group), resamples, workers, command))
        written += replace_files(reports / name, files)
    return written


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
    predicted = measure_predictions(study, seed=SEED, resamples=resamples, workers=workers)
    race = measure_race(study, results, rng=np.random.default_rng(SEED), resamples=resamples)
    pictures = []
    images = {}
    with paper_style():
        drawn = chain(
            figures_of(study, numbers),
            _of_predictions(predicted),
            _of_maps(study),
            _of_race(study, race),
        )
        for picture, figure in drawn:
            pictures.append(picture)
            images[picture.png] = as_bytes(figure, "png")
            images[picture.pdf] = as_bytes(figure, "pdf")
    yield from images.items()
    shown = {
        "correlations": tables.correlation_tables(numbers.correlations, numbers.leads),
        "searches": tables.search_tables(numbers.searches),
        "race": [] if race is None else short_tables(race),
        "predictions": prediction_tables(predicted),
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
        "noise": numbers.noise,
        "seeds": numbers.seeds,
        "profiles": _same_fields(study.profiles),
        "searches": numbers.searches,
        "predictions": predicted.scores,
        FACTS: predicted.facts,
        "failures": numbers.failures,
    }
    records |= {} if race is None else race.records()
    for name, rows in records.items():
        if rows:
            yield f"{name}.csv", tables.csv_text(rows).encode()
    yield "README.md", page(study, numbers, race, shown, pictures, command).encode()


def _same_fields(rows: Sequence[Record]) -> list[Record]:
    """Rows of several shapes with the fields of all, None where one has none."""
    fields = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in fields} for row in rows]


def figures_of(study: Study, numbers: Numbers) -> Iterator[tuple[Picture, Figure]]:
    """Every figure that the study has something for."""
    yield from _correlation_figures(study, numbers)
    for number, figure in enumerate(rooflines(study.profiles), start=1):
        caption = (
            "Left, seconds a network by pass. Right, the rate of the dearest operations (circles, "
            "with their part of the time) and of kernels (diamonds) against floating-point "
            "operations a byte, under the roof that measured ceilings make; above it is what came "
            "from cache."
        )
        yield Picture(f"roofline-{number}", "profiles", caption), figure
    for unit, lines in numbers.curves.items():
        caption = (
            f"Mean validation regret of the best architecture so far against {unit}, with the "
            "95 % bootstrap band of the mean over seeds. An axis that reaches zero is linear up to "
            "a tenth of a point or less, and logarithmic from there. Dashed lines are searchers "
            "that use the proxy named above the panel: to start from, or to rank by."
        )
        metric = _shared_metric(study, {line.task for line in lines})
        for number, figure in enumerate(search_curves(lines, metric), start=1):
            yield Picture(f"search-{unit}-{number}", "searches", caption), figure


def _of_predictions(predicted: PredictionNumbers) -> Iterator[tuple[Picture, Figure]]:
    """The figures of what was predicted, on architectures that the predictor did not read."""
    caption = (
        "Kendall’s τ with accuracy of predicted scores (filled, with the 95 % interval of the mean "
        "over seeds) beside that of the recorded score of the same name (open circle), both on "
        "architectures that the predictor did not read."
    )
    for number, figure in enumerate(prediction_figures(predicted.scores), start=1):
        yield Picture(f"predictions-{number}", "predictions", caption), figure


def _of_maps(study: Study) -> Iterator[tuple[Picture, Figure]]:
    """The figures of the maps that predictors draw."""
    for number, shown in enumerate(measure_maps(study), start=1):
        caption = (
            f"Where the latent of {shown.predictor} puts the {len(shown.values):,} architectures "
            f"of {shown.task} (first seed): coloured by {shown.split} accuracy, and by the "
            f"predicted score that ranks most like it, {shown.score}."
        )
        yield Picture(f"map-{number}", "predictions", caption), embedding(shown)


def _of_race(study: Study, race: Race | None) -> Iterator[tuple[Picture, Figure]]:
    """The figures of a race, if the study is one."""
    if race is not None:
        metric = _shared_metric(study, {record["task"] for record in race.regrets})
        yield from race_figures(race, metric)


def _shared_metric(study: Study, tasks: set[str]) -> str | None:
    """The metric of tasks as their scores tell it; None where it differs or is not known."""
    known = {each.task: each.metric for each in study.score_sets}
    metrics = {known.get(task) for task in tasks}
    return metrics.pop() if len(metrics) == 1 else None


def _correlation_figures(study: Study, numbers: Numbers) -> Iterator[tuple[Picture, Figure]]:
    for number, figure in enumerate(heatmaps(numbers.correlations), start=1):
        caption = (
            "Kendall's τ of proxies (rows) with accuracy on tasks (columns), with 95 % bootstrap "
            "intervals over architectures. Failed scores rank last, and are counted."
        )
        yield Picture(f"heatmap-{number}", "correlations", caption), figure
    caption = (
        "Best accuracy among the k architectures that a proxy scores highest, against k; ties "
        "and the grey line are what random order is expected to give."
    )
    for number, figure in enumerate(top_curves(study.score_sets, numbers.correlations), start=1):
        yield Picture(f"top-k-{number}", "correlations", caption), figure
    drawn = noise_figure(numbers.noise)
    if drawn is not None:
        caption = (
            "Spearman's ρ of proxies with the accuracy of one training run and with the mean over "
            "training seeds, on the same architectures, and the difference with its paired 95 % "
            "bootstrap interval."
        )
        yield Picture("noise", "correlations", caption), drawn
    for each in study.score_sets:
        drawn = scatter(each, numbers.correlations)
        if drawn is not None:
            caption = (
                f"Accuracy against score on {each.task} for the proxies of highest τ; crosses at "
                "the left margin are architectures whose score failed. Where proxies were recorded "
                "for architectures of very unlike accuracy, every panel has an axis of its own."
            )
            name = f"scatter-{each.task.replace('/', '-')}"
            yield Picture(name, "correlations", caption), drawn
