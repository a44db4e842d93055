"""gradsign, ntk and vkdnw equal their references, which run one image at a time, on small networks.

The references are written from the definitions with plain autograd: a forward and a backward an
image, or a class. Nothing of the passes is used.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from proxies.small import Function, Net, Residual, Unused, batch, made
from torch import Tensor, nn
from torch.nn import functional

from bench.proxies.gradsign import gradsign
from bench.proxies.live import Batch, score
from bench.proxies.ntk import ntk
from bench.proxies.vkdnw import entropy, vkdnw

LAYERS = (nn.Conv2d, nn.Linear)


class Shared(nn.Module):
    """One convolution, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(torch.relu(self.conv(x)))
        return y


def many() -> nn.Module:
    """Convolutions of every kind: strides, dilation, groups, uneven kernels, a linear on maps."""
    return nn.Sequential(
        nn.Conv2d(8, 12, (3, 1), stride=(2, 1), padding=(1, 0), groups=4),
        nn.BatchNorm2d(12),
        nn.ReLU(inplace=True),
        nn.Conv2d(12, 12, 3, padding=2, dilation=2, groups=12, bias=False),
        nn.Conv2d(12, 8, 3, padding=(0, 1), bias=False),
        nn.BatchNorm2d(8, affine=False),
        nn.ReLU(),
        Function(lambda x: x.permute(0, 2, 3, 1)),
        nn.Linear(8, 8),
        Function(lambda x: x.permute(0, 3, 1, 2)),
    )


BETWEEN: dict[str, Callable[[], nn.Module]] = {
    "plain": nn.Identity,
    "padded by a word": lambda: nn.Conv2d(8, 8, 3, padding="same"),
    "residual": lambda: nn.Sequential(
        Residual(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)), nn.ReLU()
    ),
    "many": many,
    "shared": Shared,
    "unused": Unused,
}


@pytest.fixture(params=BETWEEN)
def network(request: pytest.FixtureRequest) -> nn.Module:
    return centred(BETWEEN[request.param])


def centred(between: Callable[[], nn.Module]) -> nn.Module:
    """A network whose norms do not shift: a ReLU that cuts nothing has gradients of rounding."""
    module = made(lambda: Net(between())).train()
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.affine:
            nn.init.zeros_(norm.bias)
    return module


def value(module: nn.Module, proxy: object, given: Batch | None = None) -> float:
    result = score(module, batch() if given is None else given, [proxy])  # type: ignore[list-item]
    (found,) = result.values()
    assert found.value is not None, found.error
    return found.value


def alone(module: nn.Module, given: Batch) -> list[Tensor]:
    """The logits of each image, in a batch of its own."""
    return [module(image[None])[0] for image in given.images]


def gradient(output: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    return list(
        torch.autograd.grad(
            output, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
        )
    )


def test_gradsign_is_the_agreement_of_signs(network: nn.Module) -> None:
    given = batch()
    weights = [layer.weight for layer in network.modules() if isinstance(layer, LAYERS)]
    total = [torch.zeros_like(weight) for weight in weights]
    for logits, label in zip(alone(network, given), given.labels, strict=True):
        found = gradient(functional.cross_entropy(logits[None], label[None]), weights)
        total = [sums + each.sign() for sums, each in zip(total, found, strict=True)]
    agreement = torch.cat([each.flatten() for each in total]).abs()
    assert value(network, gradsign) == pytest.approx(agreement.sum().item(), rel=1e-9)


def test_ntk_is_the_condition_of_the_gram_matrix(network: nn.Module) -> None:
    weights = [p for name, p in network.named_parameters() if "weight" in name]
    rows = [
        torch.cat([each.flatten() for each in gradient(logits.sum(), weights)])
        for logits in alone(network, batch())
    ]
    gram = (torch.stack(rows) @ torch.stack(rows).T).detach().numpy()
    eigenvalues = np.linalg.eigvalsh(gram)
    expected = eigenvalues[-1] / eigenvalues[0]
    assert value(network, ntk) == pytest.approx(expected, rel=1e-9 * expected)


def test_vkdnw_is_the_entropy_of_the_fisher_information(network: nn.Module) -> None:
    parameters = [p for _, p in network.named_parameters()]
    fisher = np.zeros((len(parameters), len(parameters)))
    for logits in alone(network, batch()):
        jacobian = np.array(
            [[each.flatten()[0].item() for each in gradient(logit, parameters)] for logit in logits]
        )
        p = logits.detach().softmax(0).numpy() * 0.95 + 0.05 / len(logits)
        fisher += jacobian.T @ (np.diag(p) - np.outer(p, p)) @ jacobian / len(batch().images)
    singular = np.linalg.svd(fisher, compute_uv=False)
    deciles = np.quantile(singular, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    shares = deciles / deciles.sum()
    expected = len(parameters) - sum(share * np.log(share + 1e-10) for share in shares)
    assert value(network, vkdnw) == pytest.approx(expected, rel=1e-9)


def test_entropy_is_between_none_and_that_of_nine_equal_shares() -> None:
    assert entropy(np.ones(9)) == pytest.approx(np.log(9), rel=1e-8)
    assert entropy(np.array([0.0] * 8 + [1.0])) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("proxy", [gradsign, ntk, vkdnw], ids=lambda proxy: proxy.name)
def test_only_the_first_16_images_count(proxy: object) -> None:
    module = made(Net)
    many_images = batch(20)
    few = Batch(many_images.images[:16], many_images.labels[:16])
    assert value(module, proxy, many_images) == value(module, proxy, few)
    fewer = Batch(many_images.images[:15], many_images.labels[:15])
    assert value(module, proxy, many_images) != value(module, proxy, fewer)


def test_a_dead_network_has_no_kernel_and_no_information() -> None:
    dead = made(lambda: Net(Function(torch.zeros_like)))
    for parameter in dead.head.parameters():
        nn.init.zeros_(parameter)
    results = score(dead, batch(), [gradsign, ntk, vkdnw])
    assert results["ntk"].error == "undefined: the tangent kernel is singular"
    assert results["gradsign"].value == 0
    # The head's bias has a say even so: one parameter's information, whose deciles are all 0.
    assert results["vkdnw"].value == pytest.approx(len(list(dead.parameters())))


def test_a_norm_of_one_position_takes_the_batchs_statistics() -> None:
    module = made(lambda: Net(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(8)))).train()
    given = batch()
    features = {}
    module.between[0].register_forward_hook(
        lambda _part, _inputs, output: features.update(output=output)
    )
    weights = [p for name, p in module.named_parameters() if "weight" in name]
    stem = nn.InstanceNorm2d(8, affine=True).double()
    stem.load_state_dict(module.norm.state_dict(), strict=False)
    stem.weight, stem.bias = module.norm.weight, module.norm.bias
    module.norm = stem
    logits = module(given.images)
    pooled = features["output"].detach()
    last = module.between[1].eval()
    last.eps = 1e-5
    last.running_mean = pooled.mean((0, 2, 3))
    last.running_var = pooled.var((0, 2, 3), correction=0)
    logits = module(given.images)
    rows = [torch.cat([g.flatten() for g in gradient(each.sum(), weights)]) for each in logits]
    eigenvalues = np.linalg.eigvalsh((torch.stack(rows) @ torch.stack(rows).T).detach().numpy())
    fresh = made(lambda: Net(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(8))))
    assert value(fresh, ntk) == pytest.approx(eigenvalues[-1] / eigenvalues[0], rel=1e-6)


def test_what_is_not_finite_is_a_failure() -> None:
    broken = made(lambda: Net(Function(lambda x: x / 0)))
    results = score(broken, batch(), [gradsign, ntk, vkdnw])
    assert results["ntk"].error == results["vkdnw"].error == "non-finite"
