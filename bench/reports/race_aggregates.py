"""Runs of all tasks put together: regrets in units of their task, pooled.

The unit of a task is the mean regret, over its searchers, after the fewest queries that are
reported; so 1 is where an average searcher of the study stands then. Only searchers that ran on
every task are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.base import Floats, Record
from bench.metrics.ranking import profile
from bench.metrics.regret import interquartile_mean
from bench.reports.race_groups import by_task
from bench.reports.race_traces import Entry

THRESHOLDS = np.linspace(0.0, 1.5, 31)


@dataclass(frozen=True, eq=False)
class Runs:
    """A race's searches, and the unit of regret of every task that has one."""

    entries: Sequence[Entry]
    units: Mapping[str, float]

    @classmethod
    def of(cls, entries: Sequence[Entry], mark: int) -> Runs:
        """Take units at a mark; a task that everyone has solved by then has none."""
        units = {}
        for task, here in by_task(entries, mark).items():
            means = [entry.at(mark).mean() for entry in here.values() if len(entry.seeds)]
            known = [float(mean) for mean in means if np.isfinite(mean)]
            if known and max(known) > 0:
                units[task] = float(np.mean(known))
        return cls(entries, units)

    def _comparable(self, mark: int) -> Iterator[tuple[str, list[Entry]]]:
        """Searchers with an entry on every task that has a unit, and those entries."""
        tasks = [task for task in by_task(self.entries, mark) if task in self.units]
        names = dict.fromkeys(entry.searcher for entry in self.entries)
        here = {(e.task, e.searcher): e for e in self.entries if e.budget >= mark}
        for name in names:
            found = [here[task, name] for task in tasks if (task, name) in here]
            if found and len(found) == len(tasks):
                yield name, found

    def _values(self, entry: Entry, mark: int) -> Floats:
        known = entry.at(mark)
        return known[np.isfinite(known)] / self.units[entry.task]

    def aggregates(self, mark: int) -> Iterator[Record]:
        """The interquartile mean of a searcher's pooled runs, failed ones left out and counted.

        Yields:
            Records of queries, searcher, tasks, runs, failed and iqm.
        """
        for name, entries in self._comparable(mark):
            values = [self._values(entry, mark) for entry in entries]
            pooled = np.concatenate(values)
            record: Record = {"queries": mark, "searcher": name, "tasks": len(entries)}
            record |= {"runs": pooled.size, "failed": sum(len(e.failed) for e in entries)}
            every = all(each.size for each in values)
            yield record | {"iqm": interquartile_mean(pooled) if every else np.nan}

    def profiles(self, mark: int) -> dict[str, Floats]:
        """The share of a searcher's runs at or below a regret; a failed run never gets there.

        Returns:
            By searcher `2 x t`: thresholds and shares.
        """
        found = {}
        for name, entries in self._comparable(mark):
            values = [
                np.concatenate([self._values(entry, mark), np.full(len(entry.failed), np.inf)])
                for entry in entries
            ]
            if all(each.size for each in values):
                pooled = np.concatenate(values)
                once = np.ones((1, pooled.size), dtype=np.int64)
                found[name] = np.stack([THRESHOLDS, profile(pooled, THRESHOLDS, once)[0]])
        return found
