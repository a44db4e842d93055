"""Files and folders of images, read a few at a time: which are there, and their labels and pixels.

Three kinds: an NPZ, a Parquet of encoded images (the layout of public hubs), and a folder of
image files that has a folder for every class. Only the images asked for are decoded.

Which column (or array) holds images and which labels is said, or known by its name, or by its
content where one alone can be meant; it is never guessed among several.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.base import BenchError, DataError, Ints, OptionError

if TYPE_CHECKING:
    import pyarrow as pa
    from PIL.Image import Image

Pixels: TypeAlias = NDArray[np.uint8]

IMAGE, LABEL = "image", "label"
"""The options that name a column of images and one of labels."""

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile)
_WIDE = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
"""Pillow's modes of one number of more than 8 bits a pixel."""
_MOST_OF_16_BITS = 65_535
_ENDINGS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})


class _Content(Protocol):
    """What one kind of file holds."""

    def labels(self) -> NDArray[Any]:
        """Return the `n` labels, as the file has them."""

    def pixels(self, rows: Ints) -> Iterator[tuple[str, Pixels]]:
        """Yield which image it is, in words, and it, `3 x h x w`, of some rows in their order."""

    def stored(self) -> Iterator[bytes]:
        """Yield the bytes of all `n` images in order, as they are stored, none decoded."""


class ImageFile:
    """The images of one file or folder: `rows` are those of the classes asked for.

    Args:
        path: A file ending in .npz, a Parquet file, or a folder.
        classes: How many there are.
        first_label: The file's number for class 0; images outside the classes are left out.
        size: Height and width that images must have, in pixels; any, if 0.
        columns: The file's names of its `image` and `label`, where they are said.

    Raises:
        DataError: The file cannot be read, its labels are no whole numbers, or several columns
            may be meant and none is said.
        OptionError: A column is said of a folder.
    """

    def __init__(
        self,
        path: Path,
        classes: int,
        first_label: int = 0,
        size: int = 0,
        columns: Mapping[str, str] | None = None,
    ) -> None:
        self._path = path
        self._size = size
        self._content = _content(path, columns or {})
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

    def sha256(self) -> str:
        """The SHA-256 of all images' bytes and labels in order: of the content, under any name.

        Raises DataError where an image cannot be read; none is decoded.
        """
        hasher = sha256(np.ascontiguousarray(self._labels, dtype="<i8").tobytes())
        try:
            for image in self._content.stored():
                hasher.update(f"{len(image)}\n".encode())
                hasher.update(image)
        except BenchError:
            raise
        except _UNREADABLE as error:
            raise self._unreadable(error) from error
        return hasher.hexdigest()

    def _unreadable(self, error: Exception) -> DataError:
        return DataError(
            f"expected a file of images and labels, got {self._path}: "
            f"{type(error).__name__}: {error}"
        )


def by(shape: Sequence[int]) -> str:
    """A shape in words: `3 x 8 x 8`."""
    return " x ".join(map(str, shape))


def _content(path: Path, columns: Mapping[str, str]) -> _Content:
    if path.is_dir():
        if columns:
            raise OptionError(
                f"expected {IMAGE}= and {LABEL}= of a file, got them of the folder {path}, whose "
                "folders are its labels"
            )
        return _Folder(path)
    return _Arrays(path, columns) if path.suffix == ".npz" else _Encoded(path, columns)


def _named(
    path: Path, what: str, said: str | None, usual: str, fit: Sequence[str], every: Sequence[str]
) -> str:
    """The name of a file's images, or of its labels: said, usual, or the only one that fits.

    Raises DataError where none or several fit, saying how to choose.
    """
    name = said or (usual if usual in fit else fit[0] if len(fit) == 1 else None)
    if name in fit:
        return str(name)
    wanted = {
        IMAGE: f"one column of encoded images (called {usual}, or the only one)",
        LABEL: f"one column of whole numbers as labels (called {usual}, or the only one that "
        "repeats any)",
    }[what]
    raise DataError(
        f"expected {wanted} in {path}, got {f'{said!r} of ' if said else ''}"
        f"{', '.join(fit or every)}; say which, as in {path.name},{IMAGE}=NAME,{LABEL}=NAME"
    )


def _is_label(values: NDArray[Any]) -> bool:
    """Whether a column can be one of labels: whole numbers, of which numbers of rows are none."""
    whole = values.ndim == 1 and np.issubdtype(values.dtype, np.integer)
    return bool(whole and len(np.unique(values)) < len(values))


class _Arrays:
    """An NPZ of `x`, uint8, `n x 3 x h x w`, and `y`, or of other names."""

    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        self._path = path
        self._columns = columns

    def labels(self) -> NDArray[Any]:
        return self._read()[1]

    def pixels(self, rows: Ints) -> Iterator[tuple[str, Pixels]]:
        pixels, _ = self._read()
        for row in rows.tolist():
            yield f"image {row} of {self._path}", pixels[row]

    def stored(self) -> Iterator[bytes]:
        for image in self._read()[0]:
            yield f"{image.shape}\n".encode() + image.tobytes()

    def _read(self) -> tuple[Pixels, NDArray[Any]]:
        with np.load(self._path, allow_pickle=False) as content:
            pixels, labels = (content[name] for name in self._names(content))
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

    def _names(self, content: Mapping[str, NDArray[Any]]) -> tuple[str, str]:
        """The arrays of images and of labels. Raises DataError."""
        names = list(content)
        said = self._columns
        images, labels = said.get(IMAGE), said.get(LABEL)
        # The usual names are looked at as they are: what is wrong with these is told by itself.
        known = [it for it in names if it in (images, "x") or content[it].ndim == 4]
        images = _named(self._path, IMAGE, images, "x", known, names)
        known = [it for it in names if it in (labels, "y") or _is_label(content[it])]
        return images, _named(self._path, LABEL, labels, "y", known, names)


class _Encoded:
    """A Parquet of `img`, a struct with the encoded `bytes`, and `label`, or of other names.

    Images may be the bytes themselves, too.
    """

    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        self._path = path
        self._columns = columns
        self._found: tuple[str, str] | None = None

    def labels(self) -> NDArray[Any]:
        import pyarrow.parquet as pq

        name = self._names()[1]
        column = pq.read_table(self._path, columns=[name]).column(name)
        labels: NDArray[Any] = column.to_numpy()
        return labels

    def pixels(self, rows: Ints) -> Iterator[tuple[str, Pixels]]:
        for row, (content, name) in zip(rows.tolist(), self._encoded(rows), strict=True):
            where = f"image {row}{f' ({name})' if name else ''} of {self._path}"
            yield where, _decode(content, where)

    def stored(self) -> Iterator[bytes]:
        import pyarrow.parquet as pq

        name = self._names()[0]
        with pq.ParquetFile(self._path) as file:
            for group in range(file.num_row_groups):
                column = file.read_row_group(group, columns=[name]).column(name)
                for cell in column.to_pylist():
                    yield _bytes_of(cell)[0]

    def _names(self) -> tuple[str, str]:
        """The columns of images and of labels, found once. Raises DataError."""
        if self._found is None:
            self._found = self._sought()
        return self._found

    def _sought(self) -> tuple[str, str]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pq.read_schema(self._path)
        images = [field.name for field in schema if _holds_images(field.type)]
        names = schema.names
        image = _named(self._path, IMAGE, self._columns.get(IMAGE), "img", images, names)
        said = self._columns.get(LABEL)
        usual = said or LABEL
        if usual in names:
            # What is wrong with its numbers is told by itself.
            return image, usual
        whole = [field.name for field in schema if pa.types.is_integer(field.type)]
        # How pandas calls an index that has no name.
        whole = [name for name in whole if not name.startswith("__index_level_")]
        read = pq.read_table(self._path, columns=whole)
        labels = [name for name in whole if _is_label(read.column(name).to_numpy())]
        return image, _named(self._path, LABEL, said, LABEL, labels, names)

    def _encoded(self, rows: Ints) -> list[tuple[bytes, str]]:
        """The encoded bytes and the name of some rows' images, in their order.

        A row group is read only where it holds one of them.
        """
        import pyarrow.parquet as pq

        name = self._names()[0]
        found: dict[int, tuple[bytes, str]] = {}
        with pq.ParquetFile(self._path) as file:
            start = 0
            for group in range(file.num_row_groups):
                end = start + file.metadata.row_group(group).num_rows
                inside = rows[(rows >= start) & (rows < end)]
                if inside.size:
                    column = file.read_row_group(group, columns=[name]).column(name)
                    images = column.take(inside - start).to_pylist()
                    for row, image in zip(inside.tolist(), images, strict=True):
                        found[row] = _bytes_of(image)
                start = end
        return [found[row] for row in rows.tolist()]


def _holds_images(kind: pa.DataType) -> bool:
    """Whether a column's type is that of encoded images: bytes, or a struct with `bytes`."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _holds_images(kind.field(place).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _bytes_of(cell: Any) -> tuple[bytes, str]:
    """The encoded bytes of a cell, none where it is empty, and the image's name, if any."""
    if isinstance(cell, dict):
        return cell["bytes"] or b"", str(cell.get("path") or "")
    return cell or b"", ""


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

    def stored(self) -> Iterator[bytes]:
        for file in self._files:
            yield file.read_bytes()


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
            pixels = _of_eight_bits(image, where)
    except DataError:
        raise
    except Exception as error:
        # Whatever a damaged file makes a decoder raise.
        raise DataError(f"{where} could not be decoded: {type(error).__name__}: {error}") from error
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _of_eight_bits(image: Image, where: str) -> Pixels:
    """An opened image's `h x w x 3` pixels from 0 to 255, whatever its own range is.

    Grey of 16 bits is scaled, so that 65,535 becomes 255: Pillow's own conversion clips it. (Of
    colours of 16 bits Pillow keeps the upper 8, which is the same up to rounding.) Raises
    DataError for numbers of an unknown range.
    """
    if image.mode in _WIDE:
        wide = np.asarray(image).astype(np.float64)
        # "I" is also how 16 bits are opened by versions of Pillow that have no mode for them.
        known = image.mode != "I" or image.format == "PNG"
        if known and wide.min() >= 0 and wide.max() <= _MOST_OF_16_BITS:
            grey = np.rint(wide * (255 / _MOST_OF_16_BITS)).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in {*_WIDE, "F"}:
        raise DataError(
            f"expected pixels of 8 or 16 bits in {where}, got {image.mode} of {image.format}, "
            "whose range is not known"
        )
    return np.asarray(image.convert("RGB"))
