"""Who races whom: searchers by family and by how many architectures they may score.

A searcher such as `gaussian-process,scored=200` belongs to the family `gaussian-process`. Its
number stands in the name, so that families can be compared at equal numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.reports.race_traces import Entry

ALL = "all"
"""The group of searchers that score as many architectures as they like."""
_OPTION = "scored"


def parse_family(searcher: str) -> tuple[str, str | None]:
    """A searcher's text without the option `scored`, and that option's value.

    >>> parse_family("ipl,scored=200,beta=1"), parse_family("random")
    (('ipl,beta=1', '200'), ('random', None))
    """
    name, *options = searcher.split(",")
    kept, value = [name], None
    for option in options:
        key, _, text = option.partition("=")
        if key == _OPTION:
            value = text
        else:
            kept.append(option)
    return ",".join(kept), value


@dataclass(frozen=True)
class Group:
    """Searchers that may score equally many architectures, those that score fewer among them."""

    label: str
    """The number, or `all`."""
    searchers: tuple[str, ...]
    reference: str | None
    """The member of the reference's family, if there is one."""


def group_searchers(entries: Sequence[Entry], reference: str) -> list[Group]:
    """Group searchers by the number in their name, smallest first and `all` last.

    A searcher without that option joins `all`, and every number that it never scored more than:
    random search and the like, which score nothing, race in every group. `all` is left out where
    it would hold only those; the reference, if it always has a number, joins it with its largest.
    A group of one is no race.
    """
    names = list(dict.fromkeys(entry.searcher for entry in entries))
    options = {name: parse_family(name)[1] for name in names}
    read = {name: most_scored([e for e in entries if e.searcher == name]) for name in names}
    numbers = sorted({int(o) for o in options.values() if o is not None and o.isdigit()})
    found: list[tuple[str, list[str]]] = []
    for number in numbers:
        members = [
            name
            for name in names
            if options[name] == str(number) or (options[name] is None and read[name] <= number)
        ]
        found.append((str(number), members))
    rest = [name for name in names if not (options[name] or "").isdigit()]
    if not numbers or any(read[name] > 0 for name in rest):
        found.append((ALL, rest))
    family = parse_family(reference)[0]
    most = max(
        (n for n in names if _is_numbered(n, family, options)),
        key=lambda name: read[name],
        default=None,
    )
    if found and found[-1][0] == ALL and most and _member(rest, reference, family) is None:
        # The others may score all: the reference meets them with the most that it ever does.
        found[-1] = (ALL, [most, *rest])
    return [
        Group(label, tuple(members), _member(members, reference, family))
        for label, members in found
        if len(members) > 1
    ]


def _is_numbered(name: str, family: str, options: Mapping[str, str | None]) -> bool:
    return parse_family(name)[0] == family and (options[name] or "").isdigit()


def _member(members: Sequence[str], reference: str, family: str) -> str | None:
    if reference in members:
        return reference
    return next((name for name in members if parse_family(name)[0] == family), None)


def most_scored(entries: Sequence[Entry]) -> float:
    """The most architectures that any search of these scored; 0 where that is not recorded."""
    known = [entry.scored[np.isfinite(entry.scored)] for entry in entries]
    return max((float(values.max()) for values in known if values.size), default=0.0)


def by_task(entries: Sequence[Entry], mark: int) -> Mapping[str, Mapping[str, Entry]]:
    """Entries whose budget reaches a mark, by task and searcher; tasks with two or more."""
    found: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        if entry.budget >= mark:
            found.setdefault(entry.task, {})[entry.searcher] = entry
    return {task: here for task, here in found.items() if len(here) > 1}
