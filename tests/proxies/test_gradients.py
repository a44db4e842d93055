"""zico, synflow_norm and logsynflow equal their formulas, on copies of a small network."""

from __future__ import annotations

import copy
from math import log

import numpy as np
import pytest
import torch
from proxies.small import Function, Net, Unused, batch, made
from torch import Tensor, nn
from torch.nn import functional

from bench.proxies.live import Batch, score
from bench.proxies.logsynflow import logsynflow
from bench.proxies.synflow_norm import synflow_norm
from bench.proxies.zico import zico

LAYERS = (nn.Conv2d, nn.Linear)


def network() -> nn.Module:
    return made(
        lambda: Net(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()))
    )


def gradients(module: nn.Module, given: Batch) -> list[Tensor]:
    module = copy.deepcopy(module).train()
    functional.cross_entropy(module(given.images), given.labels).backward()
    weights = [layer.weight for layer in module.modules() if isinstance(layer, LAYERS)]
    return [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]


def zico_by_hand(module: nn.Module, batches: list[Batch]) -> float:
    total = 0.0
    for layer in zip(*(gradients(module, each) for each in batches), strict=True):
        values = torch.stack(layer).flatten(1).numpy()
        size, spread = np.abs(values).mean(axis=0), values.std(axis=0)
        ratio = sum(s / d for s, d in zip(size, spread, strict=True) if d > 0)
        total += log(ratio) if ratio else 0
    return total


def halves(given: Batch) -> list[Batch]:
    return [Batch(given.images[i : i + 3], given.labels[i : i + 3]) for i in (0, 3)]


@pytest.mark.parametrize("count", [2, 3])
def test_zico_compares_minibatches(count: int) -> None:
    whole = batch(6 * count)
    batches = [
        Batch(whole.images[i : i + 6], whole.labels[i : i + 6]) for i in range(0, 6 * count, 6)
    ]
    module = network()
    found = score(module, batches, [zico])["zico"].value
    assert found == pytest.approx(zico_by_hand(module, batches), rel=1e-9)


def test_zico_splits_a_single_minibatch() -> None:
    module = network()
    expected = zico_by_hand(module, halves(batch(6)))
    assert score(module, batch(6), [zico])["zico"].value == pytest.approx(expected, rel=1e-9)
    # Of seven images, the last is left out.
    assert score(module, batch(7), [zico])["zico"].value == pytest.approx(expected, rel=1e-9)


def test_zico_leaves_out_layers_without_a_say() -> None:
    module = made(lambda: Net(Unused()))
    expected = zico_by_hand(module, halves(batch(6)))
    assert score(module, batch(6), [zico])["zico"].value == pytest.approx(expected, rel=1e-9)


def test_zico_needs_gradients_that_change() -> None:
    module = network()
    assert score(module, [batch(), batch()], [zico])["zico"].error == (
        "undefined: no gradient changes from one minibatch to the next"
    )
    told = "OptionError: expected two minibatches, or two images to split, got one image"
    assert score(module, batch(1), [zico])["zico"].error == told


def linearised(module: nn.Module, *, norms: bool) -> list[tuple[Tensor, Tensor]]:
    """|w| and dR/d|w| of every layer."""
    module = copy.deepcopy(module).double().train()
    if not norms:
        for name in ("norm", "between.1"):
            if name in dict(module.named_modules()):
                module.set_submodule(name, nn.Identity())
    for tensor in module.state_dict().values():
        tensor.abs_()
    module(torch.ones(1, 3, 8, 8, dtype=torch.float64)).sum().backward()
    weights = [layer.weight for layer in module.modules() if isinstance(layer, LAYERS)]
    return [(weight.detach(), weight.grad) for weight in weights if weight.grad is not None]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_synflow_norm_keeps_norms(dtype: torch.dtype) -> None:
    module = network().to(dtype)
    total = sum((w * g).abs().sum().item() for w, g in linearised(module, norms=True))
    found = score(module, batch(dtype=dtype), [synflow_norm])["synflow_norm"].value
    assert found == pytest.approx(log(total), rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_logsynflow_takes_the_log_of_each_gradient(dtype: torch.dtype) -> None:
    module = network().to(dtype)
    expected = sum(
        (w * torch.log(g + 1)).abs().sum().item() for w, g in linearised(module, norms=False)
    )
    found = score(module, batch(dtype=dtype), [logsynflow])["logsynflow"].value
    assert found == pytest.approx(expected, rel=1e-9)


def test_nothing_flows_through_a_dead_network() -> None:
    dead = made(lambda: Net(Function(torch.zeros_like)))
    results = score(dead, batch(), [synflow_norm, logsynflow])
    assert results["synflow_norm"].error == (
        "undefined: nothing flows from the input to the output"
    )
    assert results["logsynflow"].value == 0
