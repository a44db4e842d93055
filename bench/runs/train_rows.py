"""The rows of a table in the making: architectures trained in stacks, in one process or more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from bench.base import Arch, BenchError, OptionError, Record
from bench.runs import members
from bench.runs.live_rows import threaded
from bench.runs.pool import in_order
from bench.runs.recipes import network_of, split_of, stack_of
from bench.runs.train import Group, TrainRun, plan
from bench.tables.columns import ACCURACIES

if TYPE_CHECKING:
    from torch import nn

    from bench.networks import Stack
    from bench.training.recipe import Recipe
    from bench.training.trainer import Trained

_Item: TypeAlias = tuple[TrainRun, Group]


def check(run: TrainRun, archs: Sequence[Arch]) -> None:
    """Raise what a user can mend before anything is trained: images or a shape that do not fit."""
    recipe = _recipe(run.recipe)
    count = len(split_of(recipe).train.labels)
    if recipe.batch > count:
        raise OptionError(
            f"expected a batch of at most {count} images to learn from, got {recipe.batch}"
        )
    built = _stacked if run.stack > 1 else _alone
    built(run, recipe, next(plan(run, archs)))


def rows(
    run: TrainRun, archs: Sequence[Arch], *, skip: int = 0, workers: int = 1
) -> Iterator[Record]:
    """The rows of a run in the plan's order, without the first `skip` of them.

    A stack of which some rows are there already is trained again, whole.

    Args:
        run: The run.
        archs: Its architectures.
        skip: How many rows are there already.
        workers: Processes that train.

    Raises:
        BenchError: A worker process was killed, or something is wrong with the run.
    """
    left = skip
    waiting: list[_Item] = []
    for group in plan(run, archs):
        if waiting or left < len(group.archs):
            waiting.append((run, group))
        else:
            left -= len(group.archs)
    for _, found in in_order(trained, waiting, workers):
        yield from found[left:]
        left = 0


def trained(item: _Item) -> list[Record]:
    """Train a group of a run: one row an architecture.

    `status` is `ok`, `diverged`, or `failed` with the error's class and words as `error`, where the
    stack as a whole could not be trained. `accuracy` has for `train`, `validation` and `test` the
    percentage at each checkpoint, None where there is none.

    Raises:
        BenchError: Something is wrong with the run that a user can mend.
    """
    from bench.proxies.live import reason

    run, group = item
    space = members.space(run.space)
    try:
        with _settled(run):
            results: list[Trained] | str = _trained(run, group)
    except BenchError:
        raise
    except Exception as error:  # noqa: BLE001 - a failure is a row with its reason
        results = reason(error)
    return [
        {
            "arch": space.text(arch),
            "seed": group.seed,
            "stack": group.stack,
            **(_failed(run, results) if isinstance(results, str) else _succeeded(results[lane])),
        }
        for lane, arch in enumerate(group.archs)
    ]


def _trained(run: TrainRun, group: Group) -> list[Trained]:
    from bench.training.stacked import train_stack
    from bench.training.trainer import train

    recipe = _recipe(run.recipe)
    images = split_of(recipe)
    if run.stack > 1:
        return train_stack(_stacked(run, recipe, group), images, recipe, group.seed)
    return [train(_alone(run, recipe, group), images, recipe, group.seed)]


def _stacked(run: TrainRun, recipe: Recipe, group: Group) -> Stack:
    """The networks of a group side by side: where the run stacks, even if it is one."""
    return stack_of(recipe, run.space, group.archs, group.seed, device=run.device)


def _alone(run: TrainRun, recipe: Recipe, group: Group) -> nn.Module:
    return network_of(recipe, run.space, group.archs[0], group.seed, device=run.device)


def _succeeded(result: Trained) -> Record:
    return {
        "status": result.status,
        "error": result.reason or None,
        "accuracy": {name: list(values) for name, values in result.accuracy.items()},
        "seconds": result.seconds,
    }


def _failed(run: TrainRun, why: str) -> Record:
    none = [None] * len(_recipe(run.recipe).checkpoints)
    accuracy = dict.fromkeys(ACCURACIES, none)
    return {"status": "failed", "error": why, "accuracy": accuracy, "seconds": None}


@contextmanager
def _settled(run: TrainRun) -> Iterator[None]:
    """Have torch use the run's threads, and on a GPU algorithms that it can repeat."""
    import torch

    cudnn = torch.backends.cudnn
    before = cudnn.deterministic
    cudnn.deterministic = True
    try:
        with threaded(run.threads):
            yield
    finally:
        cudnn.deterministic = before


@lru_cache(maxsize=1)
def _recipe(text: str) -> Recipe:
    from bench.training.recipe import parse

    return parse(text)
