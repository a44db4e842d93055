"""TransNAS-Bench-101, macro: a chain of four to six modules, each of one of four types.

Paper: Duan et al., "TransNAS-Bench-101: Improving Transferability and Generalizability of
Cross-Task Neural Architecture Search", CVPR 2021, https://arxiv.org/abs/2105.11871.

An architecture is the digits of `64-4111-basic`: 1 plain, 2 twice the channels, 3 stride 2,
4 both. NAS-Bench-Suite-Zero's "tuple" pads them with zeros to six (NASLib, branch zerocost,
commit 8c45f19).
A chain is valid if one to four of its modules have stride 2, and one to three double the channels;
a data test finds that these are just the 3,256 of the published index: 210 of length 4, 750 of 5,
2,296 of 6.
"""

from __future__ import annotations

import functools
import itertools
import re

import numpy as np

from bench.base import Arch, ArchError, Graph
from bench.spaces import _text

_LENGTHS = (4, 5, 6)
_DIGITS = (1, 2, 3, 4)
_LABELS = ("input", "plain", "double_channels", "stride_2", "double_channels_stride_2", "output")
"""A module's label stands at its digit."""
_STRING = re.compile(r"64-([1-4]{4,6})-basic")


class TransNasBench101Macro:
    """The space of valid chains."""

    name = "transnasbench101-macro"
    operations = _LABELS
    forms = ("string", "tuple")

    @property
    def size(self) -> int:
        """All valid chains: 3,256."""
        return len(_chains())

    def parse(self, text: str) -> Arch:
        """Read either text form. Raises ArchError."""
        arch = _text.parse(self.name, _FORMS, text)
        self.check(arch)
        return arch

    def text(self, arch: Arch, form: str | None = None) -> str:
        """Write an architecture, as a string unless "tuple" is asked for. Raises ArchError."""
        self.check(arch)
        return _text.write(self.name, _FORMS, arch, form)

    def check(self, arch: Arch) -> None:
        """Raise ArchError unless `arch` is a valid chain."""
        if (
            not _text.is_integers(arch)
            or len(arch) not in _LENGTHS
            or any(digit not in _DIGITS for digit in arch)
            or not _is_valid(arch)
        ):
            raise ArchError(
                f"Expected a {self.name} architecture of 4 to 6 digits 1 to 4, of which one to "
                f"four are 3 or 4, and one to three 2 or 4, got {_text.quoted(arch)}."
            )

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw one architecture uniformly."""
        chains = _chains()
        return chains[int(rng.integers(len(chains)))]

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Draw one of the neighbours, all equally likely."""
        self.check(arch)
        near = _neighbours(arch)
        return near[int(rng.integers(len(near)))]

    def neighbours(self, arch: Arch) -> list[Arch]:
        """The valid chains with one module replaced, then inserted, then left out."""
        self.check(arch)
        return list(_neighbours(arch))

    def canonical(self, arch: Arch) -> Arch:
        """The architecture itself: no two chains compute the same function."""
        self.check(arch)
        return arch

    def graph(self, arch: Arch) -> Graph:
        """A path of `v` vertices, 6 <= v <= 8: input, the modules, output."""
        self.check(arch)
        inner = [_LABELS[digit] for digit in arch]
        v = len(inner) + 2
        return Graph(("input", *inner, "output"), np.eye(v, k=1, dtype=np.bool_))

    def decode(self, graph: Graph) -> Arch:
        """The architecture of such a path. Raises ArchError."""
        v = len(graph.operations)
        modules = graph.operations[1:-1]
        if (
            graph.operations[:1] + graph.operations[-1:] != ("input", "output")
            or not set(modules) <= set(_LABELS[1:-1])
            or not np.array_equal(graph.adjacency, np.eye(v, k=1, dtype=np.bool_))
        ):
            raise ArchError(
                f"Expected a path from input to output through modules among "
                f"{', '.join(_LABELS[1:-1])}, got {_text.quoted(graph.operations)} and adjacency "
                f"of shape {' x '.join(map(str, np.shape(graph.adjacency)))}."
            )
        arch = tuple(_LABELS.index(module) for module in modules)
        self.check(arch)
        return arch


TRANSNASBENCH101_MACRO = TransNasBench101Macro()


def _is_valid(chain: Arch) -> bool:
    both = chain.count(4)
    return 1 <= chain.count(3) + both <= 4 and 1 <= chain.count(2) + both <= 3


@functools.cache
def _chains() -> tuple[Arch, ...]:
    every = (itertools.product(_DIGITS, repeat=length) for length in _LENGTHS)
    return tuple(filter(_is_valid, itertools.chain.from_iterable(every)))


@functools.cache
def _neighbours(chain: Arch) -> tuple[Arch, ...]:
    places = range(len(chain))
    edited = [
        *((*chain[:i], digit, *chain[i + 1 :]) for i in places for digit in _DIGITS),
        *((*chain[:i], digit, *chain[i:]) for i in range(len(chain) + 1) for digit in _DIGITS),
        *((*chain[:i], *chain[i + 1 :]) for i in places),
    ]
    # An insertion beside an equal module comes up twice, a replacement by itself is no edit.
    distinct = dict.fromkeys(edited)
    return tuple(c for c in distinct if c != chain and len(c) in _LENGTHS and _is_valid(c))


def _read_string(compact: str) -> Arch | None:
    match = _STRING.fullmatch(compact)
    return tuple(map(int, match[1])) if match else None


def _read_tuple(compact: str) -> Arch | None:
    numbers = _text.digits(compact)
    if numbers is None or len(numbers) != max(_LENGTHS):
        return None
    modules = tuple(itertools.takewhile(bool, numbers))
    return modules if not any(numbers[len(modules) :]) else None


def _write_tuple(arch: Arch) -> str:
    return str(arch + (0,) * (max(_LENGTHS) - len(arch)))


_FORMS = {
    "string": _text.Form(
        _read_string, lambda arch: f"64-{''.join(map(str, arch))}-basic", "64-4111-basic"
    ),
    "tuple": _text.Form(_read_tuple, _write_tuple, "(1, 2, 4, 2, 0, 0)"),
}
