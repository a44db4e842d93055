"""Recipes: what they refuse, how they are written, and that a hash stands for all of one."""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
from typing import Any

import pytest

from bench.base import OptionError
from bench.training.recipe import Recipe, parse

CHANGED: dict[str, Any] = {
    "dataset": "own",
    "classes": 11,
    "size": 9,
    "skeleton": (("cells", 3), ("channels", 4)),
    "training": 900,
    "validation": 701,
    "test": 898,
    "split_seed": 1,
    "batch": 32,
    "learning_rate": 0.05,
    "momentum": 0.8,
    "weight_decay": 0.0,
    "smoothing": 0.1,
    "augmentation": "none",
    "padding": 1,
    "epochs": 21,
    "checkpoints": (20,),
}
TOGETHER: dict[str, dict[str, Any]] = {
    "augmentation": {"padding": 0},
    "epochs": {"checkpoints": (5, 10, 21)},
}


def test_the_hash_is_that_of_canonical_json() -> None:
    text = (
        '{"augmentation":"crop","batch":50,"checkpoints":[5,10,20],"classes":10,"dataset":"digits",'
        '"epochs":20,"learning_rate":0.1,"momentum":0.9,"padding":2,"size":8,'
        '"skeleton":[["cells",1],["channels",4]],"smoothing":0.0,"split_seed":0,"test":597,'
        '"training":700,"validation":500,"version":1,"weight_decay":0.0005}'
    )
    assert Recipe().hash == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_every_field_counts() -> None:
    names = [each.name for each in dataclasses.fields(Recipe)]
    assert set(CHANGED) == set(names)
    changed = [Recipe(**{name: CHANGED[name], **TOGETHER.get(name, {})}) for name in names]
    recipes = [Recipe(), *changed]
    assert len({recipe.hash for recipe in recipes}) == len(set(recipes)) == len(recipes)


def test_equal_recipes_are_equal_however_they_are_given() -> None:
    one = Recipe(skeleton=(("channels", 4), ("cells", 1)), checkpoints=(5, 10, 20))
    other = Recipe(skeleton=(("cells", 1), ("channels", 4)), momentum=0.9, weight_decay=5e-4)
    assert one == other == Recipe()
    assert one.hash == other.hash
    listed: Any = {"checkpoints": [5, 10, 20], "skeleton": [["channels", 4], ["cells", 1]]}
    assert Recipe(**listed) == one
    assert Recipe(weight_decay=0).hash == Recipe(weight_decay=0.0).hash
    assert len({one, other, pickle.loads(pickle.dumps(one))}) == 1


def test_the_shape_is_what_networks_take() -> None:
    shape = Recipe(classes=7, skeleton=(("channels", 3), ("cells", 2))).shape
    assert shape == {"classes": 7, "cells": 2, "channels": 3}


@pytest.mark.parametrize("name", list(CHANGED))
def test_what_is_written_is_read(name: str) -> None:
    recipe = Recipe(**{name: CHANGED[name], **TOGETHER.get(name, {})})
    assert parse(str(recipe)) == recipe


def test_only_what_differs_is_written() -> None:
    assert str(Recipe()) == "digits"
    recipe = Recipe("cifar10", size=32, training=5000, augmentation="crop-flip", padding=4)
    text = "cifar10,size=32,training=5000,augmentation=crop-flip,padding=4"
    assert str(recipe) == text
    assert parse(text) == recipe


def test_epochs_alone_have_one_checkpoint_at_their_end() -> None:
    assert parse("digits,epochs=3").checkpoints == (3,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("digits,epoch=3", "options among .*, got 'epoch=3'"),
        ("digits,epochs", "options among"),
        ("digits,dataset=x", "options among"),
        ("digits,epochs=3,epochs=4", "once, got epochs twice"),
        ("digits,epochs=x", "expected epochs=NUMBER, got 'epochs=x'"),
        ("digits,epochs=3.5", "expected epochs=NUMBER"),
        ("digits,skeleton=channels", "expected skeleton=channels:4/cells:1, got"),
        ("digits,checkpoints=", "expected checkpoints=3/10/30, got"),
        ("", "name of a dataset"),
    ],
)
def test_texts_that_are_no_recipe(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset": "a,b"}, "name of a dataset"),
        ({"classes": 1}, "classes to be at least 2, got 1"),
        ({"size": 0}, "size"),
        ({"epochs": 0, "checkpoints": (0,)}, "epochs to be at least 1, got 0"),
        ({"epochs": 30.0}, "epochs to be a whole number, got 30.0"),
        ({"epochs": True}, "epochs to be a whole number, got True"),
        ({"batch": 1}, "batch to be at least 2"),
        ({"training": 0}, "training to be at least 1"),
        ({"validation": 0}, "validation"),
        ({"test": 0}, "test"),
        ({"split_seed": -1}, "split_seed"),
        ({"learning_rate": 0}, "learning_rate above 0, got 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate above 0, got nan"),
        ({"learning_rate": float("inf")}, "learning_rate"),
        ({"learning_rate": "fast"}, "learning_rate to be a number, got 'fast'"),
        ({"momentum": 1}, "momentum to be from 0 to below 1, got 1.0"),
        ({"weight_decay": -1e-3}, "weight_decay"),
        ({"smoothing": 1.0}, "smoothing"),
        ({"smoothing": float("nan")}, "smoothing"),
        ({"augmentation": "flip"}, "among none, crop, crop-flip, got 'flip'"),
        ({"padding": 0}, "padding from 1 to 7 with crops"),
        ({"augmentation": "none"}, "padding from 1 to 7 with crops, and of 0 without, got 2"),
        ({"padding": 8, "augmentation": "crop"}, "padding from 1 to 7"),
        ({"padding": 1, "augmentation": "crop-flip"}, "none or crop for digits"),
        ({"checkpoints": ()}, "rising epochs"),
        ({"checkpoints": (4, 1, 30)}, "rising epochs"),
        ({"checkpoints": (4, 4, 30)}, "rising epochs"),
        ({"checkpoints": (0, 30)}, "rising epochs"),
        ({"checkpoints": (1, 4)}, "the last checkpoint after 20 epochs.*got one after 4"),
        ({"checkpoints": (1.5, 30)}, "checkpoints to be a whole number, got 1.5"),
        ({"skeleton": (("classes", 10),)}, "classes not among them"),
        ({"skeleton": (("cells", 1), ("cells", 2))}, "different arguments"),
        ({"skeleton": (("cells", "1"),)}, "skeleton cells to be a whole number, got '1'"),
        ({"skeleton": (("cells", 0),)}, "skeleton cells to be at least 1, got 0"),
        ({"skeleton": (("cells", 1), ("channels", -4))}, "channels to be at least 1, got -4"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message) as error:
        Recipe(**options)
    assert "\n" not in str(error.value)
    assert not str(error.value).endswith(".")
