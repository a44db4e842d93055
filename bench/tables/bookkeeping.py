"""Which columns of a stranger's table are no proxies: indices, ids, times, seeds, accuracies.

Every column that has no role could be a proxy, and some would win: rows that were sorted by
accuracy are numbered in its order, and a training's other accuracies rank as the accuracy does. A
column is left out by a rule stated here, on its name, its values, or both; and whoever reads the
table is told which ones were, why, and how to have them all the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from bench.base import Floats
from bench.tables._cells import Cells

ENOUGH = 10
"""Rows from which on values alone decide: fewer are in some order by chance."""

_UNNAMED = re.compile(
    r"|unnamed(:? ?[0-9]+)?([._][0-9]+)*|__index_level_[0-9]+__|level_[0-9]+", re.I
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|#")
_TOP = re.compile(r"top[-_ @]?[15](?![0-9])", re.I)

_IDS = re.compile(r"#|ids?|idx|index|indices|uid|uuid|guid|hash|md5|sha|checksum|digest|rows?|key")
_RUNS = re.compile(
    r"seeds?|epochs?|trials?|fold|runs?|job|steps?|iterations?|iters?|batch|gpu|worker|version|"
    r"year|month|day"
)
_TIMES = re.compile(
    r"times?|seconds|secs?|elapsed|duration|timestamp|date|datetime|hours|minutes|started|"
    r"finished|created|modified|walltime|wallclock|runtime"
)
_RANKS = re.compile(r"ranks?|ranking|place|position|order")
_ACCURACY = re.compile(
    r"(train|test|val|valid|validation|eval|dev)?"
    r"(acc|accs|accuracy|accuracies|loss|losses|err|error|errors)|"
    r"test|val|valid|validation|eval|auc|perplexity|ppl|bleu|miou"
)
_TRAIN = frozenset({"train", "training", "trained"})


def why_left_out(
    cells: Cells, accuracies: Mapping[str, Floats], index: frozenset[str] = frozenset()
) -> str | None:
    """Say why a column is no proxy, as a phrase; None where nothing says so.

    Args:
        cells: The column.
        accuracies: `n` accuracies by split, NaN where unknown.
        index: The columns that the file itself calls an index.
    """
    if cells.name in index:
        return "the index of a data frame"
    if _UNNAMED.fullmatch(cells.name):
        return "unnamed, as the index of a data frame is"
    return _of_content(cells) or _of_name(cells) or _of_values(cells, accuracies)


def _of_content(cells: Cells) -> str | None:
    if not cells.numbers:
        return "text" if cells.other else "empty"
    if len(cells.other) > cells.numbers:
        return "mostly text"
    return "true or false" if cells.truths == cells.numbers else None


def _of_name(cells: Cells) -> str | None:
    """What a column's name says it is, where its values agree."""
    words = {word.lower() for word in _WORD.findall(cells.name)}

    def named(pattern: re.Pattern[str]) -> bool:
        return any(map(pattern.fullmatch, words))

    bare = {word for word in words if not word.isdigit()}
    if _TOP.search(cells.name) or named(_ACCURACY) or (bare and bare <= _TRAIN):
        return "an accuracy or loss by its name"
    if named(_TIMES):
        return "a time by its name"
    known = cells.values[~np.isnan(cells.values)]
    whole = bool((known == np.round(known)).all())
    reasons = (
        (_IDS, "whole numbers with an identifier's name"),
        (_RUNS, "whole numbers with the name of a training's setting"),
        (_RANKS, "different whole numbers with a rank's name"),
    )
    for pattern, reason in reasons:
        if whole and named(pattern) and (pattern is not _RANKS or _differ(known)):
            return reason
    return None


def _differ(values: Floats) -> bool:
    return len(np.unique(values)) == len(values)


def _of_values(cells: Cells, accuracies: Mapping[str, Floats]) -> str | None:
    """What a column's values alone say that it is."""
    values = cells.values
    if len(values) < ENOUGH:
        return None
    if bool((np.diff(values) == 1).all()):
        return "whole numbers that count the rows"
    for split, accuracy in accuracies.items():
        both = ~np.isnan(values) & ~np.isnan(accuracy)
        column, known = values[both], accuracy[both]
        if len(np.unique(known)) < ENOUGH:
            continue
        if _is_rank(column, known):
            return f"the ranks of {split}"
        if any(np.allclose(column, form, rtol=1e-6, atol=1e-9) for form in _forms(known)):
            return f"{split} once more"
    return None


def _forms(accuracy: Floats) -> tuple[Floats, ...]:
    """An accuracy, in percent or not, and its error."""
    return (
        accuracy,
        accuracy / 100,
        100 * accuracy,
        100 - accuracy,
        1 - accuracy,
        1 - accuracy / 100,
        100 - 100 * accuracy,
    )


def _is_rank(column: Floats, accuracy: Floats) -> bool:
    """Whether a column counts from 0 or 1 in the order of the accuracy, or against it."""
    order = np.argsort(accuracy, kind="stable")
    counted = np.arange(len(column))
    ranks = np.sort(column)
    if not (np.array_equal(ranks, counted) or np.array_equal(ranks, counted + 1)):
        return False
    # Equal accuracies may be counted in any order: only where accuracy rises must the rank.
    rises = np.diff(accuracy[order]) > 0
    least, most = _extremes(column[order], rises)
    ascending = bool((most[:-1] < least[1:]).all())
    return ascending or bool((least[:-1] > most[1:]).all())


def _extremes(
    column: Floats, rises: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> tuple[Floats, Floats]:
    """The least and greatest value of each stretch of equal accuracies."""
    starts = np.append(0, np.flatnonzero(rises) + 1)
    return np.minimum.reduceat(column, starts), np.maximum.reduceat(column, starts)


def orders_as(values: Floats, accuracies: Mapping[str, Floats]) -> str | None:
    """The accuracy whose order a column has, or the reverse of it; None where there is none."""
    for split, accuracy in accuracies.items():
        both = np.isfinite(values) & ~np.isnan(accuracy)
        if len(np.unique(accuracy[both])) < ENOUGH:
            continue
        column = values[both][np.argsort(accuracy[both], kind="stable")]
        rises = np.diff(np.sort(accuracy[both])) > 0
        steps = np.diff(column)
        tied = bool((steps[~rises] == 0).all())
        if tied and (bool((steps[rises] > 0).all()) or bool((steps[rises] < 0).all())):
            return split
    return None
