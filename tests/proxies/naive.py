"""The 13 proxies the naive way: a copy of the network each, its own forward and backward.

Written from the definitions of NAS-Bench-Suite-Zero's code (NASLib, branch zerocost, commit
8c45f19), with hooks and `backward()` on modules, for tests of the passes to compare with and to
be timed beside. Shapes: `n x c x h x w` images, `n` labels. Where `bench.proxies` says that it
deviates, so does this: a layer called twice counts the sum of its calls in fisher, a network
without flow has no synflow, zen draws by seed and name.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from types import MethodType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.draws import keyed

LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def layers(module: nn.Module) -> list[nn.Module]:
    return [layer for layer in module.modules() if isinstance(layer, LAYERS)]


def logits_of(output: object) -> Tensor:
    """Networks here return logits, or a tuple that ends with them."""
    return output[-1] if isinstance(output, tuple) else output


def loss_of(module: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(logits_of(module(images)), labels)


def gradients(module: nn.Module, images: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Weight and gradient of every layer that has a say, by one plain backward."""
    loss_of(module, images, labels).backward()
    return [
        (layer.weight.data, layer.weight.grad)
        for layer in layers(module)
        if layer.weight.grad is not None
    ]


def params(module: nn.Module, images: Tensor, labels: Tensor, seed: int) -> float:
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def flops(module: nn.Module, images: Tensor, labels: Tensor, seed: int) -> float:
    """As tensorwatch counts: multiply-accumulates, and what norms, ReLUs and pools add."""
    total = 0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += output[0].numel() * _each(layer, inputs[0], output)

    for layer in module.modules():
        layer.register_forward_hook(count)
    module(images)
    return total / 1e6


def _each(layer: nn.Module, source: Tensor, output: Tensor) -> int:
    """What one entry of a module's output costs; a container's costs nothing."""
    match layer:
        case nn.Conv1d() | nn.Conv2d() | nn.Conv3d() | nn.Linear():
            return layer.weight[0].numel()
        case nn.BatchNorm1d() | nn.BatchNorm2d() | nn.BatchNorm3d():
            return 2 if layer.affine else 1
        case nn.AvgPool2d() | nn.MaxPool2d():
            side = layer.kernel_size
            return side**2 if isinstance(side, int) else math.prod(side)
        case nn.AdaptiveAvgPool2d():
            sides = zip(source.shape[2:], output.shape[2:], strict=True)
            return math.prod(wide // narrow + 1 for wide, narrow in sides)
        case nn.ReLU():
            return 1
    return 0


def l2_norm(module: nn.Module, images: Tensor, labels: Tensor, seed: int) -> float:
    return sum(float(layer.weight.data.norm()) for layer in layers(module))


def plain(module: nn.Module, images: Tensor, labels: Tensor, seed: int) -> float:
    return sum(float((w * g).sum()) for w, g in gradients(module, images, labels))


def grad_norm(module: nn.Module, images: Tensor, labels: Tensor, seed: int) -> float:
    return sum(float(g.norm()) for _, g in gradients(module, images, labels))


def snip(module: nn.Module, images: Tensor, labels: Tensor, seed: int) -> float:
    """By a mask of ones on every weight, and the gradient of that."""

    def conv(layer: nn.Conv2d, x: Tensor) -> Tensor:
        return layer._conv_forward(x, layer.weight * layer.mask, layer.bias)

    def linear(layer: nn.Linear, x: Tensor) -> Tensor:
        return functional.linear(x, layer.weight * layer.mask, layer.bias)

    for layer in layers(module):
        layer.mask = nn.Parameter(torch.ones_like(layer.weight))
        layer.weight.requires_grad_(False)
        layer.forward = MethodType(linear if isinstance(layer, nn.Linear) else conv, layer)
    loss_of(module, images, labels).backward()
    masks = [layer.mask.grad for layer in layers(module)]
    return sum(float(mask.abs().sum()) for mask in masks if mask is not None)


def grasp(module: nn.Module, images: Tensor, labels: Tensor, seed: int) -> float:
    return sum(float(product.sum()) for product in grasp_parts(module, images, labels))


def grasp_parts(module: nn.Module, images: Tensor, labels: Tensor) -> list[Tensor]:
    """-w Hg by layer: the gradient, then the gradient of its product with itself held fixed."""
    weights = [layer.weight for layer in layers(module)]
    first = torch.autograd.grad(loss_of(module, images, labels), weights, allow_unused=True)
    again = torch.autograd.grad(
        loss_of(module, images, labels), weights, create_graph=True, allow_unused=True
    )
    pairs = [(a, b) for a, b in zip(first, again, strict=True) if a is not None]
    sum((a * b).sum() for a, b in pairs).backward()
    return [-w.data * w.grad for w in weights if w.grad is not None]


def fisher(module: nn.Module, images: Tensor, labels: Tensor, seed: int) -> float:
    saliency: dict[nn.Module, Tensor] = {}

    def keep(layer: nn.Module, _: object, output: Tensor) -> Tensor:
        activation = output.detach().clone()

        def add(gradient: Tensor) -> None:
            product = (activation * gradient).reshape(*activation.shape[:2], -1).sum(2)
            saliency[layer] = saliency.get(layer, 0) + product

        output.register_hook(add)
        return output.clone()

    for layer in layers(module):
        layer.register_forward_hook(keep)
    loss_of(module, images, labels).backward()
    total = 0.0
    for layer, product in saliency.items():
        channels = product.pow(2).mean(0).mul(0.5).abs()
        total += float(channels.reshape(-1, 1).expand(-1, layer.weight[0].numel()).sum())
    return total


def synflow(module: nn.Module, images: Tensor, labels: Tensor, seed: int) -> float:
    module = module.double()
    with torch.no_grad():
        for tensor in module.state_dict().values():
            tensor.abs_()
    for norm in module.modules():
        if isinstance(norm, NORMS):
            norm.forward = lambda x: x
    ones = torch.ones(1, *images.shape[1:], dtype=torch.float64)
    logits_of(module(ones)).sum().backward()
    weights = [layer.weight for layer in layers(module)]
    total = sum((w.data * w.grad).abs().sum().item() for w in weights if w.grad is not None)
    return math.log(total) if total else math.nan


def jacobian(module: nn.Module, images: Tensor) -> tuple[np.ndarray, int]:
    """The gradient of the summed logits, one image a row, and how many logits there are."""
    images = images.clone().requires_grad_()
    logits = logits_of(module(images))
    logits.backward(torch.ones_like(logits))
    return images.grad.reshape(len(images), -1).numpy(), logits.shape[1]


def jacov(module: nn.Module, images: Tensor, labels: Tensor, seed: int) -> float:
    rows, _ = jacobian(module, images)
    v = np.linalg.eig(np.corrcoef(rows))[0].real
    return -np.sum(np.log(v + 1e-5) + 1 / (v + 1e-5))


def epe_nas(module: nn.Module, images: Tensor, labels: Tensor, seed: int) -> float:
    rows, classes = jacobian(module, images)
    of_class: dict[int, list[np.ndarray]] = {}
    for row, label in zip(rows, labels.tolist(), strict=True):
        of_class.setdefault(label, []).append(row)
    sums = {
        label: np.sum(np.log(np.abs(np.corrcoef(np.stack(own))) + 1e-5))
        for label, own in of_class.items()
    }
    if classes <= 100:
        return sum(abs(value) for value in sums.values())
    spread = [value / len(of_class[c]) for c, value in sums.items() if len(of_class[c]) > 1]
    return sum(abs(a - b) for a in spread for b in spread) / len(sums)


def nwot(module: nn.Module, images: Tensor, labels: Tensor, seed: int) -> float:
    kernel = np.zeros((len(images), len(images)))

    def add(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal kernel
        on = (inputs[0].reshape(len(images), -1) > 0).double().numpy()
        kernel += on @ on.T + (1 - on) @ (1 - on.T)

    for relu in module.modules():
        if "ReLU" in type(relu).__name__:
            relu.register_forward_pre_hook(add)
    module(images)
    return np.linalg.slogdet(kernel)[1]


def _record_by_default(layer: nn.Module, dtype: torch.dtype) -> None:
    """A norm records by default settings, whatever its own are: they change no function."""
    layer.track_running_stats, layer.momentum = True, 0.1
    layer.running_mean = torch.zeros(layer.num_features, dtype=dtype)
    layer.running_var = torch.ones(layer.num_features, dtype=dtype)
    layer.num_batches_tracked = torch.tensor(0)


def zen(module: nn.Module, images: Tensor, labels: Tensor, seed: int) -> float:
    """The features are what the last global average pooling, a module, takes in."""
    for name, layer in module.named_modules():
        if isinstance(layer, LAYERS):
            shape = tuple(layer.weight.shape)
            rng = keyed(seed, "gaussian", f"{name}.weight" if name else "weight", *shape)
            values = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
            layer.weight.data.copy_(values)
            if layer.bias is not None:
                layer.bias.data.zero_()
        elif isinstance(layer, NORMS):
            _record_by_default(layer, images.dtype)
            if layer.affine:
                layer.weight.data.fill_(1)
                layer.bias.data.zero_()
    features: list[Tensor] = []
    pools = [m for m in module.modules() if isinstance(m, nn.AdaptiveAvgPool2d)]
    pools[-1].register_forward_pre_hook(lambda _, inputs: features.append(inputs[0].clone()))
    rng = keyed(seed, "zen", *images.shape)
    draw = [
        torch.from_numpy(rng.standard_normal(tuple(images.shape), dtype=np.float32)).to(images)
        for _ in range(2)
    ]
    with torch.no_grad():
        module(draw[0])
        module(draw[0] + 0.01 * draw[1])
    moved = (features[0] - features[1]).abs().sum(dim=(1, 2, 3)).mean()
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    recorded = [m.running_var for m in norms if m.running_var is not None]
    return float(moved.log()) + sum(float(variance.mean().sqrt().log()) for variance in recorded)


NAIVE: dict[str, Callable[[nn.Module, Tensor, Tensor, int], float]] = {
    function.__name__: function
    for function in (
        epe_nas, fisher, flops, grad_norm, grasp, jacov, l2_norm, nwot, params, plain, snip,
        synflow, zen,
    )
}  # fmt: skip


def score(name: str, module: nn.Module, images: Tensor, labels: Tensor, *, seed: int = 0) -> float:
    """One proxy, on a copy of its own, in training mode."""
    return float(NAIVE[name](copy.deepcopy(module).train(), images, labels, seed))
