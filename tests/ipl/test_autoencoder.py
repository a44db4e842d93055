"""The autoencoder: what comes back, what is drawn, one seed one autoencoder, and hard inputs."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy import ARCHS, TOY

from bench.base import Arch, ArchError, OptionError, Space
from bench.spaces import SPACES
from bench.spaces.darts import DARTS
from bench.spaces.nasbench101 import NASBENCH101
from bench.spaces.nasbench201 import NASBENCH201
from bench.spaces.pool import Pool
from ipl import autoencoder
from ipl.autoencoder import Options, pretrained

SMALL = Options(count=300, hidden=16, layers=2, steps=20)
LATENT = {
    "nasbench201": 8 * 16,
    "nasbench101": 7 * 16,
    "darts": 2 * 11 * 16,
    "transnasbench101-micro": 8 * 16,
    "transnasbench101-macro": 8 * 16,
}
every_space = pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)


def drawn(space: Space, count: int, seed: int = 7) -> list[Arch]:
    rng = np.random.default_rng(seed)
    return list(dict.fromkeys(space.sample(rng) for _ in range(count)))


@every_space
def test_latents_are_those_of_the_vertices(space: Space) -> None:
    made = pretrained(space, options=SMALL)
    archs = sorted(made.trained_on)[::6]
    z = made.encode(archs)
    assert made.latent == LATENT[space.name]
    assert z.shape == (len(archs), made.latent)
    assert not z.requires_grad
    assert z.isfinite().all()
    torch.testing.assert_close(made.encode(archs[3:4])[0], z[3])
    for arch in made.decode(made.sample(torch.Generator().manual_seed(0), 50)):
        if arch is not None:
            space.check(arch)


@pytest.mark.parametrize(
    ("space", "least"), [(NASBENCH201, 0.995), (DARTS, 0.98)], ids=["nasbench201", "darts"]
)
def test_unseen_architectures_come_back(space: Space, least: float) -> None:
    made = pretrained(space, options=Options(count=1500, hidden=32, layers=2, steps=250))
    unseen = [arch for arch in drawn(space, 3000) if arch not in made.trained_on][:500]
    back = made.decode(made.encode(unseen))
    assert len(unseen) > 100
    assert np.mean([one == other for one, other in zip(unseen, back, strict=True)]) >= least


def test_no_two_cells_share_a_latent() -> None:
    made = pretrained(NASBENCH201, options=SMALL)
    z = made.encode(list(itertools.product(range(5), repeat=6)))
    assert len(torch.unique(z.round(decimals=4), dim=0)) == 5**6


def test_both_cells_are_encoded_alike() -> None:
    made = pretrained(DARTS, options=SMALL)
    archs = drawn(DARTS, 20)
    z = made.encode(archs)
    swapped = made.encode([arch[16:] + arch[:16] for arch in archs])
    torch.testing.assert_close(swapped, torch.cat([z[:, 176:], z[:, :176]], dim=1))


def test_samples_are_of_the_fitted_prior() -> None:
    made = pretrained(NASBENCH201, options=SMALL)
    z = made.encode(sorted(made.trained_on)).double()
    torch.testing.assert_close(made.mean.double(), z.sum(dim=0) / len(z))
    squares = ((z - z.mean(dim=0)) ** 2).mean(dim=0)
    torch.testing.assert_close(made.std.double(), squares.sqrt(), rtol=1e-4, atol=1e-5)
    samples = made.sample(torch.Generator().manual_seed(1), 4000)
    assert samples.shape == (4000, made.latent)
    error = (samples.mean(dim=0) - made.mean).abs() / made.std
    assert error.max() < 5 / 4000**0.5
    torch.testing.assert_close(samples.std(dim=0), made.std, rtol=0.08, atol=0)
    again = made.sample(torch.Generator().manual_seed(1), 4000)
    other = made.sample(torch.Generator().manual_seed(2), 4000)
    assert torch.equal(samples, again)
    assert not torch.equal(samples, other)


def test_one_seed_one_autoencoder() -> None:
    archs = drawn(NASBENCH101, 30)
    first = pretrained(NASBENCH101, archs, options=SMALL)
    assert pretrained(NASBENCH101, list(archs), options=SMALL) is first
    before = torch.get_rng_state()
    autoencoder._trained.cache_clear()
    second = pretrained(NASBENCH101, archs, options=SMALL)
    assert torch.equal(torch.get_rng_state(), before)
    assert second is not first
    assert torch.equal(first.encode(archs), second.encode(archs))
    assert torch.equal(first.std, second.std)
    other = pretrained(NASBENCH101, archs, options=replace(SMALL, seed=1))
    assert not torch.equal(first.encode(archs), other.encode(archs))


def test_other_architectures_other_spaces_other_autoencoders() -> None:
    archs = drawn(NASBENCH201, 30)
    first = pretrained(NASBENCH201, archs, options=SMALL)
    assert pretrained(NASBENCH201, archs[:-1], options=SMALL) is not first
    pools = [Pool(NASBENCH201, archs[:15]), Pool(NASBENCH201, archs[15:])]
    made = [pretrained(pool, options=SMALL) for pool in pools]
    assert made[0].trained_on != made[1].trained_on
    assert pretrained(pools[0], options=SMALL) is made[0]


def test_a_pool_of_one_comes_back() -> None:
    arch = drawn(NASBENCH101, 1)
    made = pretrained(Pool(NASBENCH101, arch), arch, options=SMALL)
    assert made.decode(made.encode(arch)) == arch
    assert made.std.tolist() == [0.0] * made.latent


def test_a_space_of_ones_own_needs_no_word_said() -> None:
    half = [ARCHS[place] for place in np.random.default_rng(0).permutation(64)[:32].tolist()]
    made = pretrained(TOY, half, options=Options(hidden=16, layers=2, steps=150))
    assert made.latent == 5 * 16
    assert made.decode(made.encode(ARCHS)) == ARCHS


def test_hard_latents() -> None:
    made = pretrained(NASBENCH201, options=SMALL)
    arch = drawn(NASBENCH201, 1)
    z = made.encode(arch).repeat(4, 1)
    z[1, 5], z[2, 0] = float("nan"), float("inf")
    z[3] *= 1e6
    decoded = made.decode(z.requires_grad_())
    assert decoded[1:3] == [None, None]
    assert decoded[3] is not None
    assert made.encode([]).shape == (0, made.latent)
    assert made.decode(torch.empty(0, made.latent)) == []
    for shape in ((made.latent,), (3, made.latent - 1)):
        with pytest.raises(OptionError, match=r"a x 128, got \d"):
            made.decode(torch.zeros(shape))


def test_nothing_to_train_on_and_nothing_to_encode_with() -> None:
    with pytest.raises(ArchError, match="at least one nasbench201 architecture, got none"):
        pretrained(NASBENCH201, [], options=SMALL)
    with pytest.raises(ArchError, match="Expected a nasbench201 architecture"):
        pretrained(NASBENCH201, options=SMALL).encode([(9,) * 6])


@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"steps": -1}, {"rate": 0.0}, {"kl": -0.1}, {"kl": float("nan")}]
)
def test_senseless_options_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="^expected "):
        Options(**wrong)  # type: ignore[arg-type]
