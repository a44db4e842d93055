"""Networks of the fuzz whose features are tokens, sequences or gates: see `zoo.py`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from fuzz.zoo import CLASSES, Make, alone, conv, entries, linear, net, parameter, part
from proxies.small import Function
from torch import Tensor, nn
from torch.nn import functional


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
        "heads, weights unused": tokens(
            lambda m, x: m.a(x, x, x, need_weights=False)[0], a=heads()
        ),
        "heads, tokens first": tokens(
            lambda m, x: m.a(x, x, x)[0], first=True, a=heads(batch_first=False)
        ),
        "heads, other keys": tokens(
            lambda m, x: m.a(x, m.k(x), m.v(x))[0],
            a=heads(kdim=6, vdim=4),
            k=linear(8, 6),
            v=linear(8, 4),
        ),
        "heads, extra keys": tokens(
            lambda m, x: m.a(x, x, x)[0], a=heads(add_bias_kv=True, add_zero_attn=True)
        ),
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
            lambda m, x: m.out(m.v(x).transpose(0, 1)).transpose(0, 1).relu(),
            first=True,
            v=linear(),
            out=linear(),
        ),
        "windows": tokens(windowed, qkv=linear(8, 24), out=linear()),
        "windows first": tokens(windows_first, qkv=linear(8, 24), out=linear()),
        "by einsum": tokens(
            lambda m, x: torch.einsum(
                "nij,njc->nic", torch.einsum("nic,njc->nij", m.q(x), m.k(x)).softmax(-1), m.v(x)
            ),
            q=linear(),
            k=linear(),
            v=linear(),
        ),
        "mixer": tokens(
            lambda m, x: m.c(functional.gelu(m.t(x.mT).mT + x)), t=linear(16, 16), c=linear()
        ),
        "convolutions over tokens": tokens(
            lambda m, x: m.c(x.mT).mT.relu(), c=lambda: nn.Conv1d(8, 8, 3, padding=1)
        ),
        "channels last": tokens(lambda m, x: m.b(m.a(x).relu()), a=linear(), b=linear()),
        "batched linears": tokens(
            lambda m, x: (
                torch.bmm(x.reshape(-1, 2, 4).transpose(0, 1), m.w).transpose(0, 1).reshape(x.shape)
            ),
            w=parameter(2, 4, 4),
        ),
        "experts": tokens(
            lambda m, x: torch.einsum("ntc,eco,nte->nto", x, m.w, m.gate(x).softmax(-1)),
            w=parameter(3, 8, 8),
            gate=linear(8, 3),
        ),
        "experts, chosen": tokens(
            lambda m, x: sum(
                (m.gate(x).argmax(-1, keepdim=True) == i) * e(x) for i, e in enumerate(m.experts)
            ),
            gate=linear(8, 2),
            experts=lambda: nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)]),
        ),
        "chunks": tokens(
            lambda m, x: torch.cat([m.l(each) for each in x.chunk(4, 1)], 1), l=linear()
        ),
    },
)


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
        "RNN of ReLUs": tokens(
            lambda m, x: m.r(x)[0], r=partial(nn.RNN, 8, 8, nonlinearity="relu", batch_first=True)
        ),
        "both ways, two layers": tokens(
            lambda m, x: m.r(x)[0],
            r=partial(nn.GRU, 8, 4, num_layers=2, bidirectional=True, batch_first=True),
        ),
        "cell": tokens(lambda m, x: m.c(x[:, 0], x[:, 1])[:, None], c=partial(nn.GRUCell, 8, 8)),
        "written out": tokens(loop, i=linear(), h=linear(bias=False)),
        "convolutional": part(lambda m, x: m.c(m.c(m.c(x).relu()).relu()), c=conv),
    },
)


class Squeeze(nn.Module):
    def __init__(self, *, module: bool) -> None:
        super().__init__()
        self.pool = (
            nn.AdaptiveAvgPool2d(1) if module else Function(lambda x: x.mean((2, 3), keepdim=True))
        )
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
            a=lambda: nn.Conv2d(3, 8, 3),
            head=linear(16, CLASSES),
        ),
    },
)
