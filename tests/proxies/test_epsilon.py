"""epsilon, its variant, and the search for constants, against the formula written out."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from proxies.small import Function, Net, batch, made
from torch import nn

from bench.base import OptionError
from bench.proxies.computed import UndefinedError
from bench.proxies.epsilon import (
    CONSTANTS,
    difference,
    epsilon,
    epsilon_at,
    epsilon_for,
    search_constants,
)
from bench.proxies.epsilon_defined import epsilon_defined, epsilon_defined_for
from bench.proxies.live import Result, score

Array = NDArray[np.float64]


def outputs(module: nn.Module, constant: float) -> Array:
    """The first logit of each image, all weights of the module's own copy at a constant."""
    module = copy.deepcopy(module).train()
    for name, parameter in module.named_parameters():
        nn.init.constant_(parameter, constant if name.endswith("weight") else 0.0)
    given = batch().images.to(next(module.parameters()).dtype)
    return module(given)[:, 0].detach().double().numpy()


def by_hand(low: Array, high: Array) -> float:
    p, q = ((y - y.min()) / (y.max() - y.min()) for y in (low, high))
    apart = [abs(a - b) for a, b in zip(p, q, strict=True) if a != 0 and b != 0]
    left = [value for value in (*p, *q) if value != 0]
    return float(np.mean(apart) / np.mean(left))


def deep(blocks: int = 6) -> nn.Module:
    """A chain whose every block has weights, so that the low constant makes it vanish."""
    return nn.Sequential(
        *(
            part
            for _ in range(blocks)
            for part in (nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8))
        )
    )


def only(result: dict[str, Result]) -> Result:
    (found,) = result.values()
    return found


@pytest.mark.parametrize("constants", [(1e-7, 1.0), (1e-4, 10.0), (0.1, 0.2)])
def test_epsilon_is_its_formula(constants: tuple[float, float]) -> None:
    module = made(lambda: Net(deep(1)))
    result = only(score(module, batch(), [epsilon_at(*constants)]))
    expected = by_hand(*(outputs(module, constant) for constant in constants))
    assert result.value == pytest.approx(expected, rel=1e-9)


def test_constants_belong_to_a_space() -> None:
    assert epsilon_for("nasbench101").function.keywords == {"low": 1e-4, "high": 10.0}
    assert epsilon_for("darts").function.keywords == epsilon.function.keywords
    assert epsilon_defined_for("nasbench101").function.keywords == {"low": 1e-4, "high": 10.0}
    assert epsilon_for("nasbench101").name == epsilon.name
    assert CONSTANTS["nasbench201"] == (1e-7, 1.0)
    for low, high in ((1.0, 1.0), (1.0, 0.1), (0.0, 1.0), (1e-7, float("inf"))):
        with pytest.raises(OptionError, match="0 < low < high"):
            epsilon_at(low, high)


def test_undefined_scores_say_of_which_kind_they_are() -> None:
    vanishing = made(lambda: Net(deep()), torch.float32)
    given = batch(dtype=torch.float32)
    assert only(score(vanishing, given, [epsilon])).error == (
        "undefined: constant output at the low constant"
    )
    plain = made(Net, torch.float32)
    assert only(score(plain, given, [epsilon_at(1e-7, 1e30)])).error == (
        "undefined: constant output at the high constant"  # the variance overflows
    )
    plain.norm = nn.Identity()
    assert only(score(plain, given, [epsilon_at(1e-7, 1e20)])).error == (
        "undefined: non-finite output at the high constant"
    )
    with pytest.raises(UndefinedError, match="no image with both outputs above the least"):
        difference(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]))
    twice = given.images[:1].expand(4, -1, -1, -1)
    alike = type(given)(twice, given.labels[:4])
    assert only(score(plain, alike, [epsilon])).error == (
        "undefined: constant output at the low constant"
    )


def test_the_variant_is_epsilon_where_that_is_defined() -> None:
    module = made(lambda: Net(deep(1)), torch.float32)
    results = score(module, batch(dtype=torch.float32), [epsilon, epsilon_defined])
    assert results["epsilon"].value is not None
    assert results["epsilon_defined"].value == results["epsilon"].value


def test_the_variant_hands_on_where_the_low_output_vanishes() -> None:
    module = made(lambda: Net(deep()), torch.float32)
    centring = Function(lambda x: torch.relu(x) - torch.relu(x).mean((0, 2, 3), keepdim=True))
    low = made(lambda: Net(nn.Sequential(*[centring] * 6)))
    expected = by_hand(outputs(low, 1e-7), outputs(module, 1.0))
    result = only(score(module, batch(dtype=torch.float32), [epsilon_defined]))
    assert result.value == pytest.approx(expected, rel=1e-4)


def test_a_network_that_answers_nothing_differs_by_nothing() -> None:
    dead = made(lambda: Net(Function(torch.zeros_like)))
    results = score(dead, batch(), [epsilon, epsilon_defined])
    assert results["epsilon"].error == "undefined: constant output at the low constant"
    assert results["epsilon_defined"].value == 0


def test_the_variant_is_undefined_where_an_output_is_not_finite() -> None:
    broken = made(lambda: Net(Function(lambda x: x / 0)))
    result = only(score(broken, batch(), [epsilon_defined]))
    assert result.error == "undefined: non-finite output at the low constant"


def test_the_search_takes_the_widest_pair_that_is_defined() -> None:
    asked: list[tuple[int, int]] = []

    def scores(low: float, high: float) -> Array:
        exponents = round(np.log10(low)), round(np.log10(high))
        asked.append(exponents)
        values = np.ones(100)
        values[: 10 if exponents[0] < -4 else 9] = np.nan
        return values

    assert search_constants(scores) == (1e-4, 1.0)
    assert asked == [(-7, 0), (-7, -1), (-6, 0), (-7, -2), (-6, -1), (-5, 0), (-7, -3), (-6, -2),
                     (-5, -1), (-4, 0)]  # fmt: skip
    with pytest.raises(OptionError, match="less than 10% undefined scores, got none"):
        search_constants(lambda low, high: np.full(3, np.inf))
