"""The map of a latent, and the ways on it, by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from toy import ARCHS, TOY

from bench.base import Arch, Budget, DataError, Floats, Problem
from ipl.ascent import Ascent
from ipl.maps import PATHS, Map, climbed
from ipl.maximise import Landscape

HOW = Ascent(steps=6, rate=0.5, keep=2)


def test_places_are_along_the_two_widest_directions() -> None:
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(500, 3)) * np.array([1.0, 30.0, 6.0]) + 7
    drawn = Map(torch.from_numpy(wide))
    places = drawn.places(torch.from_numpy(wide))
    assert places.shape == (500, 2)
    np.testing.assert_allclose(places.mean(0), 0, atol=1e-9)
    for axis, feature in ((0, 1), (1, 2)):
        assert np.corrcoef(places[:, axis], wide[:, feature])[0, 1] > 0.99
    several = torch.from_numpy(wide[:12].reshape(3, 4, 3))
    np.testing.assert_allclose(drawn.places(several), places[:12].reshape(3, 4, 2))


@dataclass
class Digits:
    """Latents of the toy space: its three digits; and each stands for the nearest digits."""

    stands: bool = True
    autoencoder: object = None

    def __post_init__(self) -> None:
        self.mean = torch.zeros(3)
        self.std = torch.ones(3)
        self.autoencoder = self
        self.candidates = self

    def of(self, archs: list[Arch]) -> torch.Tensor:
        return torch.tensor(archs, dtype=torch.float32)

    def each(self, latents: torch.Tensor) -> list[Arch | None]:
        rows = latents.round().clamp(0, 3).int().tolist()
        return [tuple(row) if self.stands else None for row in rows]


def nothing(archs: object, what: object) -> Floats:
    raise AssertionError("a climb needs neither scores nor features")


def landscape(latents: Digits) -> Landscape:
    problem = Problem(TOY, ARCHS, Budget(queries=1), (), nothing, nothing)  # type: ignore[arg-type]
    return Landscape(problem, latents, HOW, 24, 400)  # type: ignore[arg-type]


def test_each_place_has_what_it_stands_for_and_a_start_is_itself() -> None:
    latents = Digits()
    drawn = Map(latents.of(list(ARCHS)))
    paths = climbed(landscape(latents), "sum", lambda z: z.sum(1), drawn, np.random.default_rng(1))
    assert paths.score == "sum"
    assert paths.places.shape == (PATHS, HOW.kept, 2)
    starts = [path[0] for path in paths.met]
    np.testing.assert_allclose(paths.places[:, 0], drawn.places(latents.of(starts)))
    for path in paths.met:
        # Adam moves every digit up by its rate a step: two steps a place, half a digit each.
        climb = [tuple(min(3, digit + place) for digit in path[0]) for place in range(HOW.kept)]
        assert [sum(arch) for arch in path] == sorted(sum(arch) for arch in path)
        assert path == climb


def test_a_latent_that_stands_for_nothing_is_told() -> None:
    latents = Digits(stands=False)
    drawn = Map(latents.of(list(ARCHS)))
    with pytest.raises(DataError, match="got 3 of 3 that stand for nothing"):
        climbed(landscape(latents), "sum", lambda z: z.sum(1), drawn, np.random.default_rng(1))
