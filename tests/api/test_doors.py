"""A package outside the tree adds members of every kind; nothing of the bench knows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bench

pytestmark = pytest.mark.usefixtures("stranger")
IMAGES = {"dataset": "noise,size=8", "batch": 8}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("spaces", ["widths"]),
        ("passes", ["logit_spread"]),
        ("proxies", ["spread", "widest"]),
        ("searchers", ["widening"]),
        ("predictors", ["by_width"]),
        ("tables", ["widths/made-up"]),
        ("tasks", ["widths/made-up"]),
    ],
)
def test_a_strangers_member_is_listed(kind: str, names: list[str]) -> None:
    pytest.importorskip("torch")
    found = bench.list_members(kind)
    assert set(names) <= set(found.index)
    assert "problem" not in found or found.loc[names, "problem"].isna().all()


def test_a_strangers_space_is_scored_live_by_its_own_pass_and_by_known_ones() -> None:
    pytest.importorskip("torch")
    found = bench.score("widths", ["spread", "widest", "params"], sample=4, **IMAGES)
    assert found["error"].isna().all()
    values = found.pivot_table("value", "arch", "proxy")
    for arch, row in values.iterrows():
        first, second = (int(width) for width in str(arch).split("-"))
        channels = 8 * first, 8 * second
        weights = 27 * channels[0] + 9 * channels[0] * channels[1] + 10 * channels[1]
        assert row["params"] == (weights + 2 * channels[0] + 10) / 1e6
        assert row["widest"] == max(first, second)
        assert row["spread"] > 0


def test_a_strangers_table_is_correlated_searched_and_predicted() -> None:
    found = bench.correlate("widths/made-up", ["params", "widest"], resamples=100)
    assert found["kendall"].iloc[0] == 1
    searches = bench.search("widths/made-up", ["widening", "random"], queries=3, seeds=2)
    assert (searches.to_frame()["status"] == "ok").all()
    predicted = bench.predict("widths/made-up", "by_width,weight=2", seeds=1)
    assert (predicted.to_frame()["status"] == "ok").all()


def command(installed: Path, results: Path, words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words.split()],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(installed)},
        cwd=results,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_line_shows_a_strangers_members(installed: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    words = (
        "score widths --all --proxies spread,widest,params --dataset noise,size=8 --batch 8 "
        "--against widths/made-up --json"
    )
    rows = [json.loads(line) for line in command(installed, tmp_path, words).splitlines()]
    failed = {row["proxy"]: row["n_failed"] for row in rows}
    assert failed == {"spread": 0, "widest": 0, "params": 0}
    words = "search widths/made-up --searcher widening --seeds 2 --budget queries=3 --json"
    assert len(command(installed, tmp_path, words).splitlines()) == 2


def test_a_space_of_a_file_is_scored_without_packaging(installed: Path) -> None:
    pytest.importorskip("torch")
    import stranger

    space = type("InAFile", (type(stranger.WIDTHS),), {"network": stranger.networks()})()
    stranger.IN_A_FILE = space
    found = bench.score("stranger:IN_A_FILE", ["params"], archs=["1-1"], **IMAGES)
    assert found["value"].tolist() == [(27 * 8 + 9 * 64 + 80 + 16 + 10) / 1e6]


def test_a_space_without_networks_is_refused_by_name() -> None:
    pytest.importorskip("torch")
    import stranger

    stranger.BARE = stranger.Widths()
    with pytest.raises(bench.BenchError, match="stranger:BARE to have networks, by an entry point"):
        bench.score("stranger:BARE", ["params"], archs=["1-1"], **IMAGES)


def test_a_pass_is_lent_for_a_call() -> None:
    torch = pytest.importorskip("torch")

    def deepest(network, forward):
        return float(forward.logits.detach().abs().max())

    def by_deepest(deepest):
        return deepest

    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
    images = torch.randn(4, 3, 2, 2), torch.tensor([0, 1, 2, 0])
    found = bench.score(model, [by_deepest], images, passes={"deepest": deepest})
    assert found["value"].item() == pytest.approx(
        float(model(images[0]).detach().abs().max()), rel=1e-5
    )
    with pytest.raises(bench.BenchError, match=r"did you mean|one graph"):
        bench.score(model, [("own", lambda forwrd: 0.0)], images)
