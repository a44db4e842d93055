"""What a recipe stands for: images, the same from every kind of file, and its networks."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from bench.base import BenchError, DataError, OptionError
from bench.runs.recipes import by_content, images_sha256, network_of, read, split_of, stack_of
from bench.training.data import digits, split
from bench.training.recipe import Recipe

Image = pytest.importorskip("PIL.Image")

SHAPE = (("cells", 1), ("channels", 2))
NAMES = ("ant", "bee", "cat")


def recipe(path: Path | str, **how: object) -> Recipe:
    options = {"classes": 3, "size": 8, "training": 9, "validation": 6, "test": 6, "batch": 3}
    return Recipe(str(path), skeleton=SHAPE, **{**options, **how})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three classes of eight images each, in a folder, and beside it as NPZ and Parquet."""
    rng = np.random.default_rng(3)
    pixels = rng.integers(256, size=(24, 3, 8, 8), dtype=np.uint8)
    labels = np.repeat(np.arange(3), 8)
    encoded = []
    for at, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        path = tmp_path / "images" / NAMES[label] / f"{at:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.transpose(1, 2, 0)).save(path)
        encoded.append({"bytes": path.read_bytes(), "path": path.name})
    np.savez(tmp_path / "images.npz", x=pixels, y=labels)
    pq.write_table(pa.table({"img": encoded, "label": labels}), tmp_path / "images.parquet")
    return tmp_path / "images"


def test_digits_are_divided_as_the_recipe_says() -> None:
    found, expected = split_of(Recipe()), split(*digits(), Recipe())
    assert torch.equal(found.train.images, expected.train.images)
    assert torch.equal(found.test.labels, expected.test.labels)
    assert split_of(Recipe()) is found


def test_npz_parquet_and_folder_of_the_same_images_are_the_same(folder: Path) -> None:
    (folder / ".hidden").mkdir()
    (folder / "ant" / "notes.txt").write_text("no image")
    splits = {kind: recipe(folder.with_suffix(kind)) for kind in ("", ".npz", ".parquet")}
    digests = {images_sha256(each) for each in splits.values()}
    assert len(digests) == 1
    one, *others = (split_of(each) for each in splits.values())
    assert one.train.images.shape == (9, 3, 8, 8)
    for other in others:
        for name, part in one.parts.items():
            assert torch.equal(part.images, other.parts[name].images)
            assert torch.equal(part.labels, other.parts[name].labels)
    assert images_sha256(recipe(folder, epochs=2, checkpoints=(2,))) == digests.pop()


def test_another_pixel_or_label_is_another_digest(folder: Path) -> None:
    content = np.load(folder.with_suffix(".npz"))
    found = []
    for at, (pixel, label) in enumerate([(0, 0), (1, 0), (0, 1)]):
        pixels, labels = content["x"].copy(), content["y"].copy()
        pixels[5, 1, 2, 3] ^= pixel
        labels[7] += label
        np.savez(folder.parent / f"{at}.npz", x=pixels, y=labels)
        found.append(images_sha256(recipe(folder.parent / f"{at}.npz")))
    assert len(set(found)) == 3


def test_imagenet16_120_is_numbered_from_0(data: Path) -> None:
    few = recipe("imagenet16-120", classes=120, size=16)
    with pytest.raises(DataError, match=r"expected images of 120 classes, got none of \d"):
        split_of(few)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"size": 9}, OptionError, r"expected size=8 in a recipe of .*images, got size=9"),
        ({"classes": 4}, OptionError, r"expected classes=3 in a recipe of .*images, got classes=4"),
        ({"training": 99}, DataError, r"99 \+ 6 \+ 6, got 24"),
        (
            {"dataset": "noise"},
            OptionError,
            "expected classes=10, size=32 in a recipe of noise, got classes=3, size=8",
        ),
        ({"dataset": "noise", "size": 32, "classes": 10}, OptionError, "images that are there"),
        ({"dataset": "digit"}, BenchError, "there is no dataset 'digit'"),
        ({"dataset": "nowhere.parquet"}, DataError, "nowhere.parquet, which does not exist"),
    ],
)
def test_a_recipe_that_does_not_fit_is_told(
    change: dict[str, object], error: type[BenchError], says: str, folder: Path
) -> None:
    options = {name: value for name, value in change.items() if name != "dataset"}
    wrong = recipe(str(change.get("dataset", folder)), **options)
    with pytest.raises(error, match=says):
        split_of(wrong)


def test_a_corrupt_image_an_empty_class_and_another_size_are_told(folder: Path) -> None:
    image = folder / "bee" / "12.png"
    content = image.read_bytes()
    image.write_bytes(content[:50])
    with pytest.raises(DataError, match=r"image .*bee/12\.png could not be decoded"):
        split_of(recipe(folder))
    Image.new("RGB", (9, 8)).save(image)
    with pytest.raises(DataError, match=r"expected image .*12\.png as 3 x 8 x 8, got 3 x 8 x 9"):
        split_of(recipe(folder))
    image.write_bytes(content)
    (folder / "dog").mkdir()
    with pytest.raises(DataError, match=r"images in every folder of .*images, got none in .*dog"):
        split_of(recipe(folder, classes=4))
    for name in (*NAMES, "dog"):
        shutil.rmtree(folder / name)
    with pytest.raises(DataError, match=r"a folder of images for every class in .*, got none"):
        split_of(recipe(folder))


def test_a_class_without_labels_is_told(folder: Path) -> None:
    content = np.load(folder.with_suffix(".npz"))
    kept = content["y"] != 1
    np.savez(folder.with_suffix(".npz"), x=content["x"][kept], y=content["y"][kept])
    with pytest.raises(DataError, match="expected images of 3 classes, got none of 1"):
        split_of(recipe(folder.with_suffix(".npz"), training=4, validation=4, test=4))


def test_stacked_networks_are_each_the_network_alone() -> None:
    archs = [(3, 2, 4, 0, 1, 3), (1,) * 6, (3,) * 6]
    tiny = Recipe(skeleton=SHAPE)
    stack = stack_of(tiny, "nasbench201", archs, 5)
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    together = stack.module.eval()(images.repeat(1, 3, 1, 1)).view(4, 3, 10)
    for lane, arch in enumerate(archs):
        alone = network_of(tiny, "nasbench201", arch, 5).eval()(images)
        torch.testing.assert_close(together[:, lane], alone, rtol=1e-4, atol=1e-5)
    other = network_of(tiny, "nasbench201", archs[0], 6).eval()(images)
    assert not torch.allclose(together[:, 0], other)


def test_what_cannot_be_stacked_or_built_is_told() -> None:
    with pytest.raises(OptionError, match="networks of nasbench201 to train several"):
        stack_of(Recipe(), "darts", [(0,)], 0)
    deep = Recipe(skeleton=(("depth", 3),))
    with pytest.raises(OptionError, match="sized by channels and cells, got 'depth'"):
        stack_of(deep, "nasbench201", [(1,) * 6], 0)
    with pytest.raises(OptionError, match="sized by classes, channels, cells, got 'depth'"):
        network_of(deep, "nasbench201", (1,) * 6, 0)


def test_a_recipe_of_own_images_has_one_hash_under_every_path(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "elsewhere" / "renamed"
    shutil.copytree(folder, copy)
    (copy / ".DS_Store").write_bytes(b"no image")
    monkeypatch.chdir(folder.parent)
    spelled = [folder.name, f"./{folder.name}", f"{folder.name}/", str(folder), str(copy)]
    known = [by_content(recipe(path)) for path in spelled]
    assert {each.hash for each in known} == {known[0].hash}
    assert known[0].dataset == f"sha256:{images_sha256(recipe(folder))}"
    assert by_content(recipe(folder, epochs=2, checkpoints=(2,))).hash != known[0].hash
    _changed(copy)
    assert by_content(recipe(copy)).hash != known[0].hash


def _changed(folder: Path) -> None:
    """Put one image of a class in another's place."""
    first, second = sorted(p for p in folder.rglob("*.png"))[:2]
    first.write_bytes(second.read_bytes())


def test_built_in_images_keep_their_names_in_hashes_and_draws() -> None:
    assert by_content(Recipe()) == Recipe()
    whole = Recipe("cifar10", size=32)
    assert by_content(whole) is whole


def test_what_images_say_themselves_need_not_be_said(folder: Path) -> None:
    found = read(f"{folder},epochs=2")
    assert (found.classes, found.size) == (3, 8)
    # 24 images: a fifth each, and the rest to learn from.
    assert (found.training, found.validation, found.test) == (16, 4, 4)
    assert found.batch == 16
    assert len(split_of(found).train.labels) == 16
    assert read(str(found)) == found
    said = read(f"{folder},classes=3,size=8,training=12,validation=6,test=6,batch=4")
    assert (said.training, said.validation, said.test, said.batch) == (12, 6, 6, 4)
    with pytest.raises(OptionError, match=r"expected classes=3, size=8 in .*, got classes=4, size"):
        read(f"{folder},classes=4,size=9")


def test_a_recipe_with_spaces_is_the_one_without() -> None:
    assert read("digits, epochs=1 , batch = 25") == read("digits,batch=25,epochs=1")
    assert read("digits").hash == Recipe().hash
