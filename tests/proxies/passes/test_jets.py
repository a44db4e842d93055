"""grasp's product by one sweep forward on jets, against going backward twice.

Three tables of networks: those that jets have rules for; those with functions that jets know
nothing of, which must say so; and traps, where jets may do either, but must not be wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
import torch
from proxies import naive
from torch import Tensor, nn
from torch.nn import functional

from bench.proxies.computed import Computed
from bench.proxies.passes import PASSES
from bench.proxies.passes.hessian_gradient import (
    backward_product,
    forward_product,
    mixed_cross_entropy,
)
from bench.proxies.passes.jet_rules import UnknownRuleError
from bench.proxies.passes.network import Batch, Network

N, C = 3, 8
ROWS = 4 * N
"""Of a jet: a tensor of other things with as many rows must not be taken for one."""


@dataclass(frozen=True)
class Middle:
    """What stands between a stem (convolution, norm) and a head (pooling, linear)."""

    function: Callable[[nn.ModuleDict, Tensor], Tensor]
    """Of the layers and `n x C x 6 x 6`, some of them negative; gives `n x C (x h x w)`."""
    layers: Callable[[], dict[str, nn.Module]] = field(default=dict)


class Net(nn.Module):
    def __init__(self, middle: Middle) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, C, 3, padding=1)
        self.norm = nn.BatchNorm2d(C)
        self.layers = nn.ModuleDict(middle.layers())
        self.middle = middle.function
        self.head = nn.Linear(C, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.middle(self.layers, self.norm(self.stem(x)))
        return self.head(x.mean((2, 3)) if x.dim() == 4 else x)


class Held(nn.Module):
    """A parameter of a network's own."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.randn(shape))


def network(middle: Middle, dtype: torch.dtype = torch.float64, n: int = N) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = Net(middle)
        for norm in module.modules():
            if isinstance(norm, nn.BatchNorm2d) and norm.affine:
                nn.init.uniform_(norm.weight, 0.5, 1.5)
                nn.init.normal_(norm.bias)
        images = torch.randn(n, 3, 6, 6, dtype=torch.float64)
    batch = Batch(images.to(dtype), torch.arange(n) % 3)
    net = Network(module.to(dtype).train(), [batch], 0)
    # Jets are right also where a layer's weight is used in ways that scores are refused for.
    net.structure = replace(net.structure, layer_fault=None)
    return net


def directions(net: Network) -> dict[str, Tensor]:
    gradients = PASSES["loss_gradients"].run(net, PASSES["forward"].run(net))
    return {layer.name: layer.gradient for layer in gradients.layers}


def product(net: Network) -> tuple[float, bool]:
    """What the pass gives, and whether jets gave it."""
    forward = PASSES["forward"].run(net)
    record = PASSES["hessian_gradient"].run(net, PASSES["loss_gradients"].run(net, forward))
    return record.product, record.forward


def reference(net: Network) -> float:
    return -naive.score("grasp", net.module, net.batch.images, net.batch.labels)


def conv(*shape: int, **options: int | bool | str) -> Callable[[], dict[str, nn.Module]]:
    return lambda: {"a": nn.Conv2d(*shape, **options)}  # type: ignore[arg-type]


def both(
    first: Callable[[], nn.Module], second: Callable[[], nn.Module]
) -> Callable[[], dict[str, nn.Module]]:
    return lambda: {"a": first(), "b": second()}


def in_place(x: Tensor, change: Callable[[Tensor], object]) -> Tensor:
    """`x` after something wrote to it."""
    x = x.clone()
    change(x)
    return x


def through(m: nn.ModuleDict, x: Tensor) -> Tensor:
    return m["a"](x)


def pooled(x: Tensor) -> Tensor:
    return x.mean((2, 3))


def module(make: Callable[[], nn.Module]) -> Middle:
    return Middle(through, lambda: {"a": make()})


RULES: dict[str, Middle] = {
    "nothing": Middle(lambda m, x: x),
    "stride": Middle(through, conv(C, C, 3, stride=2, padding=1)),
    "groups": Middle(through, conv(C, C, 3, groups=4, bias=False)),
    "depthwise": Middle(through, conv(C, C, 3, groups=C, padding=1)),
    "dilation": Middle(through, conv(C, C, 3, dilation=2)),
    "rectangle": Middle(through, lambda: {"a": nn.Conv2d(C, C, (1, 3), padding=(0, 1))}),
    "padding=same": Middle(through, conv(C, C, 3, padding="same")),
    "as many channels as rows": Middle(
        lambda m, x: m["b"](m["a"](x)),
        both(lambda: nn.Conv2d(C, ROWS, 3), lambda: nn.Conv2d(ROWS, C, 1, bias=False)),
    ),
    "shared weight": Middle(lambda m, x: m["a"](m["a"](x).relu()), conv(C, C, 3, padding=1)),
    "linear on maps": Middle(lambda m, x: m["a"](x.flatten(2)).mean(2), lambda: {
        "a": nn.Linear(36, 5)}),
    "linear without bias": Middle(lambda m, x: m["a"](pooled(x)), lambda: {
        "a": nn.Linear(C, C, bias=False)}),
    "flatten": Middle(lambda m, x: m["a"](x.flatten(1)), lambda: {"a": nn.Linear(36 * C, C)}),
    "view": Middle(lambda m, x: m["a"](x.reshape(x.size(0), -1)), lambda: {
        "a": nn.Linear(36 * C, C)}),
    "norm without scale": module(lambda: nn.BatchNorm2d(C, affine=False, eps=0.3)),
    "norm without record": module(lambda: nn.BatchNorm2d(C, track_running_stats=False)),
    "norm 1d": Middle(lambda m, x: m["a"](pooled(x)), lambda: {"a": nn.BatchNorm1d(C)}),
    "norm 1d on maps": Middle(lambda m, x: m["a"](x.flatten(2)).mean(2), lambda: {
        "a": nn.BatchNorm1d(C)}),
    "relu": module(nn.ReLU),
    "relu in place": module(lambda: nn.ReLU(inplace=True)),
    "relu after a convolution, in place": Middle(
        lambda m, x: functional.relu_(m["a"](x)), conv(C, C, 3)
    ),
    "relu of some channels, in place": Middle(lambda m, x: in_place(x, lambda y: y[:, :4].relu_())),
    "leaky": module(lambda: nn.LeakyReLU(0.2)),
    "leaky in place": module(lambda: nn.LeakyReLU(0.2, inplace=True)),
    "relu6": Middle(lambda m, x: functional.relu6(x * 6)),
    "relu6 in place": Middle(lambda m, x: functional.relu6(x * 6, inplace=True)),
    "hardtanh": module(lambda: nn.Hardtanh(-0.5, 0.7)),
    "hardtanh in place": module(lambda: nn.Hardtanh(inplace=True)),
    "max pool": module(lambda: nn.MaxPool2d(2)),
    "max pool, overlapping": module(lambda: nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True)),
    "max pool, dilated": module(lambda: nn.MaxPool2d(2, stride=1, dilation=2)),
    "max pool, ties": Middle(lambda m, x: functional.max_pool2d(x.relu(), 3, 1, 1)),
    "max pool of some channels": Middle(
        lambda m, x: torch.cat([functional.max_pool2d(x[:, :4], 3, 1, 1), x[:, 4:]], 1)
    ),
    "avg pool": module(lambda: nn.AvgPool2d(2)),
    "avg pool, overlapping": module(lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False)),
    "avg pool, ceiling": module(lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True)),
    "adaptive pool": module(lambda: nn.AdaptiveAvgPool2d((2, 3))),
    "cat": Middle(lambda m, x: m["a"](torch.cat([x, x.relu()], dim=1)), conv(2 * C, C, 1)),
    "chunk": Middle(lambda m, x: torch.cat(x.chunk(2, 1)[::-1], 1)),
    "split": Middle(lambda m, x: torch.cat(x.split([3, 5], dim=1)[::-1], 1)),
    "slices": Middle(lambda m, x: x[:, :, 1:, ::2]),
    "shuffle": Middle(lambda m, x: x.view(x.size(0), 2, 4, 6, 6).reshape(x.shape)),
    "mean of maps": Middle(lambda m, x: x.mean((2, 3), keepdim=True) + x),
    "sum of maps": Middle(lambda m, x: x.relu().sum(dim=(-1, -2)) / 36),
    "sub": Middle(lambda m, x: x.relu() - x),
    "scaled": Middle(lambda m, x: 2.5 * x.relu() * 0.5 / 3),
    "scaled in place": Middle(lambda m, x: in_place(x, lambda y: y.mul_(1.5).div_(2))),
    "minus": Middle(lambda m, x: -(x.relu())),
    "residual": Middle(lambda m, x: m["a"](x.relu()) + x, conv(C, C, 3, padding=1)),
    "residual in place": Middle(
        lambda m, x: in_place(m["a"](x), lambda y: y.add_(x)), conv(C, C, 3, padding=1)
    ),
    "sum()": Middle(lambda m, x: sum([x, x.relu()])),
}  # fmt: skip

UNKNOWN: dict[str, Middle] = {
    "sigmoid": Middle(lambda m, x: x.sigmoid()),
    "silu": module(lambda: nn.SiLU(inplace=True)),
    "softmax": Middle(lambda m, x: pooled(x).softmax(1)),
    "prelu": module(nn.PReLU),
    "elu": module(nn.ELU),
    "dropout that lets all through": module(lambda: nn.Dropout(0.0)),
    "constant": Middle(lambda m, x: x + 0.5),
    "constant, in place": Middle(lambda m, x: in_place(x, lambda y: y.add_(0.5))),
    "constant tensor": Middle(lambda m, x: x + torch.full((1,), 0.5, dtype=x.dtype)),
    "subtracted from": Middle(lambda m, x: 1 - x),
    "alpha": Middle(lambda m, x: torch.add(x, x.relu(), alpha=0.5)),
    "product": Middle(lambda m, x: x * x.mean((2, 3), keepdim=True)),
    "power": Middle(lambda m, x: x**2),
    "quotient": Middle(lambda m, x: x / (x * x + 1).sum(1, keepdim=True)),
    "absolute": Middle(lambda m, x: x.abs()),
    "where": Middle(lambda m, x: torch.where(x > 0.5, x, 0.1 * x)),
    "maximum": Middle(lambda m, x: torch.maximum(x, 0.5 * x)),
    "scale of one's own": Middle(lambda m, x: x * m["a"].value, lambda: {"a": Held(C, 1, 1)}),
    "group norm": module(lambda: nn.GroupNorm(2, C)),
    "layer norm": Middle(lambda m, x: m["a"](x).relu(), lambda: {"a": nn.LayerNorm(6)}),
    "instance norm": Middle(lambda m, x: m["a"](x).relu(), lambda: {"a": nn.InstanceNorm2d(C)}),
    "norm of recorded statistics": Middle(
        lambda m, x: functional.batch_norm(x, x.new_zeros(C), x.new_ones(C))
    ),
    "transposed convolution": module(lambda: nn.ConvTranspose2d(C, C, 3)),
    "circular": Middle(through, conv(C, C, 3, padding=1, padding_mode="circular")),
    "conv1d": Middle(lambda m, x: m["a"](x.flatten(2)).mean(2), lambda: {
        "a": nn.Conv1d(C, C, 3)}),
    "permute": Middle(lambda m, x: x.permute(0, 2, 3, 1).relu().permute(0, 3, 1, 2)),
    "transposed rows": Middle(lambda m, x: x.transpose(0, 1).sigmoid().transpose(0, 1)),
    "stack": Middle(lambda m, x: torch.stack([x, x]).sum(0)),
    "roll": Middle(lambda m, x: x.roll(1, 0)),
    "flipped rows": Middle(lambda m, x: x.flip(0)),
    "chosen rows": Middle(lambda m, x: x[torch.arange(x.size(0) - 1, -1, -1)]),
    "chunks of rows": Middle(lambda m, x: torch.cat(x.chunk(N)[::-1])),
    "mean of rows": Middle(lambda m, x: x - x.mean(0, keepdim=True)),
    "mean of rows from the end": Middle(lambda m, x: x - x.mean(-4, keepdim=True)),
    "mean of all": Middle(lambda m, x: x - x.mean()),
    "written channels": Middle(
        lambda m, x: in_place(x, lambda y: y.__setitem__((slice(None), 0), 0.0))
    ),
    "detached": Middle(lambda m, x: x.detach() + x),
    "matrix": Middle(lambda m, x: pooled(x) @ m["a"].value, lambda: {"a": Held(C, C)}),
}  # fmt: skip


class Standardised(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding)


class Twice(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, 2 * self.weight, self.bias)


class Tied(nn.Linear):
    """Back by the transposed weight."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(super().forward(x).relu(), self.weight.t())


class Diagonal(nn.Linear):
    """The weight is used as a value, too."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.weight.diagonal()


def constant(x: Tensor, channels: int) -> Tensor:
    """Coordinates, as networks append them; made for as many rows as `x` has."""
    return torch.ones(x.size(0), channels, *x.shape[2:], dtype=x.dtype)


TRAPS: dict[str, Middle] = {
    "vector of rows": Middle(lambda m, x: pooled(x).sum(1).sigmoid().unsqueeze(1) + pooled(x)),
    "one entry a row": Middle(lambda m, x: pooled(x)[:, 0].sigmoid()[:, None] + pooled(x)),
    "T": Middle(lambda m, x: pooled(x).T.sigmoid().T),
    "mT": Middle(lambda m, x: pooled(x).mT.sigmoid().mT),
    "H": Middle(lambda m, x: pooled(x).H.sigmoid().H),
    "data": Middle(lambda m, x: x.data + x),
    "new first dimension": Middle(lambda m, x: x.unsqueeze(-5).sigmoid().squeeze(0)),
    "divided by the batch": Middle(lambda m, x: x / x.size(0)),
    "divided by shape": Middle(lambda m, x: x / x.shape[0]),
    "times len": Middle(lambda m, x: x * len(x)),
    "divided by numel": Middle(lambda m, x: x / x.numel()),
    "shift of one's own": Middle(lambda m, x: x + m["a"].value, lambda: {"a": Held(C, 1, 1)}),
    "shift with as many channels as rows": Middle(
        lambda m, x: m["c"](m["a"](x) + m["b"].value),
        lambda: {"a": nn.Conv2d(C, ROWS, 1), "b": Held(ROWS, 1, 1), "c": nn.Conv2d(ROWS, C, 1)},
    ),
    "shift expanded": Middle(
        lambda m, x: x + m["a"].value.expand(x.size(0), -1, -1, -1), lambda: {"a": Held(1, C, 6, 6)}
    ),
    "constant rows added": Middle(lambda m, x: x + constant(x, C)),
    "constant rows beside": Middle(
        lambda m, x: m["a"](torch.cat([x, constant(x, 1)], 1)), conv(C + 1, C, 1)
    ),
    "zero rows added": Middle(lambda m, x: x + torch.zeros(x.shape, dtype=x.dtype)),
    "standardised weight": module(lambda: Standardised(C, C, 3)),
    "standardised weight, as many as rows": Middle(
        lambda m, x: m["b"](m["a"](x)),
        both(lambda: Standardised(C, ROWS, 3), lambda: nn.Conv2d(ROWS, C, 1)),
    ),
    "weight times two": Middle(lambda m, x: m["a"](pooled(x)), lambda: {"a": Twice(C, C)}),
    "tied": Middle(lambda m, x: m["a"](pooled(x)), lambda: {"a": Tied(C, 5)}),
    "tied, as many as rows": Middle(lambda m, x: m["a"](pooled(x)), lambda: {"a": Tied(C, ROWS)}),
    "weight as a value": Middle(lambda m, x: m["a"](pooled(x)), lambda: {"a": Diagonal(C, C)}),
    "torch.batch_norm": Middle(
        lambda m, x: torch.batch_norm(
            x, m["a"].weight, m["a"].bias, None, None, True, 0.1, 1e-5, False
        ),
        lambda: {"a": nn.BatchNorm2d(C)},
    ),
    "relu by name": Middle(lambda m, x: torch.relu(input=x)),
    "functional relu by name": Middle(lambda m, x: functional.relu(input=x)),
    "convolution by name": Middle(
        lambda m, x: torch.conv2d(input=x, weight=m["a"].weight), conv(C, C, 1)
    ),
    "linear by name": Middle(
        lambda m, x: functional.linear(input=pooled(x), weight=m["a"].weight),
        lambda: {"a": nn.Linear(C, C)},
    ),
    "cat by name": Middle(lambda m, x: m["a"](torch.cat(tensors=[x, x], dim=1)), conv(2 * C, C, 1)),
    "pool by name": Middle(
        lambda m, x: functional.avg_pool2d(input=x, kernel_size=3, stride=1, padding=1)
    ),
    "rounded": Middle(lambda m, x: torch.div(x, 0.3, rounding_mode="trunc") + x),
    "padded": Middle(lambda m, x: functional.pad(x, (0, 1, 1, 0))),
    "padded by a constant": Middle(lambda m, x: functional.pad(x, (0, 1, 0, 0), value=1.0)),
    "channels by a list": Middle(lambda m, x: x[:, [7, 6, 5, 4, 3, 2, 1, 0]]),
    "axis": Middle(lambda m, x: x - x.mean(axis=0, keepdim=True)),
    "all indexed": Middle(lambda m, x: x[...] + x[:]),
    "viewed in place": Middle(lambda m, x: in_place(x, lambda y: y.view(y.shape).relu_())),
    "threshold": module(lambda: nn.Threshold(0.1, 0.0)),
    "random slopes": module(lambda: nn.RReLU(0.2, 0.2)),
    "channels last": Middle(lambda m, x: x.contiguous(memory_format=torch.channels_last).relu()),
}


@pytest.mark.parametrize("name", RULES)
def test_forward_is_backward(name: str) -> None:
    net = network(RULES[name])
    given = directions(net)
    forward = forward_product(net, given)
    assert forward == pytest.approx(backward_product(net, given), rel=1e-9, abs=0)
    assert forward == pytest.approx(reference(net), rel=1e-9, abs=0)
    assert product(net) == (forward, True)


@pytest.mark.parametrize("name", RULES)
def test_forward_in_float32(name: str) -> None:
    """To 1e-5 of the sum of |w Hg|, whose terms cancel."""
    net = network(RULES[name], torch.float32)
    exact = network(RULES[name])
    parts = naive.grasp_parts(exact.module, exact.batch.images, exact.batch.labels)
    scale = sum(float(part.abs().sum()) for part in parts)
    assert forward_product(net, directions(net)) == pytest.approx(
        -sum(float(part.sum()) for part in parts), rel=0, abs=1e-5 * scale
    )


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_has_no_rule_goes_backward(name: str) -> None:
    net = network(UNKNOWN[name])
    given = directions(net)
    with pytest.raises(UnknownRuleError):
        forward_product(net, given)
    assert product(net) == (backward_product(net, given), False)
    assert product(net)[0] == pytest.approx(reference(net), rel=1e-9, abs=0)


@pytest.mark.parametrize("name", TRAPS)
def test_jets_are_not_misled(name: str) -> None:
    """By a rule or backward twice, the product is right."""
    net = network(TRAPS[name])
    assert product(net)[0] == pytest.approx(reference(net), rel=1e-9, abs=0)


def test_active_dropout_goes_backward() -> None:
    net = network(module(nn.Dropout))
    with torch.random.fork_rng(devices=[]):
        assert not product(net)[1]


def test_one_image() -> None:
    net = network(RULES["residual"], n=1)
    assert product(net) == (pytest.approx(reference(net), rel=1e-9, abs=0), True)


def test_the_network_and_the_images_are_left_alone() -> None:
    net = network(RULES["relu in place"])
    images = net.batch.images.clone()
    state = {name: tensor.clone() for name, tensor in net.module.state_dict().items()}
    given = directions(net)
    forward_product(net, given)
    backward_product(net, given)
    assert torch.equal(net.batch.images, images)
    for name, tensor in net.module.state_dict().items():
        assert torch.equal(tensor, state[name])
    assert all(parameter.grad is None for parameter in net.module.parameters())


def test_a_layer_without_a_say() -> None:
    net = network(Middle(lambda m, x: x, conv(C, C, 3)))
    assert product(net) == (pytest.approx(reference(net), rel=1e-9, abs=0), True)


def test_the_mixed_derivative_of_the_loss_written_out() -> None:
    """By differentiating twice along straight lines through the logits."""
    rng = torch.Generator().manual_seed(0)
    jet = torch.randn(4, 5, 3, generator=rng, dtype=torch.float64)
    labels = torch.tensor([0, 2, 1, 1, 0])
    steps = torch.zeros(2, dtype=torch.float64)

    def loss(s: Tensor) -> Tensor:
        value, along_w, along_g, mixed = jet
        logits = value + s[0] * along_w + s[1] * along_g + s[0] * s[1] * mixed
        return functional.cross_entropy(logits, labels)

    expected = torch.autograd.functional.hessian(loss, steps)[0, 1]
    assert mixed_cross_entropy(jet, labels) == pytest.approx(float(expected), rel=1e-12)


def test_grasp_reads_this_pass() -> None:
    from bench.proxies.grasp import grasp

    net = network(RULES["residual"])
    record = PASSES["hessian_gradient"].run(
        net, PASSES["loss_gradients"].run(net, PASSES["forward"].run(net))
    )
    assert isinstance(grasp, Computed)
    assert grasp.function(record) == -record.product
