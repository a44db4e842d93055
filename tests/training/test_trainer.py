"""The trainer against SGD written out, its batches, its accuracies, and networks that diverge."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.base import DataError, OptionError
from bench.draws import keyed
from bench.networks import Weights, network
from bench.training.data import Split, digits, split
from bench.training.recipe import Recipe
from bench.training.trainer import Trained, batches, fit, rate, train

RECIPE = Recipe(
    skeleton=(("cells", 1), ("channels", 4)),
    training=104,
    validation=60,
    test=50,
    epochs=2,
    batch=16,
    checkpoints=(1, 2),
    smoothing=0.1,
    augmentation="none",
    padding=0,
)
CELL = (3, 2, 4, 0, 1, 3)


@pytest.fixture(scope="module")
def few() -> Split:
    return split(*digits(), RECIPE)


class Plain(nn.Module):
    """A convolution, a norm and a classifier, and a layer that the loss does not reach."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.classifier = nn.Linear(4, 10)
        self.unused = nn.Linear(2, 2)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.parameters():
                values = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.copy_(values / 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.norm(self.conv(x)).relu().mean((2, 3)))
        return logits


class Poisoned(Plain):
    """Gives NaN from a training step on, or where it is evaluated for the nth time."""

    def __init__(self, *, training: float = math.inf, evaluation: float = math.inf) -> None:
        super().__init__()
        self.calls = {True: 0, False: 0}
        self.limits = {True: training, False: evaluation}

    def forward(self, x: Tensor) -> Tensor:
        self.calls[self.training] += 1
        late = self.calls[self.training] >= self.limits[self.training]
        return super().forward(x) * (math.nan if late else 1.0)


def cell(seed: int = 0) -> nn.Module:
    return network("nasbench201", CELL, Weights(seed), **RECIPE.shape)


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: values.clone() for name, values in module.state_dict().items()}


def without_seconds(trained: Trained) -> Trained:
    return replace(trained, seconds=0.0)


def test_weights_move_as_the_formulas_say(few: Split) -> None:
    """Nesterov: v <- 0.9 v + g, w <- w - rate (g + 0.9 v), with g + 5e-4 w for g off the norms."""
    module, mine = Plain().double(), Plain().double()
    train(module, few, RECIPE, seed=3)
    velocity = {name: torch.zeros_like(p) for name, p in mine.named_parameters()}
    steps = 2 * (104 // 16)
    done = 0
    for epoch in (1, 2):
        order = keyed(3, "order", epoch).permutation(104)
        for at in range(0, 96, 16):
            rows = order[at : at + 16]
            logits = mine(few.train.images[rows].double())
            target = torch.full((16, 10), 0.01, dtype=torch.float64)
            target[torch.arange(16), few.train.labels[rows]] += 0.9
            mine.zero_grad()
            (-(target * logits.log_softmax(1)).sum(1).mean()).backward()
            speed = 0.1 * (1 + math.cos(math.pi * done / steps)) / 2
            done += 1
            with torch.no_grad():
                for name, p in mine.named_parameters():
                    g = torch.zeros_like(p) if p.grad is None else p.grad
                    g = g if name.startswith("norm") else g + 5e-4 * p
                    velocity[name] = 0.9 * velocity[name] + g
                    p.sub_(speed * (g + 0.9 * velocity[name]))
    expected = mine.state_dict()
    assert not torch.equal(module.unused.weight, Plain().double().unused.weight)
    for name, values in module.state_dict().items():
        torch.testing.assert_close(values, expected[name], rtol=1e-10, atol=1e-12)


def test_without_momentum_steps_are_gradients(few: Split) -> None:
    module = Plain().double()
    recipe = replace(RECIPE, momentum=0.0, epochs=1, batch=104, checkpoints=(1,), smoothing=0.0)
    weights = module.unused.weight.detach().clone()
    train(module, few, recipe, seed=0)
    torch.testing.assert_close(module.unused.weight, weights * (1 - 0.1 * 5e-4))


def test_the_rate_falls_from_its_peak_to_nothing() -> None:
    rates = [rate(RECIPE, step, 8) for step in range(9)]
    assert rates[0] == 0.1
    assert rates[4] == pytest.approx(0.05)
    assert rates[8] == pytest.approx(0, abs=1e-17)
    assert rates == sorted(rates, reverse=True)


def test_accuracies_are_of_the_trained_network_in_evaluation_mode(few: Split) -> None:
    module = cell()
    trained = train(module, few, RECIPE, seed=0)
    assert (trained.status, trained.reason, trained.checkpoints) == ("ok", "", (1, 2))
    assert trained.seconds > 0
    assert not module.training
    for name, part in few.parts.items():
        with torch.no_grad():
            right = (module(part.images).argmax(1) == part.labels).float().mean()
        assert trained.accuracy[name][-1] == pytest.approx(100 * float(right))
        assert len(trained.accuracy[name]) == 2


def test_something_is_learnt() -> None:
    recipe = replace(RECIPE, training=300, epochs=6, checkpoints=(6,), batch=25)
    trained = train(cell(), split(*digits(), recipe), recipe, seed=0)
    assert trained.accuracy["test"][0] > 80


def test_a_seed_gives_the_same_bits_and_another_others(few: Split) -> None:
    modules = [cell() for _ in range(3)]
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, same, other = (
        train(module, few, RECIPE, seed) for module, seed in zip(modules, (0, 0, 1), strict=True)
    )
    assert torch.equal(before, torch.get_rng_state())
    assert without_seconds(one) == without_seconds(same) != without_seconds(other)
    weights = [state(module) for module in modules]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(weights[0]["stem.conv.weight"], weights[2]["stem.conv.weight"])


def test_checkpoints_do_not_disturb_training(few: Split) -> None:
    often, once = cell(), cell()
    train(often, few, RECIPE, seed=0)
    train(once, few, replace(RECIPE, checkpoints=(2,)), seed=0)
    expected = state(once)
    assert all(torch.equal(values, expected[name]) for name, values in state(often).items())


def test_the_split_is_left_alone(few: Split) -> None:
    before = few.train.images.clone()
    recipe = replace(RECIPE, augmentation="crop", padding=1)
    train(cell(), few, recipe, seed=0)
    assert torch.equal(before, few.train.images)


def test_an_epoch_has_each_image_once_and_full_batches(few: Split) -> None:
    numbered = replace(few, train=replace(few.train, labels=torch.arange(104)))
    epochs = [[labels for _, labels in batches(numbered, RECIPE, 0, epoch)] for epoch in (1, 2)]
    for drawn in epochs:
        assert [len(labels) for labels in drawn] == [16] * 6
        assert len(set(torch.cat(drawn).tolist())) == 96
    assert not torch.equal(epochs[0][0], epochs[1][0])
    for images, labels in batches(numbered, RECIPE, 0, 1):
        assert torch.equal(images, few.train.images[labels])


@pytest.mark.parametrize("augmentation", ["crop", "crop-flip"])
def test_augmented_images_are_windows_of_padded_ones(few: Split, augmentation: Any) -> None:
    recipe = replace(RECIPE, dataset="own", augmentation=augmentation, padding=2)
    numbered = replace(few, train=replace(few.train, labels=torch.arange(104)))
    windows = set()
    for images, labels in batches(numbered, recipe, 0, 1):
        for image, label in zip(images, labels, strict=True):
            padded = few.black[:, None, None].repeat(1, 12, 12)
            padded[:, 2:10, 2:10] = few.train.images[label]
            cuts = {
                (down, right): padded[:, down : down + 8, right : right + 8]
                for down in range(5)
                for right in range(5)
            }
            found = [
                (*window, mirrored)
                for window, cut in cuts.items()
                for mirrored in (False, True)
                if torch.equal(image, cut.flip(2) if mirrored else cut)
            ]
            assert found
            windows.add(found[0])
    assert {down for down, _, _ in windows} == {right for _, right, _ in windows} == set(range(5))
    flips = {mirrored for _, _, mirrored in windows}
    assert flips == ({False, True} if augmentation == "crop-flip" else {False})


def test_an_images_window_is_its_own_whatever_the_batch(few: Split) -> None:
    recipe = replace(RECIPE, augmentation="crop", padding=1)
    wide = dict(zip(*_by_label(few, replace(recipe, batch=52)), strict=True))
    for label, image in zip(*_by_label(few, recipe), strict=True):
        assert torch.equal(wide[label], image)


def _by_label(few: Split, recipe: Recipe) -> tuple[list[int], list[Tensor]]:
    numbered = replace(few, train=replace(few.train, labels=torch.arange(104)))
    drawn = list(batches(numbered, recipe, 0, 1))
    return torch.cat([labels for _, labels in drawn]).tolist(), [i for own, _ in drawn for i in own]


@pytest.mark.parametrize(
    ("module", "kept", "reason"),
    [
        (Poisoned(training=1), 0, "the loss was not finite at step 1"),
        (Poisoned(training=6), 0, "the loss was not finite at step 6"),
        (Poisoned(training=7), 1, "the loss was not finite at step 7"),
        (Poisoned(training=12), 1, "the loss was not finite at step 12"),
        (Poisoned(evaluation=1), 0, "a logit in evaluation was not finite at step 6"),
        (Poisoned(evaluation=4), 1, "a logit in evaluation was not finite at step 12"),
    ],
)
def test_divergence_is_a_status(few: Split, module: Poisoned, kept: int, reason: str) -> None:
    """Two epochs of six steps; evaluation looks at three parts in one call each."""
    trained = train(module, few, RECIPE, seed=0)
    assert (trained.status, trained.reason) == ("diverged", reason)
    for values in trained.accuracy.values():
        assert [math.isnan(value) for value in values] == [i >= kept for i in range(2)]


def test_a_network_that_diverged_is_not_trained_on(few: Split) -> None:
    module = Poisoned(training=2)
    train(module, few, RECIPE, seed=0)
    assert module.calls[True] == 6


def test_a_rate_beyond_reason_diverges(few: Split) -> None:
    trained = train(Plain(), few, replace(RECIPE, learning_rate=1e30), seed=0)
    assert trained.status == "diverged"
    assert all(math.isnan(values[-1]) for values in trained.accuracy.values())


def test_a_network_of_constants_has_the_share_of_one_class(few: Split) -> None:
    module = network("nasbench201", (0,) * 6, Weights(0), **RECIPE.shape)
    trained = train(module, few, RECIPE, seed=0)
    labels = few.test.labels.numpy()
    shares = 100 * np.bincount(labels) / len(labels)
    assert trained.status == "ok"
    assert any(trained.accuracy["test"][-1] == pytest.approx(share) for share in shares)


def test_what_does_not_fit_is_told(few: Split) -> None:
    with pytest.raises(OptionError, match="at most 104 training images, got 105"):
        train(Plain(), few, replace(RECIPE, batch=105), seed=0)
    with pytest.raises(DataError, match="images of 3 x 9 x 9, got 3 x 8 x 8"):
        train(Plain(), few, replace(RECIPE, size=9), seed=0)
    with pytest.raises(DataError, match="expected 11 logits of a network, got 10"):
        train(Plain(), few, replace(RECIPE, classes=11), seed=0)


def test_one_lane_is_a_network_alone(few: Split) -> None:
    alone, lane = Plain(), Plain()
    one, [same] = train(alone, few, RECIPE, seed=0), fit(lane, 1, few, RECIPE, seed=0)
    assert without_seconds(one) == without_seconds(same)
