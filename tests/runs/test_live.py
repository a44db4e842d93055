"""Live rows: what they hold, what failures become, and that nothing but the run decides them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench.base import BenchError, DataError, OptionError, Record, UnknownNameError
from bench.draws import keyed
from bench.proxies.computed import Computed
from bench.proxies.recorded import Recorded
from bench.runs import choose, live, live_rows, members
from bench.runs.live import LiveRun

pytest.importorskip("torch")

import torch

from bench.networks import Weights, network
from bench.proxies.live import score
from bench.runs.live import scorable
from bench.runs.recipes import read, split_of
from bench.training.recipe import parse

SPACE = members.space("nasbench201")
ARCHS = choose.sampled(SPACE, 5, keyed(0, "test"))
EMPTY = (0,) * 6
"""The cell of nothing but zeros."""

OWN = """
def width(network):
    return sum(p.numel() for p in network.module.parameters())

def undone(network):
    raise ZeroDivisionError

def infinite(network):
    return float("inf")

def edges(graph):
    return graph.adjacency.sum()

def exits(graph):
    raise SystemExit(3)
"""


def run_of(*proxies: str, **how: Any) -> LiveRun:
    facts: dict[str, Any] = {
        "space": "nasbench201",
        "archs": len(ARCHS),
        "archs_sha256": live.digest(SPACE, ARCHS),
        "proxies": proxies,
        "dataset": "noise,size=8",
        "batch": 4,
        "shape": (("cells", 1), ("channels", 4)),
    }
    return LiveRun(**(facts | how))


def values(rows: Iterator[Record]) -> list[Record]:
    """Rows without their seconds."""
    return [{k: v for k, v in row.items() if "seconds" not in k} for row in rows]


@pytest.fixture
def own(tmp_path: Path) -> str:
    path = tmp_path / "own_proxies.py"
    path.write_text(OWN)
    return str(path)


def test_runs_compare_by_value() -> None:
    assert run_of("synflow") == run_of("synflow")
    assert hash(run_of("synflow")) == hash(run_of("synflow"))
    assert run_of("synflow") != run_of("synflow", batch=5)
    assert live.digest(SPACE, ARCHS) != live.digest(SPACE, ARCHS[::-1])


def test_rows_are_in_the_plans_order_with_a_value_and_seconds_a_proxy() -> None:
    rows = list(live_rows.rows(run_of("synflow", "random", "nwot", seeds=(3, 4)), ARCHS))
    assert [(row["seed"], row["arch"]) for row in rows] == [
        (seed, SPACE.text(arch)) for seed in (3, 4) for arch in ARCHS
    ]
    for row in rows:
        assert row["status"] == "ok"
        assert list(row["values"]) == list(row["seconds"]) == ["synflow", "random", "nwot"]
        assert all((row["values"][p] is None) == (p in row["errors"]) for p in row["values"])
        assert all(0 <= seconds <= row["total_seconds"] for seconds in row["seconds"].values())


def test_values_are_those_of_the_scorer_on_the_same_network_and_minibatch() -> None:
    from bench.networks import Weights, network
    from bench.proxies.live import score

    run = run_of("synflow", "snip", "zen", seeds=(2,))
    rows = list(live_rows.rows(run, ARCHS))
    batches = live.minibatches(run.dataset, run.batch, 2)
    assert len(batches) == 2
    computed = [each for each in map(live.scorable, run.proxies) if isinstance(each, Computed)]
    for arch, row in zip(ARCHS, rows, strict=True):
        module = network("nasbench201", arch, Weights(2), classes=10, cells=1, channels=4)
        with live_rows.threaded(run.threads):
            found = score(module, batches, computed, seed=2)
        assert row["values"] == {name: each.value for name, each in found.items()}


def test_a_seed_changes_weights_and_minibatch_and_nothing_else_does() -> None:
    one = values(live_rows.rows(run_of("l2_norm", "grad_norm", seeds=(0,)), ARCHS))
    other = values(live_rows.rows(run_of("l2_norm", "grad_norm", seeds=(1,)), ARCHS))
    last = values(live_rows.rows(run_of("grad_norm", "l2_norm", seeds=(1, 0)), ARCHS[::-1], skip=5))
    assert all(a["values"] != b["values"] for a, b in zip(one, other, strict=True))
    assert [row["values"] for row in one] == [row["values"] for row in last[::-1]]
    images = [live.minibatches("noise,size=8", 4, seed)[0].images for seed in (0, 0, 1)]
    assert torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])


@pytest.mark.parametrize("skip", [0, 7])
def test_two_workers_give_the_rows_of_one_after_any_that_are_there(skip: int) -> None:
    run = run_of("synflow", "epe_nas", "random", seeds=(0, 1))
    assert values(live_rows.rows(run, ARCHS, skip=skip, workers=2)) == values(
        live_rows.rows(run, ARCHS, skip=skip)
    )


def test_threads_of_the_caller_are_left_as_they_were() -> None:
    before = torch.get_num_threads()
    rows = live_rows.rows(run_of("synflow", threads=before + 1), ARCHS)
    next(rows)
    assert torch.get_num_threads() == before + 1
    rows.close()  # type: ignore[attr-defined]
    assert torch.get_num_threads() == before


def test_a_proxys_failure_is_its_reason_and_stops_no_other(own: str) -> None:
    names = [f"{own}:{name}" for name in ("width", "undone", "infinite", "edges", "exits")]
    (row,) = live_rows.rows(run_of(*names, archs=1), ARCHS[:1])
    width, undone, infinite, edges, exits = names
    assert row["status"] == "ok"
    assert row["errors"] == {
        undone: "ZeroDivisionError",
        infinite: "non-finite",
        exits: "SystemExit: 3",
    }
    assert row["values"][width] > 0
    assert row["values"][edges] == SPACE.graph(ARCHS[0]).adjacency.sum()
    assert [row["values"][name] for name in (undone, infinite, exits)] == [None] * 3


def test_a_score_that_a_network_does_not_have_is_a_reason() -> None:
    (row,) = live_rows.rows(run_of("synflow", "params", archs=1), [EMPTY])
    assert row["values"]["synflow"] is None
    assert row["errors"]["synflow"].startswith("undefined")
    assert row["values"]["params"] > 0


def test_a_networks_failure_is_every_proxys_reason_and_the_next_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import bench.networks

    build = bench.networks.network

    def fails(space: str, arch: object, *rest: object, **shape: int) -> Any:
        if arch == ARCHS[1]:
            raise MemoryError
        return build(space, arch, *rest, **shape)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.networks, "network", fails)
    rows = list(live_rows.rows(run_of("synflow", "random", "params"), ARCHS))
    assert [row["status"] for row in rows] == ["ok", "failed", "ok", "ok", "ok"]
    assert rows[1]["errors"] == {"synflow": "MemoryError", "params": "MemoryError"}
    assert rows[1]["values"]["random"] is not None


def test_proxies_of_graphs_need_no_network() -> None:
    space = members.space("darts")
    archs = choose.sampled(space, 3, keyed(0, "test"))
    run = run_of("parametric", space="darts", shape=(), archs=3)
    for row, arch in zip(live_rows.rows(run, archs), archs, strict=True):
        proxy = live.scorable("parametric")
        assert not isinstance(proxy, Computed)
        assert row["values"]["parametric"] == proxy(space.graph(arch))


def test_proxies_whose_values_stand_in_tables_only_are_not_scored(tmp_path: Path) -> None:
    names = live.every_proxy()
    assert {"synflow", "parametric"} <= set(names)
    assert not any(isinstance(members.proxy(name), Recorded) for name in names)
    path = tmp_path / "recorded_of_mine.py"
    path.write_text(
        "from bench.proxies.recorded import Recorded\n"
        "mine = Recorded('mine', frozenset({'data'}), 'none', 'none')\n"
    )
    with pytest.raises(OptionError, match="mine, whose values stand in tables only"):
        live.scorable(f"{path}:mine")


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        ({"proxies": ("synflw",)}, UnknownNameError, r"did you mean synflow\?"),
        ({"shape": (("chanels", 4),)}, OptionError, "chanels"),
        ({"shape": (("channels", 0),)}, OptionError, "channels"),
        ({"dataset": "cifar"}, UnknownNameError, r"did you mean cifar10\?"),
        ({"space": "nasbench202"}, UnknownNameError, r"did you mean nasbench201\?"),
    ],
)
def test_what_is_wrong_with_a_run_is_told_before_anything_is_scored(
    how: dict[str, Any], error: type[BenchError], says: str
) -> None:
    with pytest.raises(error, match=says):
        live_rows.Scorer(replace(run_of("synflow"), **how)).check(ARCHS[0])


def test_too_large_a_batch_is_told(data: Path) -> None:
    run = run_of("synflow", dataset="imagenet16-120", batch=107)
    with pytest.raises(DataError, match="1 x 107 different images"):
        live_rows.Scorer(run).check(ARCHS[0])


def test_one_minibatch_is_drawn_where_images_do_not_last_for_two(data: Path) -> None:
    assert len(live.minibatches("imagenet16-120", 53, 0)) == 2
    (one,) = live.minibatches("imagenet16-120", 54, 0)
    assert one.images.shape == (54, 3, 16, 16)


def test_classes_are_the_datasets(own: str) -> None:
    ten, hundred = (
        next(live_rows.rows(run_of(f"{own}:width", dataset=dataset), ARCHS))
        for dataset in ("noise", "noise,classes=100")
    )
    (value,), (larger,) = ten["values"].values(), hundred["values"].values()
    assert larger - value == 90 * (4 * 4 + 1)


def test_memory_is_flat_in_the_number_of_architectures() -> None:
    """The process grows by less than 4 MiB while 240 are scored, after the first 60."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("no /proc here")
    archs = choose.sampled(SPACE, 300, keyed(1, "test"))
    pages = []
    for i, _ in enumerate(live_rows.rows(run_of("synflow", "nwot", "grad_norm"), archs)):
        if i >= 60 and i % 10 == 0:
            pages.append(int(statm.read_text().split()[1]))
    growth = np.median(pages[-5:]) - np.median(pages[:5])
    assert growth * 4096 < 4 * 2**20


RECIPE = "digits,training=60,batch=10,skeleton=cells:1/channels:2,epochs=1"


def by_recipe(*proxies: str, **how: Any) -> LiveRun:
    return run_of(*proxies, **({"batch": 16, **live.by_recipe(parse(RECIPE))} | how))


def test_a_recipe_decides_images_and_networks() -> None:
    pytest.importorskip("sklearn")
    run = by_recipe("params", "nwot")
    assert (run.dataset, run.shape) == ("digits", (("cells", 1), ("channels", 2)))
    assert parse(str(run.recipe)) == parse(RECIPE)
    assert live.classes(run) == 10
    (row,) = live_rows.rows(replace(run, archs=1), ARCHS[:1])
    module = network("nasbench201", ARCHS[0], Weights(0), channels=2, cells=1)
    count = sum(each.numel() for each in module.parameters())
    assert row["values"]["params"] == pytest.approx(count / 1e6)
    batches = live.minibatches_of(run, 0)
    nwot = scorable("nwot")
    assert isinstance(nwot, Computed)
    alone = score(module, batches, [nwot], seed=0)
    assert row["values"]["nwot"] == alone["nwot"].value


def test_minibatches_of_a_recipe_are_of_its_normalised_training_images_alone() -> None:
    pytest.importorskip("sklearn")
    part = split_of(parse(RECIPE)).train
    batches = live.minibatches_of(by_recipe("nwot"), 0)
    assert [tuple(each.images.shape) for each in batches] == [(16, 3, 8, 8)] * 2
    known = {image.numpy().tobytes(): int(part.labels[i]) for i, image in enumerate(part.images)}
    drawn = [image.numpy().tobytes() for each in batches for image in each.images]
    assert len(set(drawn)) == 32
    labels = [label for each in batches for label in each.labels.tolist()]
    assert [known[image] for image in drawn] == labels
    again = live.minibatches_of(by_recipe("nwot"), 0)
    assert all(torch.equal(a.images, b.images) for a, b in zip(batches, again, strict=True))
    other = live.minibatches_of(by_recipe("nwot"), 1)
    assert not torch.equal(batches[0].images, other[0].images)


def test_a_recipe_of_few_images_gives_one_minibatch_or_says_so() -> None:
    pytest.importorskip("sklearn")
    assert len(live.minibatches_of(by_recipe("nwot", batch=31), 0)) == 1
    with pytest.raises(DataError, match=r"61 different training images .* got 60; take a smaller"):
        live.minibatches_of(by_recipe("nwot", batch=61), 0)


def test_networks_of_a_recipe_score_alike_alone_and_stacked() -> None:
    pytest.importorskip("sklearn")
    alone = values(live_rows.rows(by_recipe("snip"), ARCHS))
    stacked = values(live_rows.rows(by_recipe("snip", stack=5), ARCHS))
    for one, other in zip(alone, stacked, strict=True):
        assert other["values"]["snip"] == pytest.approx(one["values"]["snip"], rel=1e-4)


def images_of(folder: Path) -> Path:
    """A folder of images of three classes, 30 in all, and an NPZ of others beside it."""
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(5)
    for at in range(30):
        path = folder / "images" / "abc"[at % 3] / f"{at:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.fromarray(rng.integers(256, size=(8, 8, 3), dtype=np.uint8)).save(path)
    np.savez(
        folder / "images.npz",
        x=rng.integers(256, size=(30, 3, 8, 8), dtype=np.uint8),
        y=np.arange(30) % 3,
    )
    return folder / "images"


@pytest.mark.parametrize("kind", ["", ".npz"])
def test_one_content_gives_one_minibatch_wherever_it_lies(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(f"{images_of(tmp_path)}{kind}")
    copy = tmp_path / f"copy{kind}"
    (shutil.copytree if place.is_dir() else shutil.copy)(place, copy)
    monkeypatch.chdir(tmp_path)
    wanted = live.minibatches(str(place), 8, 3)
    for text in (place.name, f"./{place.name}", str(copy)):
        for found, batch in zip(live.minibatches(text, 8, 3), wanted, strict=True):
            assert torch.equal(found.images, batch.images)
            assert torch.equal(found.labels, batch.labels)
    assert not torch.equal(live.minibatches(str(place), 8, 4)[0].images, wanted[0].images)


def test_one_recipe_gives_one_minibatch_however_its_images_are_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = images_of(tmp_path)
    monkeypatch.chdir(tmp_path)
    wanted = live.minibatches_of(run_of("params", **live.by_recipe(read(str(place)))), 0)
    for text in ("images", "./images/, batch=10", "images,classes=3,size=8"):
        run = run_of("params", **live.by_recipe(read(text)))
        assert torch.equal(live.minibatches_of(run, 0)[0].images, wanted[0].images)


def test_draws_from_built_in_images_are_those_that_were_published(data: Path) -> None:
    # The rows of the first minibatch, as `keyed` has drawn them since results/ were made.
    cifar = live.minibatches("cifar10", 4, 0)[0].labels.tolist()
    rows = keyed(0, "minibatch", "cifar10").permutation(50_000)[:4]
    labels = pq.read_table(data / "images" / "cifar10-train.parquet", columns=["label"])
    assert cifar == labels.column("label").take(rows).to_pylist()
    noise = live.minibatches("noise", 2, 0)[0].images
    drawn = keyed(0, "minibatch", "noise").standard_normal((2, 3, 32, 32), dtype=np.float32)
    assert torch.equal(noise, torch.from_numpy(drawn))
    digits = live.minibatches_of(by_recipe("params", batch=5), 0)[0].labels
    part = split_of(parse(RECIPE)).train
    order = keyed(0, "minibatch", "training", "digits").permutation(len(part.labels))
    assert torch.equal(digits, part.labels[torch.from_numpy(order[:5])])
