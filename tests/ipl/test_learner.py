"""The proxy learner: what it learns, what it must not see, and one seed one learner."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.base import DataError, OptionError
from ipl.learner import Learner, fit
from ipl.options import Settings

SMALL = Settings(widths=(16,), members=2, steps=30, batch=8)


def drawn(n: int = 20, seed: int = 0) -> tuple[Tensor, Tensor]:
    """`n x 5` inputs and `n x 3` targets, a linear map of them."""
    generator = torch.Generator().manual_seed(seed)
    inputs = 3 + 2 * torch.randn(n, 5, generator=generator)
    return inputs, inputs @ torch.randn(5, 3, generator=torch.Generator().manual_seed(9)) / 4


def learnt(inputs: Tensor, targets: Tensor, settings: Settings = SMALL, seed: int = 0) -> Learner:
    return fit(inputs, targets, settings, torch.Generator().manual_seed(seed))


def test_a_linear_map_is_learnt() -> None:
    inputs, targets = drawn(400)
    unseen, wanted = drawn(100, seed=1)
    learner = learnt(inputs, targets, Settings(widths=(64,), members=2, steps=300, rate=1e-2))
    error = (learner(unseen) - wanted).square().mean(0) / wanted.var(0)
    assert error.max() < 0.1
    assert 0 < learner.loss < 0.1 * float(targets.var())


def test_rows_without_any_target_have_no_part_in_the_loss() -> None:
    inputs, targets = drawn()
    targets[::3, 1] = torch.nan
    # The same inputs once more, so that they are standardised as before; all in each batch.
    hidden = torch.cat([targets, torch.full_like(targets, torch.nan)])
    whole = replace(SMALL, batch=100)
    plain, mixed = learnt(inputs, targets, whole), learnt(inputs.repeat(2, 1), hidden, whole)
    torch.testing.assert_close(mixed(inputs), plain(inputs), atol=1e-4, rtol=0)
    assert mixed.loss == pytest.approx(plain.loss, rel=1e-4)


def test_a_masked_target_has_no_part_in_the_loss() -> None:
    """One input for all rows: each output can only be the mean of what is known."""
    inputs = torch.ones(6, 2)
    targets = torch.tensor([[1.0, torch.nan], [3.0, 7.0], [torch.nan] * 2] * 2)
    settings = Settings(widths=(8,), members=1, steps=300, batch=6, rate=0.03, decay=0.0)
    learner = learnt(inputs, targets, settings)
    torch.testing.assert_close(learner(inputs[:1]), torch.tensor([[2.0, 7.0]]), atol=0.05, rtol=0)
    # Squares of 1, 1 and 0, of the three known of a member's six.
    assert learner.loss == pytest.approx(4 / 6, abs=0.02)


def test_same_seed_same_bytes_and_another_seed_another() -> None:
    inputs, targets = drawn()
    first, again, other = (learnt(inputs, targets, seed=seed)(inputs) for seed in (1, 1, 2))
    assert first.numpy().tobytes() == again.numpy().tobytes()
    assert not torch.equal(first, other)


def test_global_random_state_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    learnt(*drawn())
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_fewer_rows_than_a_batch_or_only_one(n: int) -> None:
    inputs, targets = drawn(n)
    settings = Settings(widths=(16, 8), members=1, steps=200, batch=64, rate=0.03)
    learner = learnt(inputs, targets, settings)
    assert learner(drawn(7)[0]).shape == (7, 3)
    assert learner(drawn(7)[0]).isfinite().all()
    torch.testing.assert_close(learner(inputs), targets, atol=0.1, rtol=0)


def test_the_prediction_is_the_mean_of_the_members() -> None:
    inputs, targets = drawn()
    learner = learnt(inputs, targets)
    alone = [
        Learner([layer[[member]] for layer in learner._layers], learner._shift, learner._scale, 0.0)
        for member in range(2)
    ]
    assert not torch.allclose(alone[0](inputs), alone[1](inputs))
    torch.testing.assert_close(learner(inputs), (alone[0](inputs) + alone[1](inputs)) / 2)


def test_rows_are_predicted_each_by_itself_and_differentiably() -> None:
    inputs, targets = drawn()
    learner = learnt(inputs, targets)
    torch.testing.assert_close(learner(inputs[:1]), learner(inputs)[:1])
    point = inputs[:4].double().requires_grad_()
    double = Learner(
        [layer.double() for layer in learner._layers],
        learner._shift.double(),
        learner._scale.double(),
        0.0,
    )
    assert torch.autograd.gradcheck(double, (point,))


def test_nothing_that_was_learnt_asks_for_gradients() -> None:
    inputs, targets = drawn()
    with torch.no_grad():  # It is trained all the same.
        learner = learnt(inputs, targets)
    assert not learner(inputs).requires_grad
    assert torch.equal(learner(inputs), learnt(inputs, targets)(inputs))


def test_an_input_without_spread_is_taken() -> None:
    inputs, targets = drawn()
    inputs[:, 2] = 7.0
    assert learnt(inputs, targets)(inputs).isfinite().all()


@pytest.mark.parametrize("targets", [torch.full((4, 2), torch.nan), torch.empty(4, 0)])
def test_nothing_to_learn_from_is_told(targets: Tensor) -> None:
    with pytest.raises(DataError, match=f"got none of {targets.numel()} defined"):
        learnt(torch.zeros(4, 3), targets)


def test_no_rows_are_told() -> None:
    with pytest.raises(DataError, match="expected scores to learn from"):
        learnt(torch.empty(0, 3), torch.empty(0, 2))


@pytest.mark.parametrize(
    "wrong", [{"members": 0}, {"steps": 0}, {"batch": -1}, {"widths": (16, 0)}]
)
def test_senseless_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(OptionError, match=rf"expected {next(iter(wrong))} to be at least 1, got"):
        Settings(**wrong)  # type: ignore[arg-type]


def test_inputs_and_targets_are_left_alone() -> None:
    inputs, targets = drawn()
    targets[0, 0] = torch.nan
    before = inputs.clone(), targets.clone()
    learnt(inputs, targets)
    assert torch.equal(inputs, before[0])
    np.testing.assert_array_equal(targets.numpy(), before[1].numpy())
