"""A variational graph autoencoder: architectures as points of a space that can be climbed.

Follows arch2vec, as the published form of IPL does: Yan et al., "Does Unsupervised Architecture
Representation Learning Help Neural Architecture Search?", NeurIPS 2020,
https://arxiv.org/abs/2006.06936 (facts of its code: MSU-MLSys-Lab/arch2vec, commit ea01b0c), and
Huang et al., "UP-NAS: Unified Proxy for Neural Architecture Search", CVPR 2024 workshops.
Graph isomorphism layers (Xu et al., ICLR 2019, https://arxiv.org/abs/1810.00826) see one-hot
operations over A + Aᵀ; every vertex has a latent of 16, and the latent of an architecture is
theirs in a row: 128 for NAS-Bench-201, 352 for the two cells of DARTS, which share the network.

Where it departs from arch2vec:

1. A vertex is also told its place, as a second one-hot vector. Without it, vertices that a
   symmetry of A + Aᵀ exchanges look alike until their surroundings differ.
2. The heads read the input and the outputs of all layers (as Xu et al. do for whole graphs), not
   the last one alone. After 1,000 steps of 3e-3, all layers brought 98 % of DARTS back, the last
   one 90 %.
3. An edge is sigmoid(s(z_i) . t(z_j) + b_ij), with two learnt maps, not sigmoid(z_i . z_j), which
   knows no direction. Only edges that some graphs have and others lack are learnt.
4. The loss is cross-entropy plus binary cross-entropy plus `kl` times the divergence from N(0, I),
   all summed over vertices and meaned over the batch. arch2vec's divergence is next to nothing.
5. No dropout on z: the noise of the encoder does that work.
6. Batches of 128, not 32, and a step size that rises to 6e-3 and falls again: 600 steps suffice.
7. Decoding gives the best of the legal, see `ipl/decoding.py`, not what passes a threshold.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bench.base import Arch, OptionError, Space
from ipl.decoding import architecture, best_graphs
from ipl.encoding import Encoded, Layout, cells, corpus, layout
from ipl.threads import one_thread

_CHUNK = 2048
"""Cells encoded at a time."""
_GLANCES = 1000
"""Architectures drawn, beside those to train on, to see what graphs of the space look like."""


@dataclass(frozen=True)
class Options:
    """How an autoencoder is built and trained. The defaults train any of our spaces in seconds."""

    seed: int = 0
    count: int = 10_000
    """The most architectures to train on."""
    width: int = 16
    """Latent dimensions of a vertex."""
    hidden: int = 64
    layers: int = 3
    steps: int = 600
    batch: int = 128
    """Cells in a step."""
    rate: float = 6e-3
    """The largest step size of Adam."""
    kl: float = 0.02
    """The weight of the divergence from N(0, I)."""

    def __post_init__(self) -> None:
        for name in ("count", "width", "hidden", "layers", "steps", "batch"):
            if getattr(self, name) < 1:
                raise OptionError(f"expected {name} of 1 or more, got {getattr(self, name)}")
        if not (0 < self.rate < math.inf and 0 <= self.kl < math.inf):
            raise OptionError(
                f"expected a rate above 0 and a kl of 0 or more, got {self.rate} and {self.kl}"
            )


class Autoencoder:
    """Between the architectures of a space and latents of `d` dimensions, once trained.

    `latent` is `d`; `mean` and `std` (each of shape `d`) are those of the latents trained on, and
    a dimension of next to no spread is one that the decoder does not read. `seconds` is what
    training took, `trained_on` on what.
    """

    def __init__(
        self, space: Space, shape: Layout, network: _Network, trained_on: Sequence[Arch]
    ) -> None:
        self.space = space
        self.layout = shape
        self.trained_on = frozenset(trained_on)
        self.seconds = math.nan
        self._network = network
        self.latent = shape.vertices * network.width
        latents = self.encode(trained_on)
        self.mean = latents.mean(dim=0)
        self.std = latents.std(dim=0, correction=0)

    @torch.no_grad()
    def encode(self, archs: Sequence[Arch]) -> Tensor:
        """Return the `a x d` means of the latents.

        Raises:
            ArchError: A graph has more vertices than any seen in training.
        """
        labels, adjacency = _tensors(cells(self.space, self.layout, archs))
        means = torch.empty(len(labels), self.layout.size * self._network.width)
        for start in range(0, len(labels), _CHUNK):
            part = slice(start, start + _CHUNK)
            mean, _ = self._network.encode(labels[part], adjacency[part].float())
            means[part] = mean.flatten(1)
        return means.reshape(len(archs), self.latent)

    @torch.no_grad()
    def decode(self, z: Tensor) -> list[Arch | None]:
        """Return the likeliest architecture of each of `a x d` latents.

        None where the space refuses the likeliest graph, or the latent is not finite.

        Raises:
            OptionError: Latents of another width.
        """
        if z.ndim != 2 or z.shape[1] != self.latent:
            raise OptionError(
                f"expected latents of shape a x {self.latent}, got {' x '.join(map(str, z.shape))}"
            )
        a, shape, size = len(z), self.layout, self.layout.size
        vertices = z.float().reshape(a * shape.cells, size, self._network.width)
        scores, odds = self._network.decode(vertices)
        edges = np.zeros((a, shape.vertices, shape.vertices), dtype=np.float32)
        blocks: NDArray[np.float32] = odds.reshape(a, shape.cells, size, size).numpy()
        for cell, part in enumerate(shape.parts):
            edges[:, part, part] = blocks[:, cell]
        labelled = scores.reshape(a, shape.vertices, self._network.kinds)
        graphs = best_graphs(shape, labelled.numpy(), edges)
        finite = z.isfinite().all(dim=1).tolist()
        rows = zip(graphs.operations, graphs.adjacency, edges, finite, strict=True)
        return [
            architecture(self.space, shape, labels, adjacency, row) if sound else None
            for labels, adjacency, row, sound in rows
        ]

    def sample(self, generator: torch.Generator, n: int) -> Tensor:
        """Draw `n x d` latents from N(mean, std²), each dimension by itself."""
        return self.mean + self.std * torch.randn((n, self.latent), generator=generator)


def pretrained(
    space: Space, archs: Sequence[Arch] | None = None, *, options: Options | None = None
) -> Autoencoder:
    """Return an autoencoder trained on unlabelled architectures, on the CPU.

    The last eight are kept: the same space, architectures and options give the same object, and
    the same bytes in another process on the same machine: it is trained on one thread.

    Args:
        space: Whose graphs are learnt.
        archs: What to train on; None: what the space draws. Few are recombined, many are thinned,
            to `options.count` in the end (see `ipl.encoding.corpus`). Give the pool where there is
            one: uniform draws of NAS-Bench-101 are smaller than most cells of its table.
        options: How; the defaults if None.

    Raises:
        ArchError: An empty list of architectures.
    """
    drawn = f"drawn from {id(space)}"  # The request keeps the space, and so its number, alive.
    key = drawn if archs is None else sha256(repr(list(archs)).encode()).hexdigest()
    given = None if archs is None else tuple(archs)
    return _trained(_Request(space.name, key, options or Options(), space, given))


@dataclass(frozen=True)
class _Request:
    """What an autoencoder is known by, and what it is made from."""

    name: str
    key: str
    options: Options
    space: Space = field(compare=False)
    archs: tuple[Arch, ...] | None = field(compare=False)


@lru_cache(maxsize=8)
@one_thread()
def _trained(request: _Request) -> Autoencoder:
    started = time.perf_counter()
    space, options = request.space, request.options
    rng = np.random.default_rng(options.seed)
    archs = corpus(space, request.archs, options.count, rng)
    shape = layout(space, archs + [space.sample(rng) for _ in range(_GLANCES)])
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    network = _Network(shape.size, len(shape.operations) + 1, options, generator)
    _train(network, shape, cells(space, shape, archs), options, generator)
    autoencoder = Autoencoder(space, shape, network, archs)
    autoencoder.seconds = time.perf_counter() - started
    return autoencoder


def _tensors(graphs: Encoded) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(graphs.operations), torch.from_numpy(graphs.adjacency)


def _train(
    network: _Network, shape: Layout, seen: Encoded, options: Options, generator: torch.Generator
) -> None:
    """Train in place, and leave the network ready to use."""
    labels, adjacency = _tensors(seen)
    source, target = map(torch.from_numpy, np.nonzero(shape.varying))
    optimiser = torch.optim.Adam(network.parameters())
    network.train()
    for step, rows in enumerate(_batches(len(labels), options, generator)):
        for group in optimiser.param_groups:
            group["lr"] = options.rate * _pace((step + 0.5) / options.steps)
        optimiser.zero_grad()
        edges = adjacency[rows].float()
        loss = _loss(network, labels[rows], edges, (source, target), options.kl, generator)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
    network.eval().requires_grad_(False)


def _loss(
    network: _Network,
    labels: Tensor,
    adjacency: Tensor,
    varying: tuple[Tensor, Tensor],
    kl: float,
    generator: torch.Generator,
) -> Tensor:
    """The negative evidence bound of `n` cells, the divergence weighted by `kl`, over `n`.

    `varying` says from which vertex and to which the edges lead that are learnt.
    """
    mean, log_std = network.encode(labels, adjacency)
    z = mean + log_std.exp() * torch.randn(mean.shape, generator=generator)
    scores, odds = network.decode(z)
    operations = functional.cross_entropy(scores.flatten(0, 1), labels.flatten(), reduction="sum")
    source, target = varying
    linked = functional.binary_cross_entropy_with_logits(
        odds[:, source, target], adjacency[:, source, target], reduction="sum"
    )
    divergence = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum()
    return (operations + linked + kl * divergence) / len(labels)


def _batches(n: int, options: Options, generator: torch.Generator) -> Iterator[Tensor]:
    """Rows for each step: shuffled passes over all `n`, what is left of a pass is dropped."""
    size = min(options.batch, n)
    waiting: list[Tensor] = []
    for _ in range(options.steps):
        if not waiting:
            order = torch.randperm(n, generator=generator)
            waiting = list(order[: n - n % size].reshape(-1, size))
        yield waiting.pop()


def _pace(done: float) -> float:
    """The step size at a share of the steps, over the largest: up for a fifth, then down to 0."""
    return done / 0.2 if done < 0.2 else 0.5 + 0.5 * math.cos(math.pi * (done - 0.2) / 0.8)


class _Network(nn.Module):
    """Encoder and decoder of cells of `v` vertices and `o + 1` operations, absence the last."""

    places: Tensor

    def __init__(self, v: int, o: int, options: Options, generator: torch.Generator) -> None:
        super().__init__()
        self.width, self.kinds = options.width, o
        widths = [o + v, *[options.hidden] * options.layers]
        self.layers = nn.ModuleList(
            _Isomorphism(before, options.hidden, generator) for before in widths[:-1]
        )
        self.mean = _linear(sum(widths), self.width, generator)
        self.log_std = _linear(sum(widths), self.width, generator)
        self.operations = _linear(self.width, o, generator)
        self.source = _linear(self.width, self.width, generator)
        self.target = _linear(self.width, self.width, generator)
        self.pairs = nn.Parameter(torch.zeros(v, v))
        self.register_buffer("places", torch.eye(v), persistent=False)

    def encode(self, labels: Tensor, adjacency: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log standard deviations, each `n x v x width`."""
        kinds = functional.one_hot(labels, self.kinds).float()
        seen = [torch.cat([kinds, self.places.expand(len(labels), -1, -1)], dim=2)]
        either = adjacency + adjacency.transpose(1, 2)
        for layer in self.layers:
            seen.append(layer(seen[-1], either))
        whole = torch.cat(seen, dim=2)
        return self.mean(whole), self.log_std(whole)

    def decode(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of operations, `n x v x (o + 1)`, and log odds of edges, `n x v x v`."""
        return self.operations(z), self.source(z) @ self.target(z).transpose(1, 2) + self.pairs


class _Isomorphism(nn.Module):
    """h <- MLP((1 + e) h + A h), with batch norm and ReLU after both of its linear layers."""

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.zeros(()))
        self.perceptron = nn.Sequential(
            _linear(inputs, outputs, generator),
            nn.BatchNorm1d(outputs),
            nn.ReLU(),
            _linear(outputs, outputs, generator),
            nn.BatchNorm1d(outputs),
            nn.ReLU(),
        )

    def forward(self, h: Tensor, either: Tensor) -> Tensor:
        """`n x v x inputs`, and `n x v x v` neighbours, to `n x v x outputs`."""
        mixed = (1 + self.own) * h + either @ h
        out: Tensor = self.perceptron(mixed.flatten(0, 1))
        return out.reshape(*h.shape[:2], -1)


@torch.no_grad()
def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer drawn as torch draws its own, but from `generator`."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs)  # type: ignore[no-untyped-call]
    for parameter in layer.parameters():
        parameter.uniform_(-(inputs**-0.5), inputs**-0.5, generator=generator)
    return layer
