"""How many networks a second train, stacked beside alone, timed in the same run.

    OMP_NUM_THREADS=1 pytest tests/training/test_speed.py --benchmark-enable -s

The default recipe on 32 cells drawn at random; the last test prints networks a second at each
size of stack, their ratio to alone, and the largest difference in final accuracy. No time decides
a test: with benchmarks disabled, as by default, four cells are trained for a moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.base import Arch
from bench.networks import Stack, Weights, network
from bench.spaces.nasbench201 import NASBENCH201 as SPACE
from bench.training.data import Split, digits, split
from bench.training.recipe import Recipe
from bench.training.stacked import train_stack
from bench.training.trainer import Trained, train

SIZES = (1, 8, 32)


@dataclass(frozen=True)
class Work:
    recipe: Recipe
    archs: list[Arch]
    images: Split
    sizes: tuple[int, ...]


@pytest.fixture(scope="module")
def work(request: pytest.FixtureRequest) -> Work:
    quick = not request.config.getoption("benchmark_enable")
    few = Recipe(training=50, epochs=1, checkpoints=(1,), skeleton=(("cells", 1), ("channels", 2)))
    recipe = few if quick else Recipe()
    rng = np.random.default_rng(0)
    archs = [SPACE.sample(rng) for _ in range(4 if quick else max(SIZES))]
    return Work(recipe, archs, split(*digits(), recipe), (1, 2, 4) if quick else SIZES)


def trained(work: Work, size: int) -> list[Trained]:
    """All of the cells, in stacks of a size; of one, each as the network it is."""
    found: list[Trained] = []
    for start in range(0, len(work.archs), size):
        archs = work.archs[start : start + size]
        if size == 1:
            module = network("nasbench201", archs[0], Weights(0), **work.recipe.shape)
            found.append(train(module, work.images, work.recipe, 0))
        else:
            stack = Stack(archs, Weights(0), **work.recipe.shape)
            found += train_stack(stack, work.images, work.recipe, 0)
    return found


@pytest.mark.parametrize("which", range(len(SIZES)), ids=lambda at: f"stacks of {SIZES[at]}")
def test_cells(which: int, work: Work, benchmark: BenchmarkFixture) -> None:
    benchmark.extra_info["cells"] = len(work.archs)
    benchmark.extra_info["stack"] = work.sizes[which]
    results = benchmark.pedantic(trained, args=(work, work.sizes[which]), rounds=1)
    assert [each.status for each in results] == ["ok"] * len(work.archs)


def test_the_ratio_is_told_and_accuracies_are_near(work: Work) -> None:
    rates, finals = {}, {}
    for size in work.sizes:
        started = perf_counter()
        results = trained(work, size)
        rates[size] = len(results) / (perf_counter() - started)
        finals[size] = np.array([each.accuracy["validation"][-1] for each in results])
    alone, *stacked = work.sizes
    for size in stacked:
        # Roundings grow in training: in mean over cells no more than another seed makes.
        assert abs((finals[size] - finals[alone]).mean()) < 3
        apart = np.abs(finals[size] - finals[alone])
        print(  # noqa: T201 - the purpose of this test, shown with -s
            f"\n{len(work.archs)} cells, {torch.get_num_threads()} threads: {rates[alone]:.2f} "
            f"networks a second alone, {rates[size]:.2f} in stacks of {size}, ratio "
            f"{rates[size] / rates[alone]:.1f}; final validation accuracies differ by at most "
            f"{apart.max():.2f} points, by {apart.mean():.2f} in mean"
        )
