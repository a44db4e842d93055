"""What a recipe's words stand for: its images, divided, and its networks before training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from bench.base import Arch, Ints, OptionError
from bench.tables import images

if TYPE_CHECKING:
    from torch import nn

    from bench.networks import Stack
    from bench.training.data import Split
    from bench.training.recipe import Recipe

DIGITS = "digits"
"""The dataset that is no file."""


def split_of(recipe: Recipe) -> Split:
    """The images of a recipe in three parts; those of the last recipe are kept.

    A recipe's dataset is `digits`, a name of `bench.tables.images`, or a user's own Parquet, NPZ
    or folder, as `bench.tables.images.dataset` reads them.

    Raises:
        UnknownNameError: There is no such dataset.
        OptionError: The recipe has other classes or another size than the dataset, or the dataset
            is noise, of which nothing can be learned.
        DataError: An image cannot be read or is of another size, a class has none, or there are
            too few.
    """
    return _divided(recipe)[0]


def images_sha256(recipe: Recipe) -> str:
    """The SHA-256 of all pixels and labels that a recipe divides. Raises as `split_of` does."""
    return _divided(recipe)[1]


def network_of(
    recipe: Recipe, space: str, arch: Arch, seed: int, *, device: str = "cpu"
) -> nn.Module:
    """The network of an architecture in a recipe's skeleton, with the weights of a seed.

    Raises:
        ArchError: The space has no such architecture.
        OptionError: The space's networks have no such skeleton.
    """
    from bench.networks import Weights, network

    return network(space, arch, Weights(seed), **recipe.shape).to(device)


def stack_of(
    recipe: Recipe, space: str, archs: Sequence[Arch], seed: int, *, device: str = "cpu"
) -> Stack:
    """The networks of `a` architectures as one module: each as `network_of` has it.

    Raises:
        ArchError: The space has no such architecture.
        OptionError: The space's networks cannot be stacked, or have no such skeleton.
    """
    from bench.networks import Stack, Weights
    from bench.runs.live import STACKED

    if space != STACKED:
        raise OptionError(f"expected networks of {STACKED} to train several at once, got {space}")
    unknown = set(recipe.shape) - {"classes", "channels", "cells"}
    if unknown:
        raise OptionError(
            f"expected {space} networks sized by channels and cells, got {unknown.pop()!r}"
        )
    stack = Stack(archs, Weights(seed), **recipe.shape)
    stack.module.to(device)
    return stack


@lru_cache(maxsize=1)
def _divided(recipe: Recipe) -> tuple[Split, str]:
    from bench.training.data import split

    pixels, labels = _content(recipe)
    hasher = sha256()
    for values in (pixels, labels):
        hasher.update(f"{values.dtype} {values.shape}\n".encode())
        hasher.update(values.tobytes())
    return split(pixels, labels, recipe), hasher.hexdigest()


def _content(recipe: Recipe) -> tuple[NDArray[Any], Ints]:
    """All images, `n x c x h x w`, and labels, `n`, of a recipe's dataset."""
    if recipe.dataset == DIGITS:
        from bench.training.data import digits

        return digits()
    found = images.dataset(recipe.dataset)
    for name in ("classes", "size"):
        wanted, came = getattr(found, name), getattr(recipe, name)
        if wanted != came:
            raise OptionError(
                f"expected {name}={wanted} in a recipe of {recipe.dataset}, got {name}={came}"
            )
    return images.everything(found)
