"""The boards of proxies and searchers, from the records that tables and CSV files are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.base import Record
from bench.reports.load import Study
from bench.reports.numbers import Numbers
from bench.reports.race import STATISTICS, Race
from bench.reports.site.boards import (
    Board,
    Column,
    Entry,
    View,
    commonest,
    count,
    estimate,
    key,
    numbered,
)
from bench.runs.score import told_by_class


@dataclass(frozen=True)
class _Metric:
    """A column of a board: the field it shows, its heading, and how."""

    field: str
    heading: str
    name: str
    digits: int = 3
    sign: int = 1
    """1 where larger is better, -1 where smaller, 0 where the task says."""
    scale: tuple[float, float] | None = None


_SIGNED, _UNIT = (-1.0, 1.0), (0.0, 1.0)

_CORRELATIONS = (
    _Metric("kendall", "τ", "Kendall’s τ", scale=_SIGNED),
    _Metric("spearman", "ρ", "Spearman’s ρ", scale=_SIGNED),
    _Metric("partial_spearman", "ρ given params", "ρ given the parameter count", scale=_SIGNED),
    _Metric("best_of_10", "best of 10", "Best of the 10 scored highest", digits=2, sign=0),
    _Metric("regret_at_10", "regret at 10", "Regret of the best of 10", sign=-1),
    _Metric("pearson", "r", "Pearson’s r", scale=_SIGNED),
    _Metric("weighted_kendall", "weighted τ", "Weighted τ", scale=_SIGNED),
    _Metric("kendall_top10", "τ, top 10 %", "τ in the top 10 %", scale=_SIGNED),
    _Metric("spearman_top10", "ρ, top 10 %", "ρ in the top 10 %", scale=_SIGNED),
    _Metric("precision_at_10pct", "precision, 10 %", "Precision at 10 %", scale=_UNIT),
    _Metric("overlap_top100", "overlap, top 100", "Overlap of the top 100", scale=_UNIT),
    _Metric("best_of_10_expected", "best of 10, ties", "Best of 10, ties drawn", digits=2, sign=0),
    _Metric("tied_at_10", "tied at 10", "Ties at the tenth place", digits=0, sign=-1),
    _Metric("ndcg", "NDCG", "NDCG", scale=_UNIT),
    _Metric("kendall_common", "τ common", "τ where all proxies scored", scale=_SIGNED),
    _Metric("spearman_common", "ρ common", "ρ where all proxies scored", scale=_SIGNED),
)
_MAIN = 4
"""How many of the metrics of proxies are shown at first."""
_REGRETS = (
    _Metric("test_regret", "test regret", "Test regret", digits=2, sign=-1),
    _Metric("regret", "validation regret", "Validation regret", digits=2, sign=-1),
)
_NAMES = {"mean": "mean", "median": "median", "iqm": "IQM"}
_ON_THE_WAY = tuple(
    _Metric(f"{field}_{each}", f"{short}{_NAMES[each]}", f"{long} regret, {_NAMES[each]}", sign=-1)
    for field, short, long in (("regret", "", "Validation"), ("test_regret", "test ", "Test"))
    for each in STATISTICS
)


def boards(study: Study, numbers: Numbers, race: Race | None, command: str) -> Iterator[Board]:
    """Every leaderboard that the study has something for."""
    if numbers.correlations:
        yield _proxies(study, numbers, command)
    if numbers.searches or _failed_searches(study):
        yield _searchers(study, numbers, command)
    if race is not None and race.regrets:
        yield _race(race, command)


def _proxies(study: Study, numbers: Numbers, command: str) -> Board:
    signs = {each.task: 1 if each.maximise else -1 for each in study.score_sets}
    clear = {(r["task"], r["best"]) for r in numbers.leads if r["low"] is not None and r["low"] > 0}
    rows = []
    for record in numbers.correlations:
        task, proxy = str(record["task"]), str(record["proxy"])
        first = (task, proxy) in clear
        entries = [
            _estimate(record, metric, signs.get(task, 1), first and metric.field == "kendall")
            for metric in _CORRELATIONS
        ]
        counts = (count(record["n_failed"]), count(record["n"]))
        rows.append((key(proxy), key(task), *entries, *counts))
    columns = (
        Column("proxy", "key"),
        Column("task", "key", chosen=commonest(rows, 1)),
        *_metric_columns(_CORRELATIONS),
        Column("failed", "count"),
        Column("n", "count", descending=True),
    )
    return Board(
        "proxies",
        "Proxies",
        "How well each proxy ranks architectures, with 95 % intervals over "
        "architectures. Failed scores rank last and are counted. Bold: the highest τ of its task, "
        "where the paired interval against the runner-up excludes a tie. Bars run from −1 to 1, "
        "or from 0 to 1 for shares." + _remarks(numbers),
        columns,
        tuple(rows),
        order=2,
        views=_views(columns, _CORRELATIONS, "Main metrics", _MAIN),
        files=(
            *("correlations.csv", "correlations.md", "correlations.tex"),
            *(["comparisons.csv"] if numbers.comparisons else []),
        ),
        command=command,
    )


def _remarks(numbers: Numbers) -> str:
    """What has to be said beside the numbers of proxies, where there is something."""
    told = []
    if any(record["undefined"] for record in numbers.correlations):
        told.append(
            " A dash stands where the head of a ranking reaches into failures; "
            "correlations.csv says which and how many, under undefined."
        )
    by_class = {str(r["task"]): r for r in numbers.correlations if r["by_class"]}
    told += [
        f" {task}: {told_by_class(record['by_class'], record['n'])}."
        for task, record in by_class.items()
    ]
    return "".join(told)


def _searchers(study: Study, numbers: Numbers, command: str) -> Board:
    failed = _failed_searches(study)
    rows = []
    for record in numbers.searches:
        at = (str(record["task"]), str(record["searcher"]), str(record["budget"]))
        rows.append(_search_row(at, record, failed.pop(at, 0)))
    nothing: Record = {metric.field: None for metric in _REGRETS} | {"seeds": 0}
    rows += [_search_row(at, nothing, number) for at, number in sorted(failed.items())]
    columns = (
        Column("searcher", "key"),
        Column("task", "key", chosen=commonest(rows, 1)),
        Column("budget", "key", chosen=""),
        *_metric_columns(_REGRETS),
        Column("failed", "count"),
        Column("seeds", "count", descending=True),
    )
    return Board(
        "searchers",
        "Searchers",
        "Regret of the architecture picked when the budget was spent: mean ± standard deviation "
        "over seeds, with the 95 % interval of the mean. Failed searches are counted, "
        "and are no part of means. Bold: the smallest mean of its task and budget, where the "
        "paired interval against the runner-up excludes a tie.",
        columns,
        tuple(rows),
        order=4,
        views=_views(columns, _REGRETS, "Both regrets", len(_REGRETS)),
        files=("searches.csv", "searches.md", "searches.tex"),
        command=command,
    )


def _failed_searches(study: Study) -> Counter[tuple[str, str, str]]:
    """How many searches failed, by task, searcher and budget."""
    return Counter(
        (str(row["task"]), str(row.get("searcher")), str(row.get("budget")))
        for row in study.failed
        if row["kind"] == "search"
    )


def _search_row(at: tuple[str, str, str], record: Record, failed: int) -> tuple[Entry, ...]:
    task, searcher, budget = at
    entries = [
        _estimate(record, metric, -1, bool(record.get(f"{metric.field}_best")))
        for metric in _REGRETS
    ]
    return key(searcher), key(task), key(budget), *entries, count(failed), count(record["seeds"])


def _race(race: Race, command: str) -> Board:
    rows = tuple(
        (
            *(key(str(record["searcher"])), key(str(record["task"])), count(record["queries"])),
            *(_estimate(record, metric, -1, False) for metric in _ON_THE_WAY),
            *(count(record[name]) for name in ("scored", "seconds", "seeds")),
            *(count(record[name]) for name in ("failed", "missing", "stopped")),
        )
        for record in race.regrets
    )
    columns = (
        Column("searcher", "key"),
        Column("task", "key", chosen=commonest(rows, 1)),
        Column("queries", "key", chosen=f"{race.marks[-1]:,}"),
        *_metric_columns(_ON_THE_WAY),
        *(Column(name, "count") for name in ("scored", "seconds", "seeds")),
        *(Column(name, "count") for name in ("failed", "missing", "stopped")),
    )
    return Board(
        "race",
        "Searchers on their way",
        "Regret after so many queries, over seeds, with 95 % intervals of means: of the best "
        "validation value so far, and of its architecture’s test value. Scored are the "
        "architectures whose proxies were read by then; seconds are simulated; missing are seeds "
        "that were not run; stopped counts searches that had given back the rest of their budget.",
        columns,
        rows,
        order=3,
        views=_views(columns, _ON_THE_WAY, "Validation", len(STATISTICS)),
        files=("race.csv", "race-tasks.md", "race-tasks.tex"),
        command=command,
    )


def _estimate(record: Record, metric: _Metric, of_task: int, bold: bool) -> Entry:
    return estimate(
        record,
        metric.field,
        metric.digits,
        sign=metric.sign or of_task,
        bold=bold,
        scale=metric.scale,
    )


def _metric_columns(metrics: Sequence[_Metric]) -> Iterator[Column]:
    for metric in metrics:
        yield Column(metric.heading, "metric", descending=metric.sign >= 0)


def _views(
    columns: Sequence[Column], metrics: Sequence[_Metric], name: str, first: int
) -> tuple[View, ...]:
    """The first metrics together, each by itself, and all."""
    places = tuple(numbered(columns, "metric"))
    views = [View(name, places[:first])]
    views += [View(each.name, (place,)) for each, place in zip(metrics, places, strict=True)]
    if first < len(places):
        views.append(View("All metrics", places))
    return tuple(views)


def summary(numbers: Numbers, metrics: Mapping[str, str]) -> Board | None:
    """A row a task: its best proxy and searcher; None where there is neither.

    Args:
        numbers: Its numbers.
        metrics: By task, what it measures.
    """
    correlations = _best(numbers.correlations, "kendall", 1)
    searches = _best(numbers.searches, "regret", -1)
    ceilings = {str(record["task"]): record["kendall"] for record in numbers.ceilings}
    rows = []
    for task in dict.fromkeys([*correlations, *searches]):
        proxy: Record = correlations.get(task, {"proxy": None, "kendall": None, "n": None})
        search: Record = searches.get(task, {"searcher": None, "budget": None, "regret": None})
        rows.append(
            (
                key(task),
                key(proxy["proxy"] or "—"),
                estimate(proxy, "kendall", 3),
                count(ceilings.get(task), 3),
                Entry(
                    search["searcher"] or "—",
                    search["searcher"] or "",
                    interval=search["budget"] or "",
                ),
                estimate({**search, "regret_sd": None}, "regret", 2, sign=-1),
                count(proxy["n"]),
                key(metrics.get(task, "—")),
            )
        )
    if not rows:
        return None
    columns = (
        Column("task", "key"),
        Column("best proxy", "key"),
        Column("τ", "count", descending=True),
        Column("noise ceiling τ", "count", descending=True),
        Column("best searcher", "key"),
        Column("validation regret", "count"),
        Column("architectures", "count", descending=True),
        Column("metric", "key"),
    )
    return Board(
        "summary",
        "At a glance",
        "By task, the proxy of highest τ, and the searcher of smallest mean validation regret "
        "with any budget. The noise ceiling is τ between validation and test accuracy.",
        columns,
        tuple(rows),
        order=0,
    )


def _best(records: Sequence[Record], field: str, sign: int) -> dict[str, Record]:
    """By task, the first record of the highest value of a field, or the lowest if sign is -1."""
    best: dict[str, Record] = {}
    for record in records:
        old = best.get(record["task"])
        if record[field] is not None and (old is None or sign * (record[field] - old[field]) > 0):
            best[record["task"]] = record
    return best
