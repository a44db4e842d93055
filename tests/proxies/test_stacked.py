"""Scores of a stack are the scores of its networks, one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from bench.base import Arch, OptionError
from bench.networks import Weights, network
from bench.networks.stacked import Stack, balanced
from bench.proxies import COMPUTED, _stacked_passes, stacked
from bench.proxies.computed import Computed
from bench.proxies.live import Result, score
from bench.proxies.passes.network import Batch
from bench.proxies.stacked import StackScorer, score_stacked

SHAPE = {"classes": 3, "channels": 4, "cells": 1}
NONE, SKIP, POOL = (0,) * 6, (1,) * 6, (4,) * 6
MIXED, DEAD = (3, 2, 4, 0, 1, 3), (3, 0, 0, 2, 0, 3)
STACKS = [[MIXED], [NONE], [DEAD, MIXED], [NONE, MIXED, SKIP, DEAD, MIXED]]
CLASSIC = (
    "epe_nas", "fisher", "flops", "grad_norm", "grasp", "jacov", "l2_norm", "nwot", "params",
    "plain", "snip", "synflow", "zen",
)  # fmt: skip
PROXIES = [
    proxy for proxy in COMPUTED if all(name in _stacked_passes.RUNS for name in proxy.passes)
]

stacks = pytest.mark.parametrize("archs", STACKS, ids=lambda archs: f"{len(archs)}-{archs[0]}")


def batch(dtype: torch.dtype = torch.float64, n: int = 6, side: int = 8) -> Batch:
    images = torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(1), dtype=dtype)
    return Batch(images, torch.arange(n) % 3 % 2)


def stack_of(archs: Sequence[Arch], dtype: torch.dtype = torch.float64) -> Stack:
    stack = Stack(archs, Weights(0), **SHAPE)
    stack.module.to(dtype)
    return stack


def alone(arch: Arch, given: Batch, proxies: Sequence[Computed] = PROXIES) -> dict[str, Result]:
    module = network("nasbench201", arch, Weights(0), **SHAPE).to(given.images.dtype)
    return score(module, given, proxies, seed=5)


def values(results: dict[str, Result]) -> dict[str, tuple[Any, str | None]]:
    return {name: (result.value, result.error) for name, result in results.items()}


def assert_same(got: dict[str, Result], expected: dict[str, Result], rel: float = 1e-9) -> None:
    assert got.keys() == expected.keys()
    for name, (value, error) in values(expected).items():
        assert got[name].error == error, name
        if value is not None:
            assert got[name].value == pytest.approx(value, rel=rel, abs=rel), name


def by_name(*names: str) -> list[Computed]:
    return [proxy for proxy in COMPUTED if proxy.name in names]


def test_the_classic_thirteen_are_among_them() -> None:
    assert set(CLASSIC) <= {proxy.name for proxy in PROXIES}


@stacks
def test_scores_are_those_of_single_networks(archs: list[Arch]) -> None:
    given = batch()
    results = score_stacked(stack_of(archs), given, PROXIES, seed=5)
    assert len(results) == len(archs)
    for arch, got in zip(archs, results, strict=True):
        assert_same(got, alone(arch, given))
        assert all(result.seconds > 0 for result in got.values())


def test_in_float32_they_are_up_to_rounding() -> None:
    """A hundred-thousandth; of sums that cancel, of what they would be without their signs."""
    archs, given = STACKS[3], batch(torch.float32)
    results = score_stacked(stack_of(archs, torch.float32), given, PROXIES, seed=5)
    for arch, got in zip(archs, results, strict=True):
        expected = alone(arch, given)
        size = {"plain": expected["snip"].value, "grasp": 10 * expected["grad_norm"].value ** 2}
        for name, (value, error) in values(expected).items():
            assert got[name].error == error, name
            if value is not None:
                near = pytest.approx(value, rel=1e-5, abs=1e-5 * size.get(name, abs(value)))
                assert got[name].value == near, name


@pytest.mark.parametrize("name", CLASSIC)
def test_each_proxy_can_be_asked_for_alone(name: str) -> None:
    given, archs = batch(), [MIXED, SKIP]
    results = score_stacked(stack_of(archs), given, by_name(name), seed=5)
    for arch, got in zip(archs, results, strict=True):
        assert_same(got, alone(arch, given, by_name(name)))


def test_each_pass_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: Counter[str] = Counter()

    def counted(name: str) -> Any:
        def run(*records: Any) -> Any:
            calls[name] += 1
            return _stacked_passes.RUNS[name](*records)

        return run

    runs = {name: counted(name) for name in _stacked_passes.RUNS}
    monkeypatch.setattr(stacked, "RUNS", runs)
    score_stacked(stack_of([MIXED, SKIP]), batch(), by_name(*CLASSIC))
    expected = runs.keys() - {"operations", "linearised_norms"}
    assert calls == dict.fromkeys(expected, 1)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_one_that_is_not_finite_does_not_touch_the_others(poison: float) -> None:
    archs = [MIXED, MIXED, SKIP, DEAD]
    given = batch()
    whole = score_stacked(stack_of(archs), given, PROXIES)
    poisoned = stack_of(archs)
    with torch.no_grad():
        poisoned.module.get_parameter("stem.conv.weight")[4:8] = poison
    got = score_stacked(poisoned, given, PROXIES)
    # zen draws weights of its own, and these two look at none.
    sound = {"flops", "params", "zen"}
    failed = {name for name, result in got[1].items() if result.value is None}
    assert {"grad_norm", "snip", "plain", "grasp", "synflow", "l2_norm"} <= failed
    assert not failed & sound
    for i in (0, 2, 3):
        assert_same(got[i], whole[i], rel=1e-12)


def test_a_proxy_that_fails_for_one_has_a_value_for_the_others() -> None:
    def picky(weights: Any) -> float:
        if len(weights.layers) < 10:
            raise LookupError("too few")
        return float(len(weights.layers))

    fussy = Computed(
        name="picky", function=picky, passes=("weights",), needs=frozenset(), paper="", follows="",
        definition="",
    )  # fmt: skip
    skip, mixed = score_stacked(stack_of([SKIP, MIXED]), batch(), [fussy, *by_name("params")])
    assert skip["picky"].error == "LookupError: too few"
    assert skip["params"].value is not None
    # A stem, two blocks of three, a head; three convolutions a cell.
    assert mixed["picky"].value == 1 + 6 + 1 + 3 * 3


def test_a_pass_that_fails_fails_for_those_that_read_it() -> None:
    given = Batch(batch().images, torch.tensor([0, 1, 2, 3, 0, 1]))
    got, expected = score_stacked(stack_of([MIXED]), given, PROXIES)[0], alone(MIXED, given)
    assert got["grad_norm"].error == got["grasp"].error
    assert str(got["grasp"].error).startswith("OptionError: expected labels below 3")
    assert {name: result.error for name, result in got.items()} == {
        name: result.error for name, result in expected.items()
    }


def test_other_networks_may_take_their_places_before_results_are_asked_for() -> None:
    """As on a GPU, which goes on to the next stack while proxies of the last are computed."""
    first, second, *_ = balanced(1)
    given = batch(n=3)
    stack = stack_of(first)
    scorer = StackScorer(stack, given, PROXIES, seed=5, graphs=True)
    pending = scorer.start()
    stack.refill(second)
    then = scorer.start().results()
    for archs, results in ((first, pending.results()), (second, then)):
        for arch, got in zip(archs, results, strict=True):
            assert_same(got, alone(arch, given))


def test_the_module_is_left_as_it_was_found() -> None:
    stack = stack_of([MIXED, SKIP])
    stack.module.eval()
    before = {name: tensor.clone() for name, tensor in stack.module.state_dict().items()}
    state = torch.random.get_rng_state()
    score_stacked(stack, batch(), PROXIES)
    assert not any(part.training for part in stack.module.modules())
    assert all(torch.equal(stack.module.state_dict()[name], was) for name, was in before.items())
    assert all(parameter.grad is None for parameter in stack.module.parameters())
    hooks = [part._forward_hooks or part._forward_pre_hooks for part in stack.module.modules()]
    assert not any(hooks)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_pass_that_stacks_do_not_have_is_named() -> None:
    reader = Computed(
        name="mine", function=float, passes=("weights", "network"), needs=frozenset(), paper="",
        follows="", definition="",
    )  # fmt: skip
    with pytest.raises(OptionError, match="can run .weights, .*, got mine, which reads network$"):
        score_stacked(stack_of([SKIP]), batch(), [reader])


def test_no_minibatch_is_named() -> None:
    with pytest.raises(OptionError, match="expected at least one minibatch, got none"):
        score_stacked(stack_of([SKIP]), [], PROXIES)


class _NoWaiting(TorchDispatchMode):
    """Forbids what a CUDA graph cannot capture: reading values, and tensors made from data."""

    FORBIDDEN = ("_local_scalar_dense", "nonzero", "lift_fresh", "equal", "unique", "masked_select")

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.overloadpacket.__name__
        if name.startswith(self.FORBIDDEN):
            raise RuntimeError(f"{name} waits for the device")
        return func(*args, **(kwargs or {}))


def test_passes_that_are_captured_wait_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be told of CUDA graphs without a GPU."""
    ran = []

    def watched(name: str) -> Any:
        def run(*records: Any) -> Any:
            ran.append(name)
            with _NoWaiting():
                return every[name](*records)

        return run

    every = _stacked_passes.RUNS
    scorer = StackScorer(stack_of([MIXED, SKIP, DEAD]), batch(), PROXIES)
    before = scorer.score()
    runs = {name: every[name] if name in stacked._EAGER else watched(name) for name in every}
    monkeypatch.setattr(stacked, "RUNS", runs)
    for got, expected in zip(scorer.score(), before, strict=True):
        assert_same(got, expected)
    assert set(ran) == every.keys() - stacked._EAGER - {"operations"}


def test_the_watch_sees_waiting() -> None:
    with pytest.raises(RuntimeError, match="_local_scalar_dense waits"), _NoWaiting():
        float(torch.ones(1).sum())


def test_graphs_are_captured_after_a_run_that_went_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """With stand-ins for CUDA: eager, then captured and replayed, then replayed; anew at a fail."""
    log: list[str] = []

    class Graph:
        def replay(self) -> None:
            log.append("replay")

    @contextmanager
    def capture(graph: Graph, *, pool: str) -> Any:
        log.append(f"capture in {pool}")
        yield

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "pool")
    graphs = stacked._Graphs()

    def run() -> _stacked_passes.Step:
        log.append("run")
        return _stacked_passes.Step({"one": Tensor()}, kept="graph")

    def next_run(well: bool = True) -> tuple[list[str], Any]:
        log.clear()
        step = graphs.step("forward", run)
        graphs.settle(well)
        return list(log), step.kept

    assert next_run() == (["run"], "graph")
    assert next_run() == (["capture in pool", "run", "replay"], "graph")
    assert next_run() == (["replay"], None)
    assert next_run(well=False) == (["replay"], None)
    assert next_run() == (["run"], "graph")
    assert next_run() == (["capture in pool", "run", "replay"], "graph")
