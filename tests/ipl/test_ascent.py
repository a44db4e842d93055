"""Gradient ascent: where it gets to, what it leaves alone, and what stops it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from bench.base import OptionError
from ipl.ascent import Ascent, ascend

TOP = torch.tensor([2.0, -1.0, 0.5])
ZERO, ONE = torch.zeros(3), torch.ones(3)


def hill(latents: Tensor) -> Tensor:
    return -(latents - TOP).square().sum(1)


def starts(r: int = 4) -> Tensor:
    return torch.randn(r, 3, generator=torch.Generator().manual_seed(0))


def test_a_quadratic_is_climbed_to_its_top() -> None:
    path = ascend(starts(), hill, ZERO, ONE, Ascent(steps=300))
    torch.testing.assert_close(path[-1], TOP.expand(4, -1), atol=0.02, rtol=0)
    assert (hill(path[-1]) > hill(path[0])).all()


def test_steps_are_in_deviations_whatever_the_latent_s_scale() -> None:
    mean, deviation = torch.tensor([5.0, -3.0, 0.0]), torch.tensor([10.0, 0.01, 1.0])
    first = starts()
    plain = ascend(first, hill, ZERO, ONE, Ascent())
    stretched = ascend(
        mean + deviation * first,
        lambda latents: hill((latents - mean) / deviation),
        mean,
        deviation,
        Ascent(),
    )
    torch.testing.assert_close((stretched - mean) / deviation, plain, atol=1e-3, rtol=0)
    # Adam's first step is its rate.
    once = ascend(first, hill, ZERO, ONE, Ascent(steps=1))
    torch.testing.assert_close((once[1] - first).abs(), torch.full((4, 3), 0.1))


@pytest.mark.parametrize(
    ("steps", "keep", "kept"), [(1, 4, 2), (8, 4, 3), (9, 4, 4), (5, 1, 6), (3, 9, 2)]
)
def test_starts_come_first_and_the_last_is_kept(steps: int, keep: int, kept: int) -> None:
    first = starts()
    path = ascend(first, hill, ZERO, ONE, Ascent(steps=steps, keep=keep))
    assert path.shape == (kept, 4, 3)
    assert torch.equal(path[0], first)
    every = ascend(first, hill, ZERO, ONE, Ascent(steps=steps, keep=1))
    assert torch.equal(path[-1], every[-1])
    assert torch.equal(path[1], every[min(keep, steps)])


def test_paths_do_not_know_of_each_other() -> None:
    together = ascend(starts(), hill, ZERO, ONE, Ascent())
    alone = ascend(starts()[2:3], hill, ZERO, ONE, Ascent())
    torch.testing.assert_close(together[:, 2:3], alone)


def test_a_penalty_pulls_to_the_mean() -> None:
    """Of -(x - t)^2 - w (x - m)^2 / (3 s^2), the top is the weighted mean of t and m."""
    mean, deviation = torch.tensor([1.0, 1.0, -1.0]), torch.tensor([1.0, 2.0, 0.5])
    for penalty in (0.0, 1.0, 30.0):
        path = ascend(starts(), hill, mean, deviation, Ascent(steps=600, penalty=penalty))
        pull = penalty / (3 * deviation**2)
        wanted = (TOP + pull * mean) / (1 + pull)
        torch.testing.assert_close(path[-1], wanted.expand(4, -1), atol=0.03, rtol=0)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_path_stops_at_its_last_good_latent_while_others_go_on(broken: float) -> None:
    """The first path may not pass 1 in its first dimension; the second never comes there."""

    def cliff(latents: Tensor) -> Tensor:
        values = latents[:, 0] - latents[:, 1].square()
        return torch.where(latents[:, 0] > 1, torch.full_like(values, broken), values)

    first = torch.tensor([[0.75, 0.0, 0.0], [-9.0, 1.0, 0.0]])
    path = ascend(first, cliff, ZERO, ONE, Ascent(steps=20, keep=1))
    # 0.1 a step: 0.75, 0.85, 0.95, 1.05, which is found out a step later.
    torch.testing.assert_close(path[:3, 0, 0], torch.tensor([0.75, 0.85, 0.95]))
    assert torch.equal(path[4:, 0], path[2, 0].expand(17, -1))
    assert cliff(path[4:].flatten(0, 1)).isfinite().all()
    alone = ascend(first[1:], cliff, ZERO, ONE, Ascent(steps=20, keep=1))
    torch.testing.assert_close(path[:, 1:], alone)
    assert float(path[-1, 1, 0]) > -7.5


def test_a_path_stops_where_the_gradient_is_not_finite() -> None:
    """A root's value at 0 is finite, its slope is not."""
    first = torch.tensor([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]])
    path = ascend(first, lambda latents: latents[:, 0].sqrt(), ZERO, ONE, Ascent(5, keep=1))
    assert torch.equal(path[:, 0], first[0].expand(len(path), -1))
    assert float(path[-1, 1, 0]) > 4.3


def test_a_start_without_a_value_stays() -> None:
    first = torch.tensor([[math.nan, 0.0, 0.0], [0.0, 0.0, 0.0]])
    path = ascend(first, hill, ZERO, ONE, Ascent(steps=40))
    assert path[:, 0, 0].isnan().all()
    assert torch.equal(path[:, 0, 1:], torch.zeros(len(path), 2))
    assert path[:, 1].isfinite().all()
    assert hill(path[-1, 1:]) > hill(first[1:])


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_dimension_without_deviation_never_moves(penalty: float) -> None:
    """Wherever a latent stands along it, the mean or not."""
    deviation = torch.tensor([1.0, 0.0, 1.0])
    first = starts()
    path = ascend(first, hill, torch.full((3,), 0.3), deviation, Ascent(penalty=penalty))
    assert torch.equal(path[:, :, 1], first[:, 1].expand(len(path), -1))
    assert (path[-1, :, 0] != first[:, 0]).all()
    # Nor does the penalty know of it.
    without = ascend(
        first * deviation, hill, torch.full((3,), 0.3), deviation, Ascent(penalty=penalty)
    )
    torch.testing.assert_close(path[:, :, 0], without[:, :, 0])


def test_a_dimension_of_next_to_no_deviation_hardly_moves() -> None:
    deviation = torch.tensor([1.0, 1e-9, 1.0])
    first = starts()
    path = ascend(first, hill, first.mean(0), deviation, Ascent())
    torch.testing.assert_close(path[:, :, 1], first[:, 1].expand(len(path), -1))


def test_it_is_pure() -> None:
    first = starts()
    before = first.clone()
    with torch.no_grad():  # It asks for gradients itself.
        path = ascend(first, hill, ZERO, ONE, Ascent())
    assert not path.requires_grad
    assert torch.equal(first, before)
    assert torch.equal(path, ascend(first, hill, ZERO, ONE, Ascent()))


def test_no_starts_no_path() -> None:
    assert ascend(torch.empty(0, 3), hill, ZERO, ONE, Ascent(steps=4)).shape == (2, 0, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"keep": 0},
        {"rate": 0.0},
        {"rate": -0.1},
        {"rate": math.nan},
        {"rate": math.inf},
        {"penalty": -1.0},
        {"penalty": math.nan},
        {"penalty": math.inf},
    ],
)
def test_what_is_no_climb_is_refused(wrong: dict[str, float]) -> None:
    (value,) = wrong.values()
    with pytest.raises(OptionError, match=rf"^expected .*{next(iter(wrong))}.*, got .*{value}"):
        Ascent(**wrong)  # type: ignore[arg-type]
