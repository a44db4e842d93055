"""The accuracy head against the textbook's formulas, and improvements of any size."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.special import erfcx
from scipy.stats import norm
from torch import Tensor

from bench.base import DataError, Floats
from ipl.surrogate import LENGTHS, LINEAR, NOISES, SHRINK, Head, expected_improvement, told


def drawn(n: int, seed: int = 0) -> tuple[list[Tensor], Tensor, Tensor]:
    """Two groups of inputs, `n x 3` and `n x 2`, `n` unified scores and `n` values."""
    generator = torch.Generator().manual_seed(seed)
    groups = [torch.randn(n, f, generator=generator, dtype=torch.float64) for f in (3, 2)]
    unified = torch.randn(n, generator=generator, dtype=torch.float64)
    values = groups[0][:, 0].sin() + 0.5 * unified + 0.3 * groups[1][:, 1]
    return groups, unified, values


def kernel(
    left: list[Tensor], right: list[Tensor], lengths: tuple[float, ...], linear: float
) -> Floats:
    """Matern 5/2 as Rasmussen and Williams write it, equation 4.17, and a line of one group."""
    total = sum(
        ((x.numpy()[:, None] - y.numpy()[None]) ** 2).sum(2) / length**2
        for x, y, length in zip(left, right, lengths, strict=True)
    )
    r = np.sqrt(5 * np.asarray(total))
    smooth = (1 + r + r**2 / 3) * np.exp(-r)
    return np.asarray(smooth + linear * left[0].numpy() @ right[0].numpy().T)


def line(unified: Floats, values: Floats, believing: bool = True) -> tuple[float, float]:
    """Slope and offset of the prior mean: shrunk least squares, or flat."""
    covariance = np.cov(unified, values, bias=True)
    slope = believing * max(covariance[0, 1] / (covariance[0, 0] + SHRINK), 0)
    return slope, values.mean() - slope * unified.mean()


@pytest.mark.parametrize("believing", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_the_posterior_is_the_textbook_s(seed: int, believing: bool) -> None:
    groups, unified, values = drawn(12, seed + 10)
    head = told(groups, unified, values, believing=believing)
    places, scores, _ = drawn(7, seed=1)
    mean, deviation = head(places, scores)
    slope, offset = line(unified.numpy(), values.numpy(), believing)
    y = values.numpy() - offset - slope * unified.numpy()
    shape = head.lengths, head.linear
    inverse = np.linalg.inv(kernel(groups, groups, *shape) + head.noise * np.eye(12))
    cross, own = kernel(places, groups, *shape), np.diag(kernel(places, places, *shape))
    wanted = offset + slope * scores.numpy() + cross @ inverse @ y
    # The process's variance is the most likely one, given lengths and noise: y K^-1 y / n.
    variance = y @ inverse @ y / 12 * (own - np.einsum("ij,jk,ik->i", cross, inverse, cross))
    np.testing.assert_allclose(mean.numpy(), wanted, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(deviation.numpy(), np.sqrt(variance), rtol=1e-8)
    assert (head.slope, head.offset) == pytest.approx((slope, offset))
    assert head.best == float(values.max())


def log_posterior(
    groups: list[Tensor], y: Floats, lengths: tuple[float, ...], linear: float, noise: float
) -> float:
    """The log marginal likelihood at the likeliest variance, and the weak prior, up to a sum."""
    n = len(y)
    correlation = kernel(groups, groups, lengths, linear) + noise * np.eye(n)
    variance = y @ np.linalg.inv(correlation) @ y / n
    fit = -0.5 * np.linalg.slogdet(variance * correlation)[1] - n / 2
    prior = 0.05 * (sum(np.log(np.array(lengths) / 2) ** 2) + np.log(noise / 0.05) ** 2)
    return float(fit - prior)


@pytest.mark.parametrize("believing", [True, False])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n", [4, 15])
def test_what_is_chosen_is_the_likeliest_of_the_grid(n: int, seed: int, believing: bool) -> None:
    groups, unified, values = drawn(n, seed)
    head = told(groups, unified, values, believing=believing)
    slope, offset = line(unified.numpy(), values.numpy(), believing)
    y = values.numpy() - offset - slope * unified.numpy()
    grid = itertools.product(itertools.product(LENGTHS, LENGTHS), LINEAR, NOISES)
    best = max(grid, key=lambda at: log_posterior(groups, y, *at))
    assert (head.lengths, head.linear, head.noise) == best


def test_what_does_not_believe_does_not_look_at_the_unified_score() -> None:
    groups, unified, values = drawn(10)
    places, scores, _ = drawn(5, seed=1)
    plain = told(groups, unified, values, believing=False)(places, scores)
    other = told(groups, unified.flip(0) * 9, values, believing=False)(places, scores.exp())
    assert torch.equal(plain[0], other[0])
    assert torch.equal(plain[1], other[1])


def test_the_choice_follows_the_data() -> None:
    """A group that says nothing gets a long length; noise is seen as noise."""
    generator = torch.Generator().manual_seed(0)
    x = 3 * torch.randn(60, 2, generator=generator, dtype=torch.float64)
    groups, flat = [x[:, :1], x[:, 1:]], torch.zeros(60, dtype=torch.float64)
    smooth = told(groups, flat, x[:, 0].sin())
    assert smooth.lengths[0] < smooth.lengths[1] == max(LENGTHS)
    assert smooth.noise == min(NOISES)
    line_ = told(groups, flat, 2 * x[:, 0])
    assert line_.linear > 0
    random = torch.randn(60, generator=generator, dtype=torch.float64)
    assert told(groups, flat, random).noise == max(NOISES)


def test_a_unified_score_that_is_wrong_way_round_is_not_followed() -> None:
    groups, unified, _ = drawn(10)
    assert told(groups, unified, -unified).slope == 0
    assert 0.5 < told(groups, unified, unified).slope < 1


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_equal_values_and_a_single_one(n: int, value: float) -> None:
    groups, unified, _ = drawn(n)
    head = told(groups, unified, torch.full((n,), value, dtype=torch.float64))
    places, scores, _ = drawn(5, seed=1)
    mean, deviation = head(places, scores)
    torch.testing.assert_close(mean, torch.full_like(mean, value))
    assert deviation.isfinite().all()
    assert (deviation > 0).all()
    assert expected_improvement(mean, deviation, head.best).isfinite().all()


def test_equal_inputs_are_told_apart_by_noise_alone() -> None:
    groups, unified, _ = drawn(1)
    same = [group.repeat(6, 1) for group in groups]
    values = torch.arange(6, dtype=torch.float64)
    head = told(same, unified.repeat(6), values)
    mean, deviation = head(groups, unified)
    far, uncertain = head([group + 100 for group in groups], unified)
    assert head.slope == 0
    assert float(mean) == pytest.approx(2.5)
    assert float(far) == pytest.approx(2.5)
    assert 0 < float(deviation) < float(uncertain)


def test_what_was_told_is_known_and_what_is_far_is_not() -> None:
    groups, unified, values = drawn(20)
    head = told(groups, unified, values)
    mean, deviation = head(groups, unified)
    # Far from all in the second group only, of which nothing is linear.
    far_mean, far = head([0 * groups[0], groups[1] + 1e4], unified)
    assert float((mean - values).abs().max()) < float(values.std())
    assert float(deviation.max()) < float(far.min())
    torch.testing.assert_close(far, torch.full_like(far, head.scale))
    torch.testing.assert_close(far_mean, head.offset + head.slope * unified)


def test_gradients_are_those_of_finite_differences() -> None:
    groups, unified, values = drawn(9)
    head = told(groups, unified, values)
    places, scores, _ = drawn(4, seed=1)
    inputs = tuple(each.requires_grad_() for each in (*places, scores))

    def improvement(first: Tensor, second: Tensor, score: Tensor) -> Tensor:
        return expected_improvement(*head([first, second], score), head.best)

    assert torch.autograd.gradcheck(improvement, inputs)


def test_gradients_at_a_told_input_are_finite() -> None:
    groups, unified, values = drawn(9)
    head = told(groups, unified, values)
    places = [group.clone().requires_grad_() for group in groups]
    expected_improvement(*head(places, unified), head.best).sum().backward()
    assert all(place.grad is not None and place.grad.isfinite().all() for place in places)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf, 1.0]])
def test_nothing_finite_to_learn_from_is_told(values: list[float]) -> None:
    groups, unified, _ = drawn(len(values))
    with pytest.raises(DataError, match="expected finite accuracies to learn from, got"):
        told(groups, unified, torch.tensor(values, dtype=torch.float64))


def improvement_at(z: float | Floats, deviation: float = 1.0) -> Tensor:
    mean = torch.as_tensor(np.atleast_1d(z) * deviation, dtype=torch.float64)
    return expected_improvement(mean, torch.full_like(mean, deviation), 0.0)


def test_improvement_is_the_closed_form_where_that_does_not_underflow() -> None:
    z = np.linspace(-12, 50, 1241)
    for deviation in (1e-3, 1.0, 40.0):
        wanted = deviation * (norm.pdf(z) + z * norm.cdf(z))
        np.testing.assert_allclose(improvement_at(z, deviation).exp().numpy(), wanted, rtol=1e-9)


def test_improvement_far_below_is_the_closed_form_s_logarithm() -> None:
    """log(phi(z) + z Phi(z)) = log phi(z) + log(1 + z M(-z)), M being Mills' ratio."""
    z = -np.geomspace(2, 300, 200)
    mills = math.sqrt(math.pi / 2) * erfcx(-z / math.sqrt(2))
    wanted = norm.logpdf(z) + np.log1p(z * mills)
    np.testing.assert_allclose(improvement_at(z).numpy(), wanted, rtol=1e-9)
    # Further out, 1 + z M(-z) is 1 / z^2 - 3 / z^4 + ..., (Abramowitz and Stegun 26.2.13).
    z = -np.geomspace(1e3, 1e8, 50)
    wanted = -0.5 * z**2 - 0.5 * math.log(2 * math.pi) - 2 * np.log(-z) - 3 / z**2
    np.testing.assert_allclose(improvement_at(z).numpy(), wanted, rtol=1e-12)


@pytest.mark.parametrize("z", [-5.0, -50.0, -1e3, -1e6, -1.0, 0.0, 50.0, 1e6])
def test_improvement_is_finite_rising_and_differentiable(z: float) -> None:
    mean = torch.tensor([z], dtype=torch.float64, requires_grad=True)
    deviation = torch.ones(1, dtype=torch.float64, requires_grad=True)
    value = expected_improvement(mean, deviation, 0.0)
    (by_mean, by_deviation) = torch.autograd.grad(value.sum(), (mean, deviation))
    # d log EI / d mean = Phi / EI and d log EI / d deviation = phi / EI, all over the deviation.
    if z >= 0:
        improvement = norm.pdf(z) + z * norm.cdf(z)
        slopes = norm.cdf(z) / improvement, norm.pdf(z) / improvement
    else:
        mills = math.sqrt(math.pi / 2) * erfcx(-z / math.sqrt(2))
        rest = 1 + z * mills if z > -100 else (1 - 3 / z**2) / z**2
        slopes = mills / rest, 1 / rest
    assert value.isfinite().all()
    assert float(by_mean) == pytest.approx(slopes[0], rel=1e-5)
    assert float(by_deviation) == pytest.approx(slopes[1], rel=1e-5)


@pytest.mark.parametrize("centre", [-1e6, -1e4, -1e3, -100.0, -50.0, -1.0, 0.0, 50.0])
def test_improvement_rises_everywhere(centre: float) -> None:
    """Also where one formula hands over to the next."""
    for width in (1e-9, 1e-6, 1e-3):
        z = centre + max(1.0, abs(centre)) * width * np.linspace(-1, 1, 41)
        steps = np.diff(improvement_at(z).numpy())
        # What rounding can do to a logarithm of this size.
        assert (steps >= -4e-16 * max(1.0, centre**2)).all()
    assert float(improvement_at(centre * 1.01 + 1)) > float(improvement_at(centre * 1.01))


def test_more_uncertainty_is_more_improvement() -> None:
    for mean in (-50.0, -1.0, 0.0, 2.0):
        found = [float(improvement_at(mean / s, s)) for s in (0.1, 0.5, 1.0, 5.0)]
        assert found == sorted(found)


def test_a_head_is_a_function_of_what_it_was_told() -> None:
    groups, unified, values = drawn(8)
    first: Head = told(groups, unified, values)
    again = told([group.clone() for group in groups], unified.clone(), values.clone())
    assert (first.lengths, first.noise, first.scale) == (again.lengths, again.noise, again.scale)
    assert torch.equal(first.solved, again.solved)
