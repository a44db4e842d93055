"""Many NAS-Bench-201 networks as one module, so that a GPU is not bound by launches.

`a` architectures lie side by side as lanes of channels of one tensor, `n x (a*c) x h x w`. The
skeleton is grouped convolutions, and batch norms, which are per channel anyhow. On an edge of a
cell each operation runs once, for the architectures that choose it: their lanes are taken out, go
through one grouped convolution, and are added to the node they lead to. Nothing crosses from lane
to lane: an infinity or NaN in one network stays there, and gradients of a sum over architectures
are each one's own. Parameters have the names and the values they have in a single network.

Launches, weighed. With all architectures going through all operations behind masks of 0 and 1,
every stack would have the same shapes, as a CUDA graph needs. But then all convolve with 3x3 and
with 1x1 where one in five chooses either: five times the arithmetic and memory traffic of cells,
where a stack of a hundred spends its time; and 0 * NaN would leak. Here, which architectures
choose an operation is *data*, an index tensor, and only how many do is structure. So stacks of
equal counts can take turns in one module (`Stack.refill`), and all 15,625 cells fall into such
stacks without a rest (`balanced`): one graph serves them all, and computes nothing in vain.
Architectures drawn at random have counts of their own, and go without graphs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import torch
from torch import Tensor, nn

from bench.base import Arch, OptionError
from bench.networks import _blocks
from bench.networks._lanes import put, take
from bench.networks.weights import Law, Weights, pytorch
from bench.spaces._function import EDGES
from bench.spaces.nasbench201 import NASBENCH201 as SPACE

_STAGES = 3
_ALL = "all"


class Stack:
    """The networks of `a` architectures as one module, with initial weights, on the default device.

    A part is a module that not all architectures have, by its full name, which is that of the
    module of a single network; whatever is in no part is in the part "", and all have it.

    Args:
        archs: The architectures; some may be equal.
        weights: Where the initial weights come from; a lane has what its network alone would have.
        classes: Logits of each.
        channels: Of the first stage of each.
        cells: In every stage.

    Raises:
        ArchError: One is no architecture of NAS-Bench-201.
        OptionError: There is none.
    """

    def __init__(
        self,
        archs: Sequence[Arch],
        weights: Weights,
        *,
        classes: int = 10,
        channels: int = 16,
        cells: int = 5,
    ) -> None:
        self.size = len(archs)
        """`a`."""
        self._members = _members(archs)
        self.module: nn.Module = _Networks(self._members, classes, channels, cells)
        """Maps `n x (a*3) x h x w` to `n x (a*classes)`, logits of one architecture together."""
        self.shapes: Mapping[str, tuple[int, ...]] = self._shapes()
        """What each parameter of the module, by name, is shaped in a single network."""
        self._fill(weights)

    @property
    def owners(self) -> Mapping[str, tuple[int, ...]]:
        """The architectures that have each part, in the order of its lanes."""
        owners = {"": self._members[_ALL]}
        for name, module in self.module.named_modules():
            if isinstance(module, _Cell):
                owners |= {f"{name}.{edge}": self._members[edge] for edge in module.names}
        return owners

    def lanes(self, part: str) -> Tensor:
        """The owners of a part as the tensor that the module reads, int64."""
        return self.module.get_buffer(f"owners.{part.rpartition('.')[2] or _ALL}")

    def part(self, name: str) -> str:
        """The part that a parameter or a norm's buffer, given by its full name, is in."""
        cell, _, rest = name.partition(".")
        edge = rest.partition(".")[0]
        return f"{cell}.{edge}" if edge in self._members else ""

    def refill(self, archs: Sequence[Arch]) -> None:
        """Let other architectures take the places of these, in the same tensors.

        Raises:
            ArchError: One is no architecture of NAS-Bench-201.
            OptionError: On some edge, an operation is chosen by more or by fewer than now.
        """
        members = _members(archs)
        for name in (_ALL, *sorted({*members, *self._members} - {_ALL})):
            wanted, came = (len(each.get(name, ())) for each in (self._members, members))
            if wanted != came:
                what = "architectures" if name == _ALL else f"architectures with {name}"
                raise OptionError(f"expected {wanted} {what}, as are in the stack, got {came}")
        self._members = members
        for name, those in members.items():
            self.lanes(name).copy_(torch.tensor(those), non_blocking=True)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        owners = self.owners
        shapes = {
            name: (len(parameter) // len(owners[self.part(name)]), *parameter.shape[1:])
            for name, parameter in self.module.named_parameters()
        }
        # A linear layer in a single network, here a grouped convolution of one position.
        shapes["classifier.weight"] = shapes["classifier.weight"][:2]
        return shapes

    @torch.no_grad()
    def _fill(self, weights: Weights) -> None:
        """Set each lane of each parameter to what `Weights.fill` gives a single network."""
        for prefix, layer in self.module.named_modules():
            own = list(layer.named_parameters(prefix, recurse=False))
            laws = pytorch(layer) if own else {}
            for name, parameter in own:
                law = laws[name.rpartition(".")[2]]
                if isinstance(law, Law):
                    values = weights.draw(name, self.shapes[name], law, parameter.device)
                    parameter.view(-1, *values.shape).copy_(values)
                else:
                    parameter.fill_(law)


def balanced(free: int = 3) -> Iterator[list[Arch]]:
    """Partition the space into stacks that `Stack.refill` can exchange.

    The first `free` operations take all combinations, and each of the rest is their sum plus a
    number of the stack's own, modulo five. So each operation is on each edge equally often.

    Args:
        free: 1 to 6: stacks are of `5**free` architectures, and there are `5**(6 - free)`.

    Raises:
        OptionError: `free` is none of these.
    """
    edges, operations = len(EDGES), len(SPACE.labels)
    if not 1 <= free <= edges:
        raise OptionError(f"expected free to be from 1 to {edges}, got {free}")
    for offsets in product(range(operations), repeat=edges - free):
        yield [
            (*first, *((sum(first) + offset) % operations for offset in offsets))
            for first in product(range(operations), repeat=free)
        ]


def _members(archs: Sequence[Arch]) -> dict[str, tuple[int, ...]]:
    """Who chooses which operation on which edge, where anybody does; and all of them."""
    if not archs:
        raise OptionError("expected at least one architecture to stack, got none")
    for arch in archs:
        SPACE.check(arch)
    members = {_ALL: tuple(range(len(archs)))}
    for at, (source, target) in enumerate(EDGES):
        for operation, label in enumerate(SPACE.labels):
            those = tuple(i for i, arch in enumerate(archs) if arch[at] == operation)
            if those and label != "none":
                members[f"edge_{source}_{target}_{label}"] = those
    return members


class _Owners(nn.Module):
    """Holds index tensors, which say whose lanes go through which operation."""

    def __init__(self, members: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        for name, those in members.items():
            self.register_buffer(name, torch.tensor(those), persistent=False)


class _Networks(nn.Module):
    """The skeleton of nasbench201.py, its steps of the same names, in lanes."""

    def __init__(
        self, members: Mapping[str, tuple[int, ...]], classes: int, channels: int, cells: int
    ) -> None:
        super().__init__()
        a = len(members[_ALL])
        stem = _blocks.conv(a * 3, a * channels, 3, groups=a)
        self.stem = _blocks.chain(("conv", stem), ("norm", _blocks.norm(a * channels)))
        self._steps = ["stem"]
        width = channels
        for stage in range(_STAGES):
            if stage:
                self._step(f"stage_{stage}_reduction", _Reduction(a, width, 2 * width))
                width *= 2
            for cell in range(cells):
                self._step(f"stage_{stage}_cell_{cell}", _Cell(members, width))
        self._step("norm", _blocks.norm(a * width))
        self._step("relu", nn.ReLU())
        self._step("pool", nn.AdaptiveAvgPool2d(1))
        classifier = _blocks.conv(a * width, a * classes, 1, groups=a)
        classifier.bias = nn.Parameter(torch.empty(a * classes))
        self._step("classifier", classifier)
        self.owners = _Owners(members)

    def forward(self, x: Tensor) -> Tensor:
        """Map `n x (a*3) x h x w` to `n x (a*classes)`."""
        for name in self._steps:
            step = getattr(self, name)
            x = step(x, self.owners) if isinstance(step, _Cell) else step(x)
        return x.flatten(1)

    def _step(self, name: str, module: nn.Module) -> None:
        self.add_module(name, module)
        self._steps.append(name)


class _Reduction(nn.Module):
    """The residual block of nasbench201.py, in lanes."""

    def __init__(self, a: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = _relu_conv_norm(a, inputs, outputs, 3, stride=2)
        self.second = _relu_conv_norm(a, outputs, outputs, 3)
        conv = _blocks.conv(a * inputs, a * outputs, 1, groups=a)
        self.shortcut = _blocks.chain(("pool", nn.AvgPool2d(2)), ("conv", conv))

    def forward(self, x: Tensor) -> Tensor:
        """Map `n x (a*inputs) x h x w` to `n x (a*outputs) x h/2 x w/2`."""
        features: Tensor = self.second(self.first(x)) + self.shortcut(x)
        return features


class _Cell(nn.Module):
    """Four nodes, each the sum of what comes in; an operation runs for those that choose it."""

    def __init__(self, members: Mapping[str, tuple[int, ...]], channels: int) -> None:
        super().__init__()
        self.names = [name for name in members if name != _ALL]
        self._lanes = len(members[_ALL])
        self._leaving: tuple[list[tuple[int, str]], ...] = ([], [], [])
        """By node before the last, (target, module's name)."""
        for name in self.names:
            _, source, target, label = name.split("_", 3)
            self.add_module(name, _operation(label, len(members[name]), channels))
            self._leaving[int(source)].append((int(target), name))

    def forward(self, x: Tensor, owners: nn.Module) -> Tensor:
        """Map `n x (a*c) x h x w` to the same."""
        arriving: tuple[list[tuple[Tensor, Tensor]], ...] = ([], [], [])
        node = x
        for leaving, terms in zip(self._leaving, arriving, strict=True):
            wanted = [owners.get_buffer(name) for _, name in leaving]
            taken = take(node, self._lanes, wanted) if leaving else ()
            for (target, name), where, lanes in zip(leaving, wanted, taken, strict=True):
                arriving[target - 1].append((where, getattr(self, name)(lanes)))
            node = put(x, self._lanes, terms)
        return node


def _operation(label: str, lanes: int, channels: int) -> nn.Module:
    match label:
        case "skip_connect":
            return nn.Identity()
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
        case _:
            return _relu_conv_norm(lanes, channels, channels, 3 if label.endswith("3x3") else 1)


def _relu_conv_norm(
    lanes: int, inputs: int, outputs: int, kernel: int, stride: int = 1
) -> nn.Sequential:
    conv = _blocks.conv(lanes * inputs, lanes * outputs, kernel, stride=stride, groups=lanes)
    norm = _blocks.norm(lanes * outputs)
    return _blocks.chain(("relu", nn.ReLU()), ("conv", conv), ("norm", norm))
