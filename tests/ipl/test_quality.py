"""Quality and smoothness, on an autoencoder so simple that the answers are known."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
import torch
from torch import Tensor
from toy import ARCHS

from bench.base import Arch, OptionError
from bench.spaces.nasbench201 import NASBENCH201
from ipl.autoencoder import Autoencoder, Options, pretrained
from ipl.quality import quality, smoothness


class Digits(Autoencoder):
    """A toy architecture is its own latent; it decodes by rounding, to none outside 0 to 3."""

    def __init__(self, trained_on: list[Arch], wrong: Arch | None = None) -> None:
        self.trained_on = frozenset(trained_on)
        self.latent, self.seconds = 3, 2.5
        self.mean, self.std = torch.full((3,), 1.0), torch.full((3,), 0.1)
        self._wrong = wrong

    def encode(self, archs: list[Arch]) -> Tensor:  # type: ignore[override]
        return torch.tensor(archs, dtype=torch.float32).reshape(-1, 3)

    def decode(self, z: Tensor) -> list[Arch | None]:
        rounded = [tuple(int(it) for it in row) for row in z.round().tolist()]
        return [it if set(it) <= {0, 1, 2, 3} and it != self._wrong else None for it in rounded]


def test_quality_is_the_shares_written_out() -> None:
    made = Digits(ARCHS[:10], wrong=ARCHS[20])
    found = quality(made, ARCHS[:24], torch.Generator().manual_seed(0), samples=4000)
    assert found["reconstruction"] == 13 / 14  # Ten of the 24 were seen in training.
    assert found["validity"] == 1.0  # 1.0 +- 0.1 rounds to (1, 1, 1), or is five deviations off.
    assert found["uniqueness"] == 1 / 4000
    assert found["novelty"] == 1.0
    assert found["seconds"] == 2.5
    # A digit of N(0, 1) lies within -0.5 .. 3.5 with probability 0.6912; one cell is refused.
    assert found["validity_standard"] == pytest.approx(0.6912**3 - 0.0095, abs=0.03)
    seen = quality(Digits([*ARCHS]), ARCHS, torch.Generator().manual_seed(0))
    assert isnan(seen["reconstruction"])
    assert seen["novelty"] == 0.0


def test_quality_draws_from_its_generator_alone() -> None:
    made = pretrained(NASBENCH201, options=Options(count=100, hidden=8, layers=1, steps=5))
    rng = np.random.default_rng(0)
    held_out = [NASBENCH201.sample(rng) for _ in range(50)]
    found = [
        quality(made, held_out, torch.Generator().manual_seed(seed), samples=99)
        for seed in (0, 0, 1)
    ]
    assert found[0] == found[1] != found[2]
    assert found[0]["validity"] == found[0]["validity_standard"] == 1.0


LINE: list[Arch] = [(0, 0, 0), (1, 0, 0), (2, 0, 0)]


def test_smoothness_of_a_line_is_that_of_the_formula() -> None:
    # Only the whole line has three stops: steps of 1, pairs 1 + 1 + 2 apart over 3.
    found = smoothness(Digits([]), LINE, [5.0, 6.0, 7.0])
    expected = {"step": 1.0, "random_step": 4 / 3, "ratio": 3 / 4, "stops": 3.0}
    assert found == pytest.approx(expected)
    # Steps of 2 and 1; pairs 2 + 1 + 1 apart: worse than chance.
    found = smoothness(Digits([]), LINE, np.array([5.0, 7.0, 6.0]))
    assert found == pytest.approx(expected | {"step": 1.5, "ratio": 9 / 8})
    assert smoothness(Digits([]), LINE, [5, 6, 7], seed=1) == pytest.approx(
        smoothness(Digits([]), LINE, [5, 6, 7], seed=2)
    )


def test_chance_is_a_ratio_of_one() -> None:
    noise = np.random.default_rng(0).normal(size=64)
    found = smoothness(Digits([]), ARCHS, noise, lines=600)
    assert found["ratio"] == pytest.approx(1, abs=0.05)
    plane = np.array(ARCHS) @ [16.0, 4.0, 1.0]
    assert smoothness(Digits([]), ARCHS, plane)["ratio"] < 0.8


def test_smoothness_of_hard_values() -> None:
    constant = smoothness(Digits([]), LINE, [3.0, 3.0, 3.0])
    assert (constant["step"], constant["random_step"]) == (0.0, 0.0)
    assert isnan(constant["ratio"])
    for values in ([1.0, nan, 2.0], [nan] * 3):
        assert all(map(isnan, smoothness(Digits([]), LINE, values).values()))
    assert all(map(isnan, smoothness(Digits([]), LINE[:1], [1.0]).values()))
    for archs, values in (([], []), (LINE, [1.0])):
        with pytest.raises(OptionError, match="one value for each of at least one architecture"):
            smoothness(Digits([]), archs, values)
