"""Every figure of a study's report, with its name, its section and its caption."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure

from bench.reports.figures.ascents import ascents
from bench.reports.figures.clusters import cluster_figure
from bench.reports.figures.embedding import embedding
from bench.reports.figures.heatmap import heatmaps
from bench.reports.figures.hexbins import HEXBINS_FROM, hexbins
from bench.reports.figures.noise import noise_figure
from bench.reports.figures.own_table import noise_figures
from bench.reports.figures.predictions import prediction_figures
from bench.reports.figures.roofline import rooflines
from bench.reports.figures.sampling import sampling_figures
from bench.reports.figures.scatter import scatter
from bench.reports.figures.search import search_curves
from bench.reports.figures.top import best_curves, overlap_curves
from bench.reports.figures.trade_offs import front_figures, target_heatmaps
from bench.reports.load import Study
from bench.reports.maps import measure_maps
from bench.reports.numbers import Numbers
from bench.reports.page import Picture
from bench.reports.predictions import PredictionNumbers
from bench.reports.proxy_pairs import cluster
from bench.reports.race import Race
from bench.reports.race_figures import race_figures
from bench.reports.sampling import PROXIES

_CORRELATIONS = "correlations"


def figures_of(
    study: Study, numbers: Numbers, predicted: PredictionNumbers, race: Race | None
) -> Iterator[tuple[Picture, Figure]]:
    """Every figure that the study has something for, each with its name and caption."""
    yield from _of_correlations(study, numbers)
    yield from _of_scores(study, numbers)
    yield from _of_pairs(study, numbers)
    yield from _of_targets(study, numbers)
    yield from _of_sampling(numbers)
    yield from _of_own_tables(numbers)
    yield from _of_profiles(study)
    yield from _of_searches(study, numbers)
    yield from _of_predictions(predicted)
    yield from _of_maps(study)
    yield from _of_race(study, race)


def _of_profiles(study: Study) -> Iterator[tuple[Picture, Figure]]:
    """Where the time of passes goes."""
    for number, figure in enumerate(rooflines(study.profiles), start=1):
        caption = (
            "Left, seconds a network by pass. Right, the rate of the dearest operations (circles, "
            "with their part of the time) and of kernels (diamonds) against floating-point "
            "operations a byte, under the roof that measured ceilings make; above it is what came "
            "from cache."
        )
        yield Picture(f"roofline-{number}", "profiles", caption), figure


def _of_searches(study: Study, numbers: Numbers) -> Iterator[tuple[Picture, Figure]]:
    """Regret so far, against queries and against seconds."""
    for unit, lines in numbers.curves.items():
        caption = (
            f"Mean validation regret of the best architecture so far against {unit}, with the "
            "95 % band of the mean over seeds, from ten seeds on. An axis that reaches zero is "
            "linear up to a tenth of a point or less, and logarithmic from there. Dashed lines are "
            "searchers that use the proxy named above the panel: to start from, or to rank by."
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
            f"of {shown.task} (seed {shown.seed}): coloured by {shown.split} accuracy, and by the "
            f"predicted score that ranks most like it, {shown.score}."
        )
        yield Picture(f"map-{number}", "predictions", caption), embedding(shown)
        if shown.paths is None or shown.climbed is None:
            continue
        caption = (
            f"Ways that {shown.predictor} took on {shown.task} (seed {shown.seed}) up the "
            f"predicted score {shown.paths.score}, from their starts (open) to their ends "
            f"(filled). Left, over the map of all {len(shown.values):,} architectures, darker the "
            "more accurate. Right, the architectures that the places stand for: the share of the "
            f"pool below them by that score, and by {shown.split} accuracy. The thick line is the "
            "median."
        )
        yield (
            Picture(f"ascent-{number}", "predictions", caption),
            ascents(shown, shown.paths, shown.climbed),
        )


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


def _of_correlations(study: Study, numbers: Numbers) -> Iterator[tuple[Picture, Figure]]:
    """Proxies' correlations, and what their highest-scored hold."""
    for number, figure in enumerate(heatmaps(numbers.correlations), start=1):
        caption = (
            "Kendall's τ of proxies (rows) with accuracy on tasks (columns), with 95 % "
            "intervals over architectures, those that share their scores drawn together. Failed "
            "scores rank last, and are counted."
        )
        yield Picture(f"heatmap-{number}", _CORRELATIONS, caption), figure
    caption = (
        "Best accuracy among the k architectures that a proxy scores highest, against k; ties "
        "and the grey line are what random order is expected to give."
    )
    drawn = best_curves(study.score_sets, numbers.correlations)
    yield from _numbered("best-of-k", _CORRELATIONS, caption, drawn)
    caption = (
        "The share of the truly best k architectures among the k that a proxy scores highest, "
        "against k, which is both; ties and the grey line are what random order is expected to "
        "give."
    )
    drawn = overlap_curves(study.score_sets, numbers.correlations)
    yield from _numbered("top-k", _CORRELATIONS, caption, drawn)
    figure_ = noise_figure(numbers.noise)
    if figure_ is not None:
        caption = (
            "Spearman's ρ of proxies with the accuracy of one training run and with the mean over "
            "training seeds, on the same architectures, and the difference with its paired 95 % "
            "interval."
        )
        yield Picture("noise", _CORRELATIONS, caption), figure_


def _of_scores(study: Study, numbers: Numbers) -> Iterator[tuple[Picture, Figure]]:
    """Accuracy against score, as hexagons where architectures are many."""
    for each in study.score_sets:
        records = numbers.correlations
        if len(each.archs) >= HEXBINS_FROM:
            name, drawn = "hexbin", hexbins(each, records)
            caption = (
                f"Accuracy against score on {each.task} for the proxies of highest τ: a hexagon’s "
                "shade says how many architectures lie in it. Curves at the margins are ranks: the "
                "share of architectures that score, or reach, no more. Dashed lines part the best "
                "tenth from the rest; accuracies far below the middle half are left out, and "
                "counted above the ranks of accuracy."
            )
        else:
            name, drawn = "scatter", scatter(each, records)
            caption = (
                f"Accuracy against score on {each.task} for the proxies of highest τ; crosses at "
                "the left margin are architectures whose score failed. Where proxies were recorded "
                "for architectures of very unlike accuracy, every panel has an axis of its own."
            )
        if drawn is not None:
            yield Picture(f"{name}-{_file(each.task)}", _CORRELATIONS, caption), drawn


def _of_pairs(study: Study, numbers: Numbers) -> Iterator[tuple[Picture, Figure]]:
    """How alike proxies rank, and how alike tasks rank proxies."""
    for each in study.score_sets:
        alike = cluster([r for r in numbers.proxy_pairs if r["task"] == each.task], "proxy")
        if alike is not None:
            caption = (
                f"Kendall’s τ between the scores of proxies on {each.task} (at most "
                f"{len(each.archs):,} architectures; failures rank last), in the order of their "
                "clusters: average linkage of 1 − τ. Intervals are in proxy-pairs.csv."
            )
            name = f"proxy-pairs-{_file(each.task)}"
            yield Picture(name, _CORRELATIONS, caption), cluster_figure(alike)
    alike = cluster(numbers.agreements, "task")
    if alike is not None:
        caption = (
            "How alike tasks rank proxies: Kendall’s τ between their proxies’ correlations with "
            "accuracy, in the order of clusters (average linkage of 1 − τ). Pairs that share fewer "
            "than four proxies are hatched; how many proxies each pair shares is in "
            "agreements.csv."
        )
        yield Picture("task-agreement", _CORRELATIONS, caption), cluster_figure(alike)


def _of_targets(study: Study, numbers: Numbers) -> Iterator[tuple[Picture, Figure]]:
    """Hardware costs and robustness beside accuracy."""
    for each in study.score_sets:
        records = [r for r in numbers.targets if r["task"] == each.task]
        if not records:
            continue
        drawn = target_heatmaps(each, records, numbers.correlations)
        caption = (
            f"Kendall’s τ of proxies on {each.task} with accuracy (first column) and with other "
            "targets, costs turned round: a negative τ says that a high score finds what is slow, "
            "or fragile. With 95 % intervals over architectures; n differs where a target was not "
            "measured everywhere. Of an attack, the strength that tells architectures apart best; "
            "all targets, paired differences, and what is inverted, are in targets.csv."
        )
        yield from _numbered(f"targets-{_file(each.task)}", "targets", caption, drawn)
        drawn = front_figures(each, records, numbers.correlations)
        caption = (
            f"Accuracy against other targets on {each.task}: all architectures (grey), those that "
            "no other beats at both (line; named in fronts.csv), and the ten highest-scored by the "
            "proxies of highest τ with accuracy. Accuracies far below the middle half are left "
            "out, and counted in the corner."
        )
        yield from _numbered(f"fronts-{_file(each.task)}", "targets", caption, drawn)


def _of_sampling(numbers: Numbers) -> Iterator[tuple[Picture, Figure]]:
    """What correlations of a few networks are worth."""
    subsets = max((record["subsets"] for record in numbers.sampling), default=0)
    caption = (
        f"Kendall’s τ of the {PROXIES} best proxies of a task in {subsets} random subsets of so "
        "many networks: mean (line) and where 95 % of subsets lie (band). Dotted lines are the "
        "ends, on average, of the 95 % interval that one subset gives for itself; markers at the "
        "right are τ of all n architectures."
    )
    yield from _numbered("sampling", "sampling", caption, sampling_figures(numbers.sampling))


def _of_own_tables(numbers: Numbers) -> Iterator[tuple[Picture, Figure]]:
    """The noise of seeds in tables that were made."""
    caption = (
        "Left, the accuracy of every seed (points) of an architecture, ordered by mean (line). "
        "Right, if proxies were scored, their Kendall’s τ with the accuracy of one seed, beside "
        "that of one seed with another and with the mean of the others. Bars and bands are 95 % "
        "intervals over architectures."
    )
    drawn = [figure for noise in numbers.own_tables for figure in noise_figures(noise)]
    yield from _numbered("own-noise", "own-noise", caption, drawn)


def _numbered(
    name: str, section: str, caption: str, figures: Sequence[Figure]
) -> Iterator[tuple[Picture, Figure]]:
    """Figures that share a caption, by their number."""
    for number, figure in enumerate(figures, start=1):
        yield Picture(f"{name}-{number}", section, caption), figure


def _file(task: str) -> str:
    return task.replace("/", "-")
