"""What holds for the networks of all spaces."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from bench.base import Arch, ArchError, OptionError, UnknownNameError
from bench.networks import NETWORKS, Weights, network
from bench.networks.weights import Law
from bench.spaces import SPACES

SPACE = {space.name: space for space in SPACES}
DARTS_ALL = (
    "(((0, 0), (1, 1), (0, 2), (1, 3), (2, 4), (3, 5), (0, 6), (4, 7)),"
    "((0, 0), (1, 1), (0, 2), (1, 3), (0, 4), (3, 5), (1, 6), (1, 7)))"
)
# Texts whose architectures hold every operation of their space between them, and sizes.
CASES: dict[str, tuple[list[str], dict[str, int]]] = {
    "nasbench201": (["(4, 0, 3, 2, 1, 2)", "(0, 1, 2, 1, 2, 3)"], {"channels": 4, "cells": 2}),
    "nasbench101": (
        [
            "(0,1,1,0,1, 0,0,1,1,1, 0,0,0,1,0, 0,0,0,0,1, 0,0,0,0,0, 0,4,3,2,1)",
            "(0, 1, 0, 0, 0, 1)",
        ],
        {"channels": 9, "stacks": 2, "cells": 2},
    ),
    "darts": ([DARTS_ALL], {"channels": 4, "cells": 5}),
    "transnasbench101-micro": (["64-41414-1_23_031", "64-41414-3_12_200"], {"channels": 4}),
    "transnasbench101-macro": (["64-1234-basic", "64-441111-basic"], {"channels": 4}),
}
SIZE = {"transnasbench101-micro": 64, "transnasbench101-macro": 64}
EVERY = [(space, text) for space, (texts, _) in CASES.items() for text in texts]

every = pytest.mark.parametrize(("space", "text"), EVERY)


def built(space: str, text: str, seed: int = 0, **shape: int) -> nn.Module:
    sized = {**CASES[space][1], **shape}
    return network(space, SPACE[space].parse(text), Weights(seed), classes=7, **sized)


def images(space: str, n: int = 3) -> torch.Tensor:
    size = SIZE.get(space, 16)
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_every_space_has_networks() -> None:
    assert set(NETWORKS) == set(SPACE) == set(CASES)


@pytest.mark.parametrize("space", CASES)
def test_the_cases_hold_every_operation(space: str) -> None:
    held = {
        operation
        for text in CASES[space][0]
        for operation in SPACE[space].graph(SPACE[space].parse(text)).operations
    }
    assert held == set(SPACE[space].operations)


@every
def test_logits(space: str, text: str) -> None:
    module, x = built(space, text), images(space)
    before = x.clone()
    logits = module(x)
    assert logits.shape == (3, 7)
    assert torch.isfinite(logits).all()
    assert logits.std() > 0
    assert torch.equal(x, before)
    logits.sum().backward()
    used = [p for p in module.parameters() if p.grad is not None]
    assert used
    assert all(torch.isfinite(p.grad).all() for p in used)


@every
def test_any_memory_format(space: str, text: str) -> None:
    module, x = built(space, text).double(), images(space).double()
    plain = module(x)
    last = module.to(memory_format=torch.channels_last)
    torch.testing.assert_close(last(x.to(memory_format=torch.channels_last)), plain)


@every
def test_the_layers_are_plain(space: str, text: str) -> None:
    module = built(space, text)
    leaves = {type(layer) for layer in module.modules() if not list(layer.children())}
    assert leaves <= {
        nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d,
        nn.Linear, nn.Flatten, nn.Identity,
    }  # fmt: skip
    assert not any(layer.inplace for layer in module.modules() if isinstance(layer, nn.ReLU))
    assert sum(isinstance(layer, nn.AdaptiveAvgPool2d) for layer in module.modules()) == 1
    relus = [layer for layer in module.modules() if isinstance(layer, nn.ReLU)]
    calls: list[nn.Module] = []
    for relu in relus:
        relu.register_forward_hook(lambda layer, *_: calls.append(layer))
    module(images(space))
    assert sorted(map(id, calls)) == sorted(map(id, relus)), "each is called once"


@every
def test_a_seed_gives_the_same_bytes_and_another_others(space: str, text: str) -> None:
    state = torch.get_rng_state()
    one, same, other = (built(space, text, seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(values, same[name]) for name, values in one.items())
    drawn = [name for name, values in one.items() if values.unique().numel() > 1]
    assert drawn
    assert not any(torch.equal(one[name], other[name]) for name in drawn)


@every
def test_nothing_is_left_uninitialised(space: str, text: str) -> None:
    """In deterministic mode torch fills new memory with NaN."""
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.empty(1).isnan()
        tensors = built(space, text).state_dict()
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.isfinite(values).all() for values in tensors.values())
    for name, values in tensors.items():
        if name.endswith(("running_mean", "num_batches_tracked")):
            assert not values.any()
        if name.endswith("running_var"):
            assert (values == 1).all()


@pytest.mark.parametrize("space", CASES)
def test_neighbours_share_the_weights_of_what_they_share(space: str) -> None:
    arch = SPACE[space].parse(CASES[space][0][0])
    shape = CASES[space][1]
    own = network(space, arch, Weights(0), **shape).state_dict()
    shared: set[str] = set()
    for near in SPACE[space].neighbours(arch)[::5]:
        theirs = network(space, near, Weights(0), **shape).state_dict()
        common = {n for n in own.keys() & theirs.keys() if own[n].shape == theirs[n].shape}
        if "classifier.weight" not in common:
            common.discard("classifier.bias")  # Its law's scale is the weight's.
        assert all(torch.equal(own[name], theirs[name]) for name in common)
        shared |= {name for name in common if "cell" in name and own[name].dim() == 4}
    assert shared


@pytest.mark.parametrize("space", CASES)
def test_no_two_parameters_are_alike(space: str) -> None:
    drawn: dict[bytes, str] = {}
    for name, values in built(space, CASES[space][0][0]).named_parameters():
        if values.unique().numel() > 1:
            key = values.detach().numpy().tobytes()[:32]
            assert key not in drawn, f"{name} has the weights of {drawn[key]}"
            drawn[key] = name


@every
def test_a_copy_is_a_network_of_its_own(space: str, text: str) -> None:
    module, x = built(space, text), images(space)
    logits = module(x)
    twin = copy.deepcopy(module)
    for layer in twin.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.zeros_(layer.weight)
    assert torch.equal(module(x), logits)
    assert not torch.equal(twin(x), logits)


@pytest.mark.parametrize("space", CASES)
def test_shape_arguments_change_the_network(space: str) -> None:
    text, known = CASES[space][0][0], NETWORKS[space].shape
    base = sum(p.numel() for p in built(space, text).parameters())
    for name, default in known.items():
        value = 1 if default is False else CASES[space][1].get(name, default) + 1
        module = built(space, text, **{name: value})
        assert sum(p.numel() for p in module.parameters()) != base, name
        size = 4 * SIZE.get(space, 16)
        assert module(torch.zeros(2, 3, size, size)).shape == (2, 7)


@pytest.mark.parametrize("space", CASES)
def test_errors(space: str) -> None:
    arch, weights = SPACE[space].parse(CASES[space][0][0]), Weights(0)
    with pytest.raises(ArchError):
        network(space, (9, 9, 9), weights)
    with pytest.raises(OptionError, match=r"channels.*got 'width'"):
        network(space, arch, weights, width=3)
    with pytest.raises(OptionError, match="expected channels to be at least 1, got 0"):
        network(space, arch, weights, channels=0)
    with pytest.raises(OptionError, match="expected classes to be at least 1, got -1"):
        network(space, arch, weights, classes=-1)


def test_a_switch_is_on_or_off() -> None:
    arch: Arch = SPACE["darts"].parse(DARTS_ALL)
    with pytest.raises(OptionError, match="expected imagenet to be a switch, 0 or 1, got 2"):
        network("darts", arch, Weights(0), imagenet=2)
    with pytest.raises(UnknownNameError, match="nasbench201.*got 'nasbench202'"):
        network("nasbench202", arch, Weights(0))


@pytest.mark.parametrize("space", CASES)
def test_the_scales_of_the_laws(space: str) -> None:
    """Each space's initialisation by its formula, on a convolution 8 -> 16 of 3 x 3 and a head."""
    conv, linear, norm = nn.Conv2d(8, 16, 3), nn.Linear(25, 4), nn.BatchNorm2d(3)
    laws = NETWORKS[space].laws
    fan_out = Law("normal", (2 / (9 * 16)) ** 0.5)
    bound = Law("uniform", 1 / 72**0.5)
    expected: dict[str, tuple[object, object]] = {
        "nasbench201": (bound, {"weight": Law("uniform", 0.2), "bias": Law("uniform", 0.2)}),
        "nasbench101": (fan_out, {"weight": Law("normal", 0.01), "bias": 0.0}),
    }
    expected["darts"] = expected["nasbench201"]
    expected["transnasbench101-micro"] = (fan_out, expected["nasbench201"][1])
    expected["transnasbench101-macro"] = expected["transnasbench101-micro"]
    assert (laws(conv)["weight"], laws(linear)) == expected[space]
    assert laws(norm) == {"weight": 1.0, "bias": 0.0}
