"""A table of one's own, some of whose networks were trained with several seeds: what noise hides.

Three questions. How much of the spread of accuracies is the seed's? How well could any score do,
that is, how well does one seed's accuracy rank as another's, or as the mean of all others? And how
near to that does each proxy come?

Intervals are 95 %, over architectures (`bench.metrics.intervals.tau_interval`). Failed scores rank
last; a network that came to nothing (NaN) leaves its architecture out of what its seed is part of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.base import DataError, Floats, Record
from bench.metrics.influence import Tau
from bench.metrics.intervals import tau_interval
from bench.metrics.rank import failures_last
from bench.metrics.repeats import score_to_seed, seed_to_rest, seed_to_seed, spread
from bench.reports.attachments import Attachments, floats
from bench.reports.load import Study
from bench.reports.sample import defined
from bench.reports.score_sets import ScoreSet
from bench.reports.tables import Cell, Table, number, with_interval

SPLITS = ("validation", "test")
CEILINGS = ("seed_to_seed", "seed_to_rest")


@dataclass(frozen=True, eq=False)
class Repeats:
    """The accuracies of `a` architectures with `s` seeds each."""

    archs: tuple[str, ...]
    seeds: tuple[int, ...]
    accuracy: Mapping[str, Floats]
    """`a x s` by split, `validation` or `test`; NaN where there is none."""


def read_repeats(folder: Path, row: Record) -> Repeats:
    """Read a table that networks were trained for.

    Args:
        folder: Where results lie.
        row: The row of the run that made it.

    Raises:
        DataError: The file is missing, damaged or foreign, or has an architecture's seed twice.
    """
    columns = Attachments().columns(folder, row)
    splits = [name for name in SPLITS if name in columns]
    if not splits or not {"arch", "seed"} <= columns.keys():
        raise DataError(
            f"expected columns arch, seed and an accuracy in {folder / row['file']}; got "
            f"{', '.join(columns)}"
        )
    seeds = [int(seed) for seed in columns["seed"]]
    accuracy = {name: floats(columns[name]) for name in splits}
    return gather_repeats(columns["arch"].tolist(), seeds, accuracy)


def gather_repeats(
    archs: Sequence[str], seeds: Sequence[int], accuracy: Mapping[str, Floats]
) -> Repeats:
    """Turn a table of one row a network into one of a row an architecture, a column a seed.

    Args:
        archs: `n` texts of architectures.
        seeds: `n` seeds.
        accuracy: `n` accuracies by split, NaN for a network that came to nothing.

    Raises:
        DataError: Columns of differing lengths, or an architecture that has a seed twice.
    """
    lengths = {len(archs), len(seeds), *map(len, accuracy.values())}
    if len(lengths) > 1:
        raise DataError(f"expected columns of one length in a table; got {sorted(lengths)}")
    if len(set(zip(archs, seeds, strict=True))) < len(archs):
        raise DataError("expected every architecture once a seed in a table; got one twice")
    names = tuple(dict.fromkeys(archs))
    numbers = tuple(sorted(set(seeds)))
    rows = {name: row for row, name in enumerate(names)}
    columns = {seed: column for column, seed in enumerate(numbers)}
    at = [rows[arch] for arch in archs], [columns[seed] for seed in seeds]
    tables = {}
    for split, values in accuracy.items():
        tables[split] = np.full((len(names), len(numbers)), np.nan)
        tables[split][at] = values
    return Repeats(names, numbers, tables)


@dataclass(frozen=True, eq=False)
class SeedNoise:
    """What is known of the noise of a table; each list has one shape of record."""

    repeats: Repeats
    spreads: Sequence[Record]
    """By split: task, split, architectures, seeds, sd_between, sd_within, reliability, then
    seed_to_seed and seed_to_rest with `_low` and `_high`."""
    proxies: Sequence[Record]
    """By split and proxy: task, split, proxy, n, kendall (with one seed's accuracy, meaned over
    seeds), share (of seed_to_rest), both with `_low` and `_high`; best first."""


def measure_tables(study: Study) -> Iterator[SeedNoise]:
    """The noise of every table that the study made or scored, with the proxies that it scored.

    Those are of the score set of the table's task, if the study has one. A table in which no two
    architectures have two seeds says nothing of noise and is left out.

    Raises:
        DataError: As `read_repeats`.
    """
    for folder, row in study.made:
        repeats = read_repeats(folder, row)
        scored = next((each for each in study.score_sets if each.task == row["task"]), None)
        scores = {} if scored is None else _aligned(scored, repeats.archs)
        noise = measure_noise(str(row["task"]), repeats, scores)
        if noise.spreads:
            yield noise
    made = {row["task"] for _, row in study.made}
    for each in study.score_sets:
        if each.repeats and each.task not in made:
            repeats = recorded_repeats(each)
            yield measure_noise(each.task, repeats, each.scores)


def recorded_repeats(scores: ScoreSet) -> Repeats:
    """What a task's table records of training seeds."""
    keys = [name.split("/") for name in scores.repeats]
    seeds = sorted({int(seed) for _, seed in keys})
    accuracy = {
        split: np.column_stack([scores.repeats[f"{split}/{seed}"] for seed in seeds])
        for split in dict(keys)
    }
    return Repeats(scores.archs, tuple(seeds), accuracy)


def _aligned(each: ScoreSet, archs: Sequence[str]) -> dict[str, Floats]:
    """The scores of `a` architectures by proxy, NaN for those that were not scored."""
    rows = {arch: row for row, arch in enumerate(each.archs)}
    places = np.array([rows.get(arch, -1) for arch in archs], dtype=np.int64)
    return {
        name: np.where(places >= 0, values[places], np.nan) for name, values in each.scores.items()
    }


def measure_noise(
    task: str,
    repeats: Repeats,
    scores: Mapping[str, Floats],
    *,
    maximise: bool = True,
) -> SeedNoise:
    """Measure spread, ceilings and proxies on the architectures that have two seeds or more.

    Args:
        task: What records call the table.
        repeats: Its accuracies.
        scores: `a` values by proxy, for the same architectures: NaN where not recorded, -inf
            where failed. Larger is better.
        maximise: Whether larger accuracies are better.

    Returns:
        The records; None where a value is undefined, and nothing of a split in which fewer than
        two architectures have two seeds.

    Raises:
        ValueError: Scores of another number of architectures.
    """
    for name, values in scores.items():
        if values.shape != (len(repeats.archs),):
            raise ValueError(
                f"expected {name} of shape ({len(repeats.archs)},), got {values.shape}"
            )
    spreads, proxies = [], []
    for split, table in repeats.accuracy.items():
        rows = np.flatnonzero(np.isfinite(table).sum(axis=1) >= 2)
        if len(rows) < 2:
            continue
        oriented = table[rows] if maximise else -table[rows]
        named: Record = {"task": task, "split": split}
        chosen = {
            name: np.where(np.isnan(values), np.nan, failures_last(values))[rows]
            for name, values in scores.items()
        }
        found = [seed_to_seed(oriented), seed_to_rest(oriented)]
        found += [score_to_seed(score, oriented) for score in chosen.values()]
        spreads.append(defined(named | _spread_facts(oriented) | _ceilings(found)))
        here = _proxies(list(chosen.items()), found)
        proxies += [defined(named | record) for record in here]
    return SeedNoise(repeats, spreads, proxies)


def _spread_facts(table: Floats) -> Record:
    found = spread(table)
    return {
        "architectures": found.architectures,
        "seeds": int(np.isfinite(table).any(axis=0).sum()),
        "sd_between": found.between**0.5,
        "sd_within": found.within**0.5,
        "reliability": found.reliability,
    }


def _ceilings(found: Sequence[Tau]) -> Record:
    record: Record = {}
    for name, tau in zip(CEILINGS, found, strict=False):
        low, high = tau_interval(tau.value, tau.influence, np.ones(len(tau.influence), dtype=bool))
        record |= {name: tau.value, f"{name}_low": low, f"{name}_high": high}
    return record


def _proxies(chosen: Sequence[tuple[str, Floats]], found: Sequence[Tau]) -> list[Record]:
    """The taus of proxies, and their parts of the ceiling; best first."""
    records: list[Record] = []
    ceiling = found[1]
    for (name, score), tau in zip(chosen, found[len(CEILINGS) :], strict=True):
        rows = ~np.isnan(score)
        low, high = tau_interval(tau.value, tau.influence, rows)
        record: Record = {"proxy": name, "n": int(rows.sum())}
        record |= {"kendall": tau.value, "kendall_low": low, "kendall_high": high}
        record |= dict.fromkeys(("share", "share_low", "share_high"), float("nan"))
        if ceiling.value > 0:
            record["share"] = share = tau.value / ceiling.value
            # The derivative of a ratio by the weight of each row.
            influence = (tau.influence - share * ceiling.influence) / ceiling.value
            everywhere = np.ones(len(rows), dtype=bool)
            ends = tau_interval(share, influence, everywhere, scale="difference")
            record["share_low"], record["share_high"] = ends
        records.append(record)
    return sorted(records, key=lambda r: (np.isnan(r["kendall"]), -r["kendall"], r["proxy"]))


def noise_tables(found: Sequence[SeedNoise]) -> list[Table]:
    """The records as two tables: spread and ceilings, and proxies beside the ceiling."""
    spreads = tuple(_spread_row(record) for noise in found for record in noise.spreads)
    proxies = tuple(_proxy_row(record) for noise in found for record in noise.proxies)
    caption = (
        "Networks trained with several seeds: the standard deviation of accuracy between "
        "architectures and between seeds of one architecture, the share of one seed’s variance "
        "that is the architectures’ (reliability), and Kendall’s τ of one seed with another and "
        "with the mean of the others, with 95 % intervals: what a score could reach."
    )
    columns = ("accuracy", "architectures", "seeds", "sd, architectures", "sd, seeds")
    beside = ("reliability", "τ, seed to seed", "τ, seed to rest")
    tables = [Table("own-noise", caption, (*columns, *beside), spreads, 1)]
    caption = (
        "Kendall’s τ of proxies with the accuracy of one seed, meaned over seeds, and its part of "
        "the ceiling, τ of one seed with the mean of the others."
    )
    columns = ("accuracy", "proxy", "τ", "part of ceiling", "n")
    tables.append(Table("own-noise-proxies", caption, columns, proxies, 2))
    return [table for table in tables if table.rows]


def _spread_row(record: Record) -> tuple[Cell, ...]:
    cells = [f"{record['task']}, {record['split']}"]
    cells += [f"{record[name]:,}" for name in ("architectures", "seeds")]
    cells += [number(record[name], 3) for name in ("sd_between", "sd_within", "reliability")]
    cells += [with_interval(record, name, 3) for name in CEILINGS]
    return tuple(map(Cell, cells))


def _proxy_row(record: Record) -> tuple[Cell, ...]:
    cells = [f"{record['task']}, {record['split']}", record["proxy"]]
    cells += [with_interval(record, "kendall", 3), with_interval(record, "share", 2)]
    return tuple(map(Cell, [*cells, f"{record['n']:,}"]))
