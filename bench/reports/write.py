"""Write everything: the tables and figures of every study, and a page that shows them.

`reports/<study>/` holds README.md, tables as CSV, Markdown and LaTeX, and `figures/` as PNG and
PDF; where results of several commits lie side by side, each has `reports/<study>/<commit>/`.
Same results, same bytes: draws come from a fixed seed, and no date is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from bench.reports import tables
from bench.reports.figures.curves import search_curves, top_curves
from bench.reports.figures.heatmap import heatmaps
from bench.reports.figures.noise import noise_figure
from bench.reports.figures.scatter import scatter
from bench.reports.load import Study, load_studies
from bench.reports.numbers import Numbers, measure
from bench.reports.page import Picture, page
from bench.reports.style import as_bytes, paper_style
from bench.runs.store import write_whole

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
        reports: The folder to write to; files of the same names are replaced.
        resamples: How many bootstrap resamples stand behind every interval.
        workers: How many processes compute; the files are the same for any number.
        command: What the page says made it.

    Returns:
        The files written.

    Raises:
        DataError: There is nothing to report, results are missing, damaged or foreign, or a file
            cannot be written.
    """
    studies = list(load_studies(results))
    commits = Counter(study.name for study in studies)
    written = []
    for study in studies:
        folder = reports / study.name
        if commits[study.name] > 1:
            folder /= study.commit
        for name, content in _files(study, resamples, workers, command):
            write_whole(folder / name, content)
            written.append(folder / name)
    return written


def _files(study: Study, resamples: int, workers: int, command: str) -> Iterator[tuple[str, bytes]]:
    """The files of one report: names relative to its folder, and contents."""
    numbers = measure(study, seed=SEED, resamples=resamples, workers=workers)
    pictures = []
    images = {}
    with paper_style():
        for picture, figure in _figures(study, numbers):
            pictures.append(picture)
            images[picture.png] = as_bytes(figure, "png")
            images[picture.pdf] = as_bytes(figure, "pdf")
    yield from images.items()
    shown = {
        "correlations": tables.correlation_tables(numbers.correlations, numbers.leads),
        "searches": tables.search_tables(numbers.searches),
        "failures": [tables.failure_table(numbers.failures)] if numbers.failures else [],
    }
    for name, parts in shown.items():
        if parts:
            yield f"{name}.md", "\n".join(map(tables.markdown_text, parts)).encode()
            yield f"{name}.tex", "\n".join(map(tables.latex_text, parts)).encode()
    records = {
        "correlations": numbers.correlations,
        "comparisons": numbers.comparisons,
        "ceilings": numbers.ceilings,
        "noise": numbers.noise,
        "searches": numbers.searches,
        "failures": numbers.failures,
    }
    for name, rows in records.items():
        if rows:
            yield f"{name}.csv", tables.csv_text(rows).encode()
    yield "README.md", page(study, numbers, shown, pictures, command).encode()


def _figures(study: Study, numbers: Numbers) -> Iterator[tuple[Picture, Figure]]:
    """Every figure that the study has something for."""
    yield from _correlation_figures(study, numbers)
    for unit, lines in numbers.curves.items():
        metrics = {each.metric for each in study.score_sets}
        metric = metrics.pop() if len(metrics) == 1 else "metric of the task"
        caption = (
            f"Mean validation regret of the best architecture so far against {unit}, with the "
            "95 % bootstrap band of the mean over seeds; below 0.1 the axis is linear."
        )
        for number, figure in enumerate(search_curves(lines, metric), start=1):
            yield Picture(f"search-{unit}-{number}", "searches", caption), figure


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
                "the left margin are architectures whose score failed."
            )
            name = f"scatter-{each.task.replace('/', '-')}"
            yield Picture(name, "correlations", caption), drawn
