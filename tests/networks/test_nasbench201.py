"""NAS-Bench-201's networks: parameter counts as recorded, and the skeleton step by step."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from bench.base import Arch
from bench.networks import Weights, network
from bench.networks.nasbench201 import build
from bench.spaces.nasbench201 import NASBENCH201 as SPACE

SUITE = {"1": 0, "0": 0, "2": 9, "3": 1, "4": 0}
"""Weights per pair of channels of the operations as the suite numbers them."""


def count(arch: Arch, **shape: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build(arch, **shape).parameters())


def formula(suite: str, classes: int) -> int:
    """Stem, cells by their convolutions and norms, two residual blocks, the last norm, the head."""
    areas = [SUITE[digit] for digit in suite if digit.isdigit()]
    cells = sum(5 * (area * c * c + 2 * c) for area in areas if area for c in (16, 32, 64))
    blocks = sum(2 * c * c * 9 + 4 * c * c * 9 + 8 * c + 2 * c * c for c in (16, 32))
    return (27 * 16 + 32) + cells + blocks + 128 + 64 * classes + classes


def rows(data: Path, name: str) -> list[dict[str, str]]:
    with (data / "nasbench201" / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("name", "classes"),
    [("nb201_zc_proxies.csv", 10), ("nb201_ImageNet16-120_zc_proxies.csv", 120)],
)
def test_parameters_are_the_recorded_ones(data: Path, name: str, classes: int) -> None:
    """The formula on all 9,445 cells, and the networks themselves on every 250th."""
    recorded = {row["net"]: round(float(row["params"]) * 1e6) for row in rows(data, name)}
    assert len(recorded) == 9445
    assert {net: formula(net, classes) for net in recorded} == recorded
    for net in list(recorded)[::250]:
        assert count(SPACE.parse(net), classes=classes) == recorded[net]


def test_the_skeleton_step_by_step() -> None:
    """One cell a stage, in functional form, from the parameters by name."""
    arch = SPACE.parse(
        "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|"
    )
    module = network("nasbench201", arch, Weights(0), channels=4, cells=1).double()
    w = dict(module.named_parameters())
    x = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def norm(x: torch.Tensor) -> torch.Tensor:
        return functional.batch_norm(x, None, None, training=True)

    def step(x: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        weight = w[f"{name}.conv.weight"]
        padding = weight.shape[-1] // 2
        return norm(functional.conv2d(x.relu(), weight, stride=stride, padding=padding))

    y = norm(functional.conv2d(x, w["stem.conv.weight"], padding=1))
    for stage in range(3):
        if stage:
            block = f"stage_{stage}_reduction"
            pooled = functional.avg_pool2d(y, 2)
            shortcut = functional.conv2d(pooled, w[f"{block}.shortcut.conv.weight"])
            y = shortcut + step(step(y, f"{block}.first", 2), f"{block}.second")
        cell = f"stage_{stage}_cell_0.edge"
        one = step(y, f"{cell}_0_1_nor_conv_3x3")
        two = functional.avg_pool2d(one, 3, 1, 1, count_include_pad=False)
        y = y + step(one, f"{cell}_1_3_nor_conv_1x1") + step(two, f"{cell}_2_3_nor_conv_3x3")
    features = norm(y).relu().mean((2, 3))
    torch.testing.assert_close(
        module(x), features @ w["classifier.weight"].T + w["classifier.bias"]
    )


def test_operations_on_an_edge_have_weights_of_their_own() -> None:
    weights = Weights(0)
    one = network("nasbench201", SPACE.parse("(3, 0, 0, 0, 0, 0)"), weights).state_dict()
    three = network("nasbench201", SPACE.parse("(2, 0, 0, 0, 0, 0)"), weights).state_dict()
    edges = [{name for name in state if "edge" in name} for state in (one, three)]
    assert len(edges[0]) == len(edges[1]) > 0
    assert not edges[0] & edges[1]


def test_a_whole_space_draws_each_tensor_once_and_stays_flat() -> None:
    """3 x 3 and 1 x 1 on six edges of a cell a stage, and the skeleton: all that there is."""
    weights = Weights(0)
    for arch in ((2,) * 6, (3,) * 6):
        network("nasbench201", arch, weights, cells=1)
    held = weights.cached_bytes
    skeleton = formula("", 10) - 32 - 8 * 48 - 128
    assert held == 4 * (6 * 10 * (16**2 + 32**2 + 64**2) + skeleton)
    for arch in SPACE.neighbours((2, 3, 2, 3, 2, 3)):
        network("nasbench201", arch, weights, cells=1)
    assert weights.cached_bytes == held


def test_channels_scale_all_stages() -> None:
    arch = SPACE.parse("(2, 2, 2, 2, 2, 2)")
    stem, last = 8, 32
    state = network("nasbench201", arch, Weights(0), channels=8, cells=2).state_dict()
    assert state["stem.conv.weight"].shape == (stem, 3, 3, 3)
    assert state["stage_2_cell_1.edge_2_3_nor_conv_3x3.conv.weight"].shape == (last, last, 3, 3)
    assert state["classifier.weight"].shape == (10, last)
