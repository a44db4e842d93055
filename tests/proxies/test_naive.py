"""Shared passes give what the naive reference gives, on networks of every space.

Sizes are small; the layers are all there. In float64 the two agree to 1e-9. In float32 each
proxy has a tolerance of its own: sums that cancel (plain, grasp) are held to the size of what is
summed, and epe_nas takes logs of correlations near 0.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from proxies import naive
from torch import Tensor, nn

from bench.networks import Weights, network
from bench.proxies import COMPUTED
from bench.proxies.live import Batch, score
from bench.spaces import SPACES

SPACE = {space.name: space for space in SPACES}
DARTS = (
    "(((0, 0), (1, 1), (0, 2), (1, 3), (2, 4), (3, 5), (0, 6), (4, 7)),"
    "((0, 0), (1, 1), (0, 2), (1, 3), (0, 4), (3, 5), (1, 6), (1, 7)))"
)
NB101 = "(0,1,1,0,1, 0,0,1,1,1, 0,0,0,1,0, 0,0,0,0,1, 0,0,0,0,0, 0,4,3,2,1)"
# A cell with every operation but none, sizes, and the side of the images.
CASES: dict[str, tuple[str, dict[str, int], int]] = {
    "nasbench201": ("(4, 0, 3, 2, 1, 2)", {"channels": 4, "cells": 2}, 16),
    "nasbench101": (NB101, {"channels": 9, "stacks": 2, "cells": 2}, 16),
    "darts": (DARTS, {"channels": 4, "cells": 5}, 16),
    "transnasbench101-micro": ("64-41414-1_23_031", {"channels": 4}, 64),
    "transnasbench101-macro": ("64-1234-basic", {"channels": 4}, 64),
}
SHARED = [proxy for proxy in COMPUTED if proxy.name in naive.NAIVE]

FLOAT32 = {
    "params": 0.0,
    "flops": 0.0,
    "synflow": 1e-12,
    "l2_norm": 1e-6,
    "grad_norm": 5e-6,
    "snip": 5e-6,
    "fisher": 1e-5,
    "zen": 2e-5,
    "nwot": 1e-4,
    "jacov": 1e-4,
    "epe_nas": 1e-3,
    "plain": 1e-6,
    "grasp": 1e-5,
}
"""Relative, in float32: plain to the sum of |w dL/dw|, grasp to that of |w Hg|. synflow is in
float64 whatever the network is in. The signs that nwot counts may flip where a value is 0 but
for rounding."""

CENTRED = {"darts", "transnasbench101-micro", "transnasbench101-macro"}
"""Every feature that goes into the global pooling is a sum of batch norms' outputs, whose mean
over the batch does not depend on the images: neither does the sum of all logits, of which jacov
and epe_nas take the gradient. What is left is rounding, so they are undefined."""


def example(space: str, dtype: torch.dtype) -> tuple[nn.Module, Batch]:
    text, shape, side = CASES[space]
    module = network(space, SPACE[space].parse(text), Weights(0), classes=7, **shape)
    rng = torch.Generator().manual_seed(0)
    images = torch.randn(8, 3, side, side, generator=rng)
    return module.to(dtype), Batch(images.to(dtype), torch.tensor([0, 1, 0, 1, 2, 2, 3, 6]))


def scale(name: str, module: nn.Module, batch: Batch) -> float:
    """What the tolerance is relative to, where that is not the value."""
    if name == "plain":
        return naive.score("snip", module, batch.images, batch.labels)
    parts = naive.grasp_parts(module.train(), batch.images, batch.labels)
    return sum(float(part.abs().sum()) for part in parts)


def meaningful(space: str, name: str) -> bool:
    return name not in {"jacov", "epe_nas"} or space not in CENTRED


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("space", CASES)
def test_passes_agree_with_the_naive_reference(space: str, dtype: torch.dtype) -> None:
    module, batch = example(space, dtype)
    found = score(module, batch, SHARED)
    assert len(found) == 13
    wrong = {}
    for name, result in found.items():
        if not meaningful(space, name):
            why = "undefined: the sum of the logits moves with the images by rounding alone"
            assert (result.value, result.error) == (None, why)
            continue
        expected = naive.score(name, module, batch.images, batch.labels)
        assert result.error is None, (name, result.error)
        assert result.value is not None
        if dtype == torch.float64:
            near = np.isclose(result.value, expected, rtol=1e-9, atol=0)
        else:
            by = scale(name, module, batch) if name in {"plain", "grasp"} else abs(expected)
            near = abs(result.value - expected) <= FLOAT32[name] * by
        if not near:
            wrong[name] = (result.value, expected)
    assert wrong == {}


def test_the_tolerances_are_of_the_13() -> None:
    assert set(FLOAT32) == set(naive.NAIVE) == {proxy.name for proxy in SHARED}


@pytest.mark.parametrize("space", CASES)
def test_where_the_summed_logits_do_not_depend_on_the_images(space: str) -> None:
    module, batch = example(space, torch.float64)
    images = batch.images.clone().requires_grad_()
    logits = module.train()(images)

    def answer(of: Tensor) -> float:
        return float(torch.autograd.grad(of, images, retain_graph=True)[0].norm())

    assert (answer(logits.sum()) < 1e-12 * answer(logits[0, 0])) == (space in CENTRED)


@pytest.mark.parametrize("space", CASES)
def test_jets_have_a_rule_for_all_that_a_space_calls(space: str) -> None:
    """Without, grasp is right but goes backward twice."""
    from bench.proxies.passes import PASSES
    from bench.proxies.passes.network import Network

    module, batch = example(space, torch.float64)
    net = Network(module.train(), [batch], 0)
    gradients = PASSES["loss_gradients"].run(net, PASSES["forward"].run(net))
    assert PASSES["hessian_gradient"].run(net, gradients).forward


def test_another_seed_moves_zen_alone() -> None:
    module, batch = example("nasbench201", torch.float64)
    for seed in (0, 5):
        found = score(module, batch, SHARED, seed=seed)
        for name in ("zen", "snip", "nwot"):
            expected = naive.score(name, module, batch.images, batch.labels, seed=seed)
            assert found[name].value == pytest.approx(expected, rel=1e-9)
