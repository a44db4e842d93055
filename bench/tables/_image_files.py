"""Files and folders of images, read a few at a time: which are there, and their labels and pixels.

Three kinds: an NPZ, a Parquet of encoded images (the layout of public hubs), and a folder of
image files that has a folder for every class. Only the images asked for are decoded.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.base import BenchError, DataError, Ints

Pixels: TypeAlias = NDArray[np.uint8]

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile)
_ENDINGS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})


class _Content(Protocol):
    """What one kind of file holds."""

    def labels(self) -> NDArray[Any]:
        """Return the `n` labels, as the file has them."""

    def pixels(self, rows: Ints) -> Iterator[tuple[str, Pixels]]:
        """Yield which image it is, in words, and it, `3 x h x w`, of some rows in their order."""


class ImageFile:
    """The images of one file or folder: `rows` are those of the classes asked for.

    Args:
        path: A file ending in .npz, a Parquet file, or a folder.
        classes: How many there are.
        first_label: The file's number for class 0; images outside the classes are left out.
        size: Height and width that images must have, in pixels; any, if 0.

    Raises:
        DataError: The file cannot be read, or its labels are no whole numbers.
    """

    def __init__(self, path: Path, classes: int, first_label: int = 0, size: int = 0) -> None:
        self._path = path
        self._size = size
        self._content = _content(path)
        try:
            labels = self._content.labels()
        except BenchError:
            raise
        except _UNREADABLE as error:
            raise self._unreadable(error) from error
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise DataError(
                f"expected whole numbers as labels in {path}, got {labels.dtype} of shape "
                f"{labels.shape}"
            )
        self._labels = labels.astype(np.int64) - first_label
        self.rows = np.flatnonzero((self._labels >= 0) & (self._labels < classes))

    @property
    def labels(self) -> Ints:
        """The labels of all rows, less the first one."""
        return self._labels

    def read(self, rows: Ints) -> tuple[Pixels, Ints]:
        """Return the images, `n x 3 x h x w`, and the labels of some rows, in their order.

        Raises:
            DataError: An image cannot be decoded, or images are of different or wrong sizes.
        """
        pixels: list[Pixels] = []
        wanted = (3, self._size, self._size)
        try:
            for where, image in self._content.pixels(rows):
                if not self._size:
                    wanted = pixels[0].shape if pixels else image.shape
                if image.shape != wanted:
                    raise DataError(f"expected {where} as {by(wanted)}, got {by(image.shape)}")
                pixels.append(image)
        except BenchError:
            raise
        except _UNREADABLE as error:
            raise self._unreadable(error) from error
        return np.stack(pixels), self._labels[rows]

    def _unreadable(self, error: Exception) -> DataError:
        return DataError(
            f"expected a file of images and labels, got {self._path}: "
            f"{type(error).__name__}: {error}"
        )


def by(shape: Sequence[int]) -> str:
    """A shape in words: `3 x 8 x 8`."""
    return " x ".join(map(str, shape))


def _content(path: Path) -> _Content:
    if path.is_dir():
        return _Folder(path)
    return _Arrays(path) if path.suffix == ".npz" else _Encoded(path)


class _Arrays:
    """An NPZ of `x`, uint8, `n x 3 x h x w`, and `y`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def labels(self) -> NDArray[Any]:
        return self._read()[1]

    def pixels(self, rows: Ints) -> Iterator[tuple[str, Pixels]]:
        pixels, _ = self._read()
        for row in rows.tolist():
            yield f"image {row} of {self._path}", pixels[row]

    def _read(self) -> tuple[Pixels, NDArray[Any]]:
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


class _Encoded:
    """A Parquet of `img`, a struct with the encoded `bytes`, and `label`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def labels(self) -> NDArray[Any]:
        import pyarrow.parquet as pq

        column = pq.read_table(self._path, columns=["label"]).column("label")
        labels: NDArray[Any] = column.to_numpy()
        return labels

    def pixels(self, rows: Ints) -> Iterator[tuple[str, Pixels]]:
        for row, (content, name) in zip(rows.tolist(), self._encoded(rows), strict=True):
            where = f"image {row}{f' ({name})' if name else ''} of {self._path}"
            yield where, _decode(content, where)

    def _encoded(self, rows: Ints) -> list[tuple[bytes, str]]:
        """The encoded bytes and the name of some rows' images, in their order.

        A row group is read only where it holds one of them.
        """
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


class _Folder:
    """A folder with a folder for every class; in order of their names, classes are 0, 1, 2, ...

    Images come class by class, by their names. What is hidden, or does not end as an image does,
    is passed over.
    """

    def __init__(self, path: Path) -> None:
        self._files: list[Path] = []
        self._labels: list[int] = []
        for label, folder in enumerate(_visible(path, Path.is_dir)):
            found = [f for f in _visible(folder, Path.is_file) if f.suffix.lower() in _ENDINGS]
            if not found:
                raise DataError(f"expected images in every folder of {path}, got none in {folder}")
            self._files += found
            self._labels += [label] * len(found)
        if not self._files:
            raise DataError(f"expected a folder of images for every class in {path}, got none")

    def labels(self) -> NDArray[Any]:
        return np.array(self._labels)

    def pixels(self, rows: Ints) -> Iterator[tuple[str, Pixels]]:
        for row in rows.tolist():
            where = f"image {self._files[row]}"
            yield where, _decode(self._files[row].read_bytes(), where)


def _visible(folder: Path, kind: Callable[[Path], bool]) -> list[Path]:
    return sorted(p for p in folder.iterdir() if kind(p) and not p.name.startswith("."))


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
