"""How long the 13 take a NAS-Bench-201 cell, beside the naive reference, timed in the same run.

    OMP_NUM_THREADS=2 pytest tests/proxies/test_speed.py --benchmark-enable -s

Full-size cells and a minibatch of 64; the last test prints seconds, their ratio, and what this
machine reaches in a matrix product, in that same minute. No time decides a test: with benchmarks
disabled, as by default, a small cell is scored once and only the values are compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from proxies import naive
from pytest_benchmark.fixture import BenchmarkFixture
from torch import nn

from bench.networks import Weights, network
from bench.proxies import COMPUTED
from bench.proxies.computed import Computed
from bench.proxies.live import Batch, score
from bench.spaces.nasbench201 import NASBENCH201

CELLS = tuple(
    "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*operations.split())
    for operations in (
        "nor_conv_3x3 nor_conv_3x3 nor_conv_3x3 nor_conv_3x3 nor_conv_1x1 nor_conv_3x3",
        "nor_conv_3x3 skip_connect nor_conv_1x1 avg_pool_3x3 none nor_conv_3x3",
        "avg_pool_3x3 skip_connect nor_conv_1x1 none avg_pool_3x3 nor_conv_1x1",
    )
)
"""Heavy, middling and light."""
SETS: dict[str, list[Computed]] = {
    "all 13": [proxy for proxy in COMPUTED if proxy.name in naive.NAIVE],
    "12 without grasp": [
        proxy for proxy in COMPUTED if proxy.name in naive.NAIVE and proxy.name != "grasp"
    ],
}
ROUNDS = 2


@dataclass(frozen=True)
class Work:
    modules: list[nn.Module]
    batch: Batch


@pytest.fixture(scope="module")
def work(request: pytest.FixtureRequest) -> Work:
    quick = not request.config.getoption("benchmark_enable")
    n, texts, shape = (8, CELLS[1:2], {"channels": 4, "cells": 1}) if quick else (64, CELLS, {})
    modules = [network("nasbench201", NASBENCH201.parse(t), Weights(0), **shape) for t in texts]
    rng = torch.Generator().manual_seed(0)
    images = torch.randn(n, 3, 32, 32, generator=rng)
    return Work(modules, Batch(images, torch.randint(10, (n,), generator=rng)))


Values = list[dict[str, float | None]]


def ours(work: Work, proxies: list[Computed]) -> Values:
    return [
        {name: result.value for name, result in score(module, work.batch, proxies).items()}
        for module in work.modules
    ]


def reference(work: Work, proxies: list[Computed]) -> Values:
    images, labels = work.batch.images, work.batch.labels
    return [
        {proxy.name: naive.score(proxy.name, module, images, labels) for proxy in proxies}
        for module in work.modules
    ]


def gemm_gflops(side: int) -> float:
    """The best of ten float32 matrix products."""
    a, b = torch.randn(2, side, side, generator=torch.Generator().manual_seed(0))
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / min(seconds) / 1e9


@pytest.mark.parametrize("method", [ours, reference])
@pytest.mark.parametrize("which", SETS)
def test_cells(
    which: str,
    method: Callable[[Work, list[Computed]], Values],
    work: Work,
    benchmark: BenchmarkFixture,
) -> None:
    benchmark.group = which
    benchmark.extra_info["cells"] = len(work.modules)
    benchmark.extra_info["gemm_gflops"] = gemm_gflops(256 if len(work.modules) == 1 else 2048)
    values = benchmark.pedantic(method, args=(work, SETS[which]), rounds=ROUNDS, warmup_rounds=1)
    assert [len(each) for each in values] == [len(SETS[which])] * len(work.modules)


@pytest.mark.parametrize("which", SETS)
def test_the_ratio_is_told_and_the_values_agree(which: str, work: Work) -> None:
    full = len(work.modules) > 1
    proxies = SETS[which]
    found, expected = ours(work, proxies), reference(work, proxies)
    seconds: dict[str, float] = {}
    for method in (ours, reference):
        taken = []
        for _ in range(ROUNDS if full else 1):
            start = time.perf_counter()
            method(work, proxies)
            taken.append((time.perf_counter() - start) / len(work.modules))
        seconds[method.__name__] = min(taken)
    # Fifteen cells of convolutions let float32's rounding grow: either is that far from float64.
    near = 3e-2 if full else 2e-3
    for got, wanted in zip(found, expected, strict=True):
        for name in set(wanted) - {"plain", "grasp"}:  # They cancel: see test_naive.py.
            assert got[name] == pytest.approx(wanted[name], rel=near), name
    print(  # noqa: T201 - the purpose of this test, shown with -s
        f"\n{which}, seconds a cell, batch {len(work.batch.images)}, "
        f"{torch.get_num_threads()} threads: ours {seconds['ours']:.3f}, "
        f"naive {seconds['reference']:.3f}, ratio {seconds['reference'] / seconds['ours']:.1f}; "
        f"GEMM {gemm_gflops(2048 if full else 256):.0f} GFLOP/s"
    )
