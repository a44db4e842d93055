"""Initial weights: their keys, their laws by moments, and the bounds of the cache."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bench.base import OptionError
from bench.draws import keyed
from bench.networks import weights
from bench.networks.weights import Law, Weights

UNIFORM, NORMAL = Law("uniform", 0.25), Law("normal", 0.5)


def test_draws_are_keyed_by_seed_name_and_shape() -> None:
    drawn = Weights(5).draw("a.weight", (3, 4), UNIFORM)
    rng = keyed(5, "weight", "a.weight", 3, 4)
    expected = rng.random((3, 4), dtype=np.float32) * 0.5 - 0.25
    np.testing.assert_allclose(drawn.numpy(), expected, atol=1e-7)
    normal = Weights(5).draw("a.weight", (3, 4), NORMAL)
    rng = keyed(5, "weight", "a.weight", 3, 4)
    expected = rng.standard_normal((3, 4), dtype=np.float32) * np.float32(0.5)
    np.testing.assert_array_equal(normal.numpy(), expected)
    for other in (
        Weights(6).draw("a.weight", (3, 4), UNIFORM),
        Weights(5).draw("b.weight", (3, 4), UNIFORM),
        Weights(5).draw("a.weight", (4, 3), UNIFORM).T,
    ):
        assert not np.isin(drawn.numpy(), other.numpy()).any()


def test_moments() -> None:
    uniform = Weights(0).draw("u", (200, 1000), UNIFORM)
    assert uniform.dtype == torch.float32
    assert uniform.abs().max() <= 0.25
    # Five standard errors of 200,000 draws.
    assert abs(uniform.mean()) < 5 * 0.25 / 3**0.5 / 447
    assert uniform.var() == pytest.approx(0.25**2 / 3, rel=0.01)
    normal = Weights(0).draw("n", (200, 1000), NORMAL)
    assert abs(normal.mean()) < 5 * 0.5 / 447
    assert normal.std() == pytest.approx(0.5, rel=0.01)


def test_the_scale_is_that_of_pytorchs_own_initialisation() -> None:
    torch.manual_seed(0)
    for layer in (nn.Conv2d(12, 400, 3, groups=4), nn.Linear(50, 900)):
        own = {name: values.std().item() for name, values in layer.named_parameters()}
        Weights(0).fill(layer, weights.pytorch)
        for name, values in layer.named_parameters():
            assert values.std().item() == pytest.approx(own[name], rel=0.1), name


def test_fill_is_in_place_and_resets_what_norms_recorded() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    module(torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    held = list(module.parameters())
    module[1].weight.data.fill_(7.0)
    Weights(0).fill(module, weights.pytorch)
    assert all(a is b for a, b in zip(held, module.parameters(), strict=True))
    assert (module[1].weight == 1).all()
    assert not module[1].bias.any()
    assert not module[1].running_mean.any()
    assert (module[1].running_var == 1).all()
    assert all(p.requires_grad and p.grad_fn is None for p in module.parameters())


def test_double_weights_are_the_single_ones() -> None:
    single, double = nn.Linear(3, 2), nn.Linear(3, 2, dtype=torch.float64)
    Weights(0).fill(single, weights.pytorch)
    Weights(0).fill(double, weights.pytorch)
    assert torch.equal(single.weight.double(), double.weight)


def test_a_norm_without_scale_and_a_layer_without_law() -> None:
    Weights(0).fill(nn.BatchNorm2d(3, affine=False), weights.pytorch)
    with pytest.raises(OptionError, match="got none for 0.weight of a PReLU"):
        Weights(0).fill(nn.Sequential(nn.PReLU()), weights.pytorch)


def test_the_cache_is_bounded_and_changes_nothing() -> None:
    names = [f"layer_{i}" for i in range(20)] * 3
    kept, small = Weights(1), Weights(1, cache_bytes=5 * 400)
    for name in names:
        assert torch.equal(small.draw(name, (100,), NORMAL), kept.draw(name, (100,), NORMAL))
        assert small.cached_bytes <= 5 * 400
    assert kept.cached_bytes == 20 * 400
    assert kept.draw("layer_3", (100,), NORMAL) is kept.draw("layer_3", (100,), NORMAL)


def test_the_least_recently_used_goes_first() -> None:
    cache = Weights(1, cache_bytes=2 * 400)
    a, b = (cache.draw(name, (100,), NORMAL) for name in "ab")
    assert cache.draw("a", (100,), NORMAL) is a
    cache.draw("c", (100,), NORMAL)
    assert cache.draw("a", (100,), NORMAL) is a
    assert cache.draw("b", (100,), NORMAL) is not b


def test_a_tensor_larger_than_the_cache_is_drawn_all_the_same() -> None:
    cache = Weights(1, cache_bytes=10)
    assert cache.draw("a", (100,), NORMAL).shape == (100,)
    assert cache.cached_bytes == 0


def test_changing_a_network_leaves_the_cache_alone() -> None:
    shared = Weights(0)
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    shared.fill(first, weights.pytorch)
    before = first.weight.detach().clone()
    first.weight.data.zero_()
    shared.fill(second, weights.pytorch)
    assert torch.equal(second.weight, before)
