"""Make a table: what a run of trainings is, its plan, and the machine it runs on.

Architectures are trained in stacks of `TrainRun.stack`, which are consecutive groups of the plan:
all architectures by the first seed, then by the next, and so on; then the first few of them by
some more seeds. A stack never holds two seeds, so the last one of each may be smaller. The bits
of a row depend, besides recipe and seed, on which stack it was in (`bench.training.stacked`), so a
row says which, and stacks begin where they do whatever is there already.

On a CPU a row is the same, bit for bit, for any number of processes. On a GPU it need not be:
some of torch's sums there have no fixed order.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, product

from bench.base import Arch, OptionError, Record
from bench.runs.live import STACKED
from bench.runs.provenance import processor as processor_model
from bench.runs.provenance import versions

_DECIDING = ("torch", "numpy")
"""Packages whose version may change the bits of a training."""


@dataclass(frozen=True)
class TrainRun:
    """What is trained and how; two runs of equal fields have equal rows, seconds apart.

    Raises:
        OptionError: Networks of the space cannot be stacked, a seed comes twice, or more
            architectures are to be repeated than there are.
    """

    space: str
    archs: int
    """How many architectures."""
    archs_sha256: str
    """Which ones: the hash of their native texts, one a line, in order."""
    recipe: str
    """As `bench.training.recipe.parse` reads it."""
    recipe_hash: str
    seeds: tuple[int, ...] = (0,)
    """Of every architecture: each gives initial weights, and the order of images."""
    repeated: int = 0
    """How many architectures, the first ones, are trained by more seeds."""
    more_seeds: tuple[int, ...] = ()
    """By which."""
    stack: int = 1
    """How many networks are trained at once, as one."""
    distinct: bool = False
    """Whether an architecture stands for all that compute the same function."""
    threads: int = 1
    """Of torch, in each process."""
    device: str = "cpu"
    """Where networks are trained, as torch names it."""

    def __post_init__(self) -> None:
        if self.stack > 1 and self.space != STACKED:
            raise OptionError(
                f"expected networks of {STACKED} to train several at once, got {self.space}"
            )
        seeds = (*self.seeds, *self.more_seeds)
        if len(set(seeds)) < len(seeds):
            raise OptionError(f"expected every seed once, got {', '.join(map(str, seeds))}")
        if self.repeated > self.archs:
            raise OptionError(
                f"expected at most {self.archs} architectures to repeat, which are all, got "
                f"{self.repeated}"
            )

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.archs * len(self.seeds) + self.repeated * len(self.more_seeds)


@dataclass(frozen=True)
class Group:
    """Architectures that are trained together, by one seed."""

    stack: int
    """Its number in the plan, from 0 on."""
    seed: int
    archs: tuple[Arch, ...]


def plan(run: TrainRun, archs: Sequence[Arch]) -> Iterator[Group]:
    """The groups of a run, in order."""
    every = product(run.seeds, range(0, run.archs, run.stack), [run.archs])
    some = product(run.more_seeds, range(0, run.repeated, run.stack), [run.repeated])
    numbers = count()
    for seed, start, end in chain(every, some):
        group = tuple(archs[start : min(start + run.stack, end)])
        yield Group(next(numbers), seed, group)


def kind_of_machine(device: str) -> Record:
    """What decides the bits of a training besides the code: machine, processor and versions.

    Two machines of equal kinds train networks to the same bits, on a CPU.
    """
    import torch

    known = versions()
    if device == "cuda":
        processor = torch.cuda.get_device_name()
    else:
        processor = f"{processor_model()} ({torch.backends.cpu.get_cpu_capability()})"
    return {
        "system": f"{platform.system()}-{platform.machine()}".lower(),
        "processor": processor,
        **{name: known[name] for name in _DECIDING},
    }
