"""Splits: disjoint, stratified, drawn by key, and normalised by the training images alone."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch

from bench.base import DataError, OptionError
from bench.training.data import Split, digits, split
from bench.training.recipe import Recipe

SMALL = Recipe("own", classes=3, size=4, training=None, validation=9, test=12, batch=4)


def arrays(counts: tuple[int, ...] = (20, 30, 10), channels: int = 1) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    return rng.uniform(0, 255, (len(labels), channels, 4, 4)), labels


def rows(found: Split) -> list[Any]:
    return [part.rows for part in found.parts.values()]


def test_digits_are_those_of_scikit_learn() -> None:
    images, labels = digits()
    assert images.shape == (1797, 1, 8, 8)
    assert (images.min(), images.max()) == (0, 16)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert images[0, 0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]


def test_digits_say_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(OptionError, match="digits needs sklearn.* pip install"):
        digits()


def test_parts_share_no_image_and_leave_none() -> None:
    images, labels = digits()
    found = split(images, labels, Recipe(training=None, validation=400, test=397))
    assert [len(own) for own in rows(found)] == [1000, 400, 397]
    assert sorted(np.concatenate(rows(found)).tolist()) == list(range(1797))
    for part in found.parts.values():
        assert part.labels.tolist() == labels[part.rows].tolist()
        assert len(part.images) == len(part.rows)


def test_classes_have_their_share_in_every_part() -> None:
    images, labels = digits()
    share = np.bincount(labels) / len(labels)
    for part in split(images, labels, Recipe()).parts.values():
        counts = np.bincount(part.labels.numpy())
        assert np.abs(counts - share * len(part.rows)).max() < 2


def test_shares_are_exact_where_they_can_be() -> None:
    found = split(
        *arrays((20, 30, 10)), Recipe("own", 3, 4, training=None, validation=6, test=12, batch=4)
    )
    counts = [np.bincount(part.labels).tolist() for part in found.parts.values()]
    assert counts == [[14, 21, 7], [2, 3, 1], [4, 6, 2]]


def test_the_seed_decides() -> None:
    one, same = (rows(split(*arrays(), SMALL)) for _ in range(2))
    other = rows(
        split(*arrays(), Recipe("own", 3, 4, training=None, validation=9, test=12, split_seed=1))
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[1], other[1])


def test_how_many_learn_does_not_move_the_others() -> None:
    all_of, few = (
        split(*arrays(), Recipe("own", 3, 4, training=n, validation=9, test=12, batch=4))
        for n in (None, 12)
    )
    assert np.array_equal(all_of.test.rows, few.test.rows)
    assert np.array_equal(all_of.validation.rows, few.validation.rows)
    assert len(few.train.rows) == 12
    assert set(few.train.rows) < set(all_of.train.rows)


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_normalised_by_training_images_alone(channels: int) -> None:
    images, labels = arrays(channels=channels)
    found = split(images, labels, SMALL)
    learnt = images[found.train.rows]
    mean, std = learnt.mean((0, 2, 3)), learnt.std((0, 2, 3))
    for part in found.parts.values():
        expected = (images[part.rows] - mean[:, None, None]) / std[:, None, None]
        assert part.images.shape[1:] == (3, 4, 4)
        assert part.images.dtype == torch.float32
        np.testing.assert_allclose(
            part.images, np.broadcast_to(expected, part.images.shape), rtol=1e-5, atol=1e-6
        )
    np.testing.assert_allclose(found.black, np.broadcast_to(-mean / std, 3), rtol=1e-6)
    changed = images.copy()
    changed[np.concatenate([found.validation.rows, found.test.rows])] = 1e6
    assert torch.equal(split(changed, labels, SMALL).train.images, found.train.images)


def test_images_of_one_colour_are_zeros() -> None:
    images, labels = arrays()
    found = split(np.full_like(images, 7), labels, SMALL)
    assert all(not part.images.any() for part in found.parts.values())


def test_bytes_are_images_too() -> None:
    images, labels = arrays()
    bytes_ = images.astype(np.uint8)
    one, other = split(bytes_, labels, SMALL), split(bytes_.astype(float), labels, SMALL)
    assert torch.equal(one.train.images, other.train.images)


def with_pixel(value: float) -> tuple[Any, Any]:
    images, labels = arrays()
    images[5, 0, 1, 1] = value
    return images, labels


IMAGES, LABELS = arrays()


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (*with_pixel(np.nan), "finite pixels, got others in image 5"),
        (*with_pixel(np.inf), "finite pixels, got others in image 5"),
        (IMAGES, LABELS[:-1], "label of each of 60 images, got int64 of shape .59,"),
        (IMAGES, LABELS.astype(float), "whole number as the label"),
        (IMAGES, LABELS + 1, "labels from 0 to 2, got 3"),
        (IMAGES, LABELS - 1, "labels from 0 to 2, got -1"),
        (IMAGES, LABELS * (LABELS != 1), "3 classes, got none of 1"),
        (IMAGES[:, 0], LABELS, "n x c x h x w, got an array of 60 x 4 x 4"),
        (IMAGES[:, :, :3], LABELS, "4 x 4 pixels"),
        (IMAGES.repeat(2, 1), LABELS, "1 or 3 channels"),
        (IMAGES[:0], LABELS[:0], "got none of 0"),
        (*arrays((40, 30, 2)), "of every class an image for test, got 2 images of class 2"),
        (*arrays((7, 7, 7)), "training, validation and test, at least 1 . 9 . 12, got 21"),
    ],
)
def test_what_cannot_be_divided(images: Any, labels: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        split(images, labels, SMALL)


def test_too_few_for_the_training_images_asked_for() -> None:
    recipe = Recipe("own", 3, 4, training=50, validation=9, test=12)
    with pytest.raises(DataError, match="50 . 9 . 12, got 60"):
        split(*arrays(), recipe)
