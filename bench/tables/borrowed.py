"""Tables that borrow scores: the accuracies of one, the proxies' scores of another.

Proxies are often recorded on one dataset only, and scores made live stand in no table at all.
`borrow` joins them to what another table knows of the same architectures. A score is then of a
network for the lender's images, a proxy *transferred*; that is the point, and `notes` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.base import Arch, Bools, DataError, Ints, OptionError, Space, Table, TableReader
from bench.tables._rows import of_rows
from bench.tables.cache import load


def borrowed(name: str, own: TableReader, lender: TableReader) -> TableReader:
    """The reader of `own`'s table with `lender`'s scores, read from the files of both.

    Args:
        name: What the table is called.
        own: Reads accuracies, training seconds and targets.
        lender: Reads scores and their seconds.

    Raises:
        OptionError: They are of different spaces.
    """
    if own.space != lender.space:
        raise OptionError(
            f"expected scores of the space {own.space} for {name}, got {lender.name}, which is of "
            f"{lender.space}"
        )

    def read(_: Mapping[str, Path], space: Space) -> Table:
        # From the cache, where the tables of either may lie read already.
        return borrow(name, load(own, space), load(lender, space), space)

    files = tuple(dict.fromkeys([*own.files, *lender.files]))
    return TableReader(name, own.space, files, read)


def borrow(name: str, table: Table, lender: Table, space: Space) -> Table:
    """Return `table` with the scores of `lender` in place of its own.

    Its rows are those whose architecture `lender` records a score of, failed ones too; which these
    are, `matches` says. A proxy that is recorded for none of them is left out.

    Raises:
        DataError: `lender` records no score of any of its architectures.
    """
    rows, places = matches(table, lender, space, recorded(lender))
    if not len(rows):
        raise DataError(
            f"expected {lender.name} to record scores of architectures of {table.name}, got "
            f"{', '.join(lender.scores) or 'no proxies'} of none of them"
        )
    scores = {it: values[places] for it, values in lender.scores.items()}
    known = {it: values for it, values in scores.items() if not np.isnan(values).all()}
    seconds = {it: v[places] for it, v in lender.score_seconds.items() if it in known}
    exact = sum(table.archs[r] == lender.archs[p] for r, p in zip(rows, places, strict=True))
    return replace(
        of_rows(table, rows),
        name=name,
        scores=known,
        score_seconds=seconds,
        directions=lender.directions,
        failures={it: _lent(reasons, places) for it, reasons in lender.failures.items()},
        groups=places if len(np.unique(places)) < len(places) else None,
        sources=tuple(dict.fromkeys([*table.sources, *lender.sources])),
        notes="; ".join(filter(None, [_about(table, lender, len(rows), exact), table.notes])),
    )


def _lent(reasons: Mapping[int, str], places: Ints) -> dict[int, str]:
    """Why scores failed, by the row that borrows them."""
    return {row: reasons[place] for row, place in enumerate(places.tolist()) if place in reasons}


def _about(table: Table, lender: Table, rows: int, exact: int) -> str:
    """What was borrowed, as `Table.notes` tells it."""
    # What is noted of a table with accuracies is about these, and they were not borrowed.
    notes = f" ({lender.notes})" if lender.notes and not lender.accuracy else ""
    return (
        f"scores are those of {lender.name}{notes}, which has {rows:,} of the "
        f"{len(table.archs):,} architectures, {rows - exact:,} of them by another one of the same "
        "function"
    )


def recorded(table: Table) -> Bools:
    """Which of the `n` rows have a score of any proxy; one that failed is recorded."""
    known = np.zeros(len(table.archs), np.bool_)
    for values in table.scores.values():
        known |= ~np.isnan(values)
    return known


def matches(table: Table, lender: Table, space: Space, lent: Bools) -> tuple[Ints, Ints]:
    """Return rows of `table`, ascending, and for each the row of `lender` that stands for it.

    Architectures are matched as written. Where `lender`'s rows stand for isomorphism classes, the
    other members of a class have its score as well; where `table`'s do, a class is found by any
    member. The first of a class stands for it.

    What a proxy reads of parts that the output does not depend on (params, l2_norm, flops, and
    whatever sums over all layers or activations) is then that of the member which was scored. In
    NAS-Bench-201 the first of all is the one whose edges off every path are `none`: its params are
    those that the output depends on, the least of its class.

    Args:
        table: `n` architectures.
        lender: `m` others.
        space: The space of both.
        lent: Which of the `m` can be matched.
    """
    place_of = {lender.archs[place]: place for place in np.flatnonzero(lent).tolist()}
    places = [place_of.get(text, -1) for text in table.archs]
    sought = list(place_of.items())
    if table.canonical:
        # Each row is a class of its own: what was found as written belongs to no other row.
        found = set(places)
        sought = [(text, place) for text, place in sought if place not in found]
    elif not lender.canonical:
        sought = []
    classes: dict[Arch, int] = {}
    for text, place in sought:
        classes.setdefault(space.canonical(space.parse(text)), place)
    if classes:
        places = [
            place if place >= 0 else classes.get(space.canonical(space.parse(text)), -1)
            for text, place in zip(table.archs, places, strict=True)
        ]
    matched = np.array(places, np.int64)
    rows = np.flatnonzero(matched >= 0)
    return rows, matched[rows]
