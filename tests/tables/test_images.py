"""Images: which are read, what is done to them, and what is wrong with a user's own."""

from __future__ import annotations

import io
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.base import BenchError, DataError, OptionError, UnknownNameError
from bench.tables import _image_files
from bench.tables.images import DATASETS, available, dataset, digest, everything, minibatches

Image = pytest.importorskip("PIL.Image")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def png(pixels: np.ndarray) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(sink, "PNG")
    return sink.getvalue()


def drawn(n: int, size: int = 8) -> np.ndarray:
    return rng(7).integers(256, size=(n, 3, size, size), dtype=np.uint8)


def write(path: Path, contents: list[bytes], labels: object, **how: int) -> str:
    column = [{"bytes": each, "path": f"{i}.png"} for i, each in enumerate(contents)]
    pq.write_table(pa.table({"img": column, "label": labels}), path, **how)
    return str(path)


@pytest.mark.parametrize("name", DATASETS)
def test_minibatches_have_shape_type_and_labels_of_their_dataset(name: str, data: Path) -> None:
    found = dataset(name)
    (first, labels), (second, _) = minibatches(found, 20, 2, rng())
    assert first.shape == second.shape == (20, 3, found.size, found.size)
    assert (first.dtype, labels.dtype, labels.shape) == (np.float32, np.int64, (20,))
    assert labels.min() >= 0
    assert labels.max() < found.classes
    together = np.concatenate([first, second]).reshape(40, -1)
    assert len(np.unique(together, axis=0)) == 40
    # Normalised: within a standard deviation of 0, spread about 1.
    assert abs(together.mean()) < 1
    assert 0.5 < together.std() < 1.5


@pytest.mark.parametrize("name", DATASETS)
def test_same_seed_same_bytes_and_another_seed_others(name: str, data: Path) -> None:
    found = dataset(name)
    (one, labels), _ = minibatches(found, 10, 2, rng())
    ((alone, alone_labels),) = minibatches(found, 10, 1, rng())
    ((other, _),) = minibatches(found, 10, 1, rng(1))
    assert one.tobytes() == alone.tobytes()
    assert labels.tobytes() == alone_labels.tobytes()
    assert not np.array_equal(one, other)


def test_cifar10_is_what_stands_in_the_file(data: Path) -> None:
    ((found, labels),) = minibatches(dataset("cifar10"), 3, 1, rng())
    table = pq.read_table(data / "images" / "cifar10-train.parquet")
    mean, std = np.array([125.3, 123.0, 113.9]), np.array([63.0, 62.1, 66.7])
    for row, image, label in zip(rng().permutation(50_000)[:3], found, labels, strict=True):
        wanted = Image.open(io.BytesIO(table["img"][int(row)].as_py()["bytes"]))
        expected = (np.asarray(wanted, dtype=float) - mean) / std
        np.testing.assert_allclose(image.transpose(1, 2, 0), expected, atol=1e-5)
        assert table["label"][int(row)].as_py() == label


def test_imagenet16_120_is_the_first_120_classes_numbered_from_0(data: Path) -> None:
    found = dataset("imagenet16-120")
    content = np.load(data / "images" / "imagenet16_960imgs.npz")
    wanted = np.flatnonzero(content["y"] <= 120)
    assert available(found) == len(wanted) == 106
    ((pixels, labels),) = minibatches(found, 106, 1, rng())
    order = rng().permutation(106)
    np.testing.assert_array_equal(labels, content["y"][wanted][order] - 1)
    mean = np.array([122.68, 116.66, 104.01])[:, None, None]
    std = np.array([63.22, 61.26, 65.09])[:, None, None]
    np.testing.assert_allclose(pixels, (content["x"][wanted][order] - mean) / std, atol=1e-5)
    with pytest.raises(DataError, match=r"2 x 64 different images of imagenet16-120.* 106"):
        minibatches(found, 64, 2, rng())


def test_only_the_images_of_the_minibatches_are_decoded(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    decode = _image_files._decode

    def counted(content: bytes, where: str) -> np.ndarray:
        decoded.append(where)
        return decode(content, where)

    monkeypatch.setattr(_image_files, "_decode", counted)
    minibatches(dataset("cifar10"), 16, 2, rng())
    assert len(set(decoded)) == len(decoded) == 32


def test_noise_is_gaussian_of_any_size_and_has_no_end() -> None:
    found = dataset("noise,size=16,classes=7")
    assert available(found) is None
    ((pixels, labels),) = minibatches(found, 200, 1, rng())
    assert pixels.shape == (200, 3, 16, 16)
    n = pixels.size
    assert abs(pixels.mean()) < 5 / np.sqrt(n)
    assert abs(pixels.var() - 1) < 5 * np.sqrt(2 / n)
    assert set(labels.tolist()) == set(range(7))


@pytest.mark.parametrize("kind", ["parquet", "npz"])
def test_a_users_own_file_is_normalised_by_its_own_images(kind: str, tmp_path: Path) -> None:
    pixels, labels = drawn(12), rng().integers(5, size=12)
    labels[0] = 4
    if kind == "parquet":
        text = write(tmp_path / "own.parquet", [*map(png, pixels)], labels, row_group_size=5)
    else:
        text = str(tmp_path / "own.npz")
        np.savez(text, x=pixels, y=labels)
    found = dataset(text)
    assert (found.classes, found.size, available(found)) == (5, 8, 12)
    (first, one), (second, two) = minibatches(found, 6, 2, rng())
    order = rng().permutation(12)
    mean = pixels.mean((0, 2, 3), keepdims=True)
    expected = (pixels - mean) / pixels.std((0, 2, 3), keepdims=True)
    np.testing.assert_allclose(np.concatenate([first, second]), expected[order], atol=1e-4)
    np.testing.assert_array_equal(np.concatenate([one, two]), labels[order])


def folder_of(path: Path, pixels: np.ndarray, labels: np.ndarray) -> str:
    """A folder with a folder for every class, its images in the order of rows."""
    for at, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        place = path / f"class {label}" / f"{at:02}.PNG"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(png(image))
    return str(path)


def test_a_folder_has_a_folder_for_every_class(tmp_path: Path) -> None:
    pixels, labels = drawn(12), np.arange(12) % 3
    text = folder_of(tmp_path / "own", pixels, labels)
    (tmp_path / "own" / "class 1" / "notes.txt").write_text("no image")
    (tmp_path / "own" / ".cache").mkdir()
    found = dataset(text)
    assert (found.classes, found.size, available(found)) == (3, 8, 12)
    order = np.argsort(labels, kind="stable")
    images, numbers = everything(found)
    np.testing.assert_array_equal(images, pixels[order])
    np.testing.assert_array_equal(numbers, labels[order])
    np.testing.assert_allclose(found.mean, pixels.mean((0, 2, 3)))
    ((batch, _),) = minibatches(found, 12, 1, rng())
    scaled = (pixels - pixels.mean((0, 2, 3), keepdims=True)) / pixels.std((0, 2, 3), keepdims=True)
    np.testing.assert_allclose(batch, scaled[order][rng().permutation(12)], atol=1e-4)


def test_a_folders_mean_is_of_all_its_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.tables.images._STATISTICS_OF", 3)
    pixels = np.repeat(np.array([10, 20, 60], np.uint8), 4)[:, None, None, None]
    text = folder_of(tmp_path / "own", np.broadcast_to(pixels, (12, 3, 2, 2)), np.arange(12) // 4)
    assert dataset(text).mean == (30.0, 30.0, 30.0)


def test_a_folder_that_is_wrong_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder of images for every class in .*, got none"):
        dataset(str(tmp_path))
    folder_of(tmp_path, drawn(4), np.arange(4) % 2)
    (tmp_path / "class 0" / "00.PNG").write_bytes(png(drawn(1, 9)[0]))
    with pytest.raises(DataError, match=r"02\.PNG as 3 x 9 x 9, got 3 x 8 x 8"):
        dataset(str(tmp_path))
    (tmp_path / "class 0" / "00.PNG").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"image .*00\.PNG could not be decoded"):
        dataset(str(tmp_path))
    (tmp_path / "class 9").mkdir()
    with pytest.raises(DataError, match="got none in .*class 9"):
        dataset(str(tmp_path))


@pytest.mark.parametrize("kind", ["parquet", "npz"])
def test_everything_is_all_images_as_they_are(kind: str, tmp_path: Path) -> None:
    pixels, labels = drawn(12), rng().integers(3, size=12)
    if kind == "parquet":
        text = write(tmp_path / "own.parquet", [*map(png, pixels)], labels, row_group_size=5)
    else:
        text = str(tmp_path / "own.npz")
        np.savez(text, x=pixels, y=labels)
    found, numbers = everything(dataset(text))
    assert (found.dtype, numbers.dtype) == (np.uint8, np.int64)
    np.testing.assert_array_equal(found, pixels)
    np.testing.assert_array_equal(numbers, labels)


def test_everything_is_of_the_classes_alone(data: Path) -> None:
    found, labels = everything(dataset("imagenet16-120"))
    content = np.load(data / "images" / "imagenet16_960imgs.npz")
    kept = content["y"] <= 120
    np.testing.assert_array_equal(found, content["x"][kept])
    np.testing.assert_array_equal(labels, content["y"][kept] - 1)
    with pytest.raises(OptionError, match="images that are there, got noise"):
        everything(dataset("noise"))


def test_a_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    text = folder_of(tmp_path / "own", drawn(4), np.arange(4) % 2)
    first = digest(tmp_path / "own")
    assert digest(Path(text)) == first
    image = tmp_path / "own" / "class 0" / "00.PNG"
    assert digest(image) == sha256(image.read_bytes()).hexdigest()
    image.rename(image.with_name("01.PNG"))
    renamed = digest(tmp_path / "own")
    image.with_name("01.PNG").write_bytes(b"other")
    assert len({first, renamed, digest(tmp_path / "own")}) == 3


def test_grey_images_are_read_as_colours_and_one_colour_is_no_division_by_zero(
    tmp_path: Path,
) -> None:
    sink = io.BytesIO()
    Image.new("L", (4, 4), 9).save(sink, "PNG")
    found = dataset(write(tmp_path / "own.parquet", [sink.getvalue()] * 3, [0, 0, 1]))
    ((pixels, _),) = minibatches(found, 3, 1, rng())
    np.testing.assert_array_equal(pixels, np.zeros((3, 3, 4, 4)))


def test_a_corrupt_image_is_named(tmp_path: Path) -> None:
    contents = [*map(png, drawn(4))]
    path = write(tmp_path / "own.parquet", contents, [0, 1, 0, 1])
    found = dataset(path)
    write(tmp_path / "own.parquet", [*contents[:2], contents[2][:40], contents[3]], [0, 1, 0, 1])
    with pytest.raises(DataError, match=r"image 2 \(2\.png\) of .*own\.parquet could not be deco"):
        minibatches(found, 4, 1, rng())


def test_an_image_of_another_size_is_named(tmp_path: Path) -> None:
    contents = [*map(png, drawn(3))]
    path = write(tmp_path / "own.parquet", contents, [0, 1, 0])
    found = dataset(path)
    write(tmp_path / "own.parquet", [*contents[:2], png(drawn(1, 9)[0])], [0, 1, 0])
    with pytest.raises(DataError, match=r"image 2 .* as 3 x 8 x 8, got 3 x 9 x 9"):
        minibatches(found, 3, 1, rng())


@pytest.mark.parametrize(
    ("name", "prepare", "says"),
    [
        ("none.parquet", lambda p: None, "does not exist"),
        ("own.parquet", lambda p: p.write_bytes(b"PAR1"), "images and labels"),
        ("own.parquet", lambda p: write(p, [png(drawn(1)[0])], ["cat"]), "whole numbers"),
        ("own.parquet", lambda p: write(p, [png(drawn(1)[0])], [-1]), "labels from 0"),
        ("own.parquet", lambda p: pq.write_table(pa.table({"label": [0]}), p), "encoded images"),
        ("own.npz", lambda p: np.savez(p, x=drawn(2)), "whole numbers as labels .* got x"),
        ("own.npz", lambda p: np.savez(p, x=drawn(2), y=[0]), "2 images and 1 labels"),
        ("own.npz", lambda p: np.savez(p, x=drawn(2) / 255, y=[0, 1]), "uint8"),
        ("own.npz", lambda p: np.savez(p, x=drawn(2)[..., :4], y=[0, 1]), "square"),
        ("own.npz", lambda p: np.savez(p, x=np.array([None]), y=[0]), "images and labels"),
        ("own.npz", lambda p: p.write_bytes(b"PK no zip"), "images and labels"),
    ],
)
def test_a_users_own_file_that_is_wrong_is_told(
    name: str, prepare: object, says: str, tmp_path: Path
) -> None:
    prepare(tmp_path / name)  # type: ignore[operator]
    with pytest.raises(DataError, match=says):
        dataset(str(tmp_path / name))


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("cifar11", UnknownNameError, r"did you mean cifar10\?"),
        ("cifar10,size=8", OptionError, "noise alone"),
        ("noise,depth=3", OptionError, "noise,size="),
        ("noise,size=0", OptionError, "noise,size="),
        ("noise,size", OptionError, "noise,size="),
    ],
)
def test_a_dataset_that_there_is_not_is_told(text: str, error: type[BenchError], says: str) -> None:
    with pytest.raises(error, match=says):
        dataset(text)


@pytest.mark.parametrize(("size", "count"), [(0, 1), (4, 0), (-1, 1)])
def test_no_images_are_no_minibatch(size: int, count: int) -> None:
    with pytest.raises(OptionError, match="at least one image"):
        minibatches(dataset("noise"), size, count, rng())


def own(tmp_path: Path, kind: str) -> Path:
    """16 images of four classes, as one kind of file or folder."""
    pixels, labels = drawn(16), np.arange(16) % 4
    place = tmp_path / f"own.{kind}"
    if kind == "npz":
        np.savez(place, x=pixels, y=labels)
    elif kind == "parquet":
        write(place, [png(each) for each in pixels], labels)
    else:
        folder_of(place, pixels, labels)
    return place


@pytest.mark.parametrize("kind", ["npz", "parquet", "folder"])
def test_own_images_are_known_by_content_not_by_path(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = own(tmp_path, kind)
    copy = tmp_path / "copies" / "another-name"
    copy.parent.mkdir()
    copy = copy.with_suffix(place.suffix)
    if place.is_dir():
        shutil.copytree(place, copy)
        (copy / "Thumbs.db").write_bytes(b"no image")
    else:
        shutil.copy(place, copy)
    monkeypatch.chdir(tmp_path)
    spelled = [place.name, f"./{place.name}", str(place), f"copies/../{place.name}", str(copy)]
    keys = {dataset(text).key for text in spelled}
    assert len(keys) == 1
    assert keys.pop().startswith("sha256:")


def test_another_label_or_pixel_is_another_key(tmp_path: Path) -> None:
    pixels, labels = drawn(4), np.array([0, 1, 0, 1])
    np.savez(tmp_path / "own.npz", x=pixels, y=labels)
    before = dataset(str(tmp_path / "own.npz")).key
    np.savez_compressed(tmp_path / "compressed.npz", labels=labels, images=pixels)
    assert dataset(str(tmp_path / "compressed.npz")).key == before
    np.savez(tmp_path / "own.npz", x=pixels, y=labels[::-1])
    assert dataset(str(tmp_path / "own.npz")).key != before
    pixels[0, 0, 0, 0] ^= 1
    np.savez(tmp_path / "other.npz", x=pixels, y=labels)
    assert dataset(str(tmp_path / "other.npz")).key != before


def test_a_built_in_dataset_is_drawn_by_its_name(data: Path) -> None:
    assert [dataset(name).key for name in DATASETS] == list(DATASETS)


@pytest.mark.parametrize(
    ("texts", "key"),
    [
        (["noise", "noise,size=32", "noise, classes=10,size=32"], "noise"),
        (["noise,size=16", "noise, size=16", "noise,classes=10,size=016"], "noise,size=16"),
        (["noise,size=16,classes=4", "noise,classes=4,size=16"], "noise,size=16,classes=4"),
    ],
)
def test_noise_has_one_key_for_all_ways_to_write_it(texts: list[str], key: str) -> None:
    assert {dataset(text).key for text in texts} == {key}


def test_a_file_named_like_one_of_ours_is_still_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir()
    name = "images/cifar100_960imgs.npz"
    np.savez(tmp_path / name, x=drawn(4), y=[0, 1, 0, 1])
    monkeypatch.chdir(tmp_path)
    assert available(dataset(name)) == 4


def table(path: Path, **columns: object) -> str:
    pq.write_table(pa.table(columns), path)
    return str(path)


def test_columns_of_other_names_are_known_by_their_content(tmp_path: Path) -> None:
    contents = [png(each) for each in drawn(8)]
    labels = [0, 1, 2, 3] * 2
    usual = dataset(write(tmp_path / "usual.parquet", contents, labels))
    hub = table(
        tmp_path / "hub.parquet",
        image=[{"bytes": each, "path": None} for each in contents],
        target=labels,
        id=list(range(8)),
        __index_level_0__=[0] * 8,
    )
    bare = table(tmp_path / "bare.parquet", picture=contents, kind=labels)
    for text in (hub, bare):
        assert dataset(text).key == usual.key
        np.testing.assert_array_equal(everything(dataset(text))[0], everything(usual)[0])
        np.testing.assert_array_equal(everything(dataset(text))[1], labels)


def test_of_several_columns_one_has_to_be_said(tmp_path: Path) -> None:
    contents = [png(each) for each in drawn(8)]
    fine, coarse = [0, 1, 2, 3] * 2, [0, 1] * 4
    path = table(tmp_path / "c.parquet", img=contents, fine_label=fine, coarse_label=coarse)
    with pytest.raises(DataError, match=r"got fine_label, coarse_label; say which.*label=NAME"):
        dataset(path)
    assert dataset(f"{path},label=fine_label").classes == 4
    assert dataset(f"{path}, label = coarse_label").classes == 2
    assert dataset(f"{path};label=coarse_label").key == dataset(f"{path},label=coarse_label").key
    two = table(tmp_path / "two.parquet", left=contents, right=contents[::-1], label=fine)
    with pytest.raises(DataError, match=r"encoded images .*got left, right; say which"):
        dataset(two)
    right = everything(dataset(f"{two},image=right"))[0]
    np.testing.assert_array_equal(right, everything(dataset(f"{two},image=left"))[0][::-1])
    with pytest.raises(DataError, match="got 'up' of left, right"):
        dataset(f"{two},image=up")
    with pytest.raises(OptionError, match="expected FILE,image=NAME,label=NAME, got"):
        dataset(f"{path},labels=fine_label")
    with pytest.raises(OptionError, match="expected FILE,image=NAME,label=NAME, got"):
        dataset(f"{path},label=fine_label,label=coarse_label")


def test_a_number_of_the_row_is_no_label(tmp_path: Path) -> None:
    path = table(tmp_path / "i.parquet", image=[png(it) for it in drawn(4)], id=[3, 1, 2, 0])
    with pytest.raises(DataError, match="whole numbers as labels .* got image, id; say which"):
        dataset(path)


@pytest.mark.parametrize("ending", ["PNG", "TIFF"])
def test_grey_of_16_bits_is_scaled_not_clipped(ending: str, tmp_path: Path) -> None:
    wide = np.array([[0, 1, 128, 129], [255, 256, 257, 1000], [32767, 32768, 40000, 65279],
                     [65280, 65406, 65534, 65535]], dtype=np.uint16)  # fmt: skip
    sink = io.BytesIO()
    Image.fromarray(wide).save(sink, ending)
    found = _image_files._decode(sink.getvalue(), "it")
    assert (found.dtype, found.shape) == (np.uint8, (3, 4, 4))
    for channel in found:
        np.testing.assert_array_equal(channel, np.rint(wide / 65535 * 255))
    assert (found[0, -1, -1], found[0, 0, 0]) == (255, 0)


def test_grey_of_8_bits_and_one_is_what_it_was() -> None:
    grey = np.arange(16, dtype=np.uint8).reshape(4, 4) * 17
    for pixels, wanted in ((grey, grey), (grey > 100, np.where(grey > 100, 255, 0))):
        sink = io.BytesIO()
        Image.fromarray(pixels).save(sink, "PNG")
        np.testing.assert_array_equal(_image_files._decode(sink.getvalue(), "it")[1], wanted)


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_pixels_of_an_unknown_range_are_refused(kind: type) -> None:
    sink = io.BytesIO()
    Image.fromarray(np.full((4, 4), 0.5 if kind is np.float32 else 70_000, kind)).save(sink, "TIFF")
    with pytest.raises(DataError, match="expected pixels of 8 or 16 bits in it, got . of TIFF"):
        _image_files._decode(sink.getvalue(), "it")
