"""Images to train on, in three parts that share none: training, validation and test.

Parts are stratified: each has of every class its share, up to rounding. Which image goes where is
drawn from `bench.draws.keyed(seed, "split", class)`. Pixels are normalised by the mean and
deviation of the training images alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.base import DataError, Floats, Ints, OptionError
from bench.draws import keyed
from bench.training.recipe import Recipe

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Part:
    """`n` images, `n x 3 x h x w`, normalised, their `n` labels, int64, and whence they came."""

    images: Tensor
    labels: Tensor
    rows: Ints
    """The `n` places they had among all images; rising."""

    def to(self, device: torch.device, dtype: torch.dtype) -> Part:
        """The same elsewhere, images as other floats; what is there already is not copied."""
        return Part(self.images.to(device, dtype), self.labels.to(device), self.rows)


@dataclass(frozen=True, eq=False)
class Split:
    """Disjoint images to train, validate and test on."""

    train: Part
    validation: Part
    test: Part
    black: Tensor
    """What a pixel of value 0 is after normalising, by channel, 3."""

    @property
    def parts(self) -> Mapping[str, Part]:
        """By name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def to(self, device: torch.device, dtype: torch.dtype) -> Split:
        """The same elsewhere, images as other floats; what is there already is not copied."""
        return Split(
            self.train.to(device, dtype),
            self.validation.to(device, dtype),
            self.test.to(device, dtype),
            self.black.to(device, dtype),
        )


def digits() -> tuple[Floats, Ints]:
    """The 1,797 handwritten digits that scikit-learn ships, `n x 1 x 8 x 8` from 0 to 16, labelled.

    Part of the UCI set of Alpaydin and Kaynak, 1998, https://doi.org/10.24432/C50P49.

    Raises:
        OptionError: scikit-learn is not installed.
    """
    try:
        datasets = importlib.import_module("sklearn.datasets")
    except ModuleNotFoundError as error:
        raise OptionError(
            f"the dataset digits needs {error.name}, which is not installed: "
            "pip install 'ipl-bench[searchers]'"
        ) from error
    pixels, labels = datasets.load_digits(return_X_y=True)
    return pixels.reshape(-1, 1, 8, 8).astype(np.float64), labels.astype(np.int64)


def split(images: Array, labels: Array, recipe: Recipe) -> Split:
    """Divide images as a recipe says.

    Args:
        images: `n x c x h x w`, numbers in any unit, black at 0; of one channel, which is then
            repeated, or of three.
        labels: `n`, from 0 to `recipe.classes - 1`.
        recipe: Its counts, its classes, its size, and its `split_seed`.

    Raises:
        DataError: Images and labels do not fit each other or the recipe, a pixel is not finite, a
            class has too few images to be in every part, or there are too few altogether.
    """
    _check(images, labels, recipe)
    available = np.bincount(labels, minlength=recipe.classes)
    rest = len(labels) - recipe.validation - recipe.test
    counts = {
        "test": recipe.test,
        "validation": recipe.validation,
        "train": rest if recipe.training is None else recipe.training,
    }
    if sum(counts.values()) > len(labels) or counts["train"] < 1:
        wanted = f"{recipe.training or 'at least 1'} + {recipe.validation} + {recipe.test}"
        raise DataError(
            f"expected images of {recipe.dataset} for training, validation and test, {wanted}, "
            f"got {len(labels)}"
        )
    order = [
        keyed(recipe.split_seed, "split", label).permutation(np.flatnonzero(labels == label))
        for label in range(recipe.classes)
    ]
    taken = np.zeros_like(available)
    rows: dict[str, Ints] = {}
    for name, count in counts.items():
        share = _shares(available - taken, count)
        if not share.all():
            label = int(np.argmin(share))
            raise DataError(
                f"expected of every class an image for {name}, got {available[label]} images of "
                f"class {label} in all"
            )
        chosen = [own[at : at + n] for own, at, n in zip(order, taken, share, strict=True)]
        rows[name] = np.sort(np.concatenate(chosen))
        taken = taken + share
    return _normalised(images, labels, rows)


def _check(images: Array, labels: Array, recipe: Recipe) -> None:
    side = recipe.size
    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.shape[2:] != (side, side):
        raise DataError(
            f"expected images of 1 or 3 channels and {side} x {side} pixels, n x c x h x w, got "
            f"an array of {' x '.join(map(str, images.shape))}"
        )
    if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"expected a whole number as the label of each of {len(images)} images, got "
            f"{labels.dtype} of shape {labels.shape}"
        )
    broken = np.flatnonzero(~np.isfinite(images).all((1, 2, 3)))
    if broken.size:
        raise DataError(f"expected finite pixels, got others in image {broken[0]}")
    outside = labels[(labels < 0) | (labels >= recipe.classes)]
    if outside.size:
        raise DataError(f"expected labels from 0 to {recipe.classes - 1}, got {outside[0]}")
    missing = np.setdiff1d(np.arange(recipe.classes), labels)
    if missing.size:
        raise DataError(f"expected images of {recipe.classes} classes, got none of {missing[0]}")


def _shares(available: Ints, count: int) -> Ints:
    """`count` shared out among classes in proportion to what they have, by largest remainder.

    No class gives more than it has, as `count` is not more than all have; of equal remainders the
    first classes' are rounded up.
    """
    exact = available * count
    share: Ints = exact // available.sum()
    remainder = exact % available.sum()
    largest = np.argsort(-remainder, kind="stable")[: count - int(share.sum())]
    share[largest] += 1
    return share


def _normalised(images: Array, labels: Array, rows: Mapping[str, Ints]) -> Split:
    training = images[rows["train"]].astype(np.float64)
    mean, deviation = training.mean((0, 2, 3)), training.std((0, 2, 3))
    deviation = np.where(deviation > 0, deviation, 1.0)

    def scaled(pixels: Array) -> Tensor:
        normal = (pixels - mean[:, None, None]) / deviation[:, None, None]
        three = np.broadcast_to(normal, (len(pixels), 3, *pixels.shape[2:]))
        return torch.from_numpy(np.ascontiguousarray(three, dtype=np.float32))

    parts = {
        name: Part(scaled(images[own]), torch.from_numpy(labels[own].astype(np.int64)), own)
        for name, own in rows.items()
    }
    black = scaled(np.zeros((1, images.shape[1], 1, 1))).flatten()
    return Split(parts["train"], parts["validation"], parts["test"], black=black)
