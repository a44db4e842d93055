"""meco and az-nas equal their formulas, worked out on features that hooks or hand-offs give."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from proxies.small import Function, Net, Residual, batch, made
from torch import Tensor, nn
from torch.nn import functional

from bench.draws import keyed
from bench.proxies import RANKINGS
from bench.proxies.az_nas import (
    az_expressivity,
    az_nas,
    az_progressivity,
    az_trainability,
    ranking,
)
from bench.proxies.live import score
from bench.proxies.meco import meco
from bench.proxies.passes.block_features import blocks

COMPONENTS = [az_expressivity, az_progressivity, az_trainability]


class Halving(nn.Module):
    """A block of stride 2, to other channels and back by an average."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.norm(self.conv(torch.relu(x)))
        return features


def network() -> nn.Module:
    return made(
        lambda: Net(nn.Sequential(Residual(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)), Halving()))
    )


def test_meco_sums_the_least_eigenvalues() -> None:
    module = made(lambda: Net(nn.Sequential(nn.Conv2d(8, 5, 1), nn.Conv2d(5, 8, 1))))
    noise = keyed(0, "noise-features", 3, 64).standard_normal((1, 3, 64, 64), dtype=np.float32)
    with torch.no_grad():
        x = torch.from_numpy(noise).double()
        stem = module.stem(x)
        normed = functional.batch_norm(
            stem, None, None, module.norm.weight, module.norm.bias, training=True
        )
        first = module.between[0](torch.relu(normed))
        features = [stem, normed, torch.relu(normed), first, module.between[1](first)]
    # The chain hands on what its last part gave, and is not counted; the pooled features have
    # one position, so correlations of 0.
    least = [np.linalg.eigvalsh(np.corrcoef(each[0].flatten(1).numpy()))[0] for each in features]
    assert score(module, batch(), [meco])["meco"].value == pytest.approx(sum(least), rel=1e-9)


def test_meco_counts_a_dead_layer_as_nothing() -> None:
    dead = made(lambda: Net(Function(torch.zeros_like)))
    alive = made(lambda: Net(Function(lambda x: x.flatten(1)[:, :8, None, None])))
    found = [score(each, batch(), [meco])["meco"].value for each in (dead, alive)]
    # Both have stem, norm and ReLU in common; what follows has one position, or no image in it.
    assert found[0] == pytest.approx(found[1], rel=1e-9)


def test_blocks_are_what_stands_on_top() -> None:
    module = network()
    found = blocks(module)
    assert found == [module.stem, *module.between]
    assert blocks(nn.Sequential(module)) == found
    chain = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    assert blocks(nn.Sequential(chain, nn.Flatten(), nn.Linear(4, 4))) == [chain[0]]


def kaiming(module: nn.Module) -> nn.Module:
    """The network that az-nas runs, at seed 0."""
    for name, parameter in module.named_parameters():
        shape = tuple(parameter.shape)
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif len(shape) == 1:
            nn.init.ones_(parameter)
        else:
            drawn = keyed(0, "gaussian", name, *shape).standard_normal(shape, dtype=np.float32)
            parameter.data = torch.from_numpy(drawn).double() * (2 / np.prod(shape[1:])) ** 0.5
    return module.train()


def features(module: nn.Module, n: int) -> list[Tensor]:
    """What the three blocks of `network()` give, each as a leaf with a function before it."""
    rng = keyed(0, "block-features", n, 3, 8, 8)
    noise = rng.standard_normal((n, 3, 8, 8), dtype=np.float32)
    stem = module.stem(torch.from_numpy(noise).double())
    first = module.between[0](module.relu(module.norm(stem)))
    return [stem, first, module.between[1](first)]


def by_hand(n: int) -> tuple[float, float, float]:
    module = kaiming(network())
    outputs = features(module, n)
    entropies = []
    for output in outputs:
        rows = output.detach().permute(1, 0, 2, 3).flatten(1).numpy()
        eigenvalues = np.linalg.eigvalsh(np.cov(rows, bias=True))
        p = eigenvalues / eigenvalues.sum()
        entropies.append(-sum(p * np.log(p + 1e-8)))
    scores = []
    for index, (source, target) in enumerate(pairwise(outputs)):
        octets = keyed(0, "signs", index, *target.shape).bytes(target.numel() // 8)
        bits = np.unpackbits(np.frombuffer(octets, dtype=np.uint8))
        noise = torch.from_numpy(bits.reshape(tuple(target.shape))).double() * 2 - 1
        (back,) = torch.autograd.grad(target, source, noise, retain_graph=True)
        stride = back.shape[2] // noise.shape[2]
        back = torch.stack(
            [
                back[:, channel, row::stride, column::stride]
                for channel in range(back.shape[1])
                for row in range(stride)
                for column in range(stride)
            ],
            dim=1,
        )
        outer = torch.einsum("nihw,nohw->io", back, noise) / noise[:, 0].numel()
        largest = np.linalg.svd(outer.numpy(), compute_uv=False)[0]
        scores.append(-largest - 1 / (largest + 1e-6) + 2)
    return sum(entropies), min(np.diff(entropies)), float(np.mean(scores))


@pytest.mark.parametrize("n", [6, 40])
def test_az_components_are_their_formulas(n: int) -> None:
    results = score(network(), batch(n), COMPONENTS)
    found = [result.value for result in results.values()]
    assert found == pytest.approx(by_hand(min(n, 32)), rel=1e-9)


def test_az_components_fail_where_blocks_are_dead_or_do_nothing() -> None:
    dead = made(lambda: Net(Function(torch.zeros_like)))
    results = score(dead, batch(), COMPONENTS)
    constant = "undefined: a block gives constant features"
    assert results["az_expressivity"].error == results["az_progressivity"].error == constant
    assert results["az_trainability"].value == pytest.approx(2 - 1e6)
    passing = made(lambda: Net(nn.Sequential(Halving(), Function(lambda x: x))))
    assert score(passing, batch(), COMPONENTS)["az_trainability"].error == (
        "undefined: a block hands gradients on unchanged"
    )
    alone = made(lambda: nn.Sequential(nn.Conv2d(3, 4, 8), nn.Flatten()))
    told = "OptionError: expected a network of at least two blocks that give images, got 1"
    assert {each.error for each in score(alone, batch(), COMPONENTS).values()} == {told}


def test_az_components_of_what_is_not_finite_are_failures() -> None:
    broken = made(lambda: Net(nn.Sequential(Function(lambda x: x / 0), Halving())))
    results = score(broken, batch(), COMPONENTS)
    assert {each.error for each in results.values()} == {"non-finite"}


def test_az_nas_ranks_a_population() -> None:
    nan, low = np.nan, -np.inf
    columns: dict[str, NDArray[np.float64]] = {
        "one": np.array([3.0, 1.0, 2.0, nan, 2.0]),
        "two": np.array([low, 5.0, low, 1.0, 7.0]),
    }
    first = np.array([4, 1, 2.5, 2.5]) / 4
    second = np.array([1.5, 3, 1.5, 4]) / 4
    expected = np.log(first) + np.log(second)
    found = ranking(columns)
    np.testing.assert_allclose(found[[0, 1, 2, 4]], expected, rtol=1e-12)
    assert np.isnan(found[3])
    assert az_nas.function is ranking
    assert az_nas in RANKINGS
    assert az_nas.components[:3] == tuple(each.name for each in COMPONENTS)


def test_what_az_nas_says_of_a_network_depends_on_the_others() -> None:
    both = {"one": np.array([1.0, 2.0]), "two": np.array([2.0, 1.0])}
    more = {"one": np.array([1.0, 2.0, 1.5]), "two": np.array([2.0, 1.0, 0.0])}
    assert ranking(both)[0] == ranking(both)[1]
    assert ranking(more)[0] != ranking(more)[1]
