"""Rows trained again: equal where they are, told where not, judged by machine and noise."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from runs.small import ARCHS, RECIPE, run_of

from bench.base import DataError, OptionError, Record
from bench.runs import train_again, train_rows
from bench.runs.recipes import images_sha256
from bench.runs.train_made import Made
from bench.runs.train_store import about, column

RUN = run_of()


@pytest.fixture(scope="module")
def made() -> Made:
    rows = []
    for row in train_rows.rows(RUN, ARCHS):
        accuracy = {
            column(name, mark, RECIPE): row["accuracy"][name][at]
            for name in row["accuracy"]
            for at, mark in enumerate(RECIPE.checkpoints)
        }
        rows.append({**row, **accuracy})
    return Made(RUN, RECIPE, about(RUN, RECIPE, images_sha256(RECIPE)), rows)


def test_rows_are_drawn_at_random_by_the_seed(made: Made) -> None:
    drawn = [train_again.drawn(made, 3, seed) for seed in range(20)]
    assert drawn == [train_again.drawn(made, 3, seed) for seed in range(20)]
    assert all(places == sorted(set(places)) for places in drawn)
    assert {place for places in drawn for place in places} == set(range(6))
    assert train_again.drawn(made, 6, 0) == [0, 1, 2, 3, 4, 5]
    for count in (0, 7):
        with pytest.raises(OptionError, match=f"sample of 1 to 6 rows, got {count}"):
            train_again.drawn(made, count, 0)


def test_failed_rows_are_not_drawn(made: Made) -> None:
    rows = [{**row, "status": "failed" if at % 2 else "ok"} for at, row in enumerate(made.rows)]
    assert train_again.drawn(replace(made, rows=rows), 3, 0) == [0, 2, 4]


def test_rows_come_out_as_they_are_recorded_in_their_stacks(made: Made) -> None:
    found = list(train_again.again(made, [1, 4, 5]))
    assert [(row["arch"], row["seed"], row["stack"]) for row in found] == [
        (made.rows[at]["arch"], made.rows[at]["seed"], made.rows[at]["stack"]) for at in (1, 4, 5)
    ]
    assert all(row["equal"] and not row["changed"] for row in found)
    assert [row["difference"] for row in found] == [0, 0, 0]
    right, sentence = train_again.verdict(made, found)
    assert right
    assert sentence == "3 of 3 rows are equal bit for bit, on a machine of the recorded kind"


def test_a_number_that_is_another_is_told(made: Made) -> None:
    rows = [dict(row) for row in made.rows]
    rows[2]["train@1"] += 1e-13
    rows[3] |= {"status": "diverged", "validation": None}
    other = replace(made, rows=rows)
    one, two = train_again.again(other, [2, 3])
    assert (one["equal"], one["changed"], one["difference"]) == (False, ["train@1"], 0)
    assert (two["changed"], two["difference"]) == (["status", "validation"], None)
    right, sentence = train_again.verdict(other, [one, two])
    assert not right
    assert sentence.startswith("0 of 2 rows are equal")


def test_another_recipe_version_or_other_images_are_refused(made: Made) -> None:
    older = replace(made, run=replace(RUN, recipe_hash="0" * 16))
    with pytest.raises(DataError, match=r"the recipe's hash 0{16} as the table records, got"):
        list(train_again.again(older, [0]))
    other = replace(made, told={**made.told, "images_sha256": "0" * 64})
    with pytest.raises(DataError, match=r"SHA-256 0{64} as the table records, got"):
        list(train_again.again(other, [0]))


def record(difference: float | None, noise: float | None, status: str = "ok") -> Record:
    equal = difference == 0
    return {
        "arch": "a",
        "equal": equal,
        "difference": difference,
        "sd_of_seeds": noise,
        "status": "ok",
        "status_again": status,
    }


@pytest.mark.parametrize(
    ("records", "right", "says"),
    [
        ([record(0, 1), record(0, 1)], True, "2 of 2 rows are equal"),
        # Two seeds differ by √2 deviations, and twice that is let pass.
        ([record(2.7, 1), record(-2.9, 1)], True, "differs by 2.80 points .* by 1.41 between"),
        ([record(2.9, 1), record(-2.9, 1)], False, "differs by 2.90 points"),
        ([record(2.9, None)], True, "records no noise"),
        ([record(0, 1), record(None, 1, "failed")], False, "a first: ok then, failed now"),
        # No difference is left to hold against the noise; that is no reason to let it pass.
        ([record(None, 1, "diverged")], False, "1 ended otherwise, a first: ok then, diverged"),
    ],
)
def test_elsewhere_differences_are_held_against_the_noise_of_seeds(
    records: list[Record], right: bool, says: str, made: Made
) -> None:
    told = {**made.told, "trained_on": {**made.told["trained_on"], "torch": "1.0"}}
    found, sentence = train_again.verdict(replace(made, told=told), records)
    assert found == right
    assert "on another kind of machine (torch)" in sentence
    assert re.search(says, sentence)


def test_a_gpu_is_held_against_the_noise_even_if_it_is_the_same(made: Made) -> None:
    told = {**made.told, "run": {**made.told["run"], "device": "cuda"}}
    right, sentence = train_again.verdict(replace(made, told=told), [record(0.5, 1)])
    assert right
    assert "on a GPU" in sentence
