"""Stacks of NAS-Bench-201 networks: lane by lane they are the single networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from bench.base import Arch, ArchError, OptionError
from bench.networks import Weights, network
from bench.networks._lanes import put, take
from bench.networks.stacked import Stack, balanced

SHAPE = {"classes": 3, "channels": 4, "cells": 2}
NONE, SKIP, POOL = (0,) * 6, (1,) * 6, (4,) * 6
MIXED, DEAD = (3, 2, 4, 0, 1, 3), (3, 0, 0, 2, 0, 3)
STACKS = [[MIXED], [NONE], [DEAD, MIXED], [NONE, MIXED, SKIP, DEAD, MIXED], [(2,) * 6, POOL]]

stacks = pytest.mark.parametrize("archs", STACKS, ids=lambda archs: f"{len(archs)}-{archs[0]}")


def images(a: int, n: int = 3, side: int = 8) -> Tensor:
    """Others for each lane, so that lanes which are mixed up show."""
    generator = torch.Generator().manual_seed(a)
    return torch.randn(n, 3 * a, side, side, generator=generator, dtype=torch.float64)


def double(archs: Sequence[Arch]) -> Stack:
    stack = Stack(archs, Weights(0), **SHAPE)
    stack.module.double()
    return stack


def single(arch: Arch) -> torch.nn.Module:
    return network("nasbench201", arch, Weights(0), **SHAPE).double()


def assert_lanes_are_networks(stack: Stack, archs: Sequence[Arch], x: Tensor) -> None:
    logits = stack.module(x).view(len(x), len(archs), -1)
    for i, arch in enumerate(archs):
        expected = single(arch)(x[:, 3 * i : 3 * i + 3])
        torch.testing.assert_close(logits[:, i], expected, rtol=1e-10, atol=1e-10)


@stacks
def test_logits_are_those_of_single_networks(archs: list[Arch]) -> None:
    assert_lanes_are_networks(double(archs), archs, images(len(archs)))


def test_and_in_channels_last() -> None:
    archs = STACKS[3]
    x = images(len(archs)).contiguous(memory_format=torch.channels_last)
    assert_lanes_are_networks(double(archs), archs, x)


@stacks
def test_parameters_are_those_of_single_networks(archs: list[Arch]) -> None:
    """Each network's names, shapes and values, and nothing else."""
    stack = Stack(archs, Weights(7), **SHAPE)
    found: list[dict[str, Tensor]] = [{} for _ in archs]
    for name, parameter in stack.module.named_parameters():
        owners = stack.owners[stack.part(name)]
        for owner, lane in zip(owners, parameter.chunk(len(owners)), strict=True):
            found[owner][name] = lane.view(stack.shapes[name])
    for arch, mine in zip(archs, found, strict=True):
        expected = dict(network("nasbench201", arch, Weights(7), **SHAPE).named_parameters())
        assert mine.keys() == expected.keys()
        assert all(torch.equal(mine[name], expected[name]) for name in mine)


def test_modules_are_named_as_in_single_networks() -> None:
    stack = double([MIXED])
    names = {name for name, _ in stack.module.named_modules()}
    assert {name for name, _ in single(MIXED).named_modules()} - names == {"flatten"}


def test_gradients_of_the_sum_are_each_networks_own() -> None:
    archs = STACKS[3]
    stack, x = double(archs), images(len(archs)).requires_grad_()
    stack.module(x).square().sum().backward()
    for i, arch in enumerate(archs):
        module, mine = single(arch), x.detach()[:, 3 * i : 3 * i + 3].requires_grad_()
        module(mine).square().sum().backward()
        got = x.grad[:, 3 * i : 3 * i + 3]
        expected = torch.zeros_like(got) if mine.grad is None else mine.grad
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)
        stem = stack.module.get_parameter("stem.conv.weight").grad[4 * i : 4 * i + 4]
        own = module.get_parameter("stem.conv.weight").grad
        expected = torch.zeros_like(stem) if own is None else own
        torch.testing.assert_close(stem, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_what_is_not_finite_stays_in_its_lane(poison: float) -> None:
    archs = [MIXED, SKIP, MIXED, POOL]
    x = images(len(archs))
    whole = double(archs).module(x).view(len(x), len(archs), -1)
    x[0, 6] = poison
    logits = double(archs).module(x).view(len(x), len(archs), -1)
    assert not torch.isfinite(logits[:, 2]).any()
    others = [0, 1, 3]
    torch.testing.assert_close(logits[:, others], whole[:, others], rtol=1e-12, atol=1e-12)


def test_refilled_it_is_the_others_in_the_same_tensors() -> None:
    first, second = ([MIXED, SKIP, NONE], [NONE, MIXED, SKIP])
    stack = double(first)
    held = {name: tensor.data_ptr() for name, tensor in stack.module.named_buffers()}
    assert stack.owners["stage_1_cell_0.edge_0_1_nor_conv_3x3"] == (0,)
    stack.refill(second)
    assert stack.owners["stage_1_cell_0.edge_0_1_nor_conv_3x3"] == (1,)
    assert stack.lanes("stage_1_cell_0.edge_0_1_nor_conv_3x3").tolist() == [1]
    assert {name: tensor.data_ptr() for name, tensor in stack.module.named_buffers()} == held
    assert_lanes_are_networks(stack, second, images(3))


@pytest.mark.parametrize(
    ("archs", "message"),
    [
        ([MIXED, SKIP, SKIP], "expected 2 architectures, as are in the stack, got 3"),
        (
            [MIXED, (1, 1, 1, 1, 1, 0)],
            "expected 1 architectures with edge_2_3_skip_connect, as are in the stack, got 0",
        ),
        (
            [MIXED, (3, 1, 1, 1, 1, 1)],
            "expected 1 architectures with edge_0_1_nor_conv_3x3, as are in the stack, got 2",
        ),
    ],
)
def test_only_a_stack_of_equal_counts_can_take_its_place(archs: list[Arch], message: str) -> None:
    stack = Stack([MIXED, SKIP], Weights(0), **SHAPE)
    with pytest.raises(OptionError) as caught:
        stack.refill(archs)
    assert str(caught.value) == message
    assert stack.owners[""] == (0, 1)


@pytest.mark.parametrize("free", [1, 2, 3, 6])
def test_the_space_falls_into_stacks_of_equal_counts(free: int) -> None:
    """Every cell once; in each stack each operation a fifth of the time on each edge."""
    found = list(balanced(free))
    assert len(found) == 5 ** (6 - free)
    assert len({arch for archs in found for arch in archs}) == 15_625
    for archs in found:
        assert len(archs) == 5**free
        for at in range(6):
            assert set(Counter(arch[at] for arch in archs).values()) == {5 ** (free - 1)}


def test_balanced_stacks_take_each_others_places() -> None:
    first, *_, last = balanced(1)
    stack = double(first)
    stack.refill(last)
    assert_lanes_are_networks(stack, last, images(5, n=2))


@pytest.mark.parametrize("free", [0, 7])
def test_balanced_says_what_it_wants(free: int) -> None:
    with pytest.raises(OptionError, match=f"expected free to be from 1 to 6, got {free}"):
        next(balanced(free))


def test_stacks_say_what_they_want() -> None:
    with pytest.raises(OptionError, match="at least one architecture to stack, got none"):
        Stack([], Weights(0))
    with pytest.raises(ArchError):
        Stack([MIXED, (0, 0, 0, 0, 0, 5)], Weights(0))


def test_building_draws_nothing_from_torch() -> None:
    state = torch.random.get_rng_state()
    Stack(STACKS[3], Weights(0), **SHAPE)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_lanes_are_taken_and_put_as_indexing_says(layout: torch.memory_format) -> None:
    x = images(4, n=2, side=3).contiguous(memory_format=layout)
    wanted = [torch.tensor([3, 0]), torch.tensor([2])]
    split = x.view(2, 4, 3, 3, 3)
    taken = take(x, 4, wanted)
    for lanes, where in zip(taken, wanted, strict=True):
        torch.testing.assert_close(lanes, split[:, where].flatten(1, 2))
        assert lanes.is_contiguous(memory_format=layout)
    total = put(x, 4, [(wanted[0], taken[0]), (wanted[0], taken[0]), (wanted[1], taken[1])])
    expected = split * torch.tensor([2.0, 0.0, 1.0, 2.0]).view(4, 1, 1, 1)
    torch.testing.assert_close(total, expected.flatten(1, 2))
    assert total.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_lanes_go_backward(layout: torch.memory_format) -> None:
    wanted = [torch.tensor([2, 0]), torch.tensor([2]), torch.tensor([1])]

    def roundabout(x: Tensor) -> Tensor:
        """The last lanes taken are not used, and lane 1 leads nowhere."""
        first, second, _ = take(x, 3, wanted)
        return put(x, 3, [(torch.tensor([0, 2]), first.square()), (torch.tensor([0]), second)])

    x = images(3, n=2, side=2).contiguous(memory_format=layout).requires_grad_()
    assert torch.autograd.gradcheck(roundabout, (x,))
    (gradient,) = torch.autograd.grad(roundabout(x).sum(), x)
    assert not gradient[:, 3:6].any()
