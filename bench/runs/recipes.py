"""What a recipe's words stand for: its images, divided, and its networks before training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from bench.base import Arch, Ints, OptionError
from bench.runs import members
from bench.tables import images
from bench.training.recipe import Recipe, said

if TYPE_CHECKING:
    from torch import nn

    from bench.networks import Stack
    from bench.training.data import Split

DIGITS = "digits"
"""The dataset that is no file."""


_COUNTS = ("training", "validation", "test")
_FACTS = ("classes", "size")


def read(text: str) -> Recipe:
    """Read a recipe as somebody writes it, and fill in what its images say themselves.

    That is how many classes they have and their size. Where there are fewer images than the usual
    counts take, and no count is said, a fifth each is for validation and for test.

    Raises:
        UnknownNameError: There is no such dataset.
        OptionError: An option makes no sense, or says something else than the images.
        DataError: The images cannot be read.
    """
    dataset, options = said(text)
    if dataset == DIGITS:
        return Recipe(dataset, **options)
    found = images.dataset(dataset)
    _check_facts(found, {name: options[name] for name in _FACTS if name in options})
    options |= {name: getattr(found, name) for name in _FACTS}
    total = images.available(found)
    if total is not None and not any(name in options for name in _COUNTS):
        options |= _shares(total, found.classes, "batch" in options)
    return Recipe(dataset, **options)


def _shares(total: int, classes: int, has_batch: bool) -> dict[str, int]:
    """How many images are for what, where there are too few for the usual counts."""
    usual = Recipe()
    if total >= usual.validation + usual.test + (usual.training or 0):
        return {}
    # An image of each class is needed in every part.
    part = max(total // 5, classes)
    shares = {"training": max(total - 2 * part, 1), "validation": part, "test": part}
    return shares if has_batch else shares | {"batch": max(min(usual.batch, shares["training"]), 2)}


def _check_facts(found: images.Dataset, facts: dict[str, int]) -> None:
    """Raise OptionError where facts are not those of the images, naming all that are not."""
    wrong = [name for name, value in facts.items() if value != getattr(found, name)]
    if wrong:
        wanted = ", ".join(f"{name}={getattr(found, name)}" for name in wrong)
        came = ", ".join(f"{name}={facts[name]}" for name in wrong)
        raise OptionError(f"expected {wanted} in a recipe of {found.name}, got {came}")


def by_content(recipe: Recipe) -> Recipe:
    """The recipe with a user's own images named by what they are, not by where they lie.

    Its hash, and the draws that are keyed by its dataset, are then the same for one content under
    all spellings of its path; built-in datasets keep their names. Raises as `split_of` does.
    """
    if recipe.dataset == DIGITS or recipe.dataset in images.DATASETS:
        return recipe
    return replace(recipe, dataset=f"sha256:{images_sha256(recipe)}")


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

    return network(members.network(space), arch, Weights(seed), **recipe.shape).to(device)


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
    _check_facts(found, {name: getattr(recipe, name) for name in _FACTS})
    return images.everything(found)
