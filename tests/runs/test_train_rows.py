"""Rows of trainings: what the trainer says of each stack, wherever they begin, by any workers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from runs.small import ARCHS, RECIPE, SPACE, run_of

from bench.base import BenchError, OptionError, Record
from bench.networks import Stack, Weights, network
from bench.runs import train_rows
from bench.training.data import digits, split
from bench.training.recipe import Recipe
from bench.training.stacked import train_stack
from bench.training.trainer import Trained, train


def without_seconds(rows: Iterator[Record]) -> list[Record]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


@pytest.fixture(scope="module")
def whole() -> list[Record]:
    return without_seconds(train_rows.rows(run_of(), ARCHS))


def same(row: Record, trained: Trained) -> bool:
    mine = {name: tuple(values) for name, values in row["accuracy"].items()}
    return (row["status"], mine) == (trained.status, dict(trained.accuracy))


def test_rows_are_what_training_each_stack_gives(whole: list[Record]) -> None:
    images = split(*digits(), RECIPE)
    stacks = [(0, ARCHS[:2]), (0, ARCHS[2:4]), (0, ARCHS[4:]), (1, ARCHS[:1])]
    expected = []
    for seed, archs in stacks:
        stack = Stack(archs, Weights(seed), **RECIPE.shape)
        expected += train_stack(stack, images, RECIPE, seed)
    assert [row["arch"] for row in whole] == [SPACE.text(a) for _, archs in stacks for a in archs]
    assert [row["seed"] for row in whole] == [0] * 5 + [1]
    assert [row["stack"] for row in whole] == [0, 0, 1, 1, 2, 3]
    assert all(same(row, trained) for row, trained in zip(whole, expected, strict=True))
    # Had all come out alike, nothing above would tell one from another.
    assert len({str(row["accuracy"]) for row in whole}) > 4


def test_alone_a_network_is_trained_as_it_is() -> None:
    (row, *_) = train_rows.rows(run_of(stack=1), ARCHS)
    module = network("nasbench201", ARCHS[0], Weights(0), **RECIPE.shape)
    assert same(row, train(module, split(*digits(), RECIPE), RECIPE, 0))


@pytest.mark.parametrize("skip", range(1, 7))
def test_wherever_rows_begin_they_are_the_same(skip: int, whole: list[Record]) -> None:
    assert without_seconds(train_rows.rows(run_of(), ARCHS, skip=skip)) == whole[skip:]


def test_two_workers_give_the_rows_of_one(whole: list[Record]) -> None:
    assert without_seconds(train_rows.rows(run_of(), ARCHS, workers=2)) == whole


def test_threads_are_the_runs_and_then_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    seen = []

    def networks(*args: object, **device: object) -> None:
        seen.append((torch.get_num_threads(), torch.backends.cudnn.deterministic))
        raise RuntimeError

    monkeypatch.setattr(train_rows, "stack_of", networks)
    next(train_rows.rows(run_of(threads=before + 1), ARCHS))
    assert seen == [(before + 1, True)]
    assert (torch.get_num_threads(), torch.backends.cudnn.deterministic) == (before, False)


def test_a_diverged_network_is_a_row_with_its_reason() -> None:
    wild = replace(RECIPE, learning_rate=1e30)
    row = next(train_rows.rows(run_of(wild), ARCHS))
    assert row["status"] == "diverged"
    assert "not finite at step" in row["error"]
    assert math.isnan(row["accuracy"]["validation"][1])


def test_a_stack_that_fails_is_rows_and_the_rest_go_on(
    monkeypatch: pytest.MonkeyPatch, whole: list[Record]
) -> None:
    inside = train_rows.stack_of

    def fails(recipe: Recipe, space: str, archs: tuple, seed: int, device: str) -> Stack:
        if ARCHS[2] in archs:
            raise MemoryError("so much")
        return inside(recipe, space, archs, seed, device=device)

    monkeypatch.setattr(train_rows, "stack_of", fails)
    found = without_seconds(train_rows.rows(run_of(), ARCHS))
    assert [row["status"] for row in found] == ["ok", "ok", "failed", "failed", "ok", "ok"]
    assert {row["error"] for row in found[2:4]} == {"MemoryError: so much"}
    assert found[2]["accuracy"]["test"] == [None, None]
    assert found[:2] + found[4:] == whole[:2] + whole[4:]


@pytest.mark.parametrize(
    ("recipe", "error", "says"),
    [
        (
            replace(RECIPE, batch=41),
            OptionError,
            "batch of at most 40 images to learn from, got 41",
        ),
        (replace(RECIPE, dataset="digit"), BenchError, "there is no dataset 'digit'"),
        (replace(RECIPE, skeleton=(("depth", 1),)), OptionError, "got 'depth'"),
    ],
)
def test_what_a_user_can_mend_is_told_before_anything_is_trained(
    recipe: Recipe, error: type[BenchError], says: str
) -> None:
    with pytest.raises(error, match=says):
        train_rows.check(run_of(recipe), ARCHS)


def test_a_run_that_fits_is_checked_in_silence() -> None:
    train_rows.check(run_of(), ARCHS)
