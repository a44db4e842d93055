"""Rows of a made table trained again: are they what is recorded?

Where the machine is of the recorded kind (`bench.runs.train.kind_of_machine`: system, processor,
versions of torch and numpy) and the device is a CPU, every accuracy must be equal bit for bit.
Elsewhere float32 is rounded in other places, and a whole training magnifies that: accuracies are
then like those of another seed. Two seeds of one architecture differ by √2 standard deviations of
seeds, in root mean square; rows trained again elsewhere may differ by twice that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from bench.base import DataError, OptionError, Record
from bench.draws import keyed
from bench.runs import members
from bench.runs.pool import in_order
from bench.runs.recipes import by_content, images_sha256
from bench.runs.train import Group, TrainRun, kind_of_machine
from bench.runs.train_made import Made, sd_of_seeds
from bench.runs.train_rows import trained
from bench.runs.train_store import PARTS, column

_TOLERATED = 2 * math.sqrt(2)
"""Standard deviations of seeds by which rows may differ in root mean square, elsewhere."""
_Item: TypeAlias = tuple[TrainRun, Group]


def drawn(made: Made, count: int, seed: int) -> list[int]:
    """The places of `count` rows, drawn at random among those that trained, rising.

    Raises OptionError where there are fewer.
    """
    places = [at for at, row in enumerate(made.rows) if row["status"] != "failed"]
    if not 1 <= count <= len(places):
        raise OptionError(f"expected a sample of 1 to {len(places)} rows, got {count}")
    chosen = keyed(seed, "retrain").choice(len(places), count, replace=False)
    return sorted(places[at] for at in chosen.tolist())


def again(made: Made, places: Sequence[int], workers: int = 1) -> Iterator[Record]:
    """Train the stacks of some rows again: a record for each of these rows, in order.

    `validation` and `test` are recorded, `again` and `test_again` are new; `difference` is of
    validation, `equal` says whether status and all accuracies are the same bit for bit, and
    `changed` which columns are not.

    Raises:
        DataError: The images are others here, or the recipe means something else by now.
        BenchError: A worker process was killed.
    """
    check(made)
    places_of: dict[int, list[int]] = {}
    for at in places:
        places_of.setdefault(made.rows[at]["stack"], []).append(at)
    members_of: dict[int, list[int]] = {stack: [] for stack in places_of}
    for at, row in enumerate(made.rows):
        if row["stack"] in members_of:
            members_of[row["stack"]].append(at)
    space = members.space(made.run.space)

    def group(stack: int) -> Group:
        rows = [made.rows[at] for at in members_of[stack]]
        return Group(stack, rows[0]["seed"], tuple(space.parse(row["arch"]) for row in rows))

    noise = sd_of_seeds(made, "validation")
    items: Iterator[_Item] = ((made.run, group(stack)) for stack in places_of)
    for (_, done), found in in_order(trained, items, workers):
        for at in places_of[done.stack]:
            new = found[members_of[done.stack].index(at)]
            yield _compared(made, made.rows[at], new, noise)


def check(made: Made) -> None:
    """Raise DataError where the table's recipe or its images are not what they were."""
    # Tables of before content counted have the hash of a recipe that names its images by a path.
    known = {by_content(made.recipe).hash, made.recipe.hash}
    hash_ = made.run.recipe_hash if made.run.recipe_hash in known else min(known)
    for what, recorded, here in (
        ("the recipe's hash", made.run.recipe_hash, hash_),
        ("images and labels of SHA-256", made.told["images_sha256"], images_sha256(made.recipe)),
    ):
        if recorded != here:
            raise DataError(f"expected {what} {recorded} as the table records, got {here}")


def _compared(made: Made, old: Record, new: Record, noise: float | None) -> Record:
    recipe = made.recipe
    values: Record = {
        column(name, mark, recipe): new["accuracy"][name][at]
        for name in PARTS
        for at, mark in enumerate(recipe.checkpoints)
    }
    values = {name: _number(value) for name, value in values.items()}
    changed = [name for name, value in values.items() if value != old[name]]
    if new["status"] != old["status"]:
        changed.insert(0, "status")
    both = old["validation"], values["validation"]
    return {
        "arch": old["arch"],
        "seed": old["seed"],
        "stack": old["stack"],
        "equal": not changed,
        "validation": both[0],
        "again": both[1],
        "difference": None if None in both else both[1] - both[0],
        "test": old["test"],
        "test_again": values["test"],
        "status": old["status"],
        "status_again": new["status"],
        "changed": changed,
        "sd_of_seeds": noise,
    }


def _number(value: float | None) -> float | None:
    """A number as a table has it: None where it is not finite."""
    return None if value is None or not math.isfinite(value) else value


def verdict(made: Made, records: Sequence[Record]) -> tuple[bool, str]:
    """Whether rows trained again are what they should be, and a sentence that says so."""
    here = kind_of_machine(made.run.device)
    other = [name for name, value in here.items() if made.told["trained_on"].get(name) != value]
    equal = sum(row["equal"] for row in records)
    told = f"{equal} of {len(records)} rows are equal bit for bit"
    if made.run.device == "cpu" and made.told["run"]["device"] == "cpu" and not other:
        return equal == len(records), f"{told}, on a machine of the recorded kind"
    where = f"on another kind of machine ({', '.join(other)})" if other else "on a GPU"
    moved = [row for row in records if row["status"] != row["status_again"]]
    if moved:
        first = "{arch} first: {status} then, {status_again} now".format(**moved[0])
        return False, f"{told}, {where}; {len(moved)} ended otherwise, {first}"
    differences = [row["difference"] for row in records if row["difference"] is not None]
    noise = records[0]["sd_of_seeds"]
    if noise is None or not differences:
        return True, f"{told}, {where}; the table records no noise between seeds to compare with"
    rms = math.sqrt(sum(value**2 for value in differences) / len(differences))
    beside = (
        f"validation differs by {rms:.2f} points in root mean square, and by "
        f"{math.sqrt(2) * noise:.2f} between two seeds"
    )
    return rms <= _TOLERATED * noise, f"{told}, {where}; {beside}"
