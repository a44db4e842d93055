"""Images for minibatches: which there are, where they lie, and how a few of them are read.

Constants of normalisation are those that NAS-Bench-201 (Dong and Yang, ICLR 2020,
arXiv:2001.00326) trained with. Nothing is augmented. Only the images of a minibatch are decoded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.base import DataError, Ints, OptionError, UnknownNameError
from bench.tables import files
from bench.tables._image_files import IMAGE, LABEL, ImageFile, Pixels, by

Floats32: TypeAlias = NDArray[np.float32]
Minibatch: TypeAlias = tuple[Floats32, Ints]
"""Images, `n x 3 x h x w`, normalised, and their `n` labels, 0 to classes - 1."""

_Stamp: TypeAlias = tuple[tuple[str, int, int], ...]

_STATISTICS_OF = 1000
"""From how many images, at most, the mean and deviation of a user's own file are taken."""


@dataclass(frozen=True)
class Dataset:
    """Images to draw minibatches from, with the constants that normalise them."""

    name: str
    classes: int
    size: int
    """Height and width, in pixels."""
    path: str | None = None
    """A path of sources.json, or of a user's own file or folder; None where images are noise."""
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    """By channel, of pixel values from 0 to 255."""
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    first_label: int = 0
    """The number that the file gives to class 0; what is outside the classes is left out."""
    notes: str = ""
    sha256: str = ""
    """Of a user's own: of its images' bytes and labels, in order."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Of a user's own file: what it calls its `image` and `label`, where that was said."""

    @property
    def key(self) -> str:
        """What draws from it are keyed by: a built-in one's name, or a user's own content.

        So that one content gives one minibatch, wherever it lies and however it is called.
        """
        return f"sha256:{self.sha256}" if self.sha256 else self.name


_OWN = re.compile(r"(?P<path>.*\.(?:parquet|npz))(?P<options>(?:\s*[,;]\s*\w+\s*=[^,;]*)*)", re.S)
"""A user's own file and what is said of it; `;` in place of the comma is for recipes."""

_EVERY = (
    Dataset(
        "cifar10",
        10,
        32,
        "images/cifar10-train.parquet",
        (125.3, 123.0, 113.9),
        (63.0, 62.1, 66.7),
        notes="the training split, 50,000 images; JPEG copies of the originals",
    ),
    Dataset(
        "cifar100",
        100,
        32,
        "images/cifar100_960imgs.npz",
        (129.3, 124.1, 112.4),
        (68.2, 65.4, 70.4),
        notes="960 training images, which had been augmented when they were kept",
    ),
    Dataset(
        "imagenet16-120",
        120,
        16,
        "images/imagenet16_960imgs.npz",
        (122.68, 116.66, 104.01),
        (63.22, 61.26, 65.09),
        first_label=1,
        notes="the 106 of 960 ImageNet images that are of the first 120 classes",
    ),
    Dataset("noise", 10, 32, notes="Gaussian images, uniform labels; no file is needed"),
)
DATASETS = MappingProxyType({each.name: each for each in _EVERY})


def dataset(text: str) -> Dataset:
    """The dataset of a name, of `noise,size=64,classes=100`, or of a user's own file or folder.

    A folder has a folder of image files for every class, numbered in order of their names. A file
    is a Parquet of `img` (encoded, as `bytes` of a struct or by itself) and `label`, or an NPZ of
    `x` (uint8, `n x 3 x h x w`) and `y`; where they are called otherwise, they are known by their
    content if one alone can be meant, or else `FILE.parquet,image=NAME,label=NAME` says which. Its
    classes are counted to its largest label. Images are normalised by the mean and deviation of a
    file's first 1,000, and of a folder's about as many, evenly spread.

    Raises:
        UnknownNameError: If there is no such dataset.
        OptionError: If an option makes no sense.
        DataError: If the file cannot be read.
    """
    own = _OWN.fullmatch(text)
    if own is not None:
        return _own(text, Path(own["path"]), _columns(text, own["options"]))
    if text not in DATASETS and Path(text).is_dir():
        return _own(text, Path(text), {})
    name, *pairs = (part.strip() for part in text.split(","))
    if name not in DATASETS:
        near = get_close_matches(name, DATASETS, n=1, cutoff=0.5)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise UnknownNameError(
            f"there is no dataset {name!r}{hint}; there are {', '.join(DATASETS)}, files "
            "that end in .parquet or .npz, and folders"
        )
    found = DATASETS[name]
    if not pairs:
        return found
    if found.path is not None:
        raise OptionError(f"expected options for noise alone, got {text!r}")
    return _noise_of(found, text, pairs)


def _noise_of(found: Dataset, text: str, pairs: list[str]) -> Dataset:
    """Noise of some size and classes, whose name is one for all ways to write them."""
    usual = {"size": found.size, "classes": found.classes}
    said: dict[str, int] = {}
    for pair in pairs:
        option, _, value = (part.strip() for part in pair.partition("="))
        if option not in usual or option in said or not value.isdecimal() or int(value) < 1:
            raise OptionError(f"expected noise,size=PIXELS,classes=NUMBER, got {text!r}")
        said[option] = int(value)
    sizes = usual | said
    other = [f"{name}={sizes[name]}" for name in usual if sizes[name] != usual[name]]
    name = ",".join([found.name, *other])
    return replace(found, name=name, size=sizes["size"], classes=sizes["classes"])


def _columns(text: str, options: str) -> dict[str, str]:
    """What a user's own file calls its images and labels. Raises OptionError."""
    columns: dict[str, str] = {}
    for pair in filter(None, re.split(r"\s*[,;]\s*", options)):
        option, _, name = (part.strip() for part in pair.partition("="))
        if option not in (IMAGE, LABEL) or option in columns or not name:
            raise OptionError(f"expected FILE,{IMAGE}=NAME,{LABEL}=NAME, got {text!r}")
        columns[option] = name
    return columns


def available(found: Dataset) -> int | None:
    """How many images there are to draw from; None where there is no end. Raises DataError."""
    return None if found.path is None else len(_opened(found).rows)


def minibatches(found: Dataset, size: int, count: int, rng: np.random.Generator) -> list[Minibatch]:
    """Draw `count` minibatches of `size` images, no image twice, and normalise them.

    The first ones do not depend on how many are drawn. A class may have few images or none.

    Raises:
        OptionError: If `size` or `count` is below one.
        DataError: If there are too few images, or one cannot be decoded.
    """
    if size < 1 or count < 1:
        raise OptionError(f"expected minibatches of at least one image, got {count} of {size}")
    if found.path is None:
        return [_noise(found, size, rng) for _ in range(count)]
    source = _opened(found)
    if size * count > len(source.rows):
        raise DataError(
            f"expected {count} x {size} different images of {found.name}, got a file of "
            f"{len(source.rows)}; take a smaller batch"
        )
    chosen = rng.permutation(len(source.rows))[: size * count]
    pixels, labels = source.read(source.rows[chosen])
    images = normalised(pixels, found)
    return [(images[i : i + size], labels[i : i + size]) for i in range(0, size * count, size)]


def everything(found: Dataset) -> tuple[Pixels, Ints]:
    """All images of a dataset's classes, `n x 3 x h x w`, as they are, and their `n` labels.

    Raises:
        OptionError: If they are drawn as noise.
        DataError: If the file cannot be read, or an image cannot be decoded.
    """
    if found.path is None:
        raise OptionError(f"expected a dataset of images that are there, got {found.name}")
    source = _opened(found)
    return source.read(source.rows)


def digest(path: Path) -> str:
    """The SHA-256 of a file, or of the names and contents of all files in a folder.

    Raises OSError where one cannot be read.
    """
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    inside = sorted(each.relative_to(path).as_posix() for each in path.rglob("*") if each.is_file())
    lines = (f"{digest(path / name)}  {name}\n" for name in inside)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def normalised(pixels: Pixels, found: Dataset) -> Floats32:
    """Images of 0 to 255 less the dataset's mean, by its deviation; `n x 3 x h x w`."""
    mean, std = (
        np.array(each, dtype=np.float32)[:, None, None] for each in (found.mean, found.std)
    )
    scaled: Floats32 = (pixels.astype(np.float32) - mean) / std
    return scaled


def _noise(found: Dataset, size: int, rng: np.random.Generator) -> Minibatch:
    images = rng.standard_normal((size, 3, found.size, found.size), dtype=np.float32)
    return images, rng.integers(found.classes, size=size)


def _opened(found: Dataset) -> ImageFile:
    path = str(found.path)
    where = files.find(path) if path in files.known() else Path(path)
    return ImageFile(where, found.classes, found.first_label, found.size, found.columns)


def _own(text: str, path: Path, columns: Mapping[str, str]) -> Dataset:
    """A user's own file or folder as a dataset. Raises DataError or OptionError."""
    if not path.exists():
        raise DataError(f"expected a file of images, got {path}, which does not exist")
    # A relative path that is no name of a file in sources.json, whatever it is.
    place = str(path) if path.is_absolute() else f"./{path.as_posix()}"
    found = _described(str(path), tuple(columns.items()), _stamp(path.resolve()))
    return replace(found, name=text, path=place)


def _stamp(path: Path) -> _Stamp:
    """What tells files apart, and that one was written to: absolute names, sizes and times."""
    inside = sorted(it for it in path.rglob("*") if it.is_file()) if path.is_dir() else [path]
    told = ((it, it.stat()) for it in inside)
    return tuple((str(it), stat.st_size, stat.st_mtime_ns) for it, stat in told)


@lru_cache(maxsize=4)
def _described(shown: str, columns: tuple[tuple[str, str], ...], _: _Stamp) -> Dataset:
    """What a user's own file or folder holds; the last ones are kept, as long as they last.

    Args:
        shown: Where it lies, as errors call it.
        columns: Its names of `image` and `label`, where they were said.
        _: Its stamp.
    """
    path = Path(shown)
    # As many classes as labels can tell apart, and images of any one size.
    probe = ImageFile(path, np.iinfo(np.int64).max, columns=dict(columns))
    if not probe.rows.size or probe.rows.size < probe.labels.size:
        raise DataError(f"expected images with labels from 0 on in {shown}, got others or none")
    # In a folder the first ones are of one class: take every so-many-th.
    every = max(1, len(probe.rows) // _STATISTICS_OF) if path.is_dir() else 1
    pixels, _labels = probe.read(probe.rows[::every][:_STATISTICS_OF])
    if pixels.shape[2] != pixels.shape[3]:
        raise DataError(f"expected square images in {shown}, got {by(pixels.shape[2:])}")
    mean, std = pixels.mean((0, 2, 3)), pixels.std((0, 2, 3))
    return Dataset(
        shown,
        classes=int(probe.labels.max()) + 1,
        size=pixels.shape[2],
        path=shown,
        mean=tuple(mean.tolist()),
        std=tuple(np.where(std > 0, std, 1.0).tolist()),
        notes="a user's own",
        sha256=probe.sha256(),
        columns=dict(columns),
    )
