"""NAS-Bench-Suite-Zero's own JSON: a file of scores by dataset and architecture.

Source: Krishnakumar et al., NeurIPS 2022 Datasets and Benchmarks, arXiv:2210.03230; the files are
`naslib/data/zc_*.json` of automl/NASLib. Two generations are read. The older writes plain numbers,
`{"nasbench101": {"cifar10": {arch: {"snip": 1.5, ...}}}}`; the newer adds what a score took and
leaves the outer level out, `{"cifar10": {arch: {"snip": {"score": 1.5, "time": 0.2}, ...}}}`.
Either may have the outer level, and the published full files have these layouts too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.base import Arch, DataError, Floats, Numbered, Space, Table
from bench.tables._frame import Frame, clean_scores
from bench.tables._rows import parse_all

LABELS = frozenset({"idx", "id", "arch", "net"})
VALIDATION = "val_accuracy"
SSIM = frozenset({"autoencoder", "normal"})
METRICS = {"room_layout": "negative_loss"} | dict.fromkeys(SSIM, "ssim")
"""By dataset, where `val_accuracy` is no accuracy; larger is better in all of them."""

ENCODING, GRAPH_ENCODING = "naslib", "naslib-graph"
"""What spaces call NASLib's tuples; the second are those of cells that it holds as graphs."""
GRAPH_DATASETS = frozenset({"svhn", "ninapro", "scifar100"})
"""Of these the suite trained cells as graphs in every space."""

_ROUND = str.maketrans("[]", "()")


def read_suite_zero(path: Path, space: Space, dataset: str, name: str | None = None) -> Table:
    """Read one dataset of a file in the suite's layout.

    `val_accuracy` is offered as `validation`; it is a surrogate's prediction for DARTS and one
    run's last epoch elsewhere. A score that is not there is NaN; a failed one (NaN, an infinity
    or -1e8) is -inf. Where two texts are one architecture of the space, as NAS-Bench-101's cells
    before pruning are, the first of them counts, and `notes` says how many were left out.

    Args:
        path: The JSON file.
        space: The space of its architectures.
        dataset: Which of the file's datasets.
        name: The table's name (default: the file's stem and the dataset).

    Raises:
        DataError: If the file is damaged or foreign, lacks the dataset, or holds an unreadable
            architecture or the same key twice.
    """
    entries = _entries(_load(path), path.name, dataset)
    archs = parse_all(map(_tuple, entries), space, path.name)
    first: dict[Arch, Mapping[str, Any]] = {}
    for arch, entry in zip(archs, entries.values(), strict=True):
        first.setdefault(arch, entry)
    kept, repeats = list(first.values()), len(archs) - len(first)
    scores, seconds = {}, {}
    for proxy in _proxies(entries, path.name):
        cells = [entry.get(proxy) for entry in kept]
        values, took = _numbers(cells, "score"), _numbers(cells, "time")
        recorded = np.array([_part(cell, "score") is not None for cell in cells], bool)
        scores[proxy] = clean_scores(values, recorded)
        if not np.isnan(took).all():
            seconds[proxy] = took
    validation = _numbers([entry.get(VALIDATION) for entry in kept], "score")
    return Table(
        name=name or f"{path.stem}/{dataset}",
        space=space.name,
        dataset=dataset,
        archs=[space.text(arch) for arch in first],
        accuracy={} if np.isnan(validation).all() else {"validation": validation},
        scores=scores,
        score_seconds=seconds,
        metric=METRICS.get(dataset, "accuracy_percent"),
        notes="validation is the suite's own val_accuracy"
        + (f"; {repeats} repeats of an architecture were left out" if repeats else ""),
    )


def read_cells_of(path: Path, dataset: str) -> tuple[Frame, dict[str, Floats]]:
    """Read one dataset of such a file as columns, whatever they hold, and each score's seconds.

    The column `arch` holds the keys; what an entry lacks is None. The suite's own labels of an
    entry are left out.

    Raises:
        DataError: If the file is damaged or foreign, lacks the dataset, or holds a key twice.
    """
    entries = _entries(_load(path), path.name, dataset)
    names = dict.fromkeys(key for entry in entries.values() for key in entry if key not in LABELS)
    columns: dict[str, list[Any]] = {"arch": [_tuple(text) for text in entries]}
    seconds = {}
    for name in names:
        cells = [entry.get(name) for entry in entries.values()]
        columns[name] = [_part(cell, "score") for cell in cells]
        took = [_part(cell, "time") for cell in cells]
        if any(isinstance(each, int | float) for each in took):
            seconds[name] = np.array(
                [each if isinstance(each, int | float) else np.nan for each in took], np.float64
            )
    return Frame(path.name, columns, len(entries)), seconds


def encoding_of(space: Space, dataset: str) -> str | None:
    """Whose numbers the tuples of such a file are: NASLib's, which has two kinds for some spaces.

    None for a space that has no encodings.
    """
    known = space.encodings if isinstance(space, Numbered) else {}
    if dataset in GRAPH_DATASETS and GRAPH_ENCODING in known:
        return GRAPH_ENCODING
    return ENCODING if ENCODING in known else None


def _tuple(text: str) -> str:
    """An architecture's key as a tuple; some files write lists."""
    return text.translate(_ROUND)


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name}: expected JSON, got a damaged file: {error}") from error
    except OSError as error:
        raise DataError(f"expected to read {path}, got {type(error).__name__}: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a JSON object, but not one of which Python would keep half."""
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for i, key in enumerate(keys) if key in keys[:i])
        raise ValueError(f"the key {twice!r} stands there twice")
    return made


def _entries(content: Any, name: str, dataset: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the entries of one dataset by architecture, from either nesting."""
    levels = [content]
    if isinstance(content, dict) and dataset not in content:
        levels += [inner for inner in content.values() if isinstance(inner, dict)]
    found = [level[dataset] for level in levels if isinstance(level, dict) and dataset in level]
    if len(found) == 1 and _is_layout(found[0]):
        entries: Mapping[str, Mapping[str, Any]] = found[0]
        return entries
    if len(found) == 1:
        got = f"something else under {dataset!r}"
    elif found:
        got = f"{len(found)} datasets of that name"
    elif isinstance(content, dict):
        got = f"the keys {', '.join(sorted(map(repr, content))[:8])}"
    else:
        got = f"a {type(content).__name__}"
    raise DataError(
        f"{name}: expected NAS-Bench-Suite-Zero's layout with dataset {dataset!r}"
        f" (dataset, architecture, proxy), got {got}"
    )


def _is_layout(entries: Any) -> bool:
    return (
        isinstance(entries, dict)
        and bool(entries)
        and all(isinstance(entry, dict) for entry in entries.values())
    )


def _proxies(entries: Mapping[str, Mapping[str, Any]], name: str) -> list[str]:
    """Return the proxies' names, sorted, after checking that every score is a number."""
    found = set()
    for text, entry in entries.items():
        for proxy, cell in entry.items():
            if proxy in LABELS:
                continue
            value = _part(cell, "score")
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, int | float)
            ):
                raise DataError(f"{name}: expected a number for {proxy} of {text}, got {value!r}")
            found.add(proxy)
    return sorted(found - {VALIDATION})


def _part(cell: Any, key: str) -> Any:
    """Return `score` or `time` of a cell; a plain number is a score without a time."""
    if isinstance(cell, dict):
        return cell.get(key)
    return cell if key == "score" else None


def _numbers(cells: list[Any], key: str) -> Floats:
    parts = [_part(cell, key) for cell in cells]
    return np.array([np.nan if part is None else part for part in parts], np.float64)
