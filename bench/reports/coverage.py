"""How often each 95 % interval holds what it is an interval of, by simulation.

    python -m bench.reports.coverage

Samples of known populations go through the functions that reports call. An interval of
architectures is to hold the value that the metric has in the population: a hundred thousand
architectures with accuracies of an even spread or crowded below a limit, rounded, tied at the top,
with scores of few values and failures. An interval of seeds is to hold the mean of regrets that are
normal, exponential (many small, few large), or 0 in half of all cases.

What reports show no interval of is simulated too, by the percentile bootstrap and about the mean of
the metric over samples: that is why they show none.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from bench.base import Floats, Ints, Record
from bench.metrics.bootstrap import interval, resample
from bench.metrics.intervals import mean_interval, stratified_interval
from bench.metrics.rank import kendall, pearson, spearman, weighted_kendall
from bench.metrics.ranking import average_ranks, trimmed_means
from bench.metrics.regret import regret_at_k
from bench.metrics.top import best_of_top_k, ndcg, precision_at_k, top_overlap
from bench.reports.comparisons import ceiling, compare
from bench.reports.correlations import correlate_sample
from bench.reports.noise import PAIRS, compare_truths
from bench.reports.own_table import Repeats, measure_noise
from bench.reports.proxy_pairs import compare_proxies
from bench.reports.sample import Sample, draw_sample, failures_lowest
from bench.reports.score_sets import ScoreSet
from bench.reports.targets import score_targets

SIZES = (30, 100, 1000)
SEEDS = (5, 10, 30)
_MANY = 100_000
"""Architectures of a population."""
_TASKS = 3
_SEARCHERS = 4

_OF_METRICS = {
    "kendall": "τ",
    "spearman": "ρ",
    "partial_spearman": "ρ given the parameter count",
    "kendall_top10": "τ in the best tenth",
    "spearman_top10": "ρ in the best tenth",
    "kendall_common": "τ where all proxies scored",
    "spearman_common": "ρ where all proxies scored",
}
_WITHOUT: Mapping[str, Callable[..., Floats]] = {
    "Pearson's r": pearson,
    "weighted τ": weighted_kendall,
    "precision at 10 %": partial(precision_at_k, k=0.1),
    "overlap of the top 20": partial(top_overlap, k=20),
    "best of 10": partial(best_of_top_k, k=10),
    "regret at 10": partial(regret_at_k, k=10),
    "nDCG": ndcg,
}


@dataclass
class Tally:
    """What was counted of one interval, by case: a population and a proxy, say."""

    shown: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    held: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, case: str, low: float | None, value: float, high: float | None) -> None:
        """Count an interval, if it is one."""
        if low is not None and high is not None and not np.isnan(low):
            self.shown[case] += 1
            self.held[case] += low - 1e-12 <= value <= high + 1e-12

    def rates(self, least: int = 1) -> list[float]:
        """The share of intervals that held their value, for each case of so many."""
        return [self.held[case] / count for case, count in self.shown.items() if count >= least]


Tallies = dict[str, Tally]


@dataclass(frozen=True, eq=False)
class Population:
    """Architectures of which all is known."""

    name: str
    truth: Floats
    scores: Mapping[str, Floats]


def populations(size: int = _MANY, seed: int = 0) -> list[Population]:
    """Populations of so many architectures: `params` is the proxy that others are compared with."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=size)

    def near(tau: float) -> Floats:
        """Scores whose Kendall's tau with the quality is this one."""
        rho = np.sin(np.pi * tau / 2)
        found: Floats = rho * quality + np.sqrt(1 - rho**2) * rng.normal(size=size)
        return found

    accuracy = 94.5 - 7 * np.log1p(np.exp(0.5 - 1.2 * quality))
    failing = np.where(rng.random(size) < 0.1, -np.inf, near(0.5))
    return [
        Population(
            "even",
            100 + quality,
            {"params": near(0.3), "none": near(0.0), "good": near(0.6), "best": near(0.9)},
        ),
        Population(
            "crowded",
            np.round(accuracy, 1),
            {
                "params": np.round(2 * near(0.35)),
                "good": np.round(near(0.6), 1),
                "best": np.round(near(0.9), 2),
                "failing": failing,
            },
        ),
        Population(
            "tied",
            np.minimum(np.round(accuracy, 1), np.round(np.quantile(accuracy, 0.9), 1)),
            {"params": np.round(2 * near(0.35)), "few": np.round(near(0.5)), "best": near(0.8)},
        ),
    ]


def over_architectures(
    n: int, samples: int, resamples: int, seed: int, size: int = _MANY
) -> Tallies:
    """Count intervals of samples of `n` architectures, of populations of `size`."""
    found: Tallies = defaultdict(Tally)
    rng = np.random.default_rng([seed, n])
    for each in populations(size):
        true = _values(each, np.arange(size), rng, 0)
        for _ in range(samples):
            rows = rng.integers(size, size=n)
            for (row, case), (low, _, high) in _values(each, rows, rng, resamples).items():
                # A head that reaches failures has no value, though that of a sample may.
                if (row, case) in true:
                    found[row].add(f"{each.name} {case}", low, true[row, case][1], high)
    few = max(size // 3, n)
    # Cheap ones, of one population each: of more samples, so that a share is known as well.
    _count_noise(found, n, 8 * samples, few, np.random.default_rng([seed, n, 2]))
    _count_classes(found, n, samples, resamples, few, np.random.default_rng([seed, n, 3]))
    return found


Interval = tuple[float | None, float, float | None]


def _values(
    each: Population, rows: Ints, rng: np.random.Generator, resamples: int
) -> dict[tuple[str, str], Interval]:
    """Every interval that a report has of some architectures, by row of the table and case."""
    truth = each.truth[rows]
    scores = {name: score[rows] for name, score in each.scores.items()}
    data = draw_sample(truth, scores, rng=rng, resamples=resamples)
    found: dict[tuple[str, str], Interval] = {}
    for record in correlate_sample("t", data, threads=1):
        for name, row in _OF_METRICS.items():
            # Ties at the top leave the best tenth no ranking, and params none given itself.
            if record[name] is not None and not (each.name == "tied" and "top10" in name):
                found[row, record["proxy"]] = _ends(record, name)
    for record in compare("t", data):
        found["difference of two τ", record["proxy"]] = _ends(record, "difference", "")
    for record in compare_proxies("t", data):
        case = f"{record['proxy']}, {record['other']}"
        found["τ of two proxies", case] = _ends(record, "kendall")
    if each.name == "crowded":
        found |= _beside(each, data, rows, rng, resamples)
    return found


def _beside(
    each: Population, data: Sample, rows: Ints, rng: np.random.Generator, resamples: int
) -> dict[tuple[str, str], Interval]:
    """The intervals of what stands beside accuracy: a second one, and a target."""
    found: dict[tuple[str, str], Interval] = {}
    truth = each.truth[rows]
    scores = {name: score[rows] for name, score in each.scores.items()}
    test = np.round(truth + 3.0 * each.scores["good"][rows], 1)
    first = _scores_of(PAIRS[0][0], truth, scores, targets={"latency_ms": -test})
    second = _scores_of(PAIRS[0][1], test, scores)
    for record in score_targets(first, data)[:-1]:
        found["τ with a target", record["proxy"]] = _ends(record, "kendall")
        row = "τ with a target less τ with accuracy"
        found[row, record["proxy"]] = _ends(record, "difference", "")
    for record in ceiling("t", truth, test, rng=rng, resamples=resamples):
        found["noise ceiling", ""] = _ends(record, "kendall")
    both = {first.task: first, second.task: second}
    for record in compare_truths(both, rng=rng, resamples=resamples):
        found["difference of two ρ", record["proxy"]] = _ends(record, "difference", "")
    return found


def _ends(record: Record, name: str, prefix: str | None = None) -> Interval:
    start = f"{name}_" if prefix is None else prefix
    return record[f"{start}low"], record[name], record[f"{start}high"]


def _scores_of(task: str, truth: Floats, scores: Mapping[str, Floats], **more: object) -> ScoreSet:
    archs = tuple(map(str, range(len(truth))))
    fields: Record = {"accuracy": {"validation": truth}, "scores": scores} | more
    return ScoreSet(task, "s", "d", "accuracy_percent", True, "validation", archs, **fields)


def _count_noise(found: Tallies, n: int, samples: int, size: int, rng: np.random.Generator) -> None:
    """Count the intervals of tables whose networks were trained with three seeds each."""
    expected = rng.normal(size=size)
    trained = np.round(90 + expected[:, None] + 0.5 * rng.normal(size=(size, 3)), 1)
    score = expected + rng.normal(size=size)
    true = _noise(trained, score)
    for _ in range(samples):
        rows = rng.integers(size, size=n)
        for row, (low, _, high) in _noise(trained[rows], score[rows]).items():
            found[row].add("", low, true[row][1], high)


def _noise(trained: Floats, score: Floats) -> dict[str, Interval]:
    archs = tuple(map(str, range(len(trained))))
    repeats = Repeats(archs, (0, 1, 2), {"validation": trained})
    noise = measure_noise("t", repeats, {"score": score})
    (spread,), (proxy,) = noise.spreads, noise.proxies
    return {
        "τ of one training seed with another": _ends(spread, "seed_to_seed"),
        "τ of one training seed with the rest": _ends(spread, "seed_to_rest"),
        "τ with one training seed": _ends(proxy, "kendall"),
        "part of the ceiling": _ends(proxy, "share"),
    }


def _count_classes(
    found: Tallies, n: int, samples: int, resamples: int, size: int, rng: np.random.Generator
) -> None:
    """Count the intervals of `n` classes of cells that share their scores, a few of them large."""
    sizes = np.ceil(np.exp(0.8 * rng.normal(size=size))).astype(np.int64)
    starts = np.cumsum(sizes) - sizes
    quality = rng.normal(size=size)
    score = np.repeat(quality + rng.normal(size=size), sizes)
    truth = np.round(np.repeat(quality, sizes) + 0.2 * rng.normal(size=len(score)), 1)
    true = {name: metric(score, truth) for name, metric in _RANKS.items()}
    for _ in range(samples):
        drawn = rng.integers(size, size=n)
        groups = np.repeat(np.arange(n), sizes[drawn])
        cells = np.concatenate([starts[one] + np.arange(sizes[one]) for one in drawn])
        scores = {"s": score[cells]}
        data = draw_sample(truth[cells], scores, rng=rng, resamples=resamples, groups=groups)
        (record,) = correlate_sample("t", data, threads=1)
        for name, row in (("kendall", "τ, of classes"), ("spearman", "ρ, of classes")):
            low, _, high = _ends(record, name)
            found[row].add("", low, true[name], high)


_RANKS = {"kendall": kendall, "spearman": spearman}


def over_seeds(seeds: int, samples: int, seed: int) -> Tallies:
    """Count intervals of as many seeds."""
    found: Tallies = defaultdict(Tally)
    rng = np.random.default_rng([seed, seeds])
    for name, (draw, mean) in _REGRETS.items():
        for low, high in _pairs_of_ends(mean_interval(draw(rng, (seeds, samples)))):
            found[f"mean regret, {name}"].add("", low, mean, high)
        for case, share in (("equal", 1.0), ("unequal", 0.3)):
            one, other = (draw(rng, (seeds, samples)) for _ in range(2))
            for low, high in _pairs_of_ends(mean_interval(one - share * other)):
                found[f"paired difference, {name}"].add(case, low, (1 - share) * mean, high)
    ranks = _ranks(200_000, rng).mean(axis=0).tolist()
    for _ in range(samples):
        ends = stratified_interval([_ranks(seeds, rng) for _ in range(_TASKS)])
        for place, (low, high) in enumerate(np.transpose(ends).tolist()):
            row = f"average rank over {_TASKS} tasks"
            found[row].add(f"searcher {place}", low, ranks[place], high)
    return found


def _pairs_of_ends(ends: tuple[Floats, Floats]) -> list[list[float]]:
    found: list[list[float]] = np.transpose(ends).tolist()
    return found


Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]


def _normal(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return rng.normal(5.0, 1.0, size=shape)


def _exponential(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return rng.exponential(size=shape)


def _half_solved(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return rng.exponential(size=shape) * (rng.random(shape) < 0.5)


_REGRETS: Mapping[str, tuple[Draw, float]] = {
    "normal": (_normal, 5.0),
    "exponential": (_exponential, 1.0),
    "0 in half": (_half_solved, 0.5),
}


def _ranks(seeds: int, rng: np.random.Generator) -> Floats:
    """`s x m` ranks of searchers, of which each is worse than the one before, on average."""
    scales = 1.0 + 0.5 * np.arange(_SEARCHERS)
    return average_ranks(np.round(scales * rng.exponential(size=(seeds, _SEARCHERS)), 1))


def without(n: int, samples: int, resamples: int, seed: int, size: int = _MANY) -> Tallies:
    """Count percentile bootstraps of what reports show no interval of, over architectures."""
    found: Tallies = defaultdict(Tally)
    rng = np.random.default_rng([seed, n, 1])
    for each in populations(size):
        for proxy, score in each.scores.items():
            values, ends = defaultdict(list), defaultdict(list)
            for _ in range(samples):
                rows = rng.integers(size, size=n)
                columns = failures_lowest(score[rows]), each.truth[rows]
                counts = resample(n, resamples, rng)
                for name, metric in _WITHOUT.items():
                    if name != "Pearson's r" or np.isfinite(columns[0]).all():
                        values[name].append(metric(*columns))
                        ends[name].append(interval(metric(*columns, counts=counts)))
            for name, each_value in values.items():
                # nDCG has no value where a score failed.
                for low, high in ends[name] if np.isfinite(each_value).all() else ():
                    found[name].add(f"{each.name} {proxy}", low, float(np.mean(each_value)), high)
    return found


def without_over_seeds(seeds: int, samples: int, resamples: int, seed: int) -> Tallies:
    """Count percentile bootstraps over seeds: of means as well, as they once were."""
    found: Tallies = defaultdict(Tally)
    rng = np.random.default_rng([seed, seeds, 1])
    cuts = {"mean": 0, "median": (seeds - 1) // 2, "interquartile mean": seeds // 4}
    once = np.ones((1, seeds), dtype=np.int64)
    for name, (draw, _) in _REGRETS.items():
        values = draw(rng, (seeds, samples))
        mean = trimmed_means(draw(rng, (seeds, 20_000)), once, list(cuts.values()))[:, 0].mean(1)
        drawn = trimmed_means(values, resample(seeds, resamples, rng), list(cuts.values()))
        ends = np.quantile(drawn, [0.025, 0.975], axis=1)
        for place, row in enumerate(cuts):
            for low, high in _pairs_of_ends((ends[0, place], ends[1, place])):
                found[f"{row} of regrets"].add(name, low, float(mean[place]), high)
    return found


def table(head: Sequence[str], tallies: Sequence[Tallies], least: int) -> str:
    """A Markdown table: a row an interval, a column a size.

    A cell holds the mean share of intervals that hold their value, and the least and largest over
    populations and proxies; a dash where no interval is shown, or fewer than `least` of a case.
    """
    rows = dict.fromkeys(row for tally in tallies for row in tally)
    lines = [list(head), ["---"] * len(head)]
    lines += [[row, *(_cell(each.get(row), least) for each in tallies)] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(tally: Tally | None, least: int) -> str:
    rates = tally.rates(least) if tally is not None else []
    if not rates:
        return "—"
    text = f"{np.mean(rates):.3f}"
    return text if len(rates) == 1 else f"{text} ({min(rates):.2f} to {max(rates):.2f})"


def study(samples: int = 500, resamples: int = 200, seed: int = 0) -> Iterator[str]:
    """The study's four tables, as Markdown: over seeds and architectures, shown and not."""
    sizes = ["interval of", *(f"{n:,} architectures" for n in SIZES)]
    seeds = ["interval of", *(f"{s} seeds" for s in SEEDS)]
    yield table(seeds, [over_seeds(s, 10 * samples, seed) for s in SEEDS], samples)
    yield table(seeds, [without_over_seeds(s, samples, resamples, seed) for s in SEEDS], 1)
    numbers = [samples if n < 1000 else samples // 2 for n in SIZES]
    shown = [
        over_architectures(n, number, 3 * resamples, seed)
        for n, number in zip(SIZES, numbers, strict=True)
    ]
    yield table(sizes, shown, samples // 4)
    yield table(sizes, [without(n, samples // 8, resamples, seed) for n in SIZES], 1)


if __name__ == "__main__":
    for each in study():
        sys.stdout.write(f"{each}\n")
        sys.stdout.flush()
