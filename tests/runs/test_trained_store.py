"""What trainings came to, kept: as it was, or not there, never another's."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from bench.runs import trained_store
from bench.runs.trained_store import TrainedStore
from bench.training.recipe import parse
from bench.training.trainer import Trained

TINY = "digits,epochs=2,checkpoints=1/2,training=40,batch=10,skeleton=cells:1/channels:2"
DONE = Trained(
    "ok",
    "",
    (1, 2),
    {"train": (10.0, 100 / 3), "validation": (11.0, 12.0), "test": (13.0, 14.0)},
    2.5,
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def store(text: str = TINY, space: str = "nasbench201", seed: int = 0) -> TrainedStore:
    return TrainedStore(parse(text), space, seed)


def test_what_is_kept_comes_back_as_it_was(cache: Path) -> None:
    assert store().get("a") is None
    assert not cache.exists()
    store().put("a", DONE)
    assert store().get("a") == DONE
    nothing = dict.fromkeys(DONE.accuracy, (9.0, math.nan))
    store().put("b", Trained("diverged", "the loss", (1, 2), nothing, 0.5))
    found = store().get("b")
    assert found is not None
    assert (found.status, found.reason, found.seconds) == ("diverged", "the loss", 0.5)
    for early, late in found.accuracy.values():
        assert early == 9.0
        assert math.isnan(late)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: b"[1]",
        lambda content: b"\xff\xfe",
        lambda content: content.replace(b'\\"seconds\\": ', b'\\"seconds\\": 9'),
    ],
    ids=["empty", "torn", "foreign", "no text", "changed"],
)
def test_a_damaged_entry_is_not_there_until_it_is_kept_again(
    damage: Callable[[bytes], bytes], cache: Path
) -> None:
    store().put("a", DONE)
    (place,) = cache.rglob("*.json")
    content = place.read_bytes()
    place.write_bytes(damage(content))
    assert place.read_bytes() != content
    assert store().get("a") is None
    store().put("a", DONE)
    assert place.read_bytes() == content


def test_an_entry_of_another_is_not_taken_for_ones_own(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store().put("a", DONE)
    (place,) = cache.rglob("*.json")
    store().put("b", DONE)
    (others,) = set(cache.rglob("*.json")) - {place}
    others.write_bytes(place.read_bytes())
    assert store().get("b") is None
    for other in (store(TINY + ",momentum=0.5"), store(seed=1), store(space="nasbench101")):
        assert other.get("a") is None
    # Float32 is rounded elsewhere by another processor, which may share the folder.
    kind = {**trained_store.kind_of_machine("cpu"), "processor": "another (AVX512)"}
    monkeypatch.setattr(trained_store, "kind_of_machine", lambda device: kind)
    assert store().get("a") is None
