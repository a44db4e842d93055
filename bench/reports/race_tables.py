"""A race's tables: the short ones for the page, and the long one of every task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import groupby

from bench.base import Record
from bench.reports.race import Race
from bench.reports.tables import Cell, Table, number, with_interval

_NOTHING = number(None, 0)


def short_tables(race: Race) -> list[Table]:
    """Average ranks and paired differences of every group, pooled regrets, and who catches up."""
    tables = []
    for group in race.groups:
        tables.append(_rank_table(race, group.label))
        if group.reference is not None:
            tables.append(_pair_table(race, group.label, group.reference))
    tables.append(_aggregate_table(race))
    tables += _catch_up_tables(race)
    return [table for table in tables if table.rows]


def task_tables(race: Race) -> list[Table]:
    """A table a task: what every searcher reached at every mark."""
    columns = (
        *("queries", "searcher", "scored", "seconds", "seeds", "failed", "missing", "stopped"),
        *("mean", "median", "IQM", "test mean", "test median", "test IQM"),
    )
    tables = []
    for task, group in groupby(race.regrets, key=lambda record: record["task"]):
        rows = []
        for r in sorted(group, key=_by_regret):
            cells = [f"{r['queries']:,}", r["searcher"], _count(r["scored"]), _count(r["seconds"])]
            cells += [f"{r[name]:,}" for name in ("seeds", "failed", "missing", "stopped")]
            cells += [
                with_interval(r, f"{metric}_{statistic}", 3)
                for metric in ("regret", "test_regret")
                for statistic in ("mean", "median", "iqm")
            ]
            rows.append(tuple(map(Cell, cells)))
        caption = (
            f"Regret on {task} after so many queries, over seeds, with 95 % intervals of means: "
            "of the best validation value so far, and of its architecture's test value. Scored "
            "are the architectures whose proxies were read by then, seconds are simulated; stopped "
            "counts searches that had given back the rest of their budget."
        )
        tables.append(Table(f"race-{task}", caption, columns, tuple(rows), 2))
    return tables


def _by_regret(record: Record) -> tuple[int, bool, float, str]:
    mean = record["regret_mean"]
    return record["queries"], mean is None, mean or 0.0, record["searcher"]


def _count(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:,.0f}"


def _wide(
    race: Race,
    records: Sequence[Record],
    text: Callable[[Record], Cell],
    order: Callable[[list[Record]], object],
) -> list[tuple[Cell, ...]]:
    """A row a searcher, a column a mark."""
    by_searcher: dict[str, dict[int, Record]] = defaultdict(dict)
    for record in records:
        by_searcher[record["searcher"]][record["queries"]] = record
    ordered = sorted(by_searcher.items(), key=lambda pair: (order(list(pair[1].values())), pair[0]))
    return [
        (Cell(name), *(text(here[m]) if m in here else Cell(_NOTHING) for m in race.marks))
        for name, here in ordered
    ]


def _mean_of(name: str) -> Callable[[list[Record]], float]:
    def mean(records: list[Record]) -> float:
        known = [record[name] for record in records if record[name] is not None]
        return sum(known) / len(known) if known else float("inf")

    return mean


def _marks(race: Race) -> tuple[str, ...]:
    return tuple(f"{mark} queries" for mark in race.marks)


def _rank_table(race: Race, label: str) -> Table:
    records = [r for r in race.ranks if r["group"] == label and r["rank"] is not None]
    unranked = {r["searcher"] for r in race.ranks if r["group"] == label and r["rank"] is None}
    unranked -= {r["searcher"] for r in records}
    rows = _wide(race, records, lambda r: Cell(with_interval(r, "rank", 2)), _mean_of("rank"))
    tests = [t for t in race.tests if t["group"] == label and t["p"] is not None]
    told = "; ".join(
        f"{t['queries']} queries: χ² {number(t['friedman'], 1)}, p {_p(t['p'])}, critical "
        f"difference {number(t['critical_difference'], 2)} over {t['tasks']} tasks"
        for t in tests
    )
    incomplete = max((r["incomplete"] for r in records), default=0)
    caption = (
        f"Average rank over tasks and seeds, {_scoring(label)}, ties averaged, failed searches "
        "last; with 95 % intervals over the seeds of each task. Seeds left out, as "
        f"some searcher lacks them: {incomplete:,}; searchers left out, as they were not run on "
        f"every task: {len(unranked):,}."
        + (f" Friedman's test of tasks' mean ranks: {told}." if told else "")
    )
    return Table(f"race-ranks-{label}", caption, ("searcher", *_marks(race)), tuple(rows), 1)


def _scoring(label: str) -> str:
    return (
        "searchers that score as many architectures as they like"
        if label == "all"
        else f"searchers that score at most {label} architectures"
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else number(value, 3)


def _pair_table(race: Race, label: str, reference: str) -> Table:
    counts: dict[tuple[str, int], list[Record]] = defaultdict(list)
    for record in race.pairs:
        if record["group"] == label:
            counts[record["searcher"], record["queries"]].append(record)
    records = [
        {"searcher": searcher, "queries": mark, "text": _tally(group)}
        for (searcher, mark), group in counts.items()
    ]
    rows = _wide(race, records, lambda r: Cell(r["text"]), lambda _: 0)
    caption = (
        f"Tasks on which {reference} is significantly better, not different, and significantly "
        f"worse than another searcher, {_scoring(label)}: paired by seed, Wilcoxon's signed-rank "
        "test at 5 % after Holm's correction over the searchers of a task, and the sign of the "
        "mean difference."
    )
    return Table(f"race-pairs-{label}", caption, ("against", *_marks(race)), tuple(rows), 1)


def _tally(records: Sequence[Record]) -> str:
    clear = [r for r in records if r["p_holm"] is not None and r["p_holm"] < 0.05]
    better = sum(r["difference"] > 0 for r in clear)
    worse = sum(r["difference"] < 0 for r in clear)
    return f"{better} / {len(records) - better - worse} / {worse}"


def _aggregate_table(race: Race) -> Table:
    rows = _wide(race, race.aggregates, lambda r: Cell(with_interval(r, "iqm", 3)), _mean_of("iqm"))
    failed = sum({r["searcher"]: r["failed"] for r in race.aggregates}.values())
    caption = (
        "Interquartile mean of regret over the runs of all tasks. The unit of a task is the mean "
        "regret of its searchers after "
        f"{race.marks[0]} queries; tasks without regret by then, and searchers not run on every "
        f"task, are left out, and so are failed runs: {failed:,}."
    )
    return Table("race-aggregates", caption, ("searcher", *_marks(race)), tuple(rows), 1)


def _catch_up_tables(race: Race) -> list[Table]:
    """A table a variant of the reference: a row a family and task, a column a mark."""
    tables = []
    references = dict.fromkeys(record["reference"] for record in race.catch_up)
    for reference in references:
        records = [
            record | {"searcher": f"{record['family']} on {record['task']}"}
            for record in race.catch_up
            if record["reference"] == reference
        ]
        rows = _wide(race, records, lambda r: Cell(_caught(r)), lambda _: 0)
        caption = (
            "The least number of scored architectures at which a family's mean regret is not "
            f"above that of {reference} on the same seeds; in brackets, the largest at which it is "
            "clearly above (the paired 95 % interval excludes zero). A dash: none that was tried."
        )
        label = f"race-catch-up-{reference}"
        tables.append(Table(label, caption, ("family", *_marks(race)), tuple(rows), 1))
    return tables


def _caught(record: Record) -> str:
    return f"{_count(record['caught_up_at'])} ({_count(record['behind_at'])})"
