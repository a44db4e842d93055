"""How a network is trained, as data: everything that a result depends on but architecture and seed.

Defaults follow the practice of NAS-Bench-201 (Dong and Yang, ICLR 2020,
https://arxiv.org/abs/2001.00326, appendix): SGD with Nesterov momentum 0.9, a learning rate that
falls from 0.1 to 0 along a cosine, batch normalisation, cross-entropy. Sizes are a small
skeleton's on scikit-learn's 8 x 8 digits, shifted by up to two pixels: hard enough that cells
differ at the end, with steps enough that seeds differ less.

1. Weight decay leaves the scales and shifts of norms alone.
2. The learning rate falls by the step, not by the epoch, and without restarts.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, TypeAlias, get_args

from bench.base import OptionError

Augmentation: TypeAlias = Literal["none", "crop", "crop-flip"]

COLUMNS = ("image", "label")
"""Options that say what a user's own file calls its images and labels."""
_VERSION = 1
"""Part of every hash: raised when the trainer makes other numbers of the same recipe."""
_UNFLIPPED = frozenset({"digits"})
"""Datasets whose images mean something else in a mirror."""


@dataclass(frozen=True)
class Recipe:
    """A way to train networks; equal recipes have equal hashes, and only they.

    Raises:
        OptionError: A value makes no sense, alone or beside the others.
    """

    dataset: str = "digits"
    """A name, or a user's file; what it stands for is the caller's business."""
    classes: int = 10
    size: int = 8
    """Height and width of an image, in pixels."""
    skeleton: tuple[tuple[str, int], ...] = (("cells", 1), ("channels", 4))
    """The networks' shape arguments, each with its value; in any order."""
    training: int | None = 700
    """Images to learn from; None for all that validation and test leave."""
    validation: int = 500
    test: int = 597
    split_seed: int = 0
    epochs: int = 20
    batch: int = 50
    """Images of a step; an epoch leaves out what does not fill one."""
    learning_rate: float = 0.1
    """At the first step."""
    momentum: float = 0.9
    """Nesterov's, if more than 0."""
    weight_decay: float = 5e-4
    smoothing: float = 0.0
    """How much of a label's weight is shared out among all classes."""
    augmentation: Augmentation = "crop"
    """`crop`: shifted by up to `padding` pixels each way; `crop-flip`: and mirrored, or not."""
    padding: int = 2
    """Pixels of black added on each side, of which a window of the image's size is cut."""
    checkpoints: tuple[int, ...] = (5, 10, 20)
    """After how many epochs accuracies are taken; the last is `epochs`."""

    def __post_init__(self) -> None:
        # Lists, as JSON has them, become tuples.
        self._set("skeleton", tuple(sorted((name, value) for name, value in self.skeleton)))
        self._set("checkpoints", tuple(self.checkpoints))
        self._check_types()
        self._check_ranges()
        self._check_together()

    @property
    def shape(self) -> dict[str, int]:
        """The skeleton as keyword arguments of `bench.networks.network`, `classes` among them."""
        return {"classes": self.classes, **dict(self.skeleton)}

    @property
    def hash(self) -> str:
        """16 hexadecimal digits; the same in every process, on every machine.

        >>> Recipe().hash == Recipe(learning_rate=0.1).hash != Recipe(epochs=13, checkpoints=(13,))
        True
        """
        content = {"version": _VERSION, **dataclasses.asdict(self)}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return sha256(text.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        """Return the text that `parse` reads: the dataset, then what differs from the defaults.

        >>> str(Recipe(batch=25, checkpoints=(10, 20)))
        'digits,batch=25,checkpoints=10/20'
        """
        written = [
            f"{each.name}={_written(getattr(self, each.name))}"
            for each in dataclasses.fields(self)[1:]
            if getattr(self, each.name) != each.default
        ]
        return ",".join([self.dataset, *written])

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _check_types(self) -> None:
        if not self.dataset or "," in self.dataset:
            raise OptionError(f"expected the name of a dataset, got {self.dataset!r}")
        for name, value in self.skeleton:
            _check_whole(f"skeleton {name}", value)
            if value < 1:
                raise OptionError(f"expected skeleton {name} to be at least 1, got {value}")
        for value in self.checkpoints:
            _check_whole("checkpoints", value)
        for name in _WHOLE:
            if name != "training" or self.training is not None:
                _check_whole(name, getattr(self, name))
        for name in _REAL:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise OptionError(f"expected {name} to be a number, got {value!r}")
            self._set(name, float(value))

    def _check_ranges(self) -> None:
        for name, (least, wanted) in _LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise OptionError(f"expected {name} to be {wanted}, got {value}")
        if not 0 < self.learning_rate < math.inf:
            raise OptionError(f"expected a learning_rate above 0, got {self.learning_rate}")
        for name in ("momentum", "weight_decay", "smoothing"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise OptionError(f"expected {name} to be from 0 to below 1, got {value}")
        if self.augmentation not in get_args(Augmentation):
            known = ", ".join(get_args(Augmentation))
            raise OptionError(f"expected an augmentation among {known}, got {self.augmentation!r}")

    def _check_together(self) -> None:
        names = [name for name, _ in self.skeleton]
        if len(set(names)) < len(names) or "classes" in names:
            raise OptionError(
                f"expected a skeleton of different arguments, classes not among them, got "
                f"{', '.join(names)}"
            )
        marks = self.checkpoints
        if list(marks) != sorted(set(marks)) or not marks or marks[0] < 1:
            raise OptionError(f"expected checkpoints at rising epochs from 1 on, got {marks}")
        if marks[-1] != self.epochs:
            raise OptionError(
                f"expected the last checkpoint after {self.epochs} epochs, which are all, got one "
                f"after {marks[-1]}"
            )
        if (self.padding > 0) != (self.augmentation != "none") or self.padding >= self.size:
            raise OptionError(
                f"expected a padding from 1 to {self.size - 1} with crops, and of 0 without, got "
                f"{self.padding} with augmentation {self.augmentation}"
            )
        if self.augmentation == "crop-flip" and self.dataset in _UNFLIPPED:
            raise OptionError(
                f"expected augmentation none or crop for {self.dataset}, whose images mean "
                "something else in a mirror, got crop-flip"
            )


_LEAST = {
    "classes": (2, "at least 2"),
    "size": (1, "at least 1"),
    "training": (1, "at least 1"),
    "validation": (1, "at least 1"),
    "test": (1, "at least 1"),
    "split_seed": (0, "at least 0"),
    "epochs": (1, "at least 1"),
    "batch": (2, "at least 2, as norms need"),
    "padding": (0, "at least 0"),
}
_WHOLE = tuple(_LEAST)
_REAL = ("learning_rate", "momentum", "weight_decay", "smoothing")


def parse(text: str) -> Recipe:
    """Read a recipe: a dataset, then options, `NAME,option=value,...`.

    >>> recipe = parse("digits,epochs=8,checkpoints=2/8,skeleton=channels:8/cells:1")
    >>> recipe.epochs, recipe.checkpoints, recipe.shape
    (8, (2, 8), {'classes': 10, 'cells': 1, 'channels': 8})

    Where epochs are given without checkpoints, there is one, at the end; without augmentation
    there is no padding.

    Raises:
        OptionError: An option is unknown, given twice, or cannot have that value.
    """
    dataset, options = said(text)
    return Recipe(dataset, **options)


def said(text: str) -> tuple[str, dict[str, Any]]:
    """The dataset of a recipe's text, and the fields that it says; spaces around them are none's.

    `image` and `label`, a file's names of its columns, belong to the dataset, after a `;`.

    >>> said("digits, batch = 25, epochs=8")
    ('digits', {'batch': 25, 'epochs': 8, 'checkpoints': (8,)})
    >>> said("mine.parquet,label=fine_label,batch=25")
    ('mine.parquet;label=fine_label', {'batch': 25})

    Raises:
        OptionError: An option is unknown, given twice, or cannot have that value.
    """
    dataset, *pairs = (part.strip() for part in text.split(","))
    options: dict[str, Any] = {}
    for pair in pairs:
        name, sign, value = (part.strip() for part in pair.partition("="))
        if name in COLUMNS and sign:
            dataset = f"{dataset};{name}={value}"
            continue
        if name not in _READERS or not sign:
            raise OptionError(
                f"expected a recipe NAME,option=value,... with options among "
                f"{', '.join(_READERS)}, got {pair!r}"
            )
        if name in options:
            raise OptionError(f"expected each option of a recipe once, got {name} twice")
        try:
            options[name] = _READERS[name](value)
        except ValueError as error:
            raise OptionError(f"expected {name}={_EXAMPLES[name]}, got {pair!r}") from error
    if "epochs" in options:
        options.setdefault("checkpoints", (options["epochs"],))
    if options.get("augmentation") == "none":
        options.setdefault("padding", 0)
    return dataset, options


def _check_whole(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise OptionError(f"expected {name} to be a whole number, got {value!r}")


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return "/".join(":".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in value)
    return str(value)


def _pairs(text: str) -> tuple[tuple[str, int], ...]:
    return tuple(
        (name, int(value)) for name, _, value in (pair.partition(":") for pair in text.split("/"))
    )


def _marks(text: str) -> tuple[int, ...]:
    return tuple(int(mark) for mark in text.split("/"))


def _some(text: str) -> int | None:
    return None if text == "None" else int(text)


_READERS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(_WHOLE, int),
    **dict.fromkeys(_REAL, float),
    "training": _some,
    "skeleton": _pairs,
    "augmentation": str,
    "checkpoints": _marks,
}
_EXAMPLES = {
    **dict.fromkeys(_WHOLE, "NUMBER"),
    **dict.fromkeys(_REAL, "NUMBER"),
    "skeleton": "channels:4/cells:1",
    "checkpoints": "3/10/30",
}
