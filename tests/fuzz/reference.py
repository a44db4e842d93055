"""The 29 computed proxies once more, from their definitions: float64, modules, hooks, copies.

Nothing of the bench is used but what it draws (`bench.draws.keyed`), so that a value here is a
judgement of one there. Everything is done the slow way: a copy of the network for each proxy, one
image at a time where gradients of single images are asked for, autograd twice for grasp.

**Layers** are modules of the classes of convolutions (transposed ones too) and `nn.Linear`, as in
NASLib; a weight that several share is one. Two things are made plain first, in `prepared`:

* A weight that is computed (pruning, weight and spectral norm, parametrizations) is replaced by
  what it comes to, as a parameter: a mask of ones then changes nothing.
* `nn.MultiheadAttention` is written out. Its `out_proj` is a linear layer, its `in_proj_weight` a
  bare parameter and no layer's.

A bare parameter that a network hands to `F.linear` or `F.conv2d` itself is a layer's weight too.

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
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from bench.draws import keyed

SEED = 0
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
LAYERS = (*CONVOLUTIONS, *TRANSPOSED, nn.Linear)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
OTHER_NORMS = (
    nn.GroupNorm, nn.LayerNorm, nn.RMSNorm, nn.LocalResponseNorm,
    nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d,
)  # fmt: skip
CALLS = (
    "linear", "conv1d", "conv2d", "conv3d",
    "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
)  # fmt: skip


class Unknown(Exception):  # noqa: N818 - not an error: there is no such score
    """The definition gives no value."""


# ---------------------------------------------------------------- the network, made plain


class Attention(nn.Module):
    """`nn.MultiheadAttention` written out, by the names of its parameters."""

    def __init__(self, of: nn.MultiheadAttention) -> None:
        super().__init__()
        if of.in_proj_weight is None or of.bias_k is not None or of.add_zero_attn or of.dropout:
            raise Unknown("an attention with more to it")
        self.in_proj_weight, self.in_proj_bias = of.in_proj_weight, of.in_proj_bias
        self.out_proj = of.out_proj
        self.num_heads, self.batch_first = of.num_heads, of.batch_first
        self._qkv_same_embed_dim = True

    def forward(self, q: Tensor, k: Tensor, v: Tensor, need_weights: bool = True, **_: Any) -> Any:
        if not self.batch_first:
            q, k, v = (x.transpose(0, 1) for x in (q, k, v))
        biases = [0, 0, 0] if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        parts = zip((q, k, v), self.in_proj_weight.chunk(3), biases, strict=True)
        q, k, v = (
            (x @ w.mT + b).unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for x, w, b in parts
        )
        weights = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
        out = self.out_proj((weights @ v).transpose(1, 2).flatten(2))
        if not self.batch_first:
            out = out.transpose(0, 1)
        return out, weights.mean(1) if need_weights else None


def prepared(module: nn.Module) -> nn.Module:
    """A fresh network in float64 and training mode, its weights plain parameters."""
    module = module.double().train()
    for part in list(module.modules()):
        _bake(part)
        for name, child in list(part.named_children()):
            if isinstance(child, nn.MultiheadAttention):
                setattr(part, name, Attention(child))
    for name, parameter in list(module.named_parameters(remove_duplicate=True)):
        if parameter.is_inference():
            raise Unknown(f"{name} was made in inference mode")
        parameter.requires_grad_(parameter.is_floating_point() or parameter.is_complex())
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


# ---------------------------------------------------------------- one network and its images


class Judge:
    """Scores one network. `make` gives it anew each time it is called, the same each time."""

    def __init__(self, make: Callable[[], nn.Module], batches: list[tuple[Tensor, Tensor]]) -> None:
        self._make = make
        self.images, self.labels = batches[0][0].double(), batches[0][1]
        self.batches = [(images.double(), labels) for images, labels in batches]

    def readings(self, proxy: str) -> list[float]:
        """The values by each reading of the definition that its text allows.

        Raises Unknown, and whatever the network raises.
        """
        with _plain_torch():
            found = PROXIES[proxy](self)
        values = found if isinstance(found, list) else [found]
        kept = [float(value) for value in values if math.isfinite(value)]
        if not kept:
            raise Unknown("not finite")
        return kept

    def made(self) -> nn.Module:
        """The module as it is given."""
        return self._make()

    @cached_property
    def _prepared(self) -> nn.Module:
        return prepared(self._make())

    def fresh(self) -> nn.Module:
        """A network of its own."""
        try:
            return copy.deepcopy(self._prepared)
        except RuntimeError:
            return prepared(self._make())

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the layers' weights, each weight once."""
        module = self.fresh()
        found = {
            id(part.weight): True
            for part in module.modules()
            if isinstance(part, LAYERS) and isinstance(part.weight, nn.Parameter)
        }
        own = {id(parameter) for parameter in module.parameters()}
        for call in calls(module, self.images):
            found |= {id(_base(call.weight)): True} if id(_base(call.weight)) in own else {}
        return tuple(name for name, p in module.named_parameters() if id(p) in found)

    @cached_property
    def layer_names(self) -> tuple[str, ...]:
        """The same without running: for what needs no forward. Bare parameters are missing."""
        module = self.fresh()
        found = {
            id(part.weight)
            for part in module.modules()
            if isinstance(part, LAYERS) and isinstance(part.weight, nn.Parameter)
        }
        return tuple(name for name, p in module.named_parameters() if id(p) in found)

    def weights(self, module: nn.Module) -> list[nn.Parameter]:
        """The weights of layers of a copy. Raises Unknown where there is none."""
        table = dict(module.named_parameters())
        if not self.names:
            raise Unknown("the network has no layers")
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
        return [(w.detach(), _grad(w)) for w in weights]


def _base(tensor: Tensor) -> Tensor:
    return tensor if tensor._base is None else tensor._base


def _grad(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def run(module: nn.Module, images: Tensor) -> Tensor:
    """Logits `n x k`, the random state at its start. Raises Unknown where none can be told."""
    torch.manual_seed(SEED)
    random.seed(SEED)
    output = module(images.clone())
    logits = output
    if isinstance(output, Mapping):
        logits = output["logits"] if "logits" in output else list(output.values())
    elif hasattr(output, "logits"):
        logits = output.logits
    if isinstance(logits, list | tuple):
        flat = [t for t in logits if isinstance(t, Tensor) and t.dim() == 2]
        if len(flat) != 1:
            raise Unknown("several outputs could be the logits, or none")
        logits = flat[0]
    if not isinstance(logits, Tensor) or logits.dim() < 2 or len(logits) != len(images):
        raise Unknown("no logits, n x k")
    return logits.flatten(2).mean(2) if logits.dim() > 2 else logits


@contextmanager
def _plain_torch() -> Iterator[None]:
    """Nothing recomputed, attention by a kernel that can be differentiated twice."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    with ExitStack() as stack:
        stack.enter_context(
            mock.patch("torch.utils.checkpoint.checkpoint", lambda f, *a, **_: f(*a))
        )
        stack.enter_context(torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH))
        stack.enter_context(torch.random.fork_rng(devices=[]))
        yield
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002


# ---------------------------------------------------------------- calls of layers


class Call:
    """One call of a function of layers: its weight, and its output as it was then."""

    def __init__(self, name: str, weight: Tensor, output: Tensor) -> None:
        self.name, self.weight, self.output = name, weight, output
        self.value = output.detach().clone()
        self.shape = tuple(output.shape)
        self.logits = output
        """Of the whole network; set when it has run."""

    @property
    def channel(self) -> int:
        """Which dimension of the output is the channels'."""
        return len(self.shape) - 1 - (0 if self.name == "linear" else int(self.name[-2]))

    @property
    def weights_a_channel(self) -> int:
        """How many weights an output channel has."""
        return self.weight.numel() // self.shape[self.channel]


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


def by_image(n: int, full: tuple[int, ...], less: tuple[int, ...]) -> tuple[int, int] | None:
    """Which dimension is the images', and how many rows each has there; None for none.

    By the shapes with `n` images and with one less. Raises Unknown.
    """
    if len(full) != len(less):
        raise Unknown("another rank with another number of images")
    moved = [d for d, (a, b) in enumerate(zip(full, less, strict=True)) if a != b]
    if not moved:
        return None
    if len(moved) > 1 or full[moved[0]] * (n - 1) != less[moved[0]] * n:
        raise Unknown("images cannot be told apart")
    return moved[0], full[moved[0]] // n


def images_first(tensor: Tensor, n: int, dim: int, rows: int, major: bool) -> Tensor:
    """A tensor as `n x ...`; `major` where an image's merged rows follow each other."""
    if rows == 1:
        return tensor.movedim(dim, 0)
    sizes = (n, rows) if major else (rows, n)
    return tensor.unflatten(dim, sizes).movedim(dim if major else dim + 1, 0)


def image_major(judge: Judge, record: Callable[[nn.Module, Tensor], Tensor], dim: int) -> bool:
    """Whether merged rows come image by image: what moves, in evaluation, when the first does."""
    other = judge.images.clone()
    other[0] = other[0].flip(-1) * 1.5 + 0.3
    with torch.no_grad():
        a = record(judge.fresh().eval(), judge.images)
        b = record(judge.fresh().eval(), other)
    rows = (a != b).movedim(dim, 0).flatten(1).any(1).nonzero().flatten().tolist()
    n = len(judge.images)
    each = a.shape[dim] // n
    if rows and set(rows) <= set(range(each)):
        return True
    if rows and set(rows) <= set(range(0, n * each, n)):
        return False
    raise Unknown("rows of one image cannot be told")


# ---------------------------------------------------------------- classic proxies


def params(judge: Judge) -> float:
    """Millions of parameters of the module as it is given, each once."""
    return sum(p.numel() for p in judge.made().parameters()) / 1e6


def l2_norm(judge: Judge) -> list[float]:
    """The sum of the Frobenius norms of the layers' weights.

    What needs no forward can see modules only; bare parameters count by one reading.
    """
    table = dict(judge.fresh().named_parameters())
    try:
        names = judge.names
    except Exception:  # noqa: BLE001 - a network that cannot run has weights all the same
        names = judge.layer_names
    if not names:
        raise Unknown("the network has no layers")
    return [sum(table[name].detach().norm().item() for name in names)]


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
    judge.weights(module)
    found = calls(module, judge.images)
    fewer = calls(judge.fresh(), judge.images[:-1])
    if len(found) != len(fewer):
        raise Unknown("other calls with another number of images")
    owner = {id(dict(module.named_parameters())[name]): name for name in judge.names}
    loss = functional.cross_entropy(found[0].logits, judge.labels)
    graded = [index for index, call in enumerate(found) if call.output.requires_grad]
    gradients = torch.autograd.grad(loss, [found[i].output for i in graded], allow_unused=True)
    saliency: dict[str, Tensor] = {}
    spread: dict[str, int] = {}
    for index, gradient in zip(graded, gradients, strict=True):
        call = found[index]
        name = owner.get(id(_base(call.weight)))
        if gradient is None:
            continue
        if name is None:
            raise Unknown("a layer whose weight is computed")
        place = by_image(n, call.shape, fewer[index].shape)
        if place is None:
            raise Unknown("a layer that is not called with images")
        if place[0] == call.channel:
            raise Unknown("channels are images")
        major = place[1] == 1 or image_major(
            judge, lambda net, x, at=index: calls(net, x)[at].value, place[0]
        )
        product = (call.value * gradient).movedim(call.channel, -1)
        dim = place[0] - (place[0] > call.channel)
        product = images_first(product, n, dim, place[1], major)
        product = product.flatten(1, -2).sum(1) if product.dim() > 2 else product
        if name in saliency and saliency[name].shape != product.shape:
            raise Unknown("one weight, two ways round")
        saliency[name] = saliency.get(name, 0) + product
        spread[name] = call.weights_a_channel
    return sum((0.5 * (s**2).mean(0)).sum().item() * spread[name] for name, s in saliency.items())


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


# ---------------------------------------------------------------- synflow


def _flow(judge: Judge, *, norms: bool) -> list[tuple[Tensor, Tensor]]:
    """|w| and dR/dw of the network of absolute parameters and buffers, on one image of ones."""
    module = judge.fresh()
    if any(p.is_complex() for p in module.parameters()):
        raise Unknown("complex parameters")
    weights = judge.weights(module)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.abs_()
    ones = torch.ones_like(judge.images[:1])
    if norms:
        logits = run(module, ones)
    else:
        for part in module.modules():
            if isinstance(part, (*BATCH_NORMS, *OTHER_NORMS)):
                part.forward = lambda x: x
        with mock.patch.object(functional, "batch_norm", lambda x, *_, **__: x):
            logits = run(module, ones)
    if logits.requires_grad:
        logits.sum().backward()
    return [(w.detach(), _grad(w)) for w in weights]


def synflow(judge: Judge) -> float:
    """log sum |w dR/dw| without norms, of whatever kind."""
    return _log_flow(_flow(judge, norms=False))


def synflow_norm(judge: Judge) -> float:
    """The same with norms."""
    return _log_flow(_flow(judge, norms=True))


def _log_flow(pairs: list[tuple[Tensor, Tensor]]) -> float:
    total = sum((w * g).abs().sum().item() for w, g in pairs)
    if not total > 0:
        raise Unknown("nothing flows")
    return math.log(total)


def logsynflow(judge: Judge) -> float:
    """Sum |w log(1 + dR/dw)|, without norms."""
    return sum((w * g.log1p()).abs().sum().item() for w, g in _flow(judge, norms=False))


# ---------------------------------------------------------------- the input's gradient


def _input_rows(judge: Judge) -> tuple[np.ndarray, int]:
    images = judge.images.clone().requires_grad_()
    logits = run(judge.fresh(), images)
    if not logits.requires_grad:
        raise Unknown("the outputs do not depend on the images")
    (gradient,) = torch.autograd.grad(
        logits.sum(), images, allow_unused=True, materialize_grads=True
    )
    rows = gradient.flatten(1).numpy()
    if (rows.std(axis=1) == 0).any():
        raise Unknown("the outputs do not depend on the images")
    return rows, logits.shape[1]


def jacov(judge: Judge) -> float:
    """-sum(log(v + k) + 1 / (v + k)) over the eigenvalues of the rows' correlation."""
    v = np.linalg.eigvalsh(np.corrcoef(_input_rows(judge)[0]))
    return float(-(np.log(v + 1e-5) + 1 / (v + 1e-5)).sum())


def epe_nas(judge: Judge) -> float:
    """Sum over classes of |sum over pairs of images log(|correlation| + k)|."""
    rows, classes = _input_rows(judge)
    if classes > 100:
        raise Unknown("not written out here")
    total = 0.0
    for label in set(judge.labels.tolist()):
        own = rows[(judge.labels == label).numpy()]
        total += abs(np.log(np.abs(np.corrcoef(own)) + 1e-5).sum())
    return float(total)


# ---------------------------------------------------------------- ReLUs

_ATEN = torch.ops.aten
RECTIFIERS = {
    _ATEN.relu, _ATEN.relu_, _ATEN.leaky_relu, _ATEN.leaky_relu_, _ATEN.hardtanh, _ATEN.hardtanh_,
    _ATEN._prelu_kernel, _ATEN.rrelu_with_noise, _ATEN.rrelu_with_noise_,
    _ATEN.rrelu_with_noise_functional, _ATEN.threshold, _ATEN.threshold_,
}  # fmt: skip


class _Rectified(TorchDispatchMode):
    """What goes into each ReLU, below autograd, where scripts and fused modules pass too."""

    def __init__(self) -> None:
        super().__init__()
        self.on: list[Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in RECTIFIERS:
            self.on.append(args[0].detach() > 0)
        return func(*args, **(kwargs or {}))


def _rectified(module: nn.Module, images: Tensor) -> list[Tensor]:
    with _Rectified() as mode:
        run(module, images)
    return mode.on


def patterns(judge: Judge, images: Tensor) -> list[Tensor]:
    """For each ReLU, which neurons are on: `n x ...`. Raises Unknown without any."""
    n = len(images)
    found = _rectified(judge.fresh(), images)
    fewer = _rectified(judge.fresh(), images[:-1])
    if len(found) != len(fewer):
        raise Unknown("other ReLUs with another number of images")
    rows: list[Tensor] = []
    for index, (a, b) in enumerate(zip(found, fewer, strict=True)):
        place = by_image(n, tuple(a.shape), tuple(b.shape))
        if place is None:
            continue  # Of a table, not of images.
        dim, each = place
        major = each == 1 or image_major(
            judge, lambda net, x, at=index: _rectified(net, x)[at], dim
        )
        rows.append(images_first(a, n, dim, each, major))
    if not rows:
        raise Unknown("the network has no ReLU")
    return rows


def nwot(judge: Judge) -> float:
    """log |det K|, K on how many inputs of ReLUs two images agree."""
    kernel = np.zeros((len(judge.images),) * 2)
    for each in patterns(judge, judge.images):
        on = each.flatten(1).double().numpy()
        kernel += on @ on.T + (1 - on) @ (1 - on).T
    sign, value = np.linalg.slogdet(kernel)
    if sign == 0 or np.linalg.matrix_rank(kernel) < len(kernel):
        raise Unknown("two images switch all ReLUs alike")
    return float(value)


def swap(judge: Judge) -> float:
    """How many patterns over images the neurons of all ReLUs have; Unknown where all occur."""
    images = judge.images[:16]
    maps = [each.flatten(1) for each in patterns(judge, images) if each.dim() == 4]
    if not maps:
        raise Unknown("the network has no ReLU over images")
    columns = torch.cat(maps, dim=1)
    distinct = len(np.unique(columns.numpy().T, axis=0))
    if distinct >= 2 ** len(images):
        raise Unknown("every pattern occurs")
    return float(distinct)


def swap_reg(judge: Judge) -> float:
    """swap times exp(-(p - mu)^2 / mu^2), p thousands of parameters."""
    mu = 1531.546
    return swap(judge) * math.exp(-((params(judge) * 1e3 - mu) ** 2) / mu**2)


def linear_regions(judge: Judge) -> list[float]:
    """How many patterns 1,024 crops have, by the first channel of each ReLU over images.

    By another reading ReLUs over vectors and tokens count as well.
    """
    found, last = None, None
    for size in (3, 4):
        try:
            found = _rectified(judge.fresh(), _crops(judge, size))
            break
        except (RuntimeError, ValueError) as error:
            last = error
    if found is None:
        raise Unknown("the network cannot take crops") from last
    images = [on[:, 0].flatten(1) for on in found if on.dim() == 4 and len(on) == 1024]
    others = [
        on[:, :1] if on.dim() == 2 else on[..., 0].flatten(1)
        for on in found
        if on.dim() in (2, 3) and len(on) == 1024
    ]
    if len(images) + len(others) < len(found):
        raise Unknown("a ReLU that is not over images")
    chosen = [each for each in (images, images + others) if each]
    if not chosen:
        raise Unknown("the network has no ReLU")
    return [float(len(np.unique(torch.cat(each, 1).numpy(), axis=0))) for each in chosen]


def _crops(judge: Judge, size: int) -> Tensor:
    images = judge.images
    rng = keyed(SEED, "crops", *images.shape, size)
    height, width = images.shape[2:]
    rows = rng.integers(height - size + 1, size=1024)
    columns = rng.integers(width - size + 1, size=1024)
    places = enumerate(zip(rows, columns, strict=True))
    return torch.stack([images[i % len(images), :, r : r + size, c : c + size] for i, (r, c) in places])


# ---------------------------------------------------------------- one image at a time


class _Stopped(Exception):  # noqa: N818
    """A norm at a single position, whose statistics are not known yet."""


def alone(judge: Judge, take: Callable[[nn.Module, Tensor, int], Any]) -> list[Any]:
    """What `take` gives of each image's own network and logits, `1 x k`, each run by itself.

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
                m, v = known[at]
                at += 1
                shape = (1, -1, *[1] * (x.dim() - 2))
                y = (x - m.view(shape)) / (v.view(shape) + eps).sqrt()
                y = y if weight is None else y * weight.view(shape)
                return y if bias is None else y + bias.view(shape)
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
            return [take(module, logits, i) for i, (module, logits) in enumerate(runs)]
        if len(waiting) != len(images):
            raise Unknown("images go different ways")
        rows = torch.stack(waiting)
        known.append((rows.mean(0), rows.var(0, correction=0)))


def gradsign(judge: Judge) -> float:
    """Sum over weights of |sum over images of the sign of the gradient of the image's loss|."""

    def take(module: nn.Module, logits: Tensor, i: int) -> list[Tensor]:
        weights = judge.weights(module)
        functional.cross_entropy(logits, judge.labels[i : i + 1]).backward()
        return [_grad(w).sign() for w in weights]

    signs = alone(judge, take)
    return sum(torch.stack(layer).sum(0).abs().sum().item() for layer in zip(*signs, strict=True))


def ntk(judge: Judge) -> float:
    """The condition number of the Gram matrix of the images' gradients of their summed logits.

    Over the weights of layers and the scales of batch norms.
    """

    def take(module: nn.Module, logits: Tensor, _: int) -> Tensor:
        weights = judge.weights(module)
        if logits.requires_grad:
            logits.sum().backward()
        scales = {
            id(part.weight): part.weight
            for part in module.modules()
            if isinstance(part, BATCH_NORMS) and part.weight is not None
        }
        return torch.cat([_grad(p).flatten() for p in (*weights, *scales.values())])

    rows = torch.stack(alone(judge, take)).numpy()
    v = np.linalg.eigvalsh(rows @ rows.T)
    if not v[0] > v[-1] * 1e-7:
        raise Unknown("singular")
    return float(v[-1] / v[0])


def vkdnw(judge: Judge) -> float:
    """The number of parameters, and the entropy of the deciles of the Fisher information's spectrum.

    Of the first entry of each parameter; those of no layer and no batch norm have no say.
    """
    known = set(judge.names)
    for prefix, part in judge.fresh().named_modules():
        if isinstance(part, (*LAYERS, *BATCH_NORMS)):
            known |= {f"{prefix}.{key}" if prefix else key for key in part._parameters}

    def take(module: nn.Module, logits: Tensor, _: int) -> tuple[np.ndarray, np.ndarray]:
        parameters = dict(module.named_parameters())
        jacobian = np.zeros((logits.shape[1], len(parameters)))
        for c in range(logits.shape[1]):
            found = torch.autograd.grad(
                logits[0, c], list(parameters.values()), retain_graph=True,
                allow_unused=True, materialize_grads=True,
            )  # fmt: skip
            for column, (name, gradient) in enumerate(zip(parameters, found, strict=True)):
                if name in known:
                    jacobian[c, column] = gradient.flatten()[0]
        return jacobian, logits.detach().softmax(1)[0].numpy()

    judge.weights(judge.fresh())
    information, rank = 0, 0
    runs = alone(judge, take)
    for jacobian, p in runs:
        p = p * (1 - 0.05) + 0.05 / len(p)
        information = information + jacobian.T @ (np.diag(p) - np.outer(p, p)) @ jacobian / len(runs)
        rank += len(p)
    v = np.linalg.eigvalsh(information).clip(0)
    if not v[-1] > 0:
        raise Unknown("no parameter has a say")
    # Eigenvalues beyond the rank are 0, not what rounding leaves.
    v[: max(0, len(v) - rank)] = 0
    deciles = np.quantile(v, np.arange(1, 10) / 10)
    shares = deciles / (deciles.sum() + 1e-10)
    return float(len(v) - (shares * np.log(shares + 1e-10)).sum())


# ---------------------------------------------------------------- Gaussian weights


def gaussian(judge: Judge, deviation: Callable[[Tensor], float] = lambda _: 1.0) -> nn.Module:
    """The network with weights of layers from N(0, 1) by name, their biases 0, norms 1 and 0."""
    module = judge.fresh()
    table = dict(module.named_parameters())
    with torch.no_grad():
        for name in judge.names:
            shape = tuple(table[name].shape)
            values = keyed(SEED, "gaussian", name, *shape).standard_normal(shape, dtype=np.float32)
            table[name].copy_(torch.from_numpy(values).double() * deviation(table[name]))
        for part in module.modules():
            if isinstance(part, (*BATCH_NORMS, *OTHER_NORMS)):
                for key, value in (("weight", 1.0), ("bias", 0.0)):
                    if getattr(part, key, None) is not None:
                        getattr(part, key).fill_(value)
            elif isinstance(part, LAYERS) and part.bias is not None:
                part.bias.zero_()
        for name, buffer in module.named_buffers():
            if name.endswith("running_var"):
                buffer.fill_(1)
            elif name.endswith("running_mean"):
                buffer.zero_()
    return module


def _gaussian_images(rng: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)).double()


class _Pools(TorchFunctionMode):
    """The inputs of global average poolings; the output of one of them may be held fixed."""

    def __init__(self, fixed: int | None = None) -> None:
        super().__init__()
        self.fixed = fixed
        self.sources: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        source = args[0] if args else kwargs.get("input")
        if not isinstance(source, Tensor) or source.dim() != 4 or not isinstance(output, Tensor):
            return output
        pooled = name in ("adaptive_avg_pool2d", "avg_pool2d") and output.shape[2:] == (1, 1)
        if name == "mean":
            dims = args[1] if len(args) > 1 else kwargs.get("dim")
            pooled = isinstance(dims, list | tuple) and {d % 4 for d in dims} == {2, 3}
        if pooled:
            self.sources.append(source.detach().clone())
            if self.fixed == len(self.sources) - 1:
                return output.detach()
        return output


def head_pool(judge: Judge) -> int:
    """Which global average pooling all ways from images to logits go through; the last of them."""
    with _Pools() as pools:
        run(judge.fresh(), judge.images)
    for index in reversed(range(len(pools.sources))):
        images = judge.images.clone().requires_grad_()
        with _Pools(index):
            logits = run(judge.fresh(), images)
        if not logits.requires_grad:
            return index
        (g,) = torch.autograd.grad(logits.sum(), images, allow_unused=True, materialize_grads=True)
        if not g.any():
            return index
    raise Unknown("no global average pooling that all goes through")


def zen(judge: Judge) -> list[float]:
    """log E|f(x) - f(x')| plus the logs of the deviations that batch norms take away.

    By NASLib with the running variance, at momentum 0.1 from 1 after both forwards; by the paper
    with the variance of the batch. Unknown where something else normalises what is compared.
    """
    index = head_pool(judge)
    module = gaussian(judge)
    if any(isinstance(part, OTHER_NORMS) for part in module.modules()):
        raise Unknown("another norm than a batch norm")
    variances: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}

    def note(part: nn.Module, args: tuple[Tensor, ...]) -> None:
        if part.training or part.running_mean is None:
            x = args[0].detach()
            if x.dim() == 4:
                dims = (0, 2, 3)
                variances.setdefault(part, []).append((x.var(dims, correction=0), x.var(dims)))
            elif x.dim() > 2:
                raise Unknown("a batch norm that is not over images")

    for part in module.modules():
        if isinstance(part, BATCH_NORMS):
            part.register_forward_pre_hook(note)
    shape = tuple(judge.images.shape)
    rng = keyed(SEED, "zen", *shape)
    x, move = _gaussian_images(rng, shape), _gaussian_images(rng, shape)
    features = []
    with torch.no_grad():
        for images in (x, x + 0.01 * move):
            with _Pools() as pools:
                run(module, images)
            features.append(pools.sources[index])
    moved = (features[0] - features[1]).abs().flatten(1).sum(1).mean().item()
    if moved == 0:
        raise Unknown("features do not move")
    paper = naslib = math.log(moved)
    for found in variances.values():
        paper += 0.5 * math.log(found[0][0].mean().item())
        running = torch.ones_like(found[0][1])
        for _, unbiased in found:
            running = 0.9 * running + 0.1 * unbiased
        naslib += 0.5 * math.log(running.mean().item())
    return [naslib, paper]


def blocks(module: nn.Module) -> list[nn.Module]:
    """What stands at the top, less the head: parts of their own making, convolutions, and chains.

    A chain of parts that have parts is taken apart; one of plain parts is a block if it holds a
    convolution. Of a wrapper, those within.
    """

    def within(outer: nn.Module) -> list[nn.Module]:
        found: list[nn.Module] = []
        for child in outer.children():
            if isinstance(child, nn.Sequential | nn.ModuleList):
                if any(list(part.children()) for part in child.children()):
                    found += within(child)
                elif any(isinstance(part, CONVOLUTIONS) for part in child.children()):
                    found.append(child)
            elif isinstance(child, CONVOLUTIONS):
                found.append(child)
            elif not type(child).__module__.startswith("torch.nn."):
                found.append(child)
        return found

    found = within(module)
    while len(found) == 1 and list(found[0].children()):
        found = within(found[0])
    return found


def _block_outputs(judge: Judge) -> list[Tensor]:
    module = gaussian(judge, lambda w: math.sqrt(2 / w[0].numel()))
    outputs: list[Tensor] = []

    def keep(_: nn.Module, __: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 4:
            outputs.append(output)

    for block in blocks(module):
        block.register_forward_hook(keep)
    shape = tuple(judge.images[:32].shape)
    images = _gaussian_images(keyed(SEED, "block-features", *shape), shape).requires_grad_()
    run(module, images)
    if len(outputs) < 2:
        raise Unknown("less than two blocks")
    return outputs


def _rows(features: Tensor) -> np.ndarray:
    return features.detach().permute(0, 2, 3, 1).reshape(-1, features.shape[1]).numpy()


def _entropies(judge: Judge) -> np.ndarray:
    found = []
    for output in _block_outputs(judge):
        v = np.linalg.eigvalsh(np.cov(_rows(output).T, bias=True).reshape(output.shape[1], -1))
        if not v[-1] > 0:
            raise Unknown("constant features")
        shares = v.clip(0) / v.sum()
        found.append(-(shares * np.log(shares + 1e-8)).sum())
    return np.array(found)


def az_expressivity(judge: Judge) -> float:
    """Sum over blocks of the entropy of the features' principal components."""
    return float(_entropies(judge).sum())


def az_progressivity(judge: Judge) -> float:
    """The least growth of that from block to block."""
    return float(np.diff(_entropies(judge)).min())


def az_trainability(judge: Judge) -> float:
    """The mean over blocks of 2 - s - 1/s, s the spectral norm of a block's mean Jacobian."""
    outputs = _block_outputs(judge)
    scores = []
    for index, (source, target) in enumerate(zip(outputs, outputs[1:], strict=False)):
        octets = keyed(SEED, "signs", index, *target.shape).bytes(-(-target.numel() // 8))
        bits = np.unpackbits(np.frombuffer(octets, dtype=np.uint8), count=target.numel())
        noise = torch.from_numpy(bits.reshape(tuple(target.shape))).double() * 2 - 1
        (back,) = torch.autograd.grad(
            target, source, noise, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        if back.shape == noise.shape and (back == noise).all():
            raise Unknown("a block hands gradients on")
        if back.shape[2:] != noise.shape[2:]:
            ratio = back.shape[2] // noise.shape[2]
            if tuple(side * ratio for side in noise.shape[2:]) != tuple(back.shape[2:]):
                raise Unknown("positions do not divide")
            back = functional.pixel_unshuffle(back, ratio)
        rows = _rows(noise)
        s = np.linalg.svd(_rows(back).T @ rows / len(rows), compute_uv=False)[0]
        scores.append(2 - s - 1 / (s + 1e-6))
    return float(np.mean(scores))


# ---------------------------------------------------------------- constants, noise, cost


def _constant(judge: Judge, constant: float, every: bool, *, handing_on: bool = False) -> Tensor:
    """The first logit with all weights at a constant, and biases 0."""
    module = judge.fresh()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            kind = name.rsplit(".", maxsplit=1)[-1]
            if parameter.is_complex():
                raise Unknown("complex parameters")
            if kind == "weight" or name in judge.names or (every and kind.endswith("weight")):
                parameter.fill_(constant)
            elif kind == "bias" or (every and kind.endswith("bias")):
                parameter.zero_()
        with _HandingOn() if handing_on else ExitStack():
            return run(module, judge.images)[:, 0]


def _ways(judge: Judge) -> tuple[bool, ...]:
    """Readings of names: one, unless parameters are called otherwise than weight and bias."""
    kinds = {n.rsplit(".", maxsplit=1)[-1] for n, _ in judge.fresh().named_parameters()}
    return (False, True) if kinds - {"weight", "bias"} else (False,)


class _HandingOn(TorchFunctionMode):
    """Convolutions that keep the shape give their input, and a batch norm on that only centres."""

    def __init__(self) -> None:
        super().__init__()
        self.handed: Tensor | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        source = args[0] if args else kwargs.get("input")
        if name == "batch_norm" and source is self.handed:
            return source - source.mean((0, 2, 3), keepdim=True)
        output = func(*args, **kwargs)
        if name == "conv2d" and output.shape == source.shape:
            output = self.handed = source.clone()
        return output


def _flat(row: Tensor) -> bool:
    return bool(row.isfinite().all()) and bool(row.min() == row.max())


def _difference(low: Tensor, high: Tensor) -> float:
    rows = []
    for row in (low.numpy(), high.numpy()):
        if not np.isfinite(row).all() or row.min() == row.max():
            raise Unknown("constant or infinite outputs")
        p = (row - row.min()) / (row.max() - row.min())
        rows.append(np.where(p == 0, np.nan, p))
    distance = np.abs(rows[0] - rows[1])
    if np.isnan(distance).all():
        raise Unknown("no image left")
    return float(np.nanmean(distance) / np.nanmean(np.stack(rows)))


def epsilon(judge: Judge) -> list[float]:
    """The difference of min-max normalised outputs with all weights 1e-7 and 1, biases 0.

    Parameters that are neither stay as they are; by another reading, names that end with weight or
    bias tell.
    """
    return [
        _difference(*(_constant(judge, constant, every) for constant in (1e-7, 1.0)))
        for every in _ways(judge)
    ]


def epsilon_defined(judge: Judge) -> list[float]:
    """epsilon; where the low output is constant, convolutions that keep the shape hand on."""
    values = []
    for every in _ways(judge):
        low, high = (_constant(judge, constant, every) for constant in (1e-7, 1.0))
        if _flat(low):
            low = _constant(judge, 1e-7, every, handing_on=True)
        values.append(0.0 if _flat(low) or _flat(high) else _difference(low, high))
    return values


def meco(judge: Judge) -> float:
    """Sum over modules' outputs of the least eigenvalue of the channels' correlation.

    On one Gaussian image of 64 x 64. What a container hands on from within is not counted again.
    Unknown where outputs are tokens: the second dimension is then no channels.
    """
    channels = judge.images.shape[1]
    rng = keyed(SEED, "noise-features", channels, 64)
    image = _gaussian_images(rng, (1, channels, 64, 64))
    module = judge.fresh()
    known: list[Tensor] = []
    least: list[float] = []
    tokens: list[str] = []

    def note(part: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        last = isinstance(part, nn.Linear | nn.LayerNorm | nn.RMSNorm | Attention | nn.RNNBase)
        if last and args[0].dim() > 2 and not (
            isinstance(part, nn.LayerNorm) and len(part.normalized_shape) > 1
        ):  # fmt: skip
            tokens.append(type(part).__name__)
        if not isinstance(output, Tensor) or output.dim() < 3 or output.is_complex():
            return
        if any(output is each for each in known) and list(part.children()):
            return
        known.append(output)
        rows = output[0].flatten(1).detach().numpy()
        rows = rows - rows.mean(1, keepdims=True)
        covariance = rows @ rows.T
        scale = np.sqrt(np.diag(covariance))
        with np.errstate(all="ignore"):
            r = covariance / scale / scale[:, None]
        r = np.nan_to_num(r, nan=0, posinf=0, neginf=0).clip(-1, 1)
        least.append(float(np.linalg.eigvalsh(r)[0]))

    for part in module.modules():
        part.register_forward_hook(note)
    with torch.no_grad():
        run(module, image)
    if tokens:
        raise Unknown("tokens: positions and channels")
    if not least:
        raise Unknown("no features")
    return sum(least)


_NORMS = {
    _ATEN.native_batch_norm: 1, _ATEN._native_batch_norm_legit: 1, _ATEN.native_group_norm: 1,
    _ATEN._native_batch_norm_legit_functional: 1, _ATEN._batch_norm_with_update: 1,
    _ATEN._native_batch_norm_legit_no_training: 1, _ATEN.native_layer_norm: 2,
    _ATEN._fused_rms_norm: 2, _ATEN._batch_norm_no_update: 1,
}  # fmt: skip
_ONES = {
    _ATEN.relu, _ATEN.relu_, _ATEN.leaky_relu, _ATEN.leaky_relu_, _ATEN._prelu_kernel,
    _ATEN.elu, _ATEN.elu_, _ATEN.rrelu_with_noise, _ATEN.rrelu_with_noise_,
    _ATEN.rrelu_with_noise_functional,
}  # fmt: skip
_FREE = set(
    """view _unsafe_view reshape permute transpose t expand slice select unsqueeze squeeze clone
    copy_ detach cat stack split split_with_sizes chunk unbind alias as_strided empty empty_like
    zeros zeros_like ones ones_like full full_like constant_pad_nd reflection_pad1d
    reflection_pad2d replication_pad2d _softmax _log_softmax sum mean var var_mean amax amin max min
    argmax argmin std index_select gather embedding im2col col2im native_dropout bernoulli_ bernoulli
    rand rand_like randn randn_like arange linspace scalar_tensor _to_copy lift_fresh
    lift_fresh_copy repeat roll flip _local_scalar_dense fill_ zero_ index scatter_ scatter_add_
    index_put_ index_put _index_put_impl_ masked_fill masked_fill_ where new_zeros new_empty new_ones
    new_full diagonal any all pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle
    _reshape_alias cumsum unfold unsafe_split view_as_real view_as_complex _conj topk sort index_add
    index_add_ nonzero scatter equal is_nonzero eye tril triu normal_ uniform_ empty_strided
    new_empty_strided squeeze_ unsqueeze_ logsumexp select_scatter slice_scatter random_ randperm
    randint prod median""".split()
)


class _Costs(TorchDispatchMode):
    """Multiply-accumulates by torch's own formulas, norms and ReLUs by tensorwatch's."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0.0
        self.paused = 0
        self.unknown: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        packet = func.overloadpacket
        name = packet.__name__
        if self.paused:
            pass
        elif packet in flop_registry:
            self.total += flop_registry[packet](*args, **kwargs, out_val=output) / 2
        elif packet in _NORMS:
            self.total += args[0].numel() * (1 if args[_NORMS[packet]] is None else 2)
        elif packet in _ONES or (name.startswith("hardtanh") and tuple(args[1:]) == (0.0, 6.0)):
            self.total += args[0].numel()
        elif name in ("mv", "dot"):
            self.total += args[0].numel()
        elif name not in _FREE and torch.Tag.pointwise not in func.tags:
            self.unknown.add(name)
        return output


class _PoolCosts(TorchFunctionMode):
    """A pool costs its window an entry; one to a given size a position more a side."""

    def __init__(self, costs: _Costs) -> None:
        super().__init__()
        self.costs = costs
        self.total = 0
        self.means = 0
        self.unknown: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        pool = "pool" in name
        self.costs.paused += pool
        output = func(*args, **kwargs)
        self.costs.paused -= pool
        source = args[0] if args else kwargs.get("input")
        result = output[0] if isinstance(output, tuple) else output
        if pool and name.startswith("adaptive"):
            sides = zip(source.shape[2:], result.shape[2:], strict=True)
            self.total += result.numel() * math.prod(a // b + 1 for a, b in sides)
        elif pool and name.startswith(("avg_pool", "max_pool")):
            kernel = args[1] if len(args) > 1 else kwargs["kernel_size"]
            sides = [kernel] if isinstance(kernel, int) else list(kernel)
            sides = sides * (source.dim() - 2) if len(sides) == 1 else sides
            self.total += result.numel() * math.prod(sides)
        elif pool:
            self.unknown.add(name)
        elif name == "mean" and source.dim() == 4:
            if source.numel() == result.numel() * source[0, 0].numel():
                self.means += result.numel() * math.prod(side + 1 for side in source.shape[2:])
        return output


def flops(judge: Judge) -> list[float]:
    """Millions of multiply-accumulates of one image, and what norms, ReLUs and pools add.

    A mean over positions is nothing by one reading, and a pool by another.
    """
    module = judge.fresh()
    with torch.no_grad(), _Costs() as costs, _PoolCosts(costs) as pools:
        run(module, judge.images[:2])
    unknown = costs.unknown | pools.unknown
    if unknown:
        raise Unknown(f"the cost of {', '.join(sorted(unknown))}")
    total = (costs.total + pools.total) / 2
    return [total / 1e6, (total + pools.means / 2) / 1e6]


PROXIES: Mapping[str, Callable[[Judge], Any]] = {
    function.__name__: function
    for function in (
        epe_nas, fisher, flops, grad_norm, grasp, jacov, l2_norm, nwot, params, plain, snip,
        synflow, zen, az_expressivity, az_progressivity, az_trainability, epsilon, epsilon_defined,
        gradsign, linear_regions, logsynflow, meco, ntk, swap, swap_reg, synflow_norm, vkdnw, zico,
    )
} | {"naswot": nwot}  # fmt: skip
