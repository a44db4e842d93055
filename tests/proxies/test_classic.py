"""Each of the 13 equals its formula written out by hand, in numpy, on a small network.

A convolution, batch norm, ReLU, global pooling and a linear layer: forward and backward are
worked out here by the chain rule, so nothing is shared with what is tested, torch neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.draws import keyed
from bench.proxies import COMPUTED
from bench.proxies.live import Batch, Result, score
from bench.proxies.passes.linearised import Linearised
from bench.proxies.synflow import log_flow

Array = NDArray[np.float64]

N, IN, OUT, SIDE, CLASSES = 5, 2, 3, 6, 4
EPS, MOMENTUM = 1e-5, 0.1
LABELS = np.array([0, 1, 0, 3, 1])
NAMES = (
    "epe_nas", "fisher", "flops", "grad_norm", "grasp", "jacov", "l2_norm", "nwot", "params",
    "plain", "snip", "synflow", "zen",
)  # fmt: skip


@dataclass(frozen=True)
class Weights:
    """conv: `OUT x IN x 3 x 3`; scale, shift: `OUT`; head: `CLASSES x OUT`; bias: `CLASSES`."""

    conv: Array
    scale: Array
    shift: Array
    head: Array
    bias: Array


@dataclass(frozen=True)
class Run:
    """A forward pass: what every step gave."""

    patches: Array
    """`n x h x w x 9·IN`."""
    conv: Array
    """`n x h x w x OUT`, and so are the next two."""
    normed: Array
    features: Array
    variance: Array
    """Of the convolution's channels, biased."""
    pooled: Array
    logits: Array


def patches(images: Array) -> Array:
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(len(images), SIDE, SIDE, -1)


def forward(weights: Weights, images: Array, *, norm: bool = True) -> Run:
    x = patches(images)
    conv = x @ weights.conv.reshape(OUT, -1).T
    mean, variance = conv.mean((0, 1, 2)), conv.var((0, 1, 2))
    normed = (conv - mean) / np.sqrt(variance + EPS) * weights.scale + weights.shift
    normed = normed if norm else conv
    features = np.maximum(normed, 0)
    pooled = features.mean((1, 2))
    logits = pooled @ weights.head.T + weights.bias
    return Run(x, conv, normed, features, variance, pooled, logits)


@dataclass(frozen=True)
class Gradients:
    """Of a scalar; `conv` and `head` are of the weights, `at_conv` of the convolution's output."""

    conv: Array
    head: Array
    at_conv: Array
    images: Array


def backward(weights: Weights, run: Run, logits: Array, *, norm: bool = True) -> Gradients:
    """From the gradient of the logits, `n x CLASSES`."""
    at_pooled = logits @ weights.head / SIDE**2
    at_normed = at_pooled[:, None, None] * (run.normed > 0)
    at_conv = at_normed
    if norm:
        root = np.sqrt(run.variance + EPS)
        hat = (run.conv - run.conv.mean((0, 1, 2))) / root
        centred = at_normed - at_normed.mean((0, 1, 2))
        at_conv = weights.scale / root * (centred - hat * (at_normed * hat).mean((0, 1, 2)))
    conv = np.einsum("nhwo,nhwi->oi", at_conv, run.patches).reshape(weights.conv.shape)
    at_patches = np.einsum("nhwo,oikl->nihwkl", at_conv, weights.conv)
    images = np.zeros((len(logits), IN, SIDE + 2, SIDE + 2))
    for k in range(3):
        for j in range(3):
            images[:, :, k : k + SIDE, j : j + SIDE] += at_patches[..., k, j]
    return Gradients(conv, logits.T @ run.pooled, at_conv, images[:, :, 1:-1, 1:-1])


def softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def loss(weights: Weights, images: Array) -> float:
    return float(-np.log(softmax(forward(weights, images).logits))[range(N), LABELS].mean())


def loss_gradients(weights: Weights, images: Array) -> Gradients:
    run = forward(weights, images)
    return backward(weights, run, (softmax(run.logits) - np.eye(CLASSES)[LABELS]) / N)


class Small(nn.Module):
    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.conv = nn.Conv2d(IN, OUT, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(OUT, eps=EPS, momentum=MOMENTUM)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(OUT, CLASSES)
        self.double()
        for parameter, values in (
            (self.conv.weight, weights.conv),
            (self.norm.weight, weights.scale),
            (self.norm.bias, weights.shift),
            (self.head.weight, weights.head),
            (self.head.bias, weights.bias),
        ):
            parameter.data.copy_(torch.from_numpy(values))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.relu(self.norm(self.conv(x)))).flatten(1))


@pytest.fixture(scope="module")
def weights() -> Weights:
    rng = np.random.default_rng(3)
    return Weights(
        conv=rng.normal(size=(OUT, IN, 3, 3)),
        scale=rng.normal(1, 0.3, size=OUT),
        shift=rng.normal(size=OUT),
        head=rng.normal(size=(CLASSES, OUT)),
        bias=rng.normal(size=CLASSES),
    )


@pytest.fixture(scope="module")
def images() -> Array:
    return np.random.default_rng(4).normal(size=(N, IN, SIDE, SIDE))


@pytest.fixture(scope="module")
def found(weights: Weights, images: Array) -> dict[str, Result]:
    proxies = [proxy for proxy in COMPUTED if proxy.name in NAMES]
    batch = Batch(torch.from_numpy(images), torch.from_numpy(LABELS))
    return score(Small(weights), batch, proxies, seed=7)


def value(found: dict[str, Result], name: str) -> float:
    result = found[name]
    assert result.error is None
    assert result.value is not None
    return result.value


def near(expected: float, rel: float = 1e-9) -> object:
    return pytest.approx(expected, rel=rel, abs=0)


def test_all_13_are_there(found: dict[str, Result]) -> None:
    assert sorted(found) == sorted(NAMES)
    assert [proxy.name for proxy in COMPUTED[:13]] == list(NAMES)


def test_params(found: dict[str, Result]) -> None:
    assert value(found, "params") == (3 * 2 * 9 + 3 + 3 + 4 * 3 + 4) / 1e6


def test_flops(found: dict[str, Result]) -> None:
    """Two an entry for the scaled norm, one for ReLU, (6 + 1)² a pooled one; no biases."""
    entries = 3 * 6 * 6
    assert value(found, "flops") == (entries * (2 * 9 + 2 + 1) + 3 * 49 + 3 * 4) / 1e6


def test_l2_norm(found: dict[str, Result], weights: Weights) -> None:
    expected = np.sqrt((weights.conv**2).sum()) + np.sqrt((weights.head**2).sum())
    assert value(found, "l2_norm") == near(expected)


def test_the_gradients_are_the_losses(weights: Weights, images: Array) -> None:
    """The gradients worked out above, checked by finite differences."""
    gradients, step = loss_gradients(weights, images), 1e-6
    rng = np.random.default_rng(0)
    way = Weights(rng.normal(size=weights.conv.shape), *[np.zeros(OUT)] * 2,
                  rng.normal(size=weights.head.shape), np.zeros(CLASSES))  # fmt: skip
    rise = loss(moved(weights, way, step), images) - loss(moved(weights, way, -step), images)
    along = (gradients.conv * way.conv).sum() + (gradients.head * way.head).sum()
    assert rise / (2 * step) == near(along, 1e-7)


def moved(weights: Weights, way: Weights, step: float) -> Weights:
    return Weights(
        weights.conv + step * way.conv,
        weights.scale,
        weights.shift,
        weights.head + step * way.head,
        weights.bias,
    )


def test_plain(found: dict[str, Result], weights: Weights, images: Array) -> None:
    gradients = loss_gradients(weights, images)
    expected = (weights.conv * gradients.conv).sum() + (weights.head * gradients.head).sum()
    assert value(found, "plain") == near(expected)


def test_snip(found: dict[str, Result], weights: Weights, images: Array) -> None:
    gradients = loss_gradients(weights, images)
    conv, head = weights.conv * gradients.conv, weights.head * gradients.head
    assert value(found, "snip") == near(np.abs(conv).sum() + np.abs(head).sum())


def test_grad_norm(found: dict[str, Result], weights: Weights, images: Array) -> None:
    gradients = loss_gradients(weights, images)
    expected = np.sqrt((gradients.conv**2).sum()) + np.sqrt((gradients.head**2).sum())
    assert value(found, "grad_norm") == near(expected)


def test_fisher(found: dict[str, Result], weights: Weights, images: Array) -> None:
    run = forward(weights, images)
    at_logits = (softmax(run.logits) - np.eye(CLASSES)[LABELS]) / N
    conv = (run.conv * loss_gradients(weights, images).at_conv).sum((1, 2))
    head = run.logits * at_logits
    by_channel = 0.5 * (conv**2).mean(0), 0.5 * (head**2).mean(0)
    expected = 2 * 9 * by_channel[0].sum() + OUT * by_channel[1].sum()
    assert value(found, "fisher") == near(expected)


def dense_hessian(module: nn.Module, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """w, g and H over the weights of both layers, as one vector."""
    names = ("conv.weight", "head.weight")
    tensors = dict(module.named_parameters())
    sizes = [tensors[name].numel() for name in names]
    flat = torch.cat([tensors[name].detach().flatten() for name in names])

    def of(vector: Tensor) -> Tensor:
        parts = zip(names, vector.split(sizes), strict=True)
        given = {name: part.view_as(tensors[name]) for name, part in parts}
        logits = torch.func.functional_call(module, given, (images,))
        return nn.functional.cross_entropy(logits, torch.from_numpy(LABELS))

    gradient = torch.autograd.functional.jacobian(of, flat)
    return flat, gradient, torch.autograd.functional.hessian(of, flat)


def test_grasp_by_the_dense_hessian(
    found: dict[str, Result], weights: Weights, images: Array
) -> None:
    w, g, hessian = dense_hessian(Small(weights).train(), torch.from_numpy(images))
    assert hessian.shape == (66, 66)
    assert value(found, "grasp") == near(-float(w @ hessian @ g))


def test_grasp_by_finite_differences(
    found: dict[str, Result], weights: Weights, images: Array
) -> None:
    """The change along g of w·∇L, by Richardson's extrapolation of central differences."""
    g = loss_gradients(weights, images)
    way = Weights(g.conv, weights.scale, weights.shift, g.head, weights.bias)

    def along(step: float) -> float:
        total = 0.0
        for sign in (1, -1):
            there = loss_gradients(moved(weights, way, sign * step), images)
            total += sign * (weights.conv * there.conv).sum()
            total += sign * (weights.head * there.head).sum()
        return total / (2 * step)

    expected = -(4 * along(5e-4) - along(1e-3)) / 3
    assert value(found, "grasp") == near(expected, 1e-8)


def rows(weights: Weights, images: Array) -> Array:
    ones = np.ones((N, CLASSES))
    return backward(weights, forward(weights, images), ones).images.reshape(N, -1)


def correlation(x: Array, y: Array) -> float:
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()))


def test_jacov(found: dict[str, Result], weights: Weights, images: Array) -> None:
    jacobian = rows(weights, images)
    matrix = np.array([[correlation(x, y) for y in jacobian] for x in jacobian])
    v = np.linalg.eigvals(matrix).real
    assert v.min() > 1e-3, "well conditioned"
    assert value(found, "jacov") == near(-(np.log(v + 1e-5) + 1 / (v + 1e-5)).sum())


def test_epe_nas(found: dict[str, Result], weights: Weights, images: Array) -> None:
    """Classes 0 and 1 have two images each, class 3 one."""
    x = rows(weights, images)
    alone = log(1 + 1e-5)
    zeros = 2 * alone + 2 * log(abs(correlation(x[0], x[2])) + 1e-5)
    ones = 2 * alone + 2 * log(abs(correlation(x[1], x[4])) + 1e-5)
    assert value(found, "epe_nas") == near(abs(zeros) + abs(ones) + abs(alone))


def test_nwot(found: dict[str, Result], weights: Weights, images: Array) -> None:
    on = (forward(weights, images).normed > 0).reshape(N, -1)
    kernel = np.array([[float((x == y).sum()) for y in on] for x in on])
    assert value(found, "nwot") == near(log(abs(np.linalg.det(kernel))))


def test_synflow(found: dict[str, Result], weights: Weights) -> None:
    """No norm; the pooled values are positive, so every layer's sum is R less what biases add."""
    absolute = Weights(*(np.abs(getattr(weights, name)) for name in Weights.__annotations__))
    run = forward(absolute, np.ones((1, IN, SIDE, SIDE)), norm=False)
    gradients = backward(absolute, run, np.ones((1, CLASSES)), norm=False)
    conv, head = (absolute.conv * gradients.conv).sum(), (absolute.head * gradients.head).sum()
    assert conv == pytest.approx(run.logits.sum() - absolute.bias.sum(), rel=1e-12)
    assert value(found, "synflow") == near(log(conv + head))


def test_zen(found: dict[str, Result], images: Array) -> None:
    conv, head = (
        keyed(7, "gaussian", name, *shape).standard_normal(shape, dtype=np.float32)
        for name, shape in (("conv.weight", (OUT, IN, 3, 3)), ("head.weight", (CLASSES, OUT)))
    )
    gaussian = Weights(conv.astype(float), np.ones(OUT), np.zeros(OUT), head, np.zeros(CLASSES))
    rng = keyed(7, "zen", *images.shape)
    first, noise = (rng.standard_normal(images.shape, dtype=np.float32) for _ in range(2))
    variance, features = np.ones(OUT), []
    for drawn in (first, first + 0.01 * noise.astype(float)):
        run = forward(gaussian, drawn.astype(float))
        features.append(run.features)
        count = N * SIDE**2
        variance = (1 - MOMENTUM) * variance + MOMENTUM * run.variance * count / (count - 1)
    move = np.abs(features[0] - features[1]).sum((1, 2, 3)).mean()
    assert value(found, "zen") == near(log(move) + log(np.sqrt(variance.mean())))


def test_epe_nas_compares_classes_where_there_are_many(weights: Weights, images: Array) -> None:
    """Above 100: each sum by its class's size, one image alone left out, but counted."""
    rng = np.random.default_rng(5)
    wide = Weights(
        weights.conv, weights.scale, weights.shift,
        rng.normal(size=(101, OUT)), rng.normal(size=101),
    )  # fmt: skip
    module = Small(weights)
    module.head = nn.Linear(OUT, 101, dtype=torch.float64)
    module.head.weight.data.copy_(torch.from_numpy(wide.head))
    proxies = [proxy for proxy in COMPUTED if proxy.name == "epe_nas"]
    found = score(module, Batch(torch.from_numpy(images), torch.from_numpy(LABELS)), proxies)
    x = backward(wide, forward(wide, images), np.ones((N, 101))).images.reshape(N, -1)
    alone = log(1 + 1e-5)
    zeros = 2 * alone + 2 * log(abs(correlation(x[0], x[2])) + 1e-5)
    ones = 2 * alone + 2 * log(abs(correlation(x[1], x[4])) + 1e-5)
    assert value(found, "epe_nas") == near(2 * abs(zeros / 2 - ones / 2) / 3)


def test_synflow_beyond_float32() -> None:
    weights = gradients = (torch.full((3, 3), 1e30, dtype=torch.float64),)
    assert log_flow(Linearised(1.0, weights, gradients)) == near(log(9) + 60 * log(10))
