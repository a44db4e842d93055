"""Images for minibatches: which there are, where they lie, and how a few of them are read.

Constants of normalisation are those that NAS-Bench-201 (Dong and Yang, ICLR 2020,
arXiv:2001.00326) trained with. Nothing is augmented. Only the images of a minibatch are decoded.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.base import BenchError, DataError, Ints, OptionError, UnknownNameError
from bench.tables import files

Pixels: TypeAlias = NDArray[np.uint8]
Floats32: TypeAlias = NDArray[np.float32]
Minibatch: TypeAlias = tuple[Floats32, Ints]
"""Images, `n x 3 x h x w`, normalised, and their `n` labels, 0 to classes - 1."""

_STATISTICS_OF = 1000
"""From how many images, at most, the mean and deviation of a user's own file are taken."""
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Dataset:
    """Images to draw minibatches from, with the constants that normalise them."""

    name: str
    classes: int
    size: int
    """Height and width, in pixels."""
    path: str | None = None
    """A path of sources.json, or of a user's own file; None where images are drawn as noise."""
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    """By channel, of pixel values from 0 to 255."""
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    first_label: int = 0
    """The number that the file gives to class 0; what is outside the classes is left out."""
    notes: str = ""


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
    """The dataset of a name, of `noise,size=64,classes=100`, or of a user's own file.

    A file is a Parquet of `img` (a struct with encoded `bytes`) and `label`, or an NPZ of `x`
    (uint8, `n x 3 x h x w`) and `y`. Its classes are counted to its largest label, and its
    images are normalised by the mean and deviation of its first 1,000.

    Raises:
        UnknownNameError: If there is no such dataset.
        OptionError: If an option makes no sense.
        DataError: If the file cannot be read.
    """
    if text.endswith((".parquet", ".npz")):
        return _own(Path(text))
    name, *pairs = text.split(",")
    if name not in DATASETS:
        near = get_close_matches(name, DATASETS, n=1, cutoff=0.5)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise UnknownNameError(
            f"there is no dataset {name!r}{hint}; there are {', '.join(DATASETS)}, and files "
            "that end in .parquet or .npz"
        )
    found = DATASETS[name]
    if pairs and found.path is not None:
        raise OptionError(f"expected options for noise alone, got {text!r}")
    sizes = {"size": found.size, "classes": found.classes}
    for pair in pairs:
        option, _, value = pair.partition("=")
        if option not in sizes or not value.isdecimal() or int(value) < 1:
            raise OptionError(f"expected noise,size=PIXELS,classes=NUMBER, got {text!r}")
        sizes[option] = int(value)
    return replace(found, name=text, size=sizes["size"], classes=sizes["classes"])


def available(found: Dataset) -> int | None:
    """How many images there are to draw from; None where there is no end. Raises DataError."""
    return None if found.path is None else len(_Images(found).rows)


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
    source = _Images(found)
    if size * count > len(source.rows):
        raise DataError(
            f"expected {count} x {size} different images of {found.name}, got a file of "
            f"{len(source.rows)}; take a smaller batch"
        )
    chosen = rng.permutation(len(source.rows))[: size * count]
    pixels, labels = source.read(source.rows[chosen])
    images = normalised(pixels, found)
    return [(images[i : i + size], labels[i : i + size]) for i in range(0, size * count, size)]


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


class _Images:
    """The images of one file: `rows` are those of the dataset's classes."""

    def __init__(self, found: Dataset) -> None:
        self._dataset = found
        path = str(found.path)
        self._path = files.find(path) if path in files.known() else Path(path)
        try:
            self._labels = self._read_labels()
        except BenchError:
            raise
        except _UNREADABLE as error:
            raise self._unreadable(error) from error
        labels = self._labels - found.first_label
        self.rows = np.flatnonzero((labels >= 0) & (labels < found.classes))

    @property
    def labels(self) -> Ints:
        """The labels of all rows, as the file numbers them."""
        return self._labels

    def read(self, rows: Ints) -> tuple[Pixels, Ints]:
        """Return the images, `n x 3 x h x w`, and the labels of some rows, in their order."""
        if self._path.suffix == ".npz":
            pixels = self._arrays()[0][rows]
        else:
            pixels = np.stack(list(self._decoded(rows)))
        return pixels, self._labels[rows] - self._dataset.first_label

    def _read_labels(self) -> Ints:
        labels = self._arrays()[1] if self._path.suffix == ".npz" else self._column_of_labels()
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise DataError(
                f"expected whole numbers as labels in {self._path}, got {labels.dtype} of shape "
                f"{labels.shape}"
            )
        return labels.astype(np.int64)

    def _arrays(self) -> tuple[Pixels, NDArray[Any]]:
        with np.load(self._path, allow_pickle=False) as content:
            pixels, labels = content["x"], content["y"]
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1] != 3:
            raise DataError(
                f"expected images of uint8, n x 3 x h x w, as x in {self._path}, got "
                f"{pixels.dtype} of shape {pixels.shape}"
            )
        if len(labels) != len(pixels):
            raise DataError(
                f"expected a label for every image of {self._path}, got {len(pixels)} images and "
                f"{len(labels)} labels"
            )
        return pixels, labels

    def _column_of_labels(self) -> NDArray[Any]:
        import pyarrow.parquet as pq

        column = pq.read_table(self._path, columns=["label"]).column("label")
        labels: NDArray[Any] = column.to_numpy()
        return labels

    def _decoded(self, rows: Ints) -> Iterator[Pixels]:
        """The images of some rows; a row group is read only where it holds one of them."""
        try:
            encoded = self._encoded(rows)
        except _UNREADABLE as error:
            raise self._unreadable(error) from error
        shape = (3, self._dataset.size, self._dataset.size)
        for row, (content, name) in zip(rows.tolist(), encoded, strict=True):
            where = f"image {row}{f' ({name})' if name else ''} of {self._path}"
            pixels = _decode(content, where)
            if self._dataset.size and pixels.shape != shape:
                raise DataError(f"expected {where} as {_by(shape)}, got {_by(pixels.shape)}")
            yield pixels

    def _encoded(self, rows: Ints) -> list[tuple[bytes, str]]:
        """The encoded bytes and the name of some rows' images, in their order."""
        import pyarrow.parquet as pq

        found: dict[int, tuple[bytes, str]] = {}
        with pq.ParquetFile(self._path) as file:
            start = 0
            for group in range(file.num_row_groups):
                end = start + file.metadata.row_group(group).num_rows
                inside = rows[(rows >= start) & (rows < end)]
                if inside.size:
                    column = file.read_row_group(group, columns=["img"]).column("img")
                    images = column.take(inside - start).to_pylist()
                    for row, image in zip(inside.tolist(), images, strict=True):
                        found[row] = image["bytes"], str(image.get("path") or "")
                start = end
        return [found[row] for row in rows.tolist()]

    def _unreadable(self, error: Exception) -> DataError:
        return DataError(
            f"expected a file of images and labels, got {self._path}: "
            f"{type(error).__name__}: {error}"
        )


def _decode(content: bytes, where: str) -> Pixels:
    """One image, `3 x h x w`, from its JPEG, PNG, ... bytes. Raises DataError, naming it."""
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise DataError(
            "decoding images needs Pillow, which is not here; pip install 'ipl-bench[live]'"
        ) from error
    try:
        with Image.open(io.BytesIO(content)) as image:
            pixels = np.asarray(image.convert("RGB"))
    except Exception as error:
        # Whatever a damaged file makes a decoder raise.
        raise DataError(f"{where} could not be decoded: {type(error).__name__}: {error}") from error
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _own(path: Path) -> Dataset:
    """A user's own file as a dataset."""
    name = str(path)
    if not path.is_file():
        raise DataError(f"expected a file of images, got {name}, which does not exist")
    # Size 0: any; and as many classes as labels can tell apart.
    probe = _Images(Dataset(name, np.iinfo(np.int64).max, 0, name))
    if not probe.rows.size or probe.rows.size < probe.labels.size:
        raise DataError(f"expected images with labels from 0 on in {name}, got others or none")
    try:
        pixels, _ = probe.read(probe.rows[:_STATISTICS_OF])
    except ValueError as error:
        raise DataError(f"expected images of one size in {name}, got several") from error
    if pixels.shape[2] != pixels.shape[3]:
        raise DataError(f"expected square images in {name}, got {_by(pixels.shape[2:])}")
    mean, std = pixels.mean((0, 2, 3)), pixels.std((0, 2, 3))
    return Dataset(
        name,
        classes=int(probe.labels.max()) + 1,
        size=pixels.shape[2],
        path=name,
        mean=tuple(mean.tolist()),
        std=tuple(np.where(std > 0, std, 1.0).tolist()),
        notes="a user's own",
    )
