"""Stacked training is training alone: weights, statistics, accuracies, and lanes that diverge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bench.base import Arch
from bench.networks import Stack, Weights, network
from bench.training.data import Split, digits, split
from bench.training.recipe import Recipe
from bench.training.stacked import train_stack
from bench.training.trainer import Trained, train

SKELETON = (("cells", 1), ("channels", 4))
RECIPE = Recipe(
    skeleton=SKELETON,
    training=96,
    validation=50,
    test=50,
    epochs=2,
    batch=16,
    checkpoints=(1, 2),
    smoothing=0.1,
    weight_decay=0.01,
    augmentation="crop",
    padding=1,
)
NONE, SKIP, DENSE = (0,) * 6, (1,) * 6, (3, 2, 3, 2, 3, 2)
MIXED, CUT = (3, 2, 4, 0, 1, 3), (3, 0, 0, 2, 0, 3)
ARCHS = [MIXED, NONE, CUT, SKIP, DENSE, MIXED]


@pytest.fixture(scope="module")
def few() -> Split:
    return split(*digits(), RECIPE)


def stack_of(archs: Sequence[Arch]) -> Stack:
    return Stack(archs, Weights(0), **RECIPE.shape)


def single(arch: Arch) -> nn.Module:
    return network("nasbench201", arch, Weights(0), **RECIPE.shape)


def lanes(stack: Stack) -> list[dict[str, Tensor]]:
    """By architecture its weights and statistics, under the names of a single network."""
    found: list[dict[str, Tensor]] = [{} for _ in range(stack.size)]
    named = dict(stack.module.named_parameters())
    named |= {n: b for n, b in stack.module.named_buffers() if n.endswith(("mean", "var"))}
    for name, values in named.items():
        owners = stack.owners[stack.part(name)]
        for owner, lane in zip(owners, values.detach().chunk(len(owners)), strict=True):
            found[owner][name] = lane.view(stack.shapes.get(name, lane.shape))
    return found


def test_all_weights_are_those_of_training_alone(few: Split) -> None:
    """After 12 steps with decay, momentum, smoothing, a falling rate and crops; float64."""
    stack = stack_of(ARCHS)
    initial = lanes(stack_of(ARCHS))
    stack.module.double()
    together = train_stack(stack, few, RECIPE, seed=1)
    for arch, mine, before, trained in zip(ARCHS, lanes(stack), initial, together, strict=True):
        module = single(arch).double()
        alone = train(module, few, RECIPE, seed=1)
        expected = {n: v for n, v in module.state_dict().items() if not n.endswith("tracked")}
        assert mine.keys() == expected.keys()
        for name, values in expected.items():
            torch.testing.assert_close(mine[name], values, rtol=1e-9, atol=1e-9)
        moved = [name for name in mine if not torch.allclose(mine[name].float(), before[name])]
        assert "classifier.bias" in moved
        assert "stem.conv.weight" in moved
        assert trained.accuracy == alone.accuracy


def test_float32_differs_by_roundings(few: Split) -> None:
    """After the three steps of an epoch; more steps magnify them, as they do any rounding."""
    recipe = replace(RECIPE, epochs=1, batch=32, checkpoints=(1,), learning_rate=0.01)
    stack = stack_of(ARCHS)
    train_stack(stack, few, recipe, seed=0)
    for arch, mine in zip(ARCHS, lanes(stack), strict=True):
        module = single(arch)
        train(module, few, recipe, seed=0)
        for name, values in mine.items():
            torch.testing.assert_close(
                values, module.state_dict()[name], rtol=1e-3, atol=1e-4, msg=name
            )


def test_final_accuracies_in_float32_are_alike() -> None:
    """Within 4 points, after 60 steps; single networks are far above chance."""
    recipe = Recipe(
        skeleton=SKELETON,
        augmentation="none",
        padding=0,
        epochs=6,
        checkpoints=(6,),
        batch=20,
        learning_rate=0.05,
    )
    images = split(*digits(), recipe)
    archs = [MIXED, CUT, SKIP]
    together = train_stack(Stack(archs, Weights(0), **recipe.shape), images, recipe, seed=0)
    for arch, trained in zip(archs, together, strict=True):
        module = network("nasbench201", arch, Weights(0), **recipe.shape)
        alone = train(module, images, recipe, seed=0)
        assert trained.status == alone.status == "ok"
        assert alone.accuracy["test"][0] > 50
        for part in ("validation", "test"):
            assert trained.accuracy[part] == pytest.approx(alone.accuracy[part], abs=4.0)


@pytest.fixture(scope="module")
def sound(few: Split) -> tuple[list[dict[str, Tensor]], list[Trained]]:
    """A stack in which nobody diverges: its weights, and what came of it."""
    stack = stack_of(ARCHS)
    trained = train_stack(stack, few, RECIPE, seed=0)
    return lanes(stack), trained


@pytest.mark.parametrize(("sick", "value"), [(0, math.nan), (4, math.inf), (3, 1e38)])
def test_a_diverging_member_disturbs_no_other(
    few: Split, sound: tuple[list[dict[str, Tensor]], list[Trained]], sick: int, value: float
) -> None:
    """Its weights are poisoned; all others have the bits they have beside a sound one."""
    stack = stack_of(ARCHS)
    with torch.no_grad():
        for name, parameter in stack.module.named_parameters():
            owners = stack.owners[stack.part(name)]
            if sick in owners and name.startswith("stage_1_"):
                parameter.chunk(len(owners))[owners.index(sick)].fill_(value)
    found = train_stack(stack, few, RECIPE, seed=0)
    assert found[sick].status == "diverged"
    assert all(math.isnan(v) for values in found[sick].accuracy.values() for v in values)
    weights, expected = sound
    for i, mine in enumerate(lanes(stack)):
        if i != sick:
            assert found[i].status == "ok"
            assert found[i].accuracy == expected[i].accuracy
            assert all(torch.equal(values, weights[i][name]) for name, values in mine.items())


def test_the_seed_decides(few: Split, sound: tuple[list[dict[str, Tensor]], list[Trained]]) -> None:
    weights, expected = sound
    for seed, equal in ((0, True), (1, False)):
        stack = stack_of(ARCHS)
        found = train_stack(stack, few, RECIPE, seed)
        assert ([each.accuracy for each in found] == [each.accuracy for each in expected]) == equal
        assert torch.equal(lanes(stack)[0]["stem.conv.weight"], weights[0]["stem.conv.weight"]) == (
            equal
        )


def test_a_stack_that_diverged_as_a_whole_stops(few: Split) -> None:
    recipe = replace(RECIPE, learning_rate=1e30)
    found = train_stack(stack_of([MIXED, DENSE]), few, recipe, seed=0)
    assert [each.status for each in found] == ["diverged"] * 2
    assert all("not finite at step" in each.reason for each in found)


def test_seconds_are_shares(few: Split) -> None:
    found = train_stack(stack_of([SKIP, NONE]), few, RECIPE, seed=0)
    assert len({each.seconds for each in found}) == 1
    assert found[0].seconds > 0
