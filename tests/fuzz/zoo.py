"""The networks that every proxy is tried on: small, of many kinds, each with fixed weights.

They take 3 x 16 x 16 images to 4 logits, are made by `Entry.make`, the same each time, and most are
a stem, one part of the kind, and a head. The libraries' models stand in `libraries.py`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from proxies.small import Function, Gate, Lines, Net, Residual, Unused, made
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize, prune
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

Make = Callable[[], nn.Module]
CLASSES = 4


@dataclass(frozen=True)
class Entry:
    """One network of the zoo."""

    family: str
    name: str
    build: Make
    plainly: Make | None = None
    """Builds the same function without what hides it (scripts, wrappers), for the reference."""

    def make(self) -> nn.Module:
        """The network, in float64."""
        return made(self.build)

    def plain(self) -> nn.Module:
        """The same, for the reference."""
        return made(self.plainly or self.build)


def entries(family: str, builds: Mapping[str, Make | tuple[Make, Make]]) -> list[Entry]:
    """The entries of a family, by name: what builds each, or that and what builds it plainly."""
    pairs = {name: b if isinstance(b, tuple) else (b, None) for name, b in builds.items()}
    return [Entry(family, name, *pair) for name, pair in pairs.items()]


def net(between: Make, **options: Any) -> Make:
    """A stem, a part, a head."""
    return lambda: Net(between(), **options)


def stepped(*makes: Make) -> Make:
    """A stem, several parts one after the other, a head."""
    return lambda: Net(nn.Sequential(*(make() for make in makes)))


def of(function: Callable[[Tensor], Tensor]) -> Make:
    """A stem, a function, a convolution, a head."""
    return stepped(lambda: Function(function), conv)


def activated(make: Make) -> Make:
    """A network whose every activation is of one kind."""

    def build() -> nn.Module:
        module = Net(nn.Sequential(conv(), nn.BatchNorm2d(8), make(), conv()))
        module.relu = make()
        return module

    return build


def normed(make: Make) -> Make:
    """A network with one other norm between convolutions."""
    return stepped(conv, make, nn.ReLU, conv)


def conv(**options: Any) -> nn.Conv2d:
    return nn.Conv2d(8, 8, **{"kernel_size": 3, "padding": 1, "bias": False, **options})


def mlp() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(768, 12), nn.ReLU(), nn.Linear(12, CLASSES))


class Of(nn.Module):
    """Parts by name, and a function of them and the images."""

    def __init__(self, function: Callable[[Any, Tensor], Any], **parts: Any) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def part(function: Callable[[Any, Tensor], Any], **makes: Callable[[], Any]) -> Make:
    """A stem, a part made of parts and a function, a head."""
    return net(lambda: alone(function, **makes)())


def alone(function: Callable[[Any, Tensor], Any], **makes: Callable[[], Any]) -> Make:
    """A network made of parts and a function."""
    return lambda: Of(function, **{name: make() for name, make in makes.items()})


def parameter(*shape: int) -> Callable[[], nn.Parameter]:
    return lambda: nn.Parameter(torch.randn(shape) / math.sqrt(shape[-1]))


def linear(i: int = 8, o: int = 8, **options: Any) -> Callable[[], nn.Linear]:
    return lambda: nn.Linear(i, o, **options)


# Layers and how they are put together.


def frozen() -> nn.Module:
    module = Net(nn.Sequential(conv(), nn.ReLU(), conv()))
    module.stem.requires_grad_(False)
    module.between[0].requires_grad_(False)
    return module


def twice() -> nn.Module:
    layer = nn.Sequential(conv(), nn.BatchNorm2d(8), nn.ReLU())
    return Net(nn.Sequential(layer, nn.MaxPool2d(2), layer))


def listed(module: Any, x: Tensor) -> Tensor:
    return sum(branch(x) for branch in module.branches)


PLAIN = entries(
    "layers",
    {
        "stem and head": Net,
        "two convolutions": stepped(conv, lambda: nn.BatchNorm2d(8), nn.ReLU, conv),
        "residual in place": net(lambda: Residual(conv(), nn.BatchNorm2d(8), nn.ReLU())),
        "no batch norm": lambda: nn.Sequential(
            *(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES)),
        ),
        "perceptron": mlp,
        "linear alone": lambda: nn.Sequential(nn.Flatten(), nn.Linear(768, CLASSES)),
        "no layers": lambda: nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        "scales alone": alone(lambda m, x: x.mean((2, 3)) * m.scale, scale=parameter(3)),
        "frozen weights": frozen,
        "unused layers": net(Unused),
        "branches": part(listed, branches=lambda: nn.ModuleList([conv(), conv(dilation=2, padding=2)])),
        "concatenated": part(
            lambda m, x: m.c(torch.cat([m.a(x), m.b(x)], 1)),
            a=conv, b=conv, c=lambda: nn.Conv2d(16, 8, 1),
        ),
        "dense sum of all": part(lambda m, x: x + m.a(x) + m.b(m.a(x) + x), a=conv, b=conv),
        "global maximum": lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES)
        ),
        "convolution for head": lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, CLASSES, 1), nn.Flatten()
        ),
        "head before pooling": lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, CLASSES, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        ),
        "gated by a parameter": stepped(Gate, conv),
        "broken": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(5, CLASSES)),
        "weights of zero": lambda: zeroed(Net(conv())),
        "dead ReLU": of(lambda x: torch.relu(x - 100)),
    },
)  # fmt: skip


def zeroed(module: nn.Module) -> nn.Module:
    nn.init.zeros_(module.between.weight)
    return module


CONVOLUTIONS = entries(
    "convolutions",
    {
        "depthwise": stepped(partial(conv, groups=8), nn.ReLU, partial(conv, kernel_size=1, padding=0)),
        "grouped": net(partial(conv, groups=4)),
        "depthwise of two": stepped(
            lambda: nn.Conv2d(8, 16, 3, groups=8), lambda: nn.Conv2d(16, 8, 1)
        ),
        "dilated": net(partial(conv, dilation=2)),
        "strided": net(partial(conv, stride=2, padding=(0, 2))),
        "one by five": net(partial(conv, kernel_size=(1, 5), padding=(0, 2), stride=(1, 3))),
        "same padding": net(partial(conv, padding="same", kernel_size=4)),
        "reflected": net(partial(conv, padding_mode="reflect")),
        "circular": net(partial(conv, padding_mode="circular")),
        "of lines": net(Lines),
        "of volumes": part(lambda m, x: m.c(x[:, None])[:, 0], c=lambda: nn.Conv3d(1, 1, 3, padding=1)),
        "transposed": net(lambda: nn.ConvTranspose2d(8, 8, 4, 2, 1)),
        "functional, bare": part(
            lambda m, x: functional.conv2d(x, m.kernel, padding=1), kernel=parameter(8, 8, 3, 3)
        ),
        "functional, of a module": part(
            lambda m, x: functional.conv2d(x, m.c.weight, stride=2), c=conv
        ),
        "unfolded": part(
            lambda m, x: m.l(functional.unfold(x, 3).mT).mT.unflatten(2, (14, 14)), l=linear(72, 8)
        ),
        "shuffled pixels": stepped(
            lambda: nn.Conv2d(8, 32, 1), lambda: nn.PixelShuffle(2), lambda: nn.PixelUnshuffle(2),
            lambda: nn.Conv2d(32, 8, 1),
        ),
        "upsampled": stepped(conv, lambda: nn.Upsample(scale_factor=2), conv),
        "upsampled bilinear": stepped(
            conv, lambda: nn.Upsample(scale_factor=2, mode="bilinear"), conv
        ),
        "fixed blur": part(
            lambda m, x: m.c(functional.conv2d(x, m.blur, groups=8, padding=1)),
            blur=lambda: nn.Buffer(torch.full((8, 1, 3, 3), 1 / 9)), c=conv,
        ),
        "low rank": part(
            lambda m, x: functional.conv2d(x, (m.a @ m.b).view(8, 8, 1, 1)),
            a=parameter(8, 2), b=parameter(2, 8),
        ),
        "weights from images": part(
            lambda m, x: x * m.l(x.mean((2, 3)))[:, :, None, None] + functional.conv2d(
                x.flatten(0, 1)[None], m.l(x.mean((2, 3))).reshape(-1, 1, 1, 1),
                groups=8 * len(x),
            ).view_as(x),
            l=linear(),
        ),
        "average pools": stepped(
            conv, lambda: nn.AvgPool2d(3, 1, 1), nn.ReLU, conv, lambda: nn.AvgPool2d(2, ceil_mode=True)
        ),
        "maximum pools": stepped(conv, lambda: nn.MaxPool2d(3, 2, 1), nn.ReLU, conv),
    },
)  # fmt: skip

ACTIVATIONS = entries(
    "activations",
    {
        **{
            kind.__name__: activated(kind)
            for kind in (
                nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.GELU, nn.SiLU, nn.Hardswish, nn.ELU, nn.Mish,
                nn.Hardtanh, nn.Softplus, nn.Tanh, nn.Sigmoid, nn.SELU, nn.Softsign, nn.LogSigmoid,
            )
        },
        "PReLU by channel": activated(lambda: nn.PReLU(8)),
        "ReLU in place": activated(lambda: nn.ReLU(inplace=True)),
        "none": activated(nn.Identity),
        "clamped at 0": of(lambda x: x.clamp(min=0)),
        "maximum with 0": (of(lambda x: torch.maximum(x, x.new_zeros(()))), of(torch.relu)),
        "by a mask": (of(lambda x: x * (x > 0)), of(torch.relu)),
        "by a mask of what is detached": (of(lambda x: x * (x.detach() > 0)), of(torch.relu)),
        "by where": (
            of(lambda x: torch.where(x > 0, x, 0.1 * x)),
            of(lambda x: functional.leaky_relu(x, 0.1)),
        ),
        "threshold": of(lambda x: functional.threshold(x, 0.2, 0.0)),
        "half of the absolute": (of(lambda x: (x + x.abs()) / 2), of(torch.relu)),
        "threshold at 0": of(lambda x: functional.threshold(x, 0.0, 0.0)),
        "both signs": stepped(
            lambda: Function(lambda x: torch.cat([x.relu(), (-x).relu()], 1)),
            lambda: nn.Conv2d(16, 8, 1),
        ),
        "maxout": stepped(
            lambda: nn.Conv2d(8, 16, 1), lambda: Function(lambda x: torch.max(*x.chunk(2, 1))), conv
        ),
        "gated": stepped(lambda: nn.Conv2d(8, 16, 1), lambda: nn.GLU(1), conv),
        "squared": of(lambda x: x.relu() ** 2),
        "shared by two": part(lambda m, x: m.a(x.relu()) + m.b(x.relu()), a=conv, b=conv),
        "softmax of channels": of(lambda x: x.softmax(1)),
        "sorted": of(lambda x: x.sort(1).values),
        "Fourier": of(lambda x: torch.fft.fft2(x).abs()),
    },
)  # fmt: skip


class Standardised(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return functional.conv2d(x, weight / weight.std((1, 2, 3), keepdim=True), padding=1)


class OwnNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(8) * 2), nn.Parameter(torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, (0, 2, 3), keepdim=True, correction=0)
        y = (x - mean) * (variance + 1e-5).rsqrt()
        return y * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


def scaled_norm() -> nn.Module:
    norm = OwnNorm()
    plain = Of(lambda m, x: functional.batch_norm(x, None, None, m.weight, m.bias, training=True))
    plain.weight, plain.bias = norm.weight, norm.bias
    return plain


class FrozenNorm(nn.BatchNorm2d):
    def train(self, mode: bool = True) -> FrozenNorm:
        return super().train(False)


NORMS = entries(
    "norms",
    {
        "group": normed(lambda: nn.GroupNorm(2, 8)),
        "group of one": normed(lambda: nn.GroupNorm(1, 8)),
        "instance": normed(lambda: nn.InstanceNorm2d(8)),
        "instance, learnt and recorded": normed(
            lambda: nn.InstanceNorm2d(8, affine=True, track_running_stats=True)
        ),
        "layer of maps": normed(lambda: nn.LayerNorm([8, 16, 16])),
        "layer of channels last": stepped(
            conv, lambda: Of(lambda m, x: m.n(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), n=nn.LayerNorm(8)),
            nn.ReLU, conv,
        ),
        "root mean square": normed(lambda: nn.RMSNorm([8, 16, 16])),
        "local response": normed(lambda: nn.LocalResponseNorm(2)),
        "batch without scale": normed(lambda: nn.BatchNorm2d(8, affine=False)),
        "batch without record": normed(lambda: nn.BatchNorm2d(8, track_running_stats=False)),
        "batch of mean record": normed(lambda: nn.BatchNorm2d(8, momentum=None)),
        "batch of another eps": normed(lambda: nn.BatchNorm2d(8, eps=0.1)),
        "batch, frozen": normed(lambda: FrozenNorm(8)),
        "batch, synchronised": normed(lambda: nn.SyncBatchNorm(8)),
        "batch, functional": normed(lambda: Function(lambda x: functional.batch_norm(x, None, None, training=True))),
        "batch, written out": (normed(OwnNorm), normed(scaled_norm)),
        "batch of vectors": lambda: nn.Sequential(
            *(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            *(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, CLASSES)),
        ),
        "batch before the stem": lambda: nn.Sequential(nn.BatchNorm2d(3), Net(conv())),
        "batch used twice": lambda: Net(Of(lambda m, x: m.n(m.c(m.n(x))), n=nn.BatchNorm2d(8), c=conv())),
        "standardised weights": net(lambda: Standardised(8, 8, 3, bias=False)),
        "normalised features": of(lambda x: functional.normalize(x, dim=1)),
    },
)  # fmt: skip


class Scaled(nn.Module):
    """A parametrization of one's own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.scale.tanh()


def parametrized(module: nn.Module, *steps: nn.Module, name: str = "weight") -> nn.Module:
    for step in steps:
        parametrize.register_parametrization(module, name, step)
    return module


def pruned_globally() -> nn.Module:
    module = Net(nn.Sequential(conv(), nn.ReLU(), conv()))
    pairs = [(part, "weight") for part in module.modules() if isinstance(part, nn.Conv2d)]
    prune.global_unstructured(pairs, prune.L1Unstructured, amount=0.4)
    return module


COMPUTED_WEIGHTS = entries(
    "computed weights",
    {
        "mask of ones": net(lambda: prune.identity(conv(), "weight")),
        "pruned": net(lambda: prune.random_unstructured(conv(), "weight", 0.5)),
        "pruned channels": net(lambda: prune.ln_structured(conv(), "weight", 0.25, n=2, dim=0)),
        "pruned globally": pruned_globally,
        "pruned bias": net(lambda: prune.random_unstructured(conv(bias=True), "bias", 0.5)),
        "weight norm": net(lambda: parametrizations.weight_norm(conv())),
        "weight norm by a hook": net(lambda: nn.utils.weight_norm(conv())),
        "spectral norm": net(lambda: parametrizations.spectral_norm(conv())),
        "spectral norm by a hook": net(lambda: nn.utils.spectral_norm(conv())),
        "orthogonal": net(lambda: parametrizations.orthogonal(conv(kernel_size=1, padding=0))),
        "scaled": net(lambda: parametrized(conv(), Scaled())),
        "two in a row": net(lambda: parametrized(conv(), Scaled(), Scaled())),
        "sliced": part(
            lambda m, x: functional.linear(x.permute(0, 2, 3, 1), m.l.weight[:8]).permute(0, 3, 1, 2),
            l=linear(8, 12),
        ),
        "binarised, straight through": part(
            lambda m, x: functional.conv2d(
                x, m.c.weight + (m.c.weight.sign() - m.c.weight).detach(), padding=1
            ),
            c=conv,
        ),
        "weight as an attribute": net(lambda: attribute(conv())),
    },
)  # fmt: skip


def attribute(layer: nn.Module) -> nn.Module:
    """The weight is a plain tensor, computed once and for all."""
    weight = layer.weight.detach() * 2
    del layer.weight
    layer.weight = weight.double()
    return layer


def tied_head() -> nn.Module:
    module = nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        *(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, CLASSES)),
    )
    module[6].weight = module[4].weight
    return module


def tied_convolutions() -> nn.Module:
    module = Net(nn.Sequential(conv(), nn.BatchNorm2d(8), nn.ReLU(), conv()))
    module.between[3].weight = module.between[0].weight
    return module


class TiedLevels(nn.Module):
    """An embedding of levels whose weight is the head's."""

    def __init__(self, used: bool) -> None:
        super().__init__()
        self.levels = nn.Embedding(CLASSES, 8)
        self.stem, self.norm, self.head = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, CLASSES)
        self.head.weight = self.levels.weight
        self.used = used

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm(self.stem(x))).mean((2, 3))
        if self.used:
            y = y + self.levels((x.mean((1, 2, 3)) > 0).long())
        return self.head(y)


TIED = entries(
    "tied",
    {
        "two linear layers": tied_head,
        "two convolutions": tied_convolutions,
        "a part used twice": twice,
        "transposed": part(
            lambda m, x: functional.linear(m.l(x.mT).relu(), m.l.weight.mT).mT, l=linear(16, 8)
        ),
        "an embedding, unused": lambda: TiedLevels(False),
        "an embedding, used": lambda: TiedLevels(True),
        "shared by wrappers": lambda: (lambda core: Net(nn.Sequential(core, nn.Sequential(core))))(conv()),
        "shared norm": lambda: (
            lambda norm: Net(nn.Sequential(conv(), norm, nn.ReLU(), conv(), norm))
        )(nn.BatchNorm2d(8)),
    },
)  # fmt: skip


def hooked(scale: float) -> nn.Module:
    module = Net(conv())
    module.between.register_forward_hook(lambda _, __, output: output * scale)
    module.between.register_forward_pre_hook(lambda _, args: (args[0] + 0.1,))
    return module


def backward_hooked() -> nn.Module:
    module = Net(conv())
    module.between.register_full_backward_hook(lambda _, g, __: tuple(2 * each for each in g))
    return module


class Called(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Net(conv())

    def __call__(self, x: Tensor) -> Any:
        return self.inner(x)


class Hidden(nn.Module):
    """The network is no part: a list holds it."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [Net(conv()).double()]

    def forward(self, x: Tensor) -> Any:
        return self.parts[0](x)


WRAPPED = entries(
    "wrapped",
    {
        "chains of chains": lambda: nn.Sequential(nn.Sequential(nn.Sequential(Net(conv())))),
        "DataParallel": lambda: nn.DataParallel(Net(conv())),
        "by a module": alone(lambda m, x: m.module(x), module=net(conv)),
        "averaged": lambda: torch.optim.swa_utils.AveragedModel(Net(conv())),
        "compiled": (lambda: torch.compile(Net(conv())), net(conv)),
        "traced by fx": lambda: torch.fx.symbolic_trace(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES))),
        "normalised images": alone(
            lambda m, x: m.net((x - m.mean) / m.mean), net=net(conv),
            mean=lambda: nn.Buffer(torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)),
        ),
        "ensemble": alone(lambda m, x: (m.a(x) + m.b(x)) / 2, a=net(conv), b=mlp),
        "hooks": lambda: hooked(3.0),
        "backward hooks": backward_hooked,
        "call overridden": Called,
        "hidden in a list": Hidden,
        "by a parameter": alone(lambda m, x: m.net(x) / m.t, net=net(conv), t=parameter(1)),
        "no gradient inside": part(lambda m, x: m.a(x) + m.b(x).detach(), a=conv, b=conv),
        "no_grad inside": part(lambda m, x: no_grad(m.b, m.a(x)), a=conv, b=conv),
    },
)  # fmt: skip


def no_grad(layer: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        y = layer(x)
    return x + y


@dataclass
class Answer:
    logits: Tensor
    features: Tensor


OUTPUTS = entries(
    "outputs",
    {
        "logits and a loss": lambda: Net(conv(), after=lambda l, f: (l.sum(), l)),
        "logits and features": lambda: Net(conv(), after=lambda l, f: (l, f)),
        "by name": lambda: Net(conv(), after=lambda l, f: {"features": f, "logits": l}),
        "an object": lambda: Net(conv(), after=lambda l, f: Answer(l, f)),
        "a list of one": lambda: Net(conv(), after=lambda l, f: [l]),
        "maps of one pixel": lambda: Net(conv(), after=lambda l, f: l[:, :, None, None]),
        "maps": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, CLASSES, 1)),
        "probabilities": lambda: Net(conv(), after=lambda l, f: l.softmax(1)),
        "logarithms": lambda: Net(conv(), after=lambda l, f: l.log_softmax(1)),
        "one logit": lambda: Net(conv(), after=lambda l, f: l[:, :1]),
        "transposed": lambda: Net(conv(), after=lambda l, f: l.T),
        "nothing": lambda: Net(conv(), after=lambda l, f: None),
        "integers": lambda: Net(conv(), after=lambda l, f: l.argmax(1, keepdim=True)),
        "auxiliary in training": lambda: Net(conv(), after=lambda l, f: (l, l * 2)),
    },
)  # fmt: skip

# Tokens and gates.


class Tokens(nn.Module):
    """Patches, an embedding of places, something done to `n x 16 x 8`, the mean and a head."""

    def __init__(self, inner: nn.Module, *, places: bool = False, first: bool = False) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 4, 4)
        self.inner = inner
        self.head = nn.Linear(8, CLASSES)
        self.places = nn.Parameter(torch.randn(1, 16, 8)) if places else None
        self.first = first
        """Whether tokens stand before images in what the inner part is given."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).mT
        x = x if self.places is None else x + self.places
        y = self.inner(x.transpose(0, 1) if self.first else x)
        return self.head(y.mean(0 if self.first else 1))


def tokens(function: Callable[[Any, Tensor], Tensor], *, first: bool = False, **makes: Any) -> Make:
    return lambda: Tokens(alone(function, **makes)(), first=first)


def attended(m: Any, x: Tensor) -> Tensor:
    q, k, v = (each.unflatten(2, (2, 4)).transpose(1, 2) for each in m.qkv(x).chunk(3, 2))
    weights = (q @ k.mT / 2).softmax(-1)
    return m.out((weights @ v).transpose(1, 2).flatten(2)) + x


def fused(m: Any, x: Tensor) -> Tensor:
    q, k, v = (each.unflatten(2, (2, 4)).transpose(1, 2) for each in m.qkv(x).chunk(3, 2))
    return m.out(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)) + x


def windowed(m: Any, x: Tensor) -> Tensor:
    """Four windows of four tokens, in the place of images."""
    y = x.unflatten(1, (4, 4)).flatten(0, 1)
    return attended(m, y).unflatten(0, (len(x), 4)).flatten(1, 2)


def windows_first(m: Any, x: Tensor) -> Tensor:
    """The same, windows before images."""
    y = x.unflatten(1, (4, 4)).transpose(0, 1).flatten(0, 1)
    return attended(m, y).unflatten(0, (4, len(x))).transpose(0, 1).flatten(1, 2)


def layer(**options: Any) -> Callable[[], nn.Module]:
    given = {"dropout": 0.0, "batch_first": True, **options}
    return lambda: nn.TransformerEncoderLayer(8, 2, 16, **given)


def heads(**options: Any) -> Callable[[], nn.Module]:
    return lambda: nn.MultiheadAttention(8, 2, **{"batch_first": True, **options})


def bert() -> nn.Module:
    """Levels of the patches' means are words."""
    return alone(
        lambda m, x: m.head(
            m.encoder(
                m.norm(
                    m.words((functional.avg_pool2d(x, 4).flatten(1) * 4).long().clamp(-8, 7) + 8)
                    + m.places
                )
            )[:, 0].tanh()
        ),
        words=lambda: nn.Embedding(16, 8), places=parameter(48, 8), norm=lambda: nn.LayerNorm(8),
        encoder=lambda: nn.TransformerEncoder(layer()(), 2), head=linear(8, CLASSES),
    )()  # fmt: skip


def classed(m: Any, x: Tensor) -> Tensor:
    y = torch.cat([m.token.expand(len(x), 1, 8), x], 1)
    return m.layer(y)[:, :1]


ATTENTION = entries(
    "attention and tokens",
    {
        "heads": tokens(lambda m, x: m.a(x, x, x)[0] + x, a=heads()),
        "heads, weights unused": tokens(lambda m, x: m.a(x, x, x, need_weights=False)[0], a=heads()),
        "heads, tokens first": tokens(lambda m, x: m.a(x, x, x)[0], first=True, a=heads(batch_first=False)),
        "heads, other keys": tokens(
            lambda m, x: m.a(x, m.k(x), m.v(x))[0], a=heads(kdim=6, vdim=4), k=linear(8, 6), v=linear(8, 4)
        ),
        "heads, extra keys": tokens(lambda m, x: m.a(x, x, x)[0], a=heads(add_bias_kv=True, add_zero_attn=True)),
        "encoder layer": lambda: Tokens(layer()()),
        "encoder layer, norm first": lambda: Tokens(layer(norm_first=True, activation="gelu")()),
        "encoder layer, tokens first": lambda: Tokens(layer(batch_first=False)(), first=True),
        "encoder": lambda: Tokens(nn.TransformerEncoder(layer()(), 2), places=True),
        "decoder layer": tokens(
            lambda m, x: m.d(x, x.flip(1)),
            d=lambda: nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0, batch_first=True),
        ),
        "class token": tokens(classed, layer=layer(), token=parameter(1, 1, 8)),
        "words of a tiny BERT": bert,
        "written out": tokens(attended, qkv=linear(8, 24), out=linear()),
        "fused kernel": tokens(fused, qkv=linear(8, 24), out=linear()),
        "written out, tokens first": tokens(
            lambda m, x: m.out((m.v(x).transpose(0, 1))).transpose(0, 1).relu(), first=True, v=linear(), out=linear()
        ),
        "windows": tokens(windowed, qkv=linear(8, 24), out=linear()),
        "windows first": tokens(windows_first, qkv=linear(8, 24), out=linear()),
        "by einsum": tokens(
            lambda m, x: torch.einsum("nij,njc->nic", torch.einsum("nic,njc->nij", m.q(x), m.k(x)).softmax(-1), m.v(x)),
            q=linear(), k=linear(), v=linear(),
        ),
        "mixer": tokens(
            lambda m, x: m.c(functional.gelu(m.t(x.mT).mT + x)), t=linear(16, 16), c=linear()
        ),
        "convolutions over tokens": tokens(
            lambda m, x: m.c(x.mT).mT.relu(), c=lambda: nn.Conv1d(8, 8, 3, padding=1)
        ),
        "channels last": tokens(lambda m, x: m.b(m.a(x).relu()), a=linear(), b=linear()),
        "batched linears": tokens(
            lambda m, x: torch.bmm(x.reshape(-1, 2, 4).transpose(0, 1), m.w).transpose(0, 1).reshape(x.shape),
            w=parameter(2, 4, 4),
        ),
        "experts": tokens(
            lambda m, x: torch.einsum("ntc,eco,nte->nto", x, m.w, m.gate(x).softmax(-1)), w=parameter(3, 8, 8), gate=linear(8, 3)
        ),
        "experts, chosen": tokens(
            lambda m, x: sum((m.gate(x).argmax(-1, keepdim=True) == i) * e(x) for i, e in enumerate(m.experts)),
            gate=linear(8, 2), experts=lambda: nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)]),
        ),
        "chunks": tokens(lambda m, x: torch.cat([m.l(each) for each in x.chunk(4, 1)], 1), l=linear()),
    },
)  # fmt: skip


def loop(m: Any, x: Tensor) -> Tensor:
    state = x.new_zeros(len(x), 8)
    states = []
    for step in x.unbind(1):
        state = torch.tanh(m.i(step) + m.h(state))
        states.append(state)
    return torch.stack(states, 1)


RECURRENT = entries(
    "recurrent",
    {
        **{
            kind.__name__: tokens(lambda m, x: m.r(x)[0], r=partial(kind, 8, 8, batch_first=True))
            for kind in (nn.RNN, nn.LSTM, nn.GRU)
        },
        "RNN of ReLUs": tokens(lambda m, x: m.r(x)[0], r=partial(nn.RNN, 8, 8, nonlinearity="relu", batch_first=True)),
        "both ways, two layers": tokens(lambda m, x: m.r(x)[0], r=partial(nn.GRU, 8, 4, num_layers=2, bidirectional=True, batch_first=True)),
        "cell": tokens(lambda m, x: m.c(x[:, 0], x[:, 1])[:, None], c=partial(nn.GRUCell, 8, 8)),
        "written out": tokens(loop, i=linear(), h=linear(bias=False)),
        "convolutional": part(lambda m, x: m.c(m.c(m.c(x).relu()).relu()), c=conv),
    },
)  # fmt: skip


class Squeeze(nn.Module):
    def __init__(self, *, module: bool) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1) if module else Function(lambda x: x.mean((2, 3), keepdim=True))
        self.a, self.b = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.b(self.a(self.pool(x)).relu()).sigmoid()


def non_local(m: Any, x: Tensor) -> Tensor:
    flat = m.a(x).flatten(2)
    return x + ((flat.mT @ flat).softmax(-1) @ m.b(x).flatten(2).mT).mT.view_as(x)


GATES = entries(
    "gates",
    {
        "squeeze and excite": net(lambda: Squeeze(module=True)),
        "squeeze by a mean": net(lambda: Squeeze(module=False)),
        "squeeze, head of positions": lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3, 2), Squeeze(module=True), nn.Flatten(), nn.Linear(8 * 49, CLASSES)
        ),
        "efficient channels": part(
            lambda m, x: x * m.c(x.mean((2, 3))[:, None])[:, 0, :, None, None].sigmoid(),
            c=lambda: nn.Conv1d(1, 1, 3, padding=1),
        ),
        "of positions": part(
            lambda m, x: x * m.c(torch.cat([x.mean(1, True), x.amax(1, True)], 1)).sigmoid(),
            c=lambda: nn.Conv2d(2, 1, 3, padding=1),
        ),
        "non-local": part(non_local, a=conv, b=conv),
        "across the batch": part(lambda m, x: m.c(x - x.mean(0, keepdim=True)), c=conv),
        "across the batch, detached": part(
            lambda m, x: m.c(x) + (x.detach() - x.detach().mean(0)), c=conv
        ),
        "two poolings": alone(
            lambda m, x: m.head(torch.cat([m.a(x).mean((2, 3)), m.a(x).amax((2, 3))], 1)),
            a=lambda: nn.Conv2d(3, 8, 3), head=linear(16, CLASSES),
        ),
    },
)  # fmt: skip

# What draws, branches, keeps state, recomputes or hides.


def dropped(m: Any, x: Tensor) -> Tensor:
    return x + m.c(x) * (random.random() < 0.5)


def drop_path(m: Any, x: Tensor) -> Tensor:
    return x + m.c(x) * (torch.rand(len(x), 1, 1, 1) < 0.7)


DRAWS = entries(
    "draws",
    {
        "dropout": stepped(conv, lambda: nn.Dropout(0.3), conv),
        "dropout of channels": stepped(conv, lambda: nn.Dropout2d(0.3), conv),
        "dropout of vectors": lambda: nn.Sequential(
            nn.Flatten(), nn.Linear(768, 12), nn.ReLU(), nn.Dropout(0.5), nn.Linear(12, CLASSES)
        ),
        "paths by Python": part(dropped, c=conv),
        "paths by torch": part(drop_path, c=conv),
        "noise": of(lambda x: x + 0.1 * torch.randn_like(x)),
        "noise by numpy": of(lambda x: x * float(1 + np.random.rand())),  # noqa: NPY002
        "slopes": activated(nn.RReLU),
        "attention dropout": tokens(lambda m, x: m.a(x, x, x)[0], a=heads(dropout=0.2)),
        "encoder layer": lambda: Tokens(layer(dropout=0.1)()),
        "shuffled images": part(lambda m, x: m.c(x[torch.randperm(len(x))]), c=conv),
    },
)  # fmt: skip


class Counted(nn.Module):
    """Its output depends on how often it was called, by a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = conv()
        self.calls = nn.Buffer(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.conv(x) * (1 + self.calls)


class Remembering(nn.Module):
    """The same, by a buffer that is put anew and not written to."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = conv()
        self.mean = nn.Buffer(torch.zeros(8, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x - self.mean)
        self.mean = 0.5 * self.mean + 0.5 * x.mean((0, 2, 3)).detach()[:, None, None]
        return y


BRANCHES = entries(
    "branches and state",
    {
        "by the number of images": part(lambda m, x: m.a(x) if len(x) > 8 else m.b(x), a=conv, b=conv),
        "by a few images": part(lambda m, x: m.a(x) if len(x) > 2 else m.b(x), a=conv, b=conv),
        "a fixed number of images": part(lambda m, x: m.c(x.view(16, 8, *x.shape[2:])), c=conv),
        "by training": part(lambda m, x: m.a(x) if m.training else m.b(x), a=conv, b=conv),
        "by gradients": part(lambda m, x: m.a(x) if torch.is_grad_enabled() else m.b(x), a=conv, b=conv),
        "by values": part(lambda m, x: m.a(x) if x.mean() > 0 else m.b(x), a=conv, b=conv),
        "by size": part(lambda m, x: m.a(x) if x.shape[-1] > 8 else x, a=conv),
        "by images alone": part(lambda m, x: torch.cat([m.c(each[None]) for each in x]), c=conv),
        "counter": net(Counted),
        "running mean": net(Remembering),
        "lazy": net(lambda: nn.LazyConv2d(8, 3)),
    },
)  # fmt: skip


class Checkpointed(nn.Module):
    def __init__(self, inner: nn.Module, *, reentrant: bool, saved: bool = True) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, CLASSES)
        self.inner, self.reentrant, self.saved = inner, reentrant, saved

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = checkpoint(self.inner, x, use_reentrant=self.reentrant) if self.saved else self.inner(x)
        return self.head(y.mean((2, 3)))


def checkpointed(inner: Make, *, reentrant: bool) -> tuple[Make, Make]:
    return (
        lambda: Checkpointed(inner(), reentrant=reentrant),
        lambda: Checkpointed(inner(), reentrant=reentrant, saved=False),
    )


def block() -> nn.Module:
    return nn.Sequential(conv(), nn.BatchNorm2d(8), nn.ReLU(), conv())


CHECKPOINTS = entries(
    "checkpoints",
    {
        "no norm": checkpointed(lambda: nn.Sequential(conv(), nn.ReLU(), conv()), reentrant=False),
        "batch norm": checkpointed(block, reentrant=False),
        "reentrant": checkpointed(block, reentrant=True),
        "of a sequence": (
            part(lambda m, x: checkpoint_sequential(m.b, 2, x, use_reentrant=False), b=block),
            part(lambda m, x: m.b(x), b=block),
        ),
        "of attention": (
            tokens(lambda m, x: checkpoint(m.l, x, use_reentrant=False), l=layer()),
            tokens(lambda m, x: m.l(x), l=layer()),
        ),
        "with dropout": checkpointed(
            lambda: nn.Sequential(conv(), nn.Dropout(0.3), conv()), reentrant=False
        ),
    },
)  # fmt: skip


class Rectifier(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, back: Tensor) -> Tensor:
        return back * (ctx.saved_tensors[0] > 0)


class Masked(Rectifier):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * (x > 0)


class Centred(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x - x.mean(0, keepdim=True)

    @staticmethod
    def backward(ctx: Any, back: Tensor) -> Tensor:
        return back - back.mean(0, keepdim=True)


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return torch.einsum("nchw,oc->nohw", x, weight)

    @staticmethod
    def backward(ctx: Any, back: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        return torch.einsum("nohw,oc->nchw", back, weight), torch.einsum("nohw,nchw->oc", back, x)


class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, back: Tensor) -> Tensor:
        return -back


@torch.jit.script
def scripted_relu(x: Tensor) -> Tensor:
    return torch.relu(x)


def scripted(make: Make) -> tuple[Make, Make]:
    return lambda: torch.jit.script(make().double()), make


HIDDEN = entries(
    "hidden operations",
    {
        "own ReLU": of(Rectifier.apply),
        "own product": part(lambda m, x: Product.apply(x, m.l.weight), l=linear()),
        "own product, bare": part(lambda m, x: Product.apply(x, m.w), w=parameter(8, 8)),
        "gradient reversed": of(Reversed.apply),
        "own ReLU by a mask": (of(Masked.apply), of(torch.relu)),
        "own centring of images": of(Centred.apply),
        "scripted": scripted(lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES))),
        "scripted part": (net(lambda: torch.jit.script(nn.Sequential(conv(), nn.ReLU()).double())), net(lambda: nn.Sequential(conv(), nn.ReLU()))),
        "traced": (
            lambda: torch.jit.trace(made(lambda: Net(conv())), torch.randn(2, 3, 16, 16).double(), check_trace=False),
            net(conv),
        ),
        "vmapped": part(lambda m, x: torch.vmap(lambda each: m.c(each[None])[0])(x), c=conv),
        "scripted function": of(lambda x: scripted_relu(x)),
        "by numpy": (of(lambda x: x + torch.from_numpy(np.maximum(x.detach().numpy(), 0))), of(lambda x: x + x.detach().relu())),
        "functional call": part(
            lambda m, x: torch.func.functional_call(m.c, {"weight": m.c.weight * 2}, (x,)), c=conv
        ),
        "through lists": of(lambda x: torch.stack([torch.relu(each) for each in x.unbind(0)])),
        "out of place": part(lambda m, x: torch.matmul(x.permute(0, 2, 3, 1), m.l.weight.T).permute(0, 3, 1, 2), l=linear()),
        "products of images": of(lambda x: x @ x.mT),
    },
)  # fmt: skip

NUMBERS = entries(
    "numbers",
    {
        "complex weights": part(
            lambda m, x: torch.fft.ifft2(torch.fft.fft2(x) * m.w).real, w=lambda: nn.Parameter(torch.randn(8, 16, 16, dtype=torch.complex128))
        ),
        "complex convolution": part(
            lambda m, x: m.c(x.to(torch.complex128)).abs(), c=lambda: nn.Conv2d(8, 8, 3, dtype=torch.complex128)
        ),
        "cast to float32": of(lambda x: x.float().relu().double()),
        "infinite": of(lambda x: x / 0),
        "huge": of(lambda x: x * 1e30),
        "tiny": of(lambda x: x * 1e-30),
        "constant": of(lambda x: torch.ones_like(x)),
        "integers": alone(
            lambda m, x: m.head(m.e((x.flatten(1)[:, :20] > 0).long()).mean(1)), e=lambda: nn.Embedding(2, 8), head=linear(8, CLASSES)
        ),
        "embedding bag": alone(
            lambda m, x: m.head(m.e((x.flatten(1)[:, :20] > 0).long())), e=lambda: nn.EmbeddingBag(2, 8), head=linear(8, CLASSES)
        ),
        "bilinear": alone(
            lambda m, x: m.head(m.b(x.mean((2, 3)), x.amax((2, 3)))), b=lambda: nn.Bilinear(3, 3, 8), head=linear(8, CLASSES)
        ),
    },
)  # fmt: skip

OWN: tuple[Entry, ...] = tuple(
    entry
    for family in (
        PLAIN, CONVOLUTIONS, ACTIVATIONS, NORMS, COMPUTED_WEIGHTS, TIED, WRAPPED, OUTPUTS, ATTENTION,
        RECURRENT, GATES, DRAWS, BRANCHES, CHECKPOINTS, HIDDEN, NUMBERS,
    )
    for entry in family
)  # fmt: skip
