"""Networks that draw, branch, keep state, compute again or hide what they call: see `zoo.py`."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from fuzz.tokens import Tokens, heads, layer, tokens
from fuzz.zoo import (
    CLASSES,
    Make,
    activated,
    alone,
    conv,
    entries,
    linear,
    net,
    of,
    parameter,
    part,
    stepped,
)
from proxies.small import Net, made
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential


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
)


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
        "by the number of images": part(
            lambda m, x: m.a(x) if len(x) > 8 else m.b(x), a=conv, b=conv
        ),
        "by a few images": part(lambda m, x: m.a(x) if len(x) > 2 else m.b(x), a=conv, b=conv),
        "a fixed number of images": part(lambda m, x: m.c(x.view(16, 8, *x.shape[2:])), c=conv),
        "by training": part(lambda m, x: m.a(x) if m.training else m.b(x), a=conv, b=conv),
        "by gradients": part(
            lambda m, x: m.a(x) if torch.is_grad_enabled() else m.b(x), a=conv, b=conv
        ),
        "by values": part(lambda m, x: m.a(x) if x.mean() > 0 else m.b(x), a=conv, b=conv),
        "by size": part(lambda m, x: m.a(x) if x.shape[-1] > 8 else x, a=conv),
        "by images alone": part(lambda m, x: torch.cat([m.c(each[None]) for each in x]), c=conv),
        "counter": net(Counted),
        "running mean": net(Remembering),
        "lazy": net(lambda: nn.LazyConv2d(8, 3)),
    },
)


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
)


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


def rectified(x: Tensor) -> Tensor:
    return torch.relu(x)


@cache
def compiled() -> Callable[[Tensor], Tensor]:
    return torch.jit.script(rectified)


def scripted_relu(x: Tensor) -> Tensor:
    return compiled()(x)


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
        "scripted": scripted(
            lambda: nn.Sequential(
                nn.Conv2d(3, 8, 3),
                nn.ReLU(),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(8, CLASSES),
            )
        ),
        "scripted part": (
            net(lambda: torch.jit.script(nn.Sequential(conv(), nn.ReLU()).double())),
            net(lambda: nn.Sequential(conv(), nn.ReLU())),
        ),
        "traced": (
            lambda: torch.jit.trace(
                made(lambda: Net(conv())), torch.randn(2, 3, 16, 16).double(), check_trace=False
            ),
            net(conv),
        ),
        "vmapped": part(lambda m, x: torch.vmap(lambda each: m.c(each[None])[0])(x), c=conv),
        "scripted function": of(scripted_relu),
        "by numpy": (
            of(lambda x: x + torch.from_numpy(np.maximum(x.detach().numpy(), 0))),
            of(lambda x: x + x.detach().relu()),
        ),
        "functional call": part(
            lambda m, x: torch.func.functional_call(m.c, {"weight": m.c.weight * 2}, (x,)), c=conv
        ),
        "through lists": of(lambda x: torch.stack([torch.relu(each) for each in x.unbind(0)])),
        "out of place": part(
            lambda m, x: torch.matmul(x.permute(0, 2, 3, 1), m.l.weight.T).permute(0, 3, 1, 2),
            l=linear(),
        ),
        "products of images": of(lambda x: x @ x.mT),
    },
)

NUMBERS = entries(
    "numbers",
    {
        "complex weights": part(
            lambda m, x: torch.fft.ifft2(torch.fft.fft2(x) * torch.view_as_complex(m.w)).real,
            w=parameter(8, 16, 16, 2),
        ),
        "complex features": part(lambda m, x: torch.complex(m.a(x), m.b(x)).abs(), a=conv, b=conv),
        "cast to float32": of(lambda x: x.float().relu().double()),
        "infinite": of(lambda x: x / 0),
        "huge": of(lambda x: x * 1e30),
        "tiny": of(lambda x: x * 1e-30),
        "constant": of(torch.ones_like),
        "integers": alone(
            lambda m, x: m.head(m.e((x.flatten(1)[:, :20] > 0).long()).mean(1)),
            e=lambda: nn.Embedding(2, 8),
            head=linear(8, CLASSES),
        ),
        "embedding bag": alone(
            lambda m, x: m.head(m.e((x.flatten(1)[:, :20] > 0).long())),
            e=lambda: nn.EmbeddingBag(2, 8),
            head=linear(8, CLASSES),
        ),
        "bilinear": alone(
            lambda m, x: m.head(m.b(x.mean((2, 3)), x.amax((2, 3)))),
            b=lambda: nn.Bilinear(3, 3, 8),
            head=linear(8, CLASSES),
        ),
    },
)
