"""The networks that every proxy is tried on: small, of many kinds, each with fixed weights.

They take 3 x 16 x 16 images to 4 logits, are made by `Entry.make`, the same each time, and most are
a stem, one part of the kind, and a head. The libraries' models stand in `libraries.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from proxies.small import Function, Gate, Lines, Net, Residual, Unused, made
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize, prune

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
    return net(alone(function, **makes))


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
        "residual in place": net(lambda: Residual(conv(), nn.BatchNorm2d(8))),
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
        "branches": part(
            listed, branches=lambda: nn.ModuleList([conv(), conv(dilation=2, padding=2)])
        ),
        "concatenated": part(
            lambda m, x: m.c(torch.cat([m.a(x), m.b(x)], 1)),
            a=conv,
            b=conv,
            c=lambda: nn.Conv2d(16, 8, 1),
        ),
        "dense sum of all": part(lambda m, x: x + m.a(x) + m.b(m.a(x) + x), a=conv, b=conv),
        "global maximum": lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            nn.Linear(8, CLASSES),
        ),
        "convolution for head": lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(8, CLASSES, 1),
            nn.Flatten(),
        ),
        "head before pooling": lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3),
            nn.ReLU(),
            nn.Conv2d(8, CLASSES, 1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        ),
        "gated by a parameter": stepped(Gate, conv),
        "broken": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(5, CLASSES)),
        "weights of zero": lambda: zeroed(Net(conv())),
        "dead ReLU": of(lambda x: torch.relu(x - 100)),
    },
)


def zeroed(module: nn.Module) -> nn.Module:
    nn.init.zeros_(module.between.weight)
    return module


CONVOLUTIONS = entries(
    "convolutions",
    {
        "depthwise": stepped(
            partial(conv, groups=8), nn.ReLU, partial(conv, kernel_size=1, padding=0)
        ),
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
        "of volumes": part(
            lambda m, x: m.c(x[:, None])[:, 0], c=lambda: nn.Conv3d(1, 1, 3, padding=1)
        ),
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
            lambda: nn.Conv2d(8, 32, 1),
            lambda: nn.PixelShuffle(2),
            lambda: nn.PixelUnshuffle(2),
            lambda: nn.Conv2d(32, 8, 1),
        ),
        "upsampled": stepped(conv, lambda: nn.Upsample(scale_factor=2), conv),
        "upsampled bilinear": stepped(
            conv, lambda: nn.Upsample(scale_factor=2, mode="bilinear"), conv
        ),
        "fixed blur": part(
            lambda m, x: m.c(functional.conv2d(x, m.blur, groups=8, padding=1)),
            blur=lambda: nn.Buffer(torch.full((8, 1, 3, 3), 1 / 9)),
            c=conv,
        ),
        "low rank": part(
            lambda m, x: functional.conv2d(x, (m.a @ m.b).view(8, 8, 1, 1)),
            a=parameter(8, 2),
            b=parameter(2, 8),
        ),
        "weights from images": part(
            lambda m, x: (
                x * m.l(x.mean((2, 3)))[:, :, None, None]
                + functional.conv2d(
                    x.flatten(0, 1)[None],
                    m.l(x.mean((2, 3))).reshape(-1, 1, 1, 1),
                    groups=8 * len(x),
                ).view_as(x)
            ),
            l=linear(),
        ),
        "average pools": stepped(
            conv,
            lambda: nn.AvgPool2d(3, 1, 1),
            nn.ReLU,
            conv,
            lambda: nn.AvgPool2d(2, ceil_mode=True),
        ),
        "maximum pools": stepped(conv, lambda: nn.MaxPool2d(3, 2, 1), nn.ReLU, conv),
    },
)

ACTIVATIONS = entries(
    "activations",
    {
        **{
            kind.__name__: activated(kind)
            for kind in (
                nn.ReLU6,
                nn.LeakyReLU,
                nn.PReLU,
                nn.GELU,
                nn.SiLU,
                nn.Hardswish,
                nn.ELU,
                nn.Mish,
                nn.Hardtanh,
                nn.Softplus,
                nn.Tanh,
                nn.Sigmoid,
                nn.SELU,
                nn.Softsign,
                nn.LogSigmoid,
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
)


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
            conv,
            lambda: Of(
                lambda m, x: m.n(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), n=nn.LayerNorm(8)
            ),
            nn.ReLU,
            conv,
        ),
        "root mean square": normed(lambda: nn.RMSNorm([8, 16, 16])),
        "local response": normed(lambda: nn.LocalResponseNorm(2)),
        "batch without scale": normed(lambda: nn.BatchNorm2d(8, affine=False)),
        "batch without record": normed(lambda: nn.BatchNorm2d(8, track_running_stats=False)),
        "batch of mean record": normed(lambda: nn.BatchNorm2d(8, momentum=None)),
        "batch of another eps": normed(lambda: nn.BatchNorm2d(8, eps=0.1)),
        "batch, frozen": normed(lambda: FrozenNorm(8)),
        "batch, synchronised": normed(lambda: nn.SyncBatchNorm(8)),
        "batch, functional": normed(
            lambda: Function(lambda x: functional.batch_norm(x, None, None, training=True))
        ),
        "batch, written out": (normed(OwnNorm), normed(scaled_norm)),
        "batch of vectors": lambda: nn.Sequential(
            *(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            *(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, CLASSES)),
        ),
        "batch before the stem": lambda: nn.Sequential(nn.BatchNorm2d(3), Net(conv())),
        "batch used twice": lambda: Net(
            Of(lambda m, x: m.n(m.c(m.n(x))), n=nn.BatchNorm2d(8), c=conv())
        ),
        "standardised weights": net(lambda: Standardised(8, 8, 3, bias=False)),
        "normalised features": of(lambda x: functional.normalize(x, dim=1)),
    },
)


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
            lambda m, x: functional.linear(x.permute(0, 2, 3, 1), m.l.weight[:8]).permute(
                0, 3, 1, 2
            ),
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
)


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
        self.stem, self.norm, self.head = (
            nn.Conv2d(3, 8, 3),
            nn.BatchNorm2d(8),
            nn.Linear(8, CLASSES),
        )
        self.head.weight = self.levels.weight
        self.used = used

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm(self.stem(x))).mean((2, 3))
        if self.used:
            y = y + self.levels((x.mean((1, 2, 3)) > 0).long())
        return self.head(y)


def wrapped_twice() -> nn.Module:
    core = conv()
    return Net(nn.Sequential(core, nn.Sequential(core)))


def shared_norm() -> nn.Module:
    norm = nn.BatchNorm2d(8)
    return Net(nn.Sequential(conv(), norm, nn.ReLU(), conv(), norm))


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
        "shared by wrappers": wrapped_twice,
        "shared norm": shared_norm,
    },
)


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
        "traced by fx": lambda: torch.fx.symbolic_trace(
            nn.Sequential(
                nn.Conv2d(3, 8, 3),
                nn.BatchNorm2d(8),
                nn.ReLU(),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(8, CLASSES),
            )
        ),
        "normalised images": alone(
            lambda m, x: m.net((x - m.mean) / m.mean),
            net=net(conv),
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
)


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
        "logits and a loss": lambda: Net(conv(), after=lambda y, f: (y.sum(), y)),
        "logits and features": lambda: Net(conv(), after=lambda y, f: (y, f)),
        "by name": lambda: Net(conv(), after=lambda y, f: {"features": f, "logits": y}),
        "an object": lambda: Net(conv(), after=Answer),
        "a list of one": lambda: Net(conv(), after=lambda y, f: [y]),
        "maps of one pixel": lambda: Net(conv(), after=lambda y, f: y[:, :, None, None]),
        "maps": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, CLASSES, 1)),
        "probabilities": lambda: Net(conv(), after=lambda y, f: y.softmax(1)),
        "logarithms": lambda: Net(conv(), after=lambda y, f: y.log_softmax(1)),
        "one logit": lambda: Net(conv(), after=lambda y, f: y[:, :1]),
        "transposed": lambda: Net(conv(), after=lambda y, f: y.T),
        "nothing": lambda: Net(conv(), after=lambda y, f: None),
        "integers": lambda: Net(conv(), after=lambda y, f: y.argmax(1, keepdim=True)),
        "auxiliary in training": lambda: Net(conv(), after=lambda y, f: (y, y * 2)),
    },
)
