"""Tables that `ipl-bench make-table` wrote: every accuracy of ours, trained by one recipe.

Such a file says in its metadata how it was made, so it is known when it is met. Columns: `arch`,
`seed`, `status`, `error`; `train`, `validation` and `test` in percent at the end of training, and
as `validation@3` after 3 epochs; `seconds`; `stack`.

An architecture's accuracy is that of the first seed, which all were trained by, so that rows
compare like with like; none is the mean of more seeds than another. What other seeds came to are
repeats; accuracies of earlier epochs are targets. Where a network diverged there is none, NaN, and
the table cannot be asked for it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.base import Arch, DataError, Floats, Record, Space, Table, TableReader
from bench.tables._frame import Frame, clean_scores
from bench.tables._rows import parse_all, refuse_repeats, spread
from bench.tables.columns import ACCURACIES

if TYPE_CHECKING:
    import pyarrow as pa

METADATA = b"ipl-bench"
"""The key of the JSON in a made table's metadata."""
KIND = "table"
"""What that JSON says it is."""
EARLIER = "@"
"""Stands between a part of the images and the epochs after which its accuracy was taken."""
SCORE, SECONDS = "score:", "seconds:"
"""Begin the names of a live run's columns."""


@dataclass(frozen=True, eq=False)
class _File:
    """A Parquet file: its columns, and what it says of itself."""

    frame: Frame
    told: Record

    def of_seed(self, seed: float) -> Frame:
        """The rows of one seed."""
        chosen = np.flatnonzero(self.frame.numbers("seed") == seed).tolist()
        cells = {name: [all_[i] for i in chosen] for name, all_ in self.frame.cells.items()}
        return Frame(self.frame.name, cells, len(chosen))


def reader(name: str, space: str, table: str, scores: str) -> TableReader:
    """The reader of a made table, with the scores that a live run gave the same networks.

    Args:
        name: The table's, such as `nasbench201/digits`.
        space: Its space's.
        table: The made table's path, as in sources.json.
        scores: That of the live run's Parquet.
    """

    def read(paths: Mapping[str, Path], space: Space) -> Table:
        made = with_scores(read_made(paths[table], space), paths[scores], space)
        return replace(made, name=name, sources=(table, scores))

    return TableReader(name, space, (table, scores), read)


DIGITS = reader(
    "nasbench201/digits",
    "nasbench201",
    "packaged/nasbench201-digits.parquet",
    "packaged/nasbench201-digits-scores.parquet",
)
"""Comes with the package: cells trained on scikit-learn's digits, and their live proxies."""


def file_reader(path: str) -> TableReader:
    """The reader of a made table that somebody names by its path; the file says of which space.

    A relative path is from the working folder.

    Raises:
        DataError: There is no such file, or it is no table of make-table.
    """
    place = Path(path)
    if not place.is_file():
        raise DataError(f"expected a table of make-table, got no file at {path}")
    if not is_made(place):
        raise DataError(
            f"expected a table of make-table, got {path}, which does not say its space; read it by "
            "--table FILE --space SPACE, where a command takes that"
        )
    import pyarrow.parquet as pq

    run = _told(_parquet(place, pq.read_schema)).get("run")
    space = run.get("space") if isinstance(run, dict) else None
    if not isinstance(space, str):
        raise DataError(f"expected {path} to say in its metadata of which space it is")
    # So written, it is no path of sources.json.
    file = str(place) if place.is_absolute() else f"./{place.as_posix()}"

    def read(paths: Mapping[str, Path], space: Space) -> Table:
        return replace(read_made(paths[file], space), name=path, sources=(file,))

    return TableReader(path, space, (file,), read)


def is_made(path: Path) -> bool:
    """Say whether a Parquet file says of itself that `make-table` wrote it.

    Raises:
        DataError: If it is no Parquet file.
    """
    import pyarrow.parquet as pq

    return _told(_parquet(path, pq.read_schema)).get("kind") == KIND


def read_made(path: Path, space: Space) -> Table:
    """Read a made table, without scores; its name is the file's.

    Raises:
        DataError: If the file is damaged or foreign, lacks a column, is of another space, or has
            an architecture twice or not by the first seed.
    """
    file = _read(path)
    if file.told.get("kind") != KIND:
        raise DataError(
            f"{path.name}: expected a table of make-table, got a file that says of none"
        )
    try:
        run, recipe = file.told["run"], file.told["recipe"]
        of_space, distinct, seed = run["space"], bool(run["distinct"]), run["seeds"][0]
        text, known, dataset = run["recipe"], run["recipe_hash"], recipe["dataset"]
    except (LookupError, TypeError) as error:
        raise DataError(
            f"{path.name}: expected metadata of the run and its recipe, got none of {error}"
        ) from error
    if of_space != space.name:
        raise DataError(f"{path.name}: expected a table of {space.name}, got one of {of_space}")
    frame = file.of_seed(seed)
    archs = parse_all(frame.texts("arch"), space, path.name)
    refuse_repeats(archs, space, path.name)
    if not archs or len(archs) < len(set(file.frame.texts("arch"))):
        raise DataError(
            f"{path.name}: expected every architecture by the first seed, {seed}, got "
            f"{len(archs)} of {len(set(file.frame.texts('arch')))}"
        )
    return Table(
        name=path.name.partition(".")[0],
        space=space.name,
        dataset=dataset,
        archs=[space.text(arch) for arch in archs],
        accuracy={part: _finite(frame, part) for part in ACCURACIES},
        targets={name: _finite(frame, name) for name in frame.cells if EARLIER in name},
        repeats=_repeats(file, archs, space),
        training_seconds=_finite(frame, "seconds"),
        canonical=distinct,
        sources=(path.name,),
        notes=f"trained by the recipe {text} ({known}), seed {seed} of {_seeds(file.frame)}",
    )


def with_scores(table: Table, path: Path, space: Space) -> Table:
    """The table with a live run's scores by their first seed: NaN for what it did not score.

    Proxies have the direction they are defined in. Those of a user's own file, whose direction
    only that file knows, are left out.

    Raises:
        DataError: If the file is damaged or foreign, has an architecture twice, or none of the
            table's.
    """
    file = _read(path)
    seeds = file.frame.numbers("seed")
    if not len(seeds):
        raise DataError(f"{path.name}: expected scores of at least one architecture, got none")
    frame = file.of_seed(seeds[0])
    scored = parse_all(frame.texts("arch"), space, path.name)
    refuse_repeats(scored, space, path.name)
    place = {space.text(arch): row for row, arch in enumerate(scored)}
    rows = [place.get(text, -1) for text in table.archs]
    if max(rows) < 0:
        raise DataError(f"{path.name}: expected scores of architectures of {table.name}, got none")
    columns = [name.removeprefix(SCORE) for name in frame.cells if name.startswith(SCORE)]
    proxies = [name for name in columns if ":" not in name]
    return replace(
        table,
        scores={it: _beside(rows, clean_scores(frame.numbers(SCORE + it))) for it in proxies},
        score_seconds={it: _beside(rows, frame.numbers(SECONDS + it)) for it in proxies},
    )


def _beside(rows: list[int], values: Floats) -> Floats:
    """The `n` values of the table's rows, NaN where there is none, at -1."""
    found: Floats = np.append(values, np.nan)[rows]
    return found


def _finite(frame: Frame, name: str) -> Floats:
    """A column of finite numbers and NaN. Raises DataError for an infinity."""
    values = frame.numbers(name)
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0]) + 1
        raise DataError(
            f"{frame.name}: expected finite numbers in column {name!r}, got an infinity in row "
            f"{row}"
        )
    return values


def _repeats(file: _File, archs: Sequence[Arch], space: Space) -> dict[str, Floats]:
    """The `n` accuracies of each seed, where there are several."""
    seeds = sorted(set(file.frame.numbers("seed").tolist()))
    place = {arch: row for row, arch in enumerate(archs)}
    found = {}
    for seed in seeds if len(seeds) > 1 else ():
        frame = file.of_seed(seed)
        repeated = parse_all(frame.texts("arch"), space, frame.name)
        refuse_repeats(repeated, space, frame.name)
        rows = np.array([place[arch] for arch in repeated])
        for part in ("validation", "test"):
            found[f"{part}/{int(seed)}"] = spread(_finite(frame, part), rows, len(archs))
    return found


def _seeds(frame: Frame) -> str:
    """How many seeds there are, in words for a table's notes."""
    counts = Counter(frame.texts("arch")).values()
    least, most = min(counts), max(counts)
    return str(most) if least == most else f"{least} to {most}"


def _read(path: Path) -> _File:
    """Raises DataError for what is no Parquet file, or is damaged."""
    import pyarrow.parquet as pq

    table = _parquet(path, pq.read_table)
    cells = {name: table.column(name).to_pylist() for name in table.column_names}
    return _File(Frame(path.name, cells, table.num_rows), _told(table.schema))


def _parquet(path: Path, read: Any) -> Any:
    import pyarrow as pa

    try:
        return read(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path.name}: expected a Parquet file, got {type(error).__name__}: {error}"
        ) from error


def _told(schema: pa.Schema) -> Record:
    """What a file says of itself; nothing where that is no JSON of ours."""
    try:
        told = json.loads((schema.metadata or {}).get(METADATA, b"null"))
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
