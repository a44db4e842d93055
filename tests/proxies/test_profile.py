"""What operations cost, and the rows of a profile."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.kernels import KERNELS
from bench.proxies import COMPUTED
from bench.proxies.costs import Cost, Costs
from bench.proxies.live import Batch, score
from bench.proxies.profile import Ceilings, profile


def test_a_convolution_costs_what_it_multiplies_and_moves() -> None:
    x, weight = torch.zeros(2, 3, 8, 8), torch.zeros(5, 3, 3, 3)
    with Costs(synchronise=False) as costs:
        nn.functional.conv2d(x, weight, padding=1)
    cost = costs.by_name["convolution"]
    outputs = 2 * 5 * 8 * 8
    assert (cost.calls, cost.flops) == (1, 2 * outputs * 3 * 3 * 3)
    assert cost.bytes == 4 * (x.numel() + weight.numel() + outputs)


def test_single_values_cost_one_an_output_and_views_nothing() -> None:
    x = torch.ones(4, 6)
    with Costs(synchronise=False) as costs:
        (x.view(24) + 1).exp()
    assert set(costs.by_name) == {"add", "exp"}
    assert costs.by_name["add"].flops == costs.by_name["exp"].flops == 24
    assert costs.by_name["exp"].bytes == 4 * 48


def test_backward_is_seen_too() -> None:
    x = torch.ones(3, 3, requires_grad=True)
    with Costs(synchronise=False) as costs:
        (x @ x).sum().backward()
    assert costs.by_name["mm"].calls == 3


def test_costs_add_up() -> None:
    cost = Cost(1, 0.5, 10, 20)
    cost.add(Cost(2, 0.25, 1, 2))
    assert cost == Cost(3, 0.75, 11, 22)


def test_the_roof_is_the_lower_of_two() -> None:
    limits = Ceilings(flops_per_second=100.0, bytes_per_second=10.0)
    assert (limits.roof(5, 1), limits.bound(5, 1)) == (50.0, "memory")
    assert (limits.roof(50, 1), limits.bound(50, 1)) == (100.0, "compute")
    assert limits.roof(1, 0) == 10.0


@pytest.fixture
def small() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
    )


def test_rows_tell_ceilings_passes_operations_and_kernels(small: nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    batch = Batch(torch.randn(6, 3, 8, 8, generator=generator), torch.arange(6) % 3)
    proxies = [proxy for proxy in COMPUTED if proxy.name in {"snip", "grasp", "synflow"}]
    rows = list(profile([small, small], [batch], proxies))
    passes = {row["pass"]: row for row in rows if row["what"] == "pass"}
    assert set(passes) == {"forward", "loss_gradients", "hessian_gradient", "linearised"}
    assert sum(row["share"] for row in passes.values()) == pytest.approx(1)
    assert all(row["networks"] == 2 for row in passes.values())
    convolutions = [row for row in rows if row.get("name") == "convolution"]
    assert {row["pass"] for row in convolutions} == set(passes) - {"loss_gradients"}
    for row in convolutions:
        assert row["flops_per_second"] == pytest.approx(row["flops"] / row["seconds"])
        assert row["intensity"] == row["flops"] / row["bytes"]
    kernels = [row for row in rows if row["what"] == "kernel"]
    assert {row["name"] for row in kernels} == set(KERNELS.values())
    triton = [row for row in kernels if row["implementation"] == "triton"]
    if not torch.cuda.is_available():
        assert all(row["seconds"] is None and row["note"] for row in triton)


def test_watching_changes_no_score(small: nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    batch = Batch(torch.randn(6, 3, 8, 8, generator=generator), torch.arange(6) % 3)
    plain = score(small, batch, COMPUTED)
    watched = score(small, batch, COMPUTED, watch=lambda _: Costs(synchronise=False))
    assert {n: (r.value, r.error) for n, r in plain.items()} == {
        n: (r.value, r.error) for n, r in watched.items()
    }
