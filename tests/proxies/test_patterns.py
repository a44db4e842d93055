"""swap, swap_reg, linear_regions and naswot, from patterns that are counted one by one."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from proxies.small import Function, Net, batch, made
from torch import nn

from bench.base import OptionError
from bench.draws import keyed
from bench.proxies.linear_regions import linear_regions
from bench.proxies.live import Batch, score
from bench.proxies.naswot import naswot
from bench.proxies.swap import swap
from bench.proxies.swap_reg import MU, swap_reg, swap_reg_at

Bits = NDArray[np.bool_]


def network() -> nn.Module:
    between = (nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU())
    return made(lambda: Net(nn.Sequential(*between)))


def bits(module: nn.Module, images: torch.Tensor) -> list[Bits]:
    """`n x c x h x w` for each ReLU: what comes out of it is on."""
    found: list[Bits] = []
    hooks = [
        part.register_forward_hook(
            lambda _part, _inputs, output: found.append((output > 0).numpy())
        )
        for part in module.modules()
        if isinstance(part, nn.ReLU)
    ]
    module.train()(images)
    for hook in hooks:
        hook.remove()
    return found


def test_swap_counts_the_patterns_of_neurons() -> None:
    module, given = network(), batch(20)
    columns = np.concatenate([each.reshape(16, -1) for each in bits(module, given.images[:16])], 1)
    expected = len({tuple(column) for column in columns.T})
    assert 100 < expected < columns.shape[1]
    assert score(module, given, [swap])["swap"].value == expected


def test_swap_reg_shrinks_with_the_distance_to_a_size() -> None:
    module, given = network(), batch(20)
    thousands = sum(parameter.numel() for parameter in module.parameters()) / 1000
    results = score(module, given, [swap, swap_reg, swap_reg_at(0.5, 0.3, name="near")])
    plain = results["swap"].value
    assert plain is not None
    assert results["swap_reg"].value == pytest.approx(
        plain * exp(-((thousands / MU - 1) ** 2)), rel=1e-9
    )
    near = plain * exp(-((thousands - 0.5) ** 2) / 0.3)
    assert results["near"].value == pytest.approx(near, rel=1e-9)
    for mu, sigma in ((0.0, 1.0), (1.0, -1.0)):
        with pytest.raises(OptionError, match="positive"):
            swap_reg_at(mu, sigma)


def test_mu_is_the_size_of_the_largest_cell() -> None:
    import bench.networks

    with torch.device("meta"):
        largest = bench.networks.NETWORKS["nasbench201"].build((3,) * 6)
    assert sum(parameter.numel() for parameter in largest.parameters()) == MU * 1000


def test_linear_regions_counts_the_patterns_of_crops() -> None:
    module, given = network(), batch(5)
    rng = keyed(3, "crops", 5, 3, 8, 8, 3)
    rows, columns = rng.integers(6, size=1024), rng.integers(6, size=1024)
    crops = torch.stack(
        [
            given.images[i % 5, :, row : row + 3, column : column + 3]
            for i, (row, column) in enumerate(zip(rows, columns, strict=True))
        ]
    )
    first = np.concatenate([each[:, 0].reshape(1024, -1) for each in bits(module, crops)], axis=1)
    expected = len({tuple(row) for row in first})
    assert 20 < expected < 5 * 36
    assert score(module, given, [linear_regions], seed=3)["linear_regions"].value == expected


def test_crops_are_larger_for_networks_too_deep() -> None:
    pools = nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(2))
    value = score(made(lambda: Net(pools)), batch(), [linear_regions])["linear_regions"].value
    assert value is not None
    assert value > 1


def test_dead_networks_show_one_pattern() -> None:
    dead = made(lambda: Net(before=torch.zeros_like))
    results = score(dead, batch(16), [swap, linear_regions, naswot])
    assert results["linear_regions"].value == 1
    assert results["swap"].value in {1, 2}  # a neuron is on for all images, or for none
    assert results["naswot"].error == "undefined: two images switch all ReLUs alike"
    silent = made(lambda: Net(Function(lambda x: x)))
    silent.relu = nn.Identity()
    for result in score(silent, batch(16), [swap, linear_regions, naswot]).values():
        assert result.error == "undefined: the network has no ReLU"


def test_swap_needs_as_many_images_as_its_definition() -> None:
    """Over few images every pattern occurs in nearly every network: 2^n says nothing of one."""
    found = score(network(), batch(15), [swap, swap_reg])
    told = "undefined: expected 16 images to tell neurons apart, got 15"
    assert {result.error for result in found.values()} == {told}


def test_naswot_is_the_log_determinant_of_agreements() -> None:
    module, given = network(), batch()
    rows = np.concatenate([each.reshape(6, -1) for each in bits(module, given.images)], axis=1)
    agree = np.array([[np.sum(a == b) for b in rows] for a in rows])
    expected = np.linalg.slogdet(agree)[1]
    assert score(module, given, [naswot])["naswot"].value == pytest.approx(expected, rel=1e-9)
    alike = Batch(given.images[:1].repeat(6, 1, 1, 1), given.labels)
    assert score(module, alike, [naswot])["naswot"].error is not None
