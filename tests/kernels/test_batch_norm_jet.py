"""batch_norm_jet: against derivatives of the elementary formula, by either implementation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.func import jvp

from bench.kernels import batch_norm_jet as module
from bench.kernels.batch_norm_jet import batch_norm_jet, cost

SHAPES = [(2, 1), (5, 3), (3, 2, 7, 5), (2, 35, 3, 3), (1, 2, 33, 1)]


def drawn(shape: tuple[int, ...], mean: float = 0.0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(mean, size=shape))


def by_derivatives(jet, weight, bias, eps) -> torch.Tensor:
    """The norm in elementary operations, differentiated along w, along g, and along both."""
    axes = [axis for axis in range(jet.dim()) if axis != 1]
    wide = (-1, *[1] * (jet.dim() - 2))

    def norm(x: torch.Tensor) -> torch.Tensor:
        centred = x - x.mean(dim=axes, keepdim=True)
        y = centred / (centred.pow(2).mean(dim=axes, keepdim=True) + eps).sqrt()
        return y * weight.view(wide) + bias.view(wide)

    x, w, g, m = jet.chunk(4)

    def along_w(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return jvp(norm, (x,), (w,))[1]

    y, y_g = jvp(norm, (x,), (g,))
    y_w, y_m = jvp(along_w, (x, w), (g, m))
    return torch.cat([y, y_w, y_g, y_m])


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_chain_rule(shape, last, device) -> None:
    jet = drawn((4 * shape[0], *shape[1:]), mean=0.3)
    if last and jet.dim() == 4:
        jet = jet.contiguous(memory_format=torch.channels_last)
    weight, bias = drawn((2, shape[1]))
    expected = by_derivatives(jet, weight, bias, 1e-2)
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        given = [it.to(where) for it in (jet, weight, bias)]
        kept = given[0].clone()
        found = batch_norm_jet(*given, 1e-2, implementation=implementation)
        assert torch.equal(given[0], kept)
        torch.testing.assert_close(found.cpu(), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("given", ["neither", "weight", "bias"])
def test_triton_is_torch_in_float32(given, device) -> None:
    jet, vector = drawn((12, 5, 4, 3)).float(), drawn((5,)).float()
    weight, bias = (vector if given == name else None for name in ("weight", "bias"))
    expected = batch_norm_jet(jet.double(), weight, bias)
    weight, bias = (it if it is None else it.to(device) for it in (weight, bias))
    found = batch_norm_jet(jet.to(device), weight, bias, implementation="triton").cpu()
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


def test_a_mean_far_above_the_spread(device) -> None:
    jet = drawn((8, 3, 5, 5), mean=1e5)
    expected = batch_norm_jet(jet, None, None)
    found = batch_norm_jet(jet.to(device), None, None, implementation="triton").cpu()
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


def test_many_tiles_and_odd_views(device, monkeypatch) -> None:
    monkeypatch.setattr(module, "TILE", 128)
    wide = drawn((8, 3, 17, 10))
    for jet in (wide, wide[..., ::2], wide.transpose(2, 3)):
        expected = batch_norm_jet(jet.contiguous(), None, None)
        for implementation, where in (("torch", "cpu"), ("triton", device)):
            found = batch_norm_jet(jet.to(where), None, None, implementation=implementation)
            torch.testing.assert_close(found.cpu(), expected, rtol=1e-11, atol=1e-11)


def test_nan_reaches_its_channel_only(device) -> None:
    jet = drawn((8, 3, 4, 4))
    jet[0, 1, 2, 2] = torch.nan
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        found = batch_norm_jet(jet.to(where), None, None, implementation=implementation).cpu()
        assert found[:, 1].isnan().all()
        assert found[:, [0, 2]].isfinite().all()


def test_cost() -> None:
    assert cost(torch.empty(8, 3, 5, device="meta")) == (9 * 120, 3 * 4 * 120)
