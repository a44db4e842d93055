"""Small networks for the tests of this room: a stem, whatever stands between, and a head."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.proxies.live import Batch


def batch(n: int = 6, dtype: torch.dtype = torch.float64, side: int = 8) -> Batch:
    rng = torch.Generator().manual_seed(0)
    images = torch.randn(n, 3, side, side, generator=rng, dtype=torch.float64)
    return Batch(images.to(dtype), torch.arange(n) % 4)


class Net(nn.Module):
    """`before` is done to the images first; `after` makes the output, of logits and features."""

    def __init__(
        self,
        between: nn.Module | None = None,
        *,
        before: Callable[[Tensor], Tensor] = lambda x: x,
        after: Callable[[Tensor, Tensor], object] = lambda logits, features: logits,
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.between = nn.Identity() if between is None else between
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, 4)
        self.before, self.after = before, after

    def forward(self, x: Tensor) -> object:
        x = self.between(self.relu(self.norm(self.stem(self.before(x)))))
        features = self.pool(x).flatten(1)
        return self.after(self.head(features), features)


def made(make: Callable[[], nn.Module], dtype: torch.dtype = torch.float64) -> nn.Module:
    """A network of fixed weights, its norms not as they were made."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = make().to(dtype)
        for norm in module.modules():
            if isinstance(norm, nn.BatchNorm2d) and norm.affine:
                nn.init.uniform_(norm.weight, 0.5, 1.5)
                nn.init.normal_(norm.bias)
                if norm.running_var is not None:
                    nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return module


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Residual(nn.Module):
    """With a sum in place, onto what the last step gave."""

    def __init__(self, *steps: nn.Module) -> None:
        super().__init__()
        self.steps = nn.Sequential(*steps)

    def forward(self, x: Tensor) -> Tensor:
        y = self.steps(x)
        y += x
        return y


class Lines(nn.Module):
    """A convolution of one dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(8, 8, 3, padding=1, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.flatten(2)).view_as(x)


class Gate(nn.Module):
    """A parameter of no known layer, by a name of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.linspace(0.1, 0.8, 8).view(8, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Unused(nn.Module):
    """Layers that are never called."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        return x
