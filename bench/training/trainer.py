"""Train a network by a recipe, and take its accuracies along the way.

Everything drawn here, the order of images and their augmentation, comes from
`bench.draws.keyed(seed, what, epoch)`: it does not depend on the network, so two networks of one
seed see the same batches, pixel by pixel, and their accuracies are a pair. Initial weights are the
caller's (`bench.networks.Weights` of the same seed makes them a pair too). On a CPU with one
number of threads, the same call gives the same bits.

A network is one lane of a stack of one: both are trained by the same loop, `fit`. Accuracies are
taken in evaluation mode: batch norms use the running statistics of training.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from bench.base import DataError, OptionError
from bench.draws import keyed
from bench.training.data import Part, Split
from bench.training.recipe import Recipe

_EVALUATED = 256
"""Images whose accuracy is taken at once."""


@dataclass(frozen=True)
class Trained:
    """What training one network came to."""

    status: Literal["ok", "diverged"]
    reason: str
    """Why it diverged; empty if it did not."""
    checkpoints: tuple[int, ...]
    """The recipe's, in epochs."""
    accuracy: Mapping[str, tuple[float, ...]]
    """For `train`, `validation` and `test`, in percent, at each checkpoint; NaN from where the
    network diverged. `train` is of the images as they are, not augmented."""
    seconds: float
    """Wall-clock, of training and evaluating; in a stack, its share."""


def train(module: nn.Module, split: Split, recipe: Recipe, seed: int) -> Trained:
    """Train a network in place, where it lies and in its own type of floats.

    It is left in evaluation mode, with its last gradients.

    Args:
        module: With its initial weights; maps `n x 3 x h x w` to `n x classes` logits.
        split: Images, of the recipe's size and classes.
        recipe: How.
        seed: Of the order and the augmentation of images.

    Raises:
        OptionError: The recipe's batch is larger than the training set.
        DataError: Images are not of the recipe's size, or logits not as many as its classes.
    """
    return fit(module, 1, split, recipe, seed)[0]


def fit(module: nn.Module, lanes: int, split: Split, recipe: Recipe, seed: int) -> list[Trained]:
    """Train `a` networks that are one module, each on the same batches; see `train`.

    Losses are summed over networks, so each has the gradients it would have alone, and the
    optimiser works weight by weight. A weight that the loss does not reach has a gradient of zero:
    it decays, alone as in a stack.

    Args:
        module: Maps `n x (a*3) x h x w` to `n x (a*classes)`, nothing going from lane to lane.
        lanes: `a`.
        split: As in `train`.
        recipe: As in `train`.
        seed: As in `train`.

    Returns:
        For each of `a` networks what its training came to.
    """
    weight = next(module.parameters())
    split = split.to(weight.device, weight.dtype)
    _check(split, recipe)
    started = perf_counter()
    optimiser = _optimiser(module, recipe)
    watch = _Watch(lanes, weight.device)
    taken: list[dict[str, Tensor]] = []
    for epoch in range(1, recipe.epochs + 1):
        _run_epoch(module, optimiser, watch, split, recipe, seed, epoch)
        if epoch in recipe.checkpoints:
            taken.append(_counted(module, watch, split))
        if watch.all_diverged:
            break
    seconds = (perf_counter() - started) / lanes
    return _summary(watch, taken, split, recipe, seconds)


class _Watch:
    """Sees lanes diverge, without waiting for the device at every step."""

    def __init__(self, lanes: int, device: torch.device) -> None:
        self.lanes = lanes
        self.steps = 0
        self.first = torch.full((lanes,), -1, device=device)
        """`a`: the step before whose end a lane diverged, -1 where none did."""
        self.by_loss = torch.ones(lanes, dtype=torch.bool, device=device)
        """`a`: whether it was the loss, not a logit in evaluation, that was not finite."""

    def see(self, finite: Tensor, *, loss: bool) -> None:
        """Take note of which lanes, `a`, are finite after the current step."""
        new = ~finite & (self.first < 0)
        self.first = torch.where(new, self.steps, self.first)
        self.by_loss = torch.where(new, loss, self.by_loss)

    @property
    def all_diverged(self) -> bool:
        """Whether there is nothing left to train."""
        return bool((self.first >= 0).all())

    def reason(self, lane: int) -> str:
        """Say why a lane diverged; empty if it did not."""
        step = int(self.first[lane])
        if step < 0:
            return ""
        what = "the loss" if self.by_loss[lane] else "a logit in evaluation"
        return f"{what} was not finite at step {step}"


def _check(split: Split, recipe: Recipe) -> None:
    count, *shape = split.train.images.shape
    if shape != [3, recipe.size, recipe.size]:
        came = " x ".join(map(str, shape))
        raise DataError(f"expected images of 3 x {recipe.size} x {recipe.size}, got {came}")
    if recipe.batch > count:
        raise OptionError(
            f"expected a batch of at most {count} training images, got {recipe.batch}"
        )


def _optimiser(module: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD with a gradient of zeros in place, and no decay for norms."""
    norms = {
        id(parameter)
        for layer in module.modules()
        if isinstance(layer, nn.BatchNorm2d)
        for parameter in layer.parameters()
    }
    free: list[nn.Parameter] = []
    decayed: list[nn.Parameter] = []
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
        (free if id(parameter) in norms else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(
        [group for group in groups if group["params"]],
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,
        fused=True,
    )


def rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of a step, 0 to `steps - 1`: half a cosine, from the recipe's to 0.

    Source: Loshchilov and Hutter, ICLR 2017, https://arxiv.org/abs/1608.03983, without restarts.
    """
    return recipe.learning_rate * (1 + math.cos(math.pi * step / steps)) / 2


def _run_epoch(
    module: nn.Module,
    optimiser: torch.optim.SGD,
    watch: _Watch,
    split: Split,
    recipe: Recipe,
    seed: int,
    epoch: int,
) -> None:
    module.train()
    steps = recipe.epochs * (len(split.train.images) // recipe.batch)
    for images, labels in batches(split, recipe, seed, epoch):
        for group in optimiser.param_groups:
            group["lr"] = rate(recipe, watch.steps, steps)
        watch.steps += 1
        optimiser.zero_grad(set_to_none=False)
        losses = _losses(_logits(module, images, watch.lanes), labels, recipe)
        watch.see(losses.detach().isfinite(), loss=True)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def batches(split: Split, recipe: Recipe, seed: int, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of an epoch: images, `n x 3 x h x w`, and labels, `n`.

    Every training image comes at most once, and as many batches are full as can be.
    """
    images, labels = split.train.images, split.train.labels
    order = torch.from_numpy(keyed(seed, "order", epoch).permutation(len(images)))
    windows = _windows(len(images), recipe, seed, epoch)
    for rows in torch.split(order, recipe.batch):
        if len(rows) == recipe.batch:
            here = rows.to(labels.device)
            chosen = images[here]
            if windows is not None:
                chosen = _cropped(chosen, windows[rows].to(labels.device), split.black, recipe)
            yield chosen, labels[here]


def _windows(count: int, recipe: Recipe, seed: int, epoch: int) -> Tensor | None:
    """For each image how far down and right its window lies, and whether it is mirrored; `n x 3`.

    An image's window does not depend on the batch it is in.
    """
    if recipe.augmentation == "none":
        return None
    rng = keyed(seed, "augmentation", epoch)
    places = rng.integers(2 * recipe.padding + 1, size=(count, 2))
    mirrored = rng.integers(2, size=count) * (recipe.augmentation == "crop-flip")
    return torch.from_numpy(np.column_stack([places, mirrored]))


def _cropped(images: Tensor, windows: Tensor, black: Tensor, recipe: Recipe) -> Tensor:
    """Windows of images, `n x 3 x h x w`, that are padded with black."""
    n, channels, height, width = images.shape
    pad = recipe.padding
    padded = black[:, None, None].repeat(n, 1, height + 2 * pad, width + 2 * pad)
    padded = padded.view(n, channels, height + 2 * pad, width + 2 * pad)
    padded[:, :, pad : pad + height, pad : pad + width] = images
    down, right, mirrored = windows[:, :, None].unbind(1)
    across = torch.arange(width, device=images.device)
    rows = down + torch.arange(height, device=images.device)
    columns = right + torch.where(mirrored == 1, across.flip(0), across)
    every = torch.arange(n, device=images.device)[:, None, None]
    return padded.movedim(1, 3)[every, rows[:, :, None], columns[:, None]].movedim(3, 1)


def _logits(module: nn.Module, images: Tensor, lanes: int) -> Tensor:
    """The logits of all lanes, `n x a x classes`."""
    wide = images.repeat(1, lanes, 1, 1).contiguous(memory_format=torch.channels_last)
    logits: Tensor = module(wide)
    return logits.view(len(images), lanes, -1)


def _losses(logits: Tensor, labels: Tensor, recipe: Recipe) -> Tensor:
    """The mean loss of each lane, `a`."""
    n, lanes, classes = logits.shape
    if classes != recipe.classes:
        raise DataError(f"expected {recipe.classes} logits of a network, got {classes}")
    losses = F.cross_entropy(
        logits.flatten(0, 1),
        labels.repeat_interleave(lanes),
        reduction="none",
        label_smoothing=recipe.smoothing,
    )
    return losses.view(n, lanes).mean(0)


@torch.no_grad()
def _counted(module: nn.Module, watch: _Watch, split: Split) -> dict[str, Tensor]:
    """How many images of each part each lane has right, `a`, int64."""
    module.eval()
    return {name: _right(module, watch, part) for name, part in split.parts.items()}


def _right(module: nn.Module, watch: _Watch, part: Part) -> Tensor:
    right = torch.zeros(watch.lanes, dtype=torch.int64, device=part.labels.device)
    images_of, labels_of = (torch.split(each, _EVALUATED) for each in (part.images, part.labels))
    for images, labels in zip(images_of, labels_of, strict=True):
        logits = _logits(module, images, watch.lanes)
        watch.see(logits.isfinite().all(2).all(0), loss=False)
        right += (logits.argmax(2) == labels[:, None]).sum(0)
    return right


def _summary(
    watch: _Watch,
    taken: list[dict[str, Tensor]],
    split: Split,
    recipe: Recipe,
    seconds: float,
) -> list[Trained]:
    """What each lane came to; `taken` ends early where all have diverged."""
    each_epoch = len(split.train.images) // recipe.batch
    first = watch.first.tolist()
    trained = []
    for lane, step in enumerate(first):
        accuracy = {}
        for name, part in split.parts.items():
            right = [int(counts[name][lane]) for counts in taken]
            accuracy[name] = tuple(
                100 * right[i] / len(part.labels)
                if step < 0 or mark * each_epoch < step
                else math.nan
                for i, mark in enumerate(recipe.checkpoints)
            )
        status: Literal["ok", "diverged"] = "ok" if step < 0 else "diverged"
        reason = watch.reason(lane)
        trained.append(Trained(status, reason, recipe.checkpoints, accuracy, seconds))
    return trained
