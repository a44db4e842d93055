"""Any network is scored as the naive reference scores it: on modules, with hooks and copies.

In float64, to 1e-9. What is hard: writing in place, parts of no known kind, functions in place of
modules, outputs that are more than logits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from proxies import naive
from proxies.small import Function, Gate, Lines, Net, Residual, Unused, batch, made
from torch import Tensor, nn
from torch.nn import functional

from bench.proxies import COMPUTED
from bench.proxies.live import Batch, score

CLASSIC = [proxy for proxy in COMPUTED if proxy.name in naive.NAIVE]


def scores(module: nn.Module, given: Batch) -> dict[str, object]:
    return {name: r.error or r.value for name, r in score(module, given, CLASSIC).items()}


def by_hand(module: nn.Module, given: Batch) -> dict[str, object]:
    return {
        name: pytest.approx(
            naive.score(name, module, given.images, given.labels), rel=1e-9, abs=1e-300
        )
        for name in naive.NAIVE
    }


def twice(layer: nn.Module) -> nn.Module:
    return nn.Sequential(layer, nn.ReLU(), layer)


def tied(first: nn.Conv2d, second: nn.Conv2d) -> nn.Module:
    second.weight = first.weight
    return nn.Sequential(first, nn.ReLU(), second)


BETWEEN: dict[str, Callable[[], nn.Module]] = {
    "nothing": nn.Identity,
    "in-place ReLU after a convolution": lambda: nn.Sequential(
        nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(inplace=True)
    ),
    "in-place ReLUs in a row": lambda: nn.Sequential(
        nn.Conv2d(8, 8, 3), nn.LeakyReLU(0.5, inplace=True), nn.Conv2d(8, 8, 1), nn.ReLU6(True)
    ),
    "in-place ReLU of channels after a convolution": lambda: nn.Sequential(
        nn.Conv2d(8, 8, 1), Function(lambda x: torch.cat([x[:, :4].mul_(2), x[:, 4:]], 1))
    ),
    "in-place sum after a convolution": lambda: Residual(nn.Conv2d(8, 8, 3, padding=1)),
    "residual": lambda: Residual(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)),
    "grouped": lambda: nn.Sequential(nn.Conv2d(8, 16, 3, groups=4), nn.Conv2d(16, 8, 1)),
    "depthwise, dilated": lambda: nn.Conv2d(8, 8, 3, groups=8, dilation=2),
    "one dimension": Lines,
    "called twice": lambda: twice(nn.Conv2d(8, 8, 3, padding=1)),
    "norm without scale": lambda: nn.Sequential(nn.BatchNorm2d(8, affine=False), nn.ReLU()),
    "norm without record": lambda: nn.Sequential(
        nn.BatchNorm2d(8, track_running_stats=False), nn.ReLU()
    ),
    "overlapping pools": lambda: nn.Sequential(
        nn.AvgPool2d(3, 1, 1, count_include_pad=False), nn.MaxPool2d(3, 2, 1)
    ),
    "learnt slope": nn.PReLU,
    "gate": Gate,
    "group norm": lambda: nn.GroupNorm(2, 8),
    "sigmoid": nn.Sigmoid,
    "unused": Unused,
    "dropout that lets all through": lambda: nn.Dropout(0.0),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_scores_are_those_of_the_naive_reference(name: str) -> None:
    module, given = made(lambda: Net(BETWEEN[name]())), batch()
    expected = by_hand(module, given)
    found = scores(module, given)
    if name == "group norm":
        for proxy in ("synflow", "zen"):
            expected.pop(proxy)
            assert "batch norms alone, got group_norm" in str(found.pop(proxy))
    assert found == expected


BEFORE: dict[str, Callable[[Tensor], Tensor]] = {
    "in-place ReLU": lambda x: functional.relu(x, inplace=True),
    "in-place scale": lambda x: x.mul_(2.0),
    "in-place shift": lambda x: x.sub_(0.5).div_(0.25),
    "channels": lambda x: x.flip(1),
}


@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels last"])
@pytest.mark.parametrize("name", BEFORE)
def test_a_network_may_write_to_its_images(name: str, last: bool) -> None:
    """To those it is given, which are not the caller's."""
    module, given = made(lambda: Net(before=BEFORE[name])), batch()
    alike = made(lambda: Net(before=lambda x: BEFORE[name](x.clone())))
    expected = by_hand(alike, given)
    if last:
        images = given.images.contiguous(memory_format=torch.channels_last)
        given = Batch(images, given.labels)
    before = given.images.clone()
    if name == "in-place ReLU":
        # The naive reference sees modules alone, and no function that is a ReLU.
        expected = {key: value for key, value in expected.items() if key not in {"flops", "nwot"}}
    assert scores(module, given).items() >= expected.items()
    assert torch.equal(given.images, before)


class Pair(NamedTuple):
    features: Tensor
    logits: Tensor


@dataclass
class Output:
    hidden: Tensor
    logits: Tensor


AFTER: dict[str, Callable[[Tensor, Tensor], object]] = {
    "logits and nothing": lambda z, f: (z, None),
    "logits and a loss": lambda z, f: (z.sum(), z),
    "a dictionary": lambda z, f: {"features": f, "logits": z},
    "a named tuple": lambda z, f: Pair(f, z),
    "a dataclass": lambda z, f: Output(f, z),
    "maps": lambda z, f: z[:, :, None, None],
}


@pytest.mark.parametrize("name", AFTER)
def test_logits_are_found(name: str) -> None:
    module = made(lambda: Net(after=AFTER[name]))
    assert scores(module, batch()) == by_hand(made(Net), batch())


AMBIGUOUS: dict[str, Callable[[Tensor, Tensor], object]] = {
    "features and logits": lambda z, f: (f, z),
    "logits and features": lambda z, f: (z, f),
    "a list": lambda z, f: [f, z],
    "logits and auxiliary logits": lambda z, f: (z, 3 * z),
    "a dictionary of other names": lambda z, f: {"features": f, "out": z},
    "maps of 2 x 2": lambda z, f: torch.stack([z - 1, z, z + 1, z], 2).view(-1, 4, 2, 2),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_ambiguous_outputs_are_refused(name: str) -> None:
    found = scores(made(lambda: Net(after=AMBIGUOUS[name])), batch())
    for proxy in found.keys() - {"params"}:
        assert str(found[proxy]).startswith("OptionError: expected the network to return"), proxy


def test_shared_weights_count_once() -> None:
    """Two layers of one weight: every call's share of the gradient, one layer's place."""

    def layer() -> nn.Conv2d:
        return nn.Conv2d(8, 8, 3, padding=1, bias=False)

    module, alike = made(lambda: Net(tied(layer(), layer()))), made(lambda: Net(twice(layer())))
    alike.load_state_dict(module.state_dict())
    expected = by_hand(alike, batch())
    assert scores(module, batch()) == expected


class Functional(nn.Module):
    """No module but the layers' own: functions do the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.conv2d(x, self.stem.weight, bias=self.stem.bias, padding=1)
        norm = self.norm
        x = functional.batch_norm(
            x, norm.running_mean, norm.running_var, norm.weight, norm.bias, training=True
        )
        x = functional.adaptive_avg_pool2d(torch.relu_(x), 1)
        return functional.linear(x.flatten(1), self.head.weight, self.head.bias)


def test_functions_in_place_of_modules() -> None:
    assert scores(made(Functional), batch()) == by_hand(made(Net), batch())


def frozen(module: nn.Module) -> nn.Module:
    module.stem.requires_grad_(False)
    module.head.bias.requires_grad_(False)
    return module


@pytest.mark.parametrize(
    "change",
    [
        frozen,
        lambda module: module.requires_grad_(False),
        nn.Module.eval,
        lambda module: module.to(memory_format=torch.channels_last),
    ],
    ids=["half frozen", "frozen", "in evaluation", "channels last"],
)
def test_scores_do_not_depend_on_the_state_of_the_module(
    change: Callable[[nn.Module], nn.Module],
) -> None:
    def make() -> nn.Module:
        return Net(BETWEEN["residual"]())

    assert scores(change(made(make)), batch()) == by_hand(made(make), batch())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_scores_do_not_depend_on_the_grad_mode(mode: Callable[[], object]) -> None:
    module, given = made(Net), batch()
    expected = by_hand(module, given)
    with mode():
        found = scores(module, given)
        also = scores(made(Net), batch())
    assert found == expected
    assert also == expected, "module and images were made in that mode"


def test_images_come_in_any_type() -> None:
    """And labels; both are what the module and the loss ask for."""
    module, given = made(Net), batch()
    pixels = (given.images * 50).round()
    expected = by_hand(module, Batch(pixels, given.labels))
    assert scores(module, Batch(pixels.to(torch.int16), given.labels.int())) == expected


def reparametrised(wrap: Callable[[nn.Module], nn.Module]) -> nn.Module:
    return made(lambda: Net(wrap(nn.Conv2d(8, 8, 1))), torch.float32)


@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm", "orthogonal"])
def test_weights_that_are_computed(name: str) -> None:
    """params count what is stored; everything has a value or a reason; others get theirs."""
    module = reparametrised(getattr(nn.utils.parametrizations, name))
    found = score(module, batch(dtype=torch.float32), CLASSIC)
    assert found["params"].value == sum(p.numel() for p in module.parameters()) / 1e6
    for defined in ("nwot", "jacov", "epe_nas", "flops"):
        assert found[defined].error is None, (defined, found[defined].error)
