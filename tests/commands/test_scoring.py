"""What `score` makes of its options, and a user's own model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.base import BenchError, DataError, OptionError, UnknownNameError
from bench.commands import scoring
from bench.commands.scoring import What
from bench.runs import live, members
from bench.runs.live_scores import read_live
from bench.training.recipe import parse

torch = pytest.importorskip("torch")

WHAT = What(dataset="noise,size=8", batch=4, seed=0, seeds=1)

MODELS = '''
import torch
from torch import nn

class Odd(nn.Module):
    """Several outputs, in-place ReLUs, and a head of an unusual name."""
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.final = nn.Linear(6, 10)
    def forward(self, x):
        features = self.act(self.stem(x)).mean((2, 3))
        return {"features": features, "logits": self.final(features)}

def odd():
    return Odd()

ready = Odd()
number = 3

def fails():
    raise RuntimeError("no weights here")

def none():
    return None

def mine(loss_gradients):
    """Sum of absolute gradients."""
    return float(len(loss_gradients.__dict__))
mine.paper = "mine"
mine.higher_is_better = False

def edges(graph):
    return 1.0
'''


@pytest.fixture
def models(tmp_path: Path) -> str:
    path = tmp_path / "models_of_mine.py"
    path.write_text(MODELS)
    return str(path)


def scored(text: str, **how: Any) -> list[dict[str, Any]]:
    return list(scoring.score_model(text, replace(WHAT, **how)))


def test_a_model_has_a_row_a_proxy_and_seed(models: str) -> None:
    rows = scored(f"{models}:odd", proxies="params,synflow", proxy=(f"{models}:mine",), seeds=2)
    assert [(row["seed"], row["proxy"]) for row in rows] == [
        (seed, name) for seed in (0, 1) for name in ("params", "synflow", f"{models}:mine")
    ]
    assert rows[0]["value"] == pytest.approx((6 * 27 + 6 + 70) / 1e6)
    assert all(row["error"] is None and row["seconds"] > 0 for row in rows)
    assert rows[1]["value"] != rows[4]["value"]


def test_all_proxies_of_networks_score_a_model_of_any_kind(models: str) -> None:
    rows = scored(f"{models}:odd", proxies="all")
    names = [row["proxy"] for row in rows]
    assert "synflow" in names
    assert "parametric" not in names
    assert all((row["value"] is None) == (row["error"] is not None) for row in rows)


def test_a_seed_is_the_models_too_and_the_callers_random_state_is_left(models: str) -> None:
    before = torch.random.get_rng_state()
    (one,), (again,), (other,) = (
        scored(f"{models}:odd", proxies="l2_norm", seed=seed) for seed in (3, 3, 4)
    )
    assert one["value"] == again["value"] != other["value"]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_model_that_is_there_already_is_left_as_it_was(models: str) -> None:
    module = members.named(f"{models}:ready")
    before = {name: value.clone() for name, value in module.state_dict().items()}
    (one,), (again,) = (scored(f"{models}:ready", proxies="snip") for _ in range(2))
    assert one["value"] == again["value"]
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "how", "error", "says"),
    [
        ("fails", {}, UnknownNameError, "made no model: RuntimeError: no weights here"),
        ("none", {}, UnknownNameError, "give a torch module, got a NoneType"),
        ("number", {}, UnknownNameError, "function that makes a torch module, got a int"),
        ("absent", {}, UnknownNameError, "no 'absent' in"),
        ("odd", {"sample": 3}, OptionError, "--model alone"),
        ("odd", {"shape": ("channels=3",)}, OptionError, "--model alone"),
        ("odd", {"proxies": "parametric"}, OptionError, "got parametric, of a space's graph"),
        ("odd", {"proxies": None}, OptionError, "--proxies with names"),
    ],
)
def test_what_is_wrong_with_a_model_is_told(
    models: str, name: str, how: dict[str, Any], error: type[BenchError], says: str
) -> None:
    with pytest.raises(error, match=says):
        scored(f"{models}:{name}", **({"proxies": "params"} | how))


def test_a_model_without_a_module_is_told() -> None:
    with pytest.raises(UnknownNameError, match=r"module:object or file\.py:object, got 'resnet'"):
        scored("resnet", proxies="params")


def test_proxies_are_named_once_in_the_order_said() -> None:
    what = replace(WHAT, proxies="snip, zen,snip", proxy=("a.py:f,g", "zen"))
    assert scoring.proxies(what, list) == ("snip", "zen", "a.py:f,g")
    everything = scoring.proxies(replace(WHAT, proxies="all", proxy=("x",)), live.every_proxy)
    assert everything == (*live.every_proxy(), "x")


@pytest.mark.parametrize("ways", [{}, {"every": True, "sample": 3}])
def test_architectures_are_chosen_in_one_way(ways: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="one of --all, --sample N and --archs FILE"):
        scoring.architectures(members.space("nasbench201"), replace(WHAT, **ways))


def test_samples_are_the_seeds() -> None:
    space = members.space("nasbench201")
    one, again, other = (
        scoring.architectures(space, replace(WHAT, sample=6, seed=seed)) for seed in (0, 0, 1)
    )
    assert one == again != other


def test_distinct_leaves_the_first_of_every_class() -> None:
    space = members.space("transnasbench101-micro")
    archs = scoring.architectures(space, replace(WHAT, every=True, distinct=True))
    assert len(archs) == 1666
    assert len({space.canonical(arch) for arch in archs}) == 1666


RECIPE = "digits,training=60,batch=10,skeleton=cells:1/channels:2,epochs=1"


@pytest.mark.parametrize(
    ("said", "got"), [({"dataset": "noise"}, "--dataset"), ({"shape": ("channels=4",)}, "--shape")]
)
def test_a_recipe_has_images_and_networks_of_its_own(said: dict[str, Any], got: str) -> None:
    with pytest.raises(OptionError, match=f"--recipe, .* got {got} too"):
        scoring.what(recipe=RECIPE, batch=4, seed=0, seeds=1, **said)
    assert scoring.what(batch=4, seed=0, seeds=1).dataset == "cifar10"
    with pytest.raises(OptionError, match="--model alone"):
        scored("module:model", proxies="params", recipe=RECIPE)


def test_a_space_is_scored_by_a_recipe_and_gone_on_with_by_it_alone(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    what = scoring.what(recipe=RECIPE, batch=16, seed=0, seeds=1, sample=3, proxies="params,snip")
    folder, rows = scoring.score_space("nasbench201", what, tmp_path, "live")
    assert [(row["proxy"], row["n"], row["n_failed"]) for row in rows] == [
        ("params", 3, 0),
        ("snip", 3, 0),
    ]
    content = json.loads((folder / "provenance.json").read_text())
    assert content["run"]["recipe"] == str(parse(RECIPE))
    assert content["run"]["dataset"] == "digits"
    assert list(content["data_sha256"]) == ["digits"]
    table = read_live("mine", folder / "live.parquet", members.space("nasbench201"))
    assert table.notes == f"{parse(RECIPE)}, batches of 16, seed 0"
    scoring.score_space("nasbench201", what, tmp_path, "live", resume=True)
    other = replace(what, recipe=f"{RECIPE},momentum=0.5")
    with pytest.raises(DataError, match="holds results of recipe"):
        scoring.score_space("nasbench201", other, tmp_path, "live", resume=True)
