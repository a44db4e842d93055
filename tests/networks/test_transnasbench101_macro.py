"""TransNAS-Bench-101 macro networks: recorded parameter counts, and the residual block."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from bench.base import Arch
from bench.networks import Weights, network
from bench.networks.transnasbench101_macro import build
from bench.spaces.transnasbench101_macro import TRANSNASBENCH101_MACRO as SPACE


def count(arch: Arch, classes: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build(arch, classes=classes).parameters())


@pytest.mark.parametrize(("task", "classes"), [("class_scene", 63), ("class_object", 100)])
def test_parameters_are_the_suites(data: Path, task: str, classes: int) -> None:
    rows = json.loads((data / "suite_zero/zc_transbench101_macro.json").read_text())[task]
    assert len(rows) == 662
    for text, row in list(rows.items())[::10]:
        assert count(SPACE.parse(text), classes) == round(row["params"]["score"] * 1e6)


def test_the_chain_of_modules() -> None:
    """1 plain, 2 twice the channels, 3 stride 2, 4 both; only the first block changes shape."""
    arch = SPACE.parse("64-1234-basic")
    module = network("transnasbench101-macro", arch, Weights(0), channels=4)
    shapes: dict[str, tuple[int, ...]] = {}
    for name, layer in module.named_children():
        layer.register_forward_hook(
            lambda _, inputs, output, name=name: shapes.update({name: tuple(output.shape[1:])})
        )
    module(torch.zeros(2, 3, 64, 64))
    expected = {"stem_0": (2, 32, 32), "stem_1": (4, 16, 16)}
    for place, (label, shape) in enumerate(
        [
            ("plain", (4, 16, 16)),
            ("double_channels", (8, 16, 16)),
            ("stride_2", (8, 8, 8)),
            ("double_channels_stride_2", (16, 4, 4)),
        ]
    ):
        for cell in (0, 1):
            expected[f"module_{place}_{label}_cell_{cell}"] = shape
    assert list(shapes.items())[:10] == list(expected.items())
    shortcuts = [
        isinstance(layer.shortcut, nn.Identity)
        for name, layer in module.named_children()
        if name.startswith("module")
    ]
    assert shortcuts == [True, True, False, True, False, True, False, True]


def test_a_block_by_its_formula() -> None:
    """The shortcut's norm divides by the root of variance plus one, as published."""
    arch = SPACE.parse("64-1234-basic")
    module = network("transnasbench101-macro", arch, Weights(0), channels=4).double()
    block = module.module_3_double_channels_stride_2_cell_0
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(3, 8, 7, 6, generator=rng, dtype=torch.float64)

    def norm(x: torch.Tensor, eps: float) -> torch.Tensor:
        return functional.batch_norm(x, None, None, training=True, eps=eps)

    first = norm(functional.conv2d(x.relu(), block.first.conv.weight, None, 2, 1), 1e-5)
    second = norm(functional.conv2d(first.relu(), block.second.conv.weight, None, 1, 1), 1e-5)
    shortcut = norm(functional.conv2d(x, block.shortcut.conv.weight, None, 2), 1.0)
    torch.testing.assert_close(block(x), second + shortcut)
    assert block.shortcut.norm.momentum == 1.0
