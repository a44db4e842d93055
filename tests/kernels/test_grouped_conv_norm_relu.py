"""grouped_conv_norm_relu: against loops in float64 and plain torch, at odd sizes and per type."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.kernels import grouped_conv_norm_relu as module
from bench.kernels.grouped_conv_norm_relu import cost, grouped_conv_norm_relu

TOLERANCE = {torch.float64: 1e-11, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
SHAPES = [
    # n, a, c, o, h, w
    (2, 1, 1, 1, 1, 1),
    (3, 2, 5, 3, 7, 3),
    (2, 2, 16, 16, 3, 5),
    (1, 1, 33, 17, 9, 2),
    (1, 1, 3, 65, 3, 2),
]


def drawn(shape, dtype=torch.float64, mean=0.0) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.normal(mean, size=shape)).to(dtype)


def by_loops(x, weight, scale, shift, eps) -> np.ndarray:
    """ReLU, then each output value as a sum over the window it sees, then the norm."""
    n, channels, h, w = x.shape
    outputs, c = weight.shape[:2]
    each = outputs // (channels // c)
    y = np.zeros((n, outputs, h, w))
    for o in range(outputs):
        seen = np.maximum(x[:, o // each * c : (o // each + 1) * c], 0)
        for i in range(h):
            for j in range(w):
                for k in range(3):
                    for m in range(3):
                        row, column = i + k - 1, j + m - 1
                        if 0 <= row < h and 0 <= column < w:
                            y[:, o, i, j] += seen[:, :, row, column] @ weight[o, :, k, m]
    mean, variance = y.mean(axis=(0, 2, 3)), y.var(axis=(0, 2, 3))
    wide = (slice(None), None, None)
    return (y - mean[wide]) / np.sqrt(variance + eps)[wide] * scale[wide] + shift[wide]


@pytest.mark.parametrize(("n", "a", "c", "o", "h", "w"), SHAPES)
def test_the_formula(n, a, c, o, h, w, device) -> None:
    x, weight = drawn((n, a * c, h, w)), drawn((a * o, c, 3, 3))
    scale, shift = drawn(a * o), drawn((2, a * o))[1]
    arrays = [it.numpy() for it in (x, weight, scale, shift)]
    expected = by_loops(*arrays, eps=1e-3)
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        given = [it.to(where) for it in (x, weight, scale, shift)]
        found = grouped_conv_norm_relu(*given, eps=1e-3, implementation=implementation)
        np.testing.assert_allclose(found.cpu(), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("affine", ["none", "scale", "shift"])
def test_triton_is_torch(dtype, affine, device) -> None:
    x, weight, vector = (drawn(it, dtype) for it in ((3, 10, 7, 5), (6, 5, 3, 3), (6,)))
    given = {} if affine == "none" else {affine: vector}
    expected = grouped_conv_norm_relu(x, weight, **given, implementation="torch")
    given = {name: it.to(device) for name, it in given.items()}
    found = grouped_conv_norm_relu(
        x.to(device), weight.to(device), **given, implementation="triton"
    ).cpu()
    assert found.dtype == expected.dtype == dtype
    assert (found - expected).abs().max() <= TOLERANCE[dtype]


def test_a_mean_far_above_the_spread(device) -> None:
    """Mean 1e4 spreads: E[y^2] - E[y]^2 in float32 would be noise."""
    x = drawn((2, 16, 9, 9), mean=1e4)
    x[:, :, 0], x[:, :, -1], x[..., 0], x[..., -1] = 1e4, 1e4, 1e4, 1e4
    weight = torch.zeros(16, 16, 3, 3, dtype=torch.float64)
    weight[:, :, 1, 1] = torch.eye(16)  # each channel for itself: sums are exact
    x, weight = x.to(torch.float32), weight.to(torch.float32)
    expected = grouped_conv_norm_relu(x.double(), weight.double())
    found = grouped_conv_norm_relu(
        x.to(device), weight.to(device), precision="ieee", implementation="triton"
    )
    # What is left is the rounding of the mean itself to a float32's neighbour.
    assert (found.cpu().double() - expected).abs().max() < 1e-4


def test_constant_channels_become_their_shift(device) -> None:
    x, weight = -torch.ones(2, 3, 4, 4), torch.ones(2, 3, 3, 3)
    shift = torch.tensor([0.5, -2.0])
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        found = grouped_conv_norm_relu(
            x.to(where), weight.to(where), None, shift.to(where), implementation=implementation
        )
        assert torch.equal(found.cpu(), shift.view(1, 2, 1, 1).expand(2, 2, 4, 4))


def test_nan_reaches_its_architecture_only(device) -> None:
    x, weight = drawn((2, 4, 5, 5), torch.float32), drawn((6, 2, 3, 3), torch.float32)
    x[1, 3, 2, 2] = torch.nan
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        found = grouped_conv_norm_relu(
            x.to(where), weight.to(where), implementation=implementation
        ).cpu()
        assert found[:, :3].isfinite().all()
        assert found[:, 3:].isnan().all()


def test_architectures_are_apart_and_x_stays(device) -> None:
    x, weight = drawn((2, 6, 5, 3)), drawn((4, 3, 3, 3))
    x.requires_grad_()
    kept = x.detach().clone()
    for implementation, where in (("torch", "cpu"), ("triton", device)):
        together = grouped_conv_norm_relu(
            x.to(where), weight.to(where), implementation=implementation
        )
        first, second = (
            grouped_conv_norm_relu(one.to(where), some.to(where), implementation=implementation)
            for one, some in zip(x.split(3, dim=1), weight.split(2), strict=True)
        )
        torch.testing.assert_close(together, torch.cat([first, second], dim=1), rtol=0, atol=1e-13)
        assert not together.requires_grad
    assert torch.equal(x, kept)


def test_channels_last_and_several_spans(device, monkeypatch) -> None:
    monkeypatch.setattr(module, "SPAN", 1024)
    x, weight = drawn((3, 2, 20, 18)), drawn((2, 1, 3, 3))
    expected = grouped_conv_norm_relu(x, weight)
    x = x.contiguous(memory_format=torch.channels_last)
    found = grouped_conv_norm_relu(x.to(device), weight.to(device), implementation="triton")
    torch.testing.assert_close(found.cpu(), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    ("x", "weight", "message"),
    [
        ((2, 3, 4), (3, 3, 3, 3), r"got shapes \(2, 3, 4\) and \(3, 3, 3, 3\)"),
        ((2, 3, 4, 4), (3, 3, 1, 1), r"weight \(a\*o\) x c x 3 x 3"),
        ((2, 3, 4, 4), (4, 2, 3, 3), "must be a multiple of the weight's c"),
        ((2, 4, 4, 4), (3, 2, 3, 3), "a multiple of the groups"),
        ((2, 0, 4, 4), (3, 2, 3, 3), "must be a multiple of the weight's c"),
        ((1, 2, 1, 1), (2, 2, 3, 3), r"two values a channel, got x of shape \(1, 2, 1, 1\)"),
    ],
)
def test_wrong_shapes_are_refused(x, weight, message) -> None:
    with pytest.raises(ValueError, match=message):
        grouped_conv_norm_relu(torch.ones(x), torch.ones(weight))


def test_types_must_agree() -> None:
    with pytest.raises(ValueError, match="of one type, got torch.float64 and torch.float32"):
        grouped_conv_norm_relu(torch.ones(2, 1, 2, 2).double(), torch.ones(1, 1, 3, 3))


def test_cost() -> None:
    x, weight = torch.empty(2, 6, 5, 4, device="meta"), torch.empty(8, 3, 3, 3, device="meta")
    outputs = 2 * 8 * 20
    assert cost(x, weight) == (outputs * (54 + 6), 4 * (2 * 6 * 20 + 8 * 27 + 3 * outputs))
