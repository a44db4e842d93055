"""The 29 computed proxies once more, from their definitions: float64, modules, copies, autograd.

Nothing of the bench is used but what it draws (`bench.draws.keyed`), so a value here judges one
there. Everything is done the slow way: a copy of the network for each proxy, one image at a time
where gradients of single images are asked for, autograd twice for grasp. What is computed of
features and constants stands in `features.py`.

**Layers** are modules of the classes of convolutions and `nn.Linear`; a weight that several share
is one. A weight that is computed (pruning, weight and spectral norm, parametrizations) is first
replaced by what it comes to, as a parameter: a mask of ones then changes nothing. A bare parameter
that a network hands to a layer's function makes layers unknown; those of `nn.MultiheadAttention`
are none, by definition.

A score that the definition does not give is `Unknown`: the bench may give no value there either.
Shapes: `n` images of `c x h x w`, `k` classes.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrize
from torch.utils._python_dispatch import TorchDispatchMode

from bench.draws import keyed

SEED = 0
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
LAYERS = (*CONVOLUTIONS, nn.Linear)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
OTHER_NORMS = (
    nn.GroupNorm, nn.LayerNorm, nn.RMSNorm, nn.LocalResponseNorm,
    nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d,
)  # fmt: skip
CALLS = ("linear", "conv1d", "conv2d", "conv3d")
ATEN = torch.ops.aten


class Unknown(Exception):  # noqa: N818 - not an error: there is no such score
    """The definition gives no value."""


# The network, made plain.


def prepared(module: nn.Module) -> nn.Module:
    """A network in float64 and training mode, its weights plain parameters, channels last."""
    module = module.double().train()
    for part in list(module.modules()):
        _bake(part)
    for parameter in module.parameters():
        parameter.requires_grad_()
        if parameter.dim() == 4:
            # Draws of dropout follow the order in which values lie.
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module.train()


def _bake(part: nn.Module) -> None:
    """Make the computed tensors of one module plain parameters."""
    if parametrize.is_parametrized(part):
        for name in list(part.parametrizations):
            # In training mode: a spectral norm goes one step, as in the first forward.
            value = getattr(part, name).detach().clone()
            parametrize.remove_parametrizations(part, name, leave_parametrized=True)
            part._parameters[name] = nn.Parameter(value)
    for key, hook in list(part._forward_pre_hooks.items()):
        if type(hook).__module__.startswith("torch.nn.utils."):
            hook(part, ())
            del part._forward_pre_hooks[key]
            name = getattr(hook, "_tensor_name", None) or hook.name
            value = getattr(part, name).detach().clone()
            delattr(part, name)
            for suffix in ("_orig", "_g", "_v"):
                part._parameters.pop(name + suffix, None)
            part.register_parameter(name, nn.Parameter(value))


# One network and its images.


class Judge:
    """Scores one network, which `make` gives anew each time it is called, the same each time.

    With `nudge`, all values are moved by that share of themselves, at random: what a score moves by
    is what rounding may do to it.
    """

    def __init__(
        self,
        make: Callable[[], nn.Module],
        batches: list[tuple[Tensor, Tensor]],
        *,
        nudge: float = 0.0,
    ) -> None:
        self._make = make
        self._nudge = nudge
        self.batches = [(self.moved(images), labels) for images, labels in batches]
        self.images, self.labels = self.batches[0]

    def moved(self, values: Tensor) -> Tensor:
        if not self._nudge:
            return values.double()
        rng = torch.Generator().manual_seed(values.numel() + int(self._nudge * 1e15))
        noise = torch.randn(values.shape, generator=rng, dtype=torch.float64)
        return values.double() * (1 + self._nudge * noise)

    def value(self, proxy: str, table: Mapping[str, Callable[[Judge], float]]) -> float:
        """The value. Raises Unknown, and whatever the network raises."""
        with _plain_torch():
            found = float(table[proxy](self))
        if not math.isfinite(found):
            raise Unknown("not finite")
        return found

    def made(self) -> nn.Module:
        """The module as it is given; of a compiled one, what it is compiled from."""
        module = self._make()
        return getattr(module, "_orig_mod", module)

    def fresh(self) -> nn.Module:
        """A network of its own."""
        try:
            return copy.deepcopy(self._prepared)
        except RuntimeError:
            return self._anew()

    @cached_property
    def _prepared(self) -> nn.Module:
        return self._anew()

    def _anew(self) -> nn.Module:
        module = prepared(self.made())
        if self._nudge:
            for parameter in module.parameters():
                if parameter.is_floating_point():
                    parameter.data = self.moved(parameter.data)
        return module

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the layers' weights, each once. Raises Unknown where others make products.

        The first name is that of the first module that holds the weight.
        """
        module = self.fresh()
        attention = [part for part in module.modules() if isinstance(part, nn.MultiheadAttention)]
        no_layers = {id(parameter) for part in attention for parameter in part._parameters.values()}
        layers = {id(part.weight) for part in module.modules() if isinstance(part, LAYERS)}
        own = {id(parameter) for parameter in module.parameters()}
        for call in calls(module, self.images):
            if id(call.weight) in own - layers - no_layers:
                raise Unknown("a product with a parameter that is no layer's weight")
        names = tuple(name for name, p in module.named_parameters() if id(p) in layers)
        if not names:
            raise Unknown("the network has no layers")
        return names

    @cached_property
    def singles(self) -> list[tuple[nn.Module, Tensor]]:
        """What `alone` gives, to go backward from more than once."""
        return alone(self)

    def weights(self, module: nn.Module) -> list[nn.Parameter]:
        """The weights of layers of a copy."""
        table = dict(module.named_parameters())
        return [table[name] for name in self.names]

    def loss(self, module: nn.Module, batch: int = 0) -> Tensor:
        """The mean cross-entropy on a minibatch."""
        images, labels = self.batches[batch]
        return functional.cross_entropy(run(module, images), labels)

    def gradients(self, batch: int = 0) -> list[tuple[Tensor, Tensor]]:
        """Weight and gradient of the mean cross-entropy, of each layer."""
        module = self.fresh()
        weights = self.weights(module)
        self.loss(module, batch).backward()
        return [(w.detach(), grad(w)) for w in weights]


def derivatives(value: Tensor, of: list[Tensor]) -> tuple[Tensor, ...]:
    """The gradients of a value, 0 where it does not depend on a tensor."""
    if not value.requires_grad:
        return tuple(torch.zeros_like(tensor) for tensor in of)
    return torch.autograd.grad(
        value, of, retain_graph=True, allow_unused=True, materialize_grads=True
    )


def grad(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def run(module: nn.Module, images: Tensor) -> Tensor:
    """Logits `n x k`, the random state at its start. Raises Unknown where none can be told."""
    torch.manual_seed(SEED)
    random.seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002
    output = module(images.clone(memory_format=torch.channels_last))
    logits = getattr(output, "logits", output)
    if isinstance(output, Mapping):
        logits = output.get("logits", list(output.values()))
    if isinstance(logits, list | tuple):
        flat = [t for t in logits if isinstance(t, Tensor) and t.dim() == 2]
        if len(flat) != 1:
            raise Unknown("several outputs could be the logits, or none")
        logits = flat[0]
    if not isinstance(logits, Tensor) or logits.dim() < 2 or len(logits) != len(images):
        raise Unknown("no logits, n x k")
    if logits.numel() != logits.shape[0] * logits.shape[1]:
        raise Unknown("maps are no logits")
    return logits.flatten(1)


@contextmanager
def _plain_torch() -> Iterator[None]:
    """Attention by a kernel that can be differentiated twice; global generators put back."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    with sdpa_kernel(SDPBackend.MATH), torch.random.fork_rng(devices=[]):
        yield
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002


# Calls of layers.


class Call:
    """One call of a function of layers: its weight, and its output as it was then."""

    def __init__(self, name: str, weight: Tensor, output: Tensor) -> None:
        self.weight, self.output = weight, output
        self.value = output.detach().clone()
        self.channel = output.dim() - 1 - (0 if name == "linear" else int(name[-2]))
        self.logits = output
        """Of the whole network; set when it has run."""


def calls(module: nn.Module, images: Tensor) -> list[Call]:
    """Run a network, and give the calls of `F.linear` and of the convolutions."""
    found: list[Call] = []

    def watched(name: str) -> Callable[..., Tensor]:
        original = getattr(functional, name)

        def call(input: Tensor, weight: Tensor, *args: Any, **kwargs: Any) -> Tensor:  # noqa: A002
            output = original(input, weight, *args, **kwargs)
            found.append(Call(name, weight, output))
            return output.clone()  # What is overwritten in place is then another tensor.

        return call

    with ExitStack() as stack:
        for name in CALLS:
            stack.enter_context(mock.patch.object(functional, name, watched(name)))
        logits = run(module, images)
    for call in found:
        call.logits = logits
    return found


def images_at(n: int, full: Tensor, less: Tensor) -> int | None:
    """Which dimension is the images'; None for none.

    By the shapes with `n` images and with one less. Raises Unknown.
    """
    pairs = list(zip(full.shape, less.shape, strict=full.dim() == less.dim()))
    moved = [dim for dim, (a, b) in enumerate(pairs) if a != b]
    if not moved:
        return None
    if len(moved) > 1 or pairs[moved[0]] != (n, n - 1):
        raise Unknown("images cannot be told apart")
    return moved[0]


# Classic proxies.


def params(judge: Judge) -> float:
    """Millions of parameters of the module as it is given, each once."""
    return sum(p.numel() for p in judge.made().parameters()) / 1e6


def l2_norm(judge: Judge) -> float:
    """The sum of the Frobenius norms of the layers' weights."""
    return sum(weight.detach().norm().item() for weight in judge.weights(judge.fresh()))


def snip(judge: Judge) -> float:
    """Sum |w dL/dw|."""
    return sum((w * g).abs().sum().item() for w, g in judge.gradients())


def plain(judge: Judge) -> float:
    """Sum w dL/dw; much of it cancels."""
    return sum((w * g).sum().item() for w, g in judge.gradients())


def grad_norm(judge: Judge) -> float:
    """The sum of the norms of the layers' gradients."""
    return sum(g.norm().item() for _, g in judge.gradients())


def grasp(judge: Judge) -> float:
    """-w'Hg, H the Hessian of the mean cross-entropy: autograd twice."""
    module = judge.fresh()
    weights = judge.weights(module)
    first = torch.autograd.grad(
        judge.loss(module), weights, create_graph=True, allow_unused=True, materialize_grads=True
    )
    inner = sum((g * g.detach()).sum() for g in first)
    second = torch.autograd.grad(inner, weights, allow_unused=True, materialize_grads=True)
    return -sum((w.detach() * h).sum().item() for w, h in zip(weights, second, strict=True))


def fisher(judge: Judge) -> float:
    """Half the mean square of activation times gradient, by channel and as often as it has weights.

    An image's product is summed over positions and over calls of one weight. Channels are the last
    dimension of a linear layer, the one before the positions of a convolution.
    """
    n = len(judge.images)
    module = judge.fresh()
    owner = {id(w): name for w, name in zip(judge.weights(module), judge.names, strict=True)}
    pairs = zip(calls(module, judge.images), calls(judge.fresh(), judge.images[1:]), strict=True)
    found = [
        (call, fewer)
        for call, fewer in pairs
        if id(call.weight) in owner and call.output.requires_grad
    ]
    seen = {owner[id(call.weight)] for call, _ in found}
    outputs = [call.output for call, _ in found]
    loss = functional.cross_entropy(found[0][0].logits, judge.labels)
    gradients = torch.autograd.grad(
        loss, outputs, allow_unused=True, materialize_grads=True, retain_graph=True
    )
    loss.backward()
    table = dict(module.named_parameters())
    if any(grad(table[name]).any() for name in set(judge.names) - seen):
        raise Unknown("a layer whose calls are not seen")
    saliency: dict[str, Tensor] = {}
    for (call, fewer), gradient in zip(found, gradients, strict=True):
        if not gradient.any():
            continue
        dim = images_at(n, call.output, fewer.output)
        if dim is None or dim == call.channel:
            raise Unknown("a layer that is not called with images")
        product = (call.value * gradient).movedim((dim, call.channel), (0, 1))
        name = owner[id(call.weight)]
        saliency[name] = saliency.get(name, 0) + product.reshape(*product.shape[:2], -1).sum(2)
    return sum(
        (0.5 * (s**2).mean(0)).sum().item() * table[name][0].numel() for name, s in saliency.items()
    )


def zico(judge: Judge) -> float:
    """The sum over layers of log sum E|g| / std(g), over two minibatches."""
    total, layers = 0.0, 0
    for (_, a), (_, b) in zip(judge.gradients(0), judge.gradients(1), strict=True):
        if not (a.isfinite().all() and b.isfinite().all()):
            raise Unknown("not finite")
        deviation = ((a - b) / 2).abs()
        moves = deviation > 0
        ratio = ((a.abs() + b.abs()) / 2)[moves].div(deviation[moves]).sum().item()
        if ratio > 0:
            total, layers = total + math.log(ratio), layers + 1
    if not layers:
        raise Unknown("no gradient changes")
    return total


# Flow.


def _flow(judge: Judge, *, norms: bool) -> list[tuple[Tensor, Tensor]]:
    """|w| and dR/dw of the network of absolute parameters and buffers, on one image of ones."""
    module = judge.fresh()
    if any(p.is_complex() for p in module.parameters()):
        raise Unknown("complex parameters")
    if not norms and any(isinstance(part, OTHER_NORMS) for part in module.modules()):
        raise Unknown("another norm than a batch norm")
    weights = judge.weights(module)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.abs_()
    ones = torch.ones_like(judge.images[:1])
    with ExitStack() as stack:
        if not norms:
            for part in module.modules():
                if isinstance(part, BATCH_NORMS):
                    part.forward = lambda x: x
            stack.enter_context(mock.patch.object(functional, "batch_norm", lambda x, *_, **__: x))
        logits = run(module, ones)
    if logits.requires_grad:
        logits.sum().backward()
    return [(w.detach(), grad(w)) for w in weights]


def _log_flow(pairs: list[tuple[Tensor, Tensor]]) -> float:
    total = sum((w * g).abs().sum().item() for w, g in pairs)
    if not total > 0:
        raise Unknown("nothing flows")
    return math.log(total)


def synflow(judge: Judge) -> float:
    """log sum |w dR/dw| without batch norms."""
    return _log_flow(_flow(judge, norms=False))


def synflow_norm(judge: Judge) -> float:
    """The same with norms."""
    return _log_flow(_flow(judge, norms=True))


def logsynflow(judge: Judge) -> float:
    """Sum |w log(1 + dR/dw)|, without batch norms."""
    return sum((w * g.log1p()).abs().sum().item() for w, g in _flow(judge, norms=False))


# The images' gradient.


def _input_rows(judge: Judge) -> np.ndarray:
    images = judge.images.clone().requires_grad_()
    logits = run(judge.fresh(), images)
    if not logits.requires_grad:
        raise Unknown("the outputs do not depend on the images")
    gradient, single = (
        torch.autograd.grad(
            of, images, retain_graph=True, allow_unused=True, materialize_grads=True
        )[0]
        for of in (logits.sum(), logits[0, 0])
    )
    if gradient.abs().max() < 1e-12 * single.abs().max():
        raise Unknown("the sum of the logits moves by rounding alone")
    rows = gradient.flatten(1).numpy()
    if (rows.std(axis=1) == 0).any():
        raise Unknown("the outputs do not depend on the images")
    return rows


def jacov(judge: Judge) -> float:
    """-sum(log(v + k) + 1 / (v + k)) over the eigenvalues of the rows' correlation."""
    v = np.linalg.eigvalsh(np.corrcoef(_input_rows(judge)))
    return float(-(np.log(v + 1e-5) + 1 / (v + 1e-5)).sum())


def epe_nas(judge: Judge) -> float:
    """Sum over classes, not over 100, of |sum over pairs of images log(|correlation| + k)|."""
    rows = _input_rows(judge)
    of_class = [rows[(judge.labels == label).numpy()] for label in set(judge.labels.tolist())]
    return sum(abs(np.log(np.abs(np.corrcoef(own)) + 1e-5).sum()) for own in of_class)


# ReLUs.


_RELUS = {
    ATEN.relu, ATEN.relu_, ATEN.leaky_relu, ATEN.leaky_relu_, ATEN.hardtanh, ATEN.hardtanh_,
    ATEN._prelu_kernel, ATEN.rrelu_with_noise, ATEN.rrelu_with_noise_,
    ATEN.rrelu_with_noise_functional,
}  # fmt: skip
_ZEROS = {
    ATEN.threshold: [0, 0], ATEN.threshold_: [0, 0], ATEN.clamp: [0], ATEN.clamp_min: [0],
    ATEN.clamp_: [0], ATEN.clamp_min_: [0],
}  # fmt: skip


class _Rectified(TorchDispatchMode):
    """What goes into each ReLU, below autograd, where scripts and fused modules pass too."""

    def __init__(self) -> None:
        super().__init__()
        self.on: list[Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kind = func.overloadpacket
        if kind in _RELUS or list(args[1:]) == _ZEROS.get(kind, "never"):
            self.on.append(args[0].detach() > 0)
        return func(*args, **(kwargs or {}))


def rectified(module: nn.Module, images: Tensor) -> list[Tensor]:
    with _Rectified() as mode:
        run(module, images)
    return mode.on


def patterns(judge: Judge, images: Tensor) -> list[Tensor]:
    """For each ReLU, which neurons are on: `n x ...`. Raises Unknown without any."""
    found, fewer = (rectified(judge.fresh(), each) for each in (images, images[1:]))
    if len(found) != len(fewer):
        raise Unknown("other ReLUs with another number of images")
    places = [images_at(len(images), a, b) for a, b in zip(found, fewer, strict=True)]
    pairs = zip(found, places, strict=True)
    rows = [on.movedim(place, 0) for on, place in pairs if place is not None]
    if not rows:
        raise Unknown("the network has no ReLU")
    return rows


def nwot(judge: Judge) -> float:
    """log |det K|, K on how many inputs of ReLUs two images agree."""
    kernel = np.zeros((len(judge.images),) * 2)
    for each in patterns(judge, judge.images):
        on = each.flatten(1).double().numpy()
        kernel += on @ on.T + (1 - on) @ (1 - on).T
    if np.linalg.matrix_rank(kernel) < len(kernel):
        raise Unknown("too few ReLUs tell the images apart")
    return float(np.linalg.slogdet(kernel)[1])


def swap(judge: Judge) -> float:
    """How many patterns over 16 images the neurons of ReLUs over maps have, unless all occur."""
    images = judge.images[:16]
    maps = [each.flatten(1) for each in patterns(judge, images) if each.dim() == 4]
    if not maps:
        raise Unknown("the network has no ReLU over maps")
    distinct = len(np.unique(torch.cat(maps, 1).numpy().T, axis=0))
    if len(images) < 16 or distinct >= 2**16:
        raise Unknown("every pattern occurs")
    return float(distinct)


def swap_reg(judge: Judge) -> float:
    """swap times exp(-(p - mu)^2 / mu^2), p thousands of parameters."""
    mu = 1531.546
    return swap(judge) * math.exp(-((params(judge) * 1e3 - mu) ** 2) / mu**2)


def linear_regions(judge: Judge) -> float:
    """How many patterns 1,024 crops have, by the first channel of each ReLU over maps."""
    for size in (3, 4):
        try:
            found = rectified(judge.fresh(), _crops(judge, size))
            break
        except (RuntimeError, ValueError) as error:
            last = error
    else:
        raise Unknown("the network cannot take crops") from last
    maps = [on[:, 0].flatten(1) for on in found if on.dim() == 4 and len(on) == 1024]
    if not maps:
        raise Unknown("the network has no ReLU over maps")
    return float(len(np.unique(torch.cat(maps, 1).numpy(), axis=0)))


def _crops(judge: Judge, size: int) -> Tensor:
    images = judge.images
    rng = keyed(SEED, "crops", *images.shape, size)
    height, width = images.shape[2:]
    rows = rng.integers(height - size + 1, size=1024)
    columns = rng.integers(width - size + 1, size=1024)
    places = enumerate(zip(rows, columns, strict=True))
    n = len(images)
    return torch.stack([images[i % n, :, r : r + size, c : c + size] for i, (r, c) in places])


# One image at a time.


class _Stopped(Exception):  # noqa: N818
    """A norm at a single position, whose statistics are not known yet."""


def alone(judge: Judge) -> list[tuple[nn.Module, Tensor]]:
    """Each image's own network and logits, `1 x k`, run by itself.

    A batch norm has that image's statistics, over its positions. Where it has but one position,
    those of all images stand in, as constants.
    """
    original = functional.batch_norm
    known: list[tuple[Tensor, Tensor]] = []
    images = judge.images[:16]

    def once(index: int) -> tuple[nn.Module, Tensor]:
        at = 0

        def norm(
            x: Tensor, mean: Any, var: Any, weight: Any = None, bias: Any = None,
            training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
        ) -> Tensor:  # fmt: skip
            nonlocal at
            if (training or mean is None) and x.numel() == x.shape[1]:
                if at == len(known):
                    raise _Stopped(x.detach())
                mean, var = known[at]
                training, at = False, at + 1
            return original(x, mean, var, weight, bias, training, momentum, eps)

        module = judge.fresh()
        with mock.patch.object(functional, "batch_norm", norm):
            return module, run(module, images[index : index + 1])

    while True:
        runs, waiting = [], []
        for index in range(len(images)):
            try:
                runs.append(once(index))
            except _Stopped as stop:
                waiting.append(stop.args[0].flatten())
        if not waiting:
            return runs
        if len(waiting) != len(images):
            raise Unknown("images go different ways")
        rows = torch.stack(waiting)
        known.append((rows.mean(0), rows.var(0, correction=0)))


def gradsign(judge: Judge) -> float:
    """Sum over weights of |sum over images of the sign of the gradient of the image's loss|."""
    signs = []
    for (module, logits), label in zip(judge.singles, judge.labels, strict=False):
        loss = functional.cross_entropy(logits, label[None])
        signs.append([g.sign() for g in derivatives(loss, judge.weights(module))])
    return sum(torch.stack(layer).sum(0).abs().sum().item() for layer in zip(*signs, strict=True))


def ntk(judge: Judge) -> float:
    """The condition number of the Gram matrix of the images' gradients of their summed logits.

    Over the weights of layers and the scales of batch norms.
    """
    found = []
    for module, logits in judge.singles:
        norms = [part.weight for part in module.modules() if isinstance(part, BATCH_NORMS)]
        scales = {id(scale): scale for scale in norms if scale is not None}
        of = [*judge.weights(module), *scales.values()]
        found.append(torch.cat([g.flatten() for g in derivatives(logits.sum(), of)]))
    rows = torch.stack(found).numpy()
    v = np.linalg.eigvalsh(rows @ rows.T)
    if not v[0] > v[-1] * 1e-7:
        raise Unknown("singular")
    return float(v[-1] / v[0])


def vkdnw(judge: Judge) -> float:
    """The number of parameters, and the entropy of the deciles of the Fisher information.

    Of the first entry of each parameter; those of no layer and no batch norm have no say.
    """
    known = set(judge.names)
    for prefix, part in judge.fresh().named_modules():
        if isinstance(part, (*LAYERS, *BATCH_NORMS)):
            known |= {f"{prefix}.{key}" if prefix else key for key in part._parameters}

    information, rank = 0, 0
    for module, logits in judge.singles:
        parameters = dict(module.named_parameters())
        jacobian = np.zeros((logits.shape[1], len(parameters)))
        for c, logit in enumerate(logits[0]):
            found = derivatives(logit, list(parameters.values()))
            for column, (name, gradient) in enumerate(zip(parameters, found, strict=True)):
                if name in known:
                    jacobian[c, column] = gradient.flatten()[0]
        p = logits.detach().softmax(1)[0].numpy() * (1 - 0.05) + 0.05 / logits.shape[1]
        spread = np.diag(p) - np.outer(p, p)
        information = information + jacobian.T @ spread @ jacobian / len(judge.singles)
        rank += len(p)
    v = np.linalg.eigvalsh(information).clip(0)
    if not v[-1] > 0:
        raise Unknown("no parameter has a say")
    # Eigenvalues beyond the rank are 0, not what rounding leaves.
    v[: max(0, len(v) - rank)] = 0
    deciles = np.quantile(v, np.arange(1, 10) / 10)
    shares = deciles / (deciles.sum() + 1e-10)
    return float(len(v) - (shares * np.log(shares + 1e-10)).sum())


PROXIES: Mapping[str, Callable[[Judge], float]] = {
    function.__name__: function
    for function in (
        epe_nas, fisher, grad_norm, grasp, jacov, l2_norm, nwot, params, plain, snip, synflow,
        gradsign, linear_regions, logsynflow, ntk, swap, swap_reg, synflow_norm, vkdnw, zico,
    )
} | {"naswot": nwot}  # fmt: skip
