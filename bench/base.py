"""The contracts: what a space, a table, a proxy, a searcher and an oracle are, and the errors.

No logic lives here, and nothing of ours is imported, so every other room may import this one.

Shapes in all docstrings: `n` rows of a table, `a` architectures, `v` vertices, `o` operations,
`p` proxies, `r` resamples, `w` paths of `k` places. Units stand in names: `seconds`,
`accuracy_percent`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]

Arch: TypeAlias = tuple[int, ...]
"""An architecture: a flat tuple of small integers, whose meaning is its space's own."""


class BenchError(Exception):
    """Something a user can mend, told in one sentence: what was wanted, then what came."""


class ArchError(BenchError):
    """A text or tuple that is no architecture of the space it was given to."""


class DataError(BenchError):
    """A file or table that is missing, foreign, damaged, or lacks a column."""


class UnknownNameError(BenchError):
    """A member (task, proxy, searcher, ...) that does not exist."""


class BudgetError(BenchError):
    """A budget that makes no sense, such as zero queries."""


class OptionError(BenchError):
    """An option of a member that it does not know, lacks, or cannot take at that value."""


class BudgetSpentError(BenchError):
    """The oracle was asked for more than its budget holds; nothing was charged."""


@dataclass(frozen=True, eq=False)
class Graph:
    """An architecture as a directed acyclic graph with operations on its vertices.

    `operations` holds `v` names, in topological order; `adjacency` is `v x v`, bool,
    strictly upper triangular: `adjacency[i, j]` is the edge from vertex i to vertex j.
    """

    operations: tuple[str, ...]
    adjacency: Bools


@runtime_checkable
class Space(Protocol):
    """A search space: architectures as tuples, their text forms, moves and graphs."""

    @property
    def name(self) -> str: ...

    @property
    def operations(self) -> tuple[str, ...]:
        """The `o` names that vertices of `graph` may carry."""

    @property
    def forms(self) -> tuple[str, ...]:
        """The names of the text forms; the first is the native one."""

    @property
    def size(self) -> int:
        """How many architectures `sample` can draw."""

    def parse(self, text: str) -> Arch:
        """Read any of the text forms. Raises ArchError; never evaluates the text."""

    def text(self, arch: Arch, form: str | None = None) -> str:
        """Write an architecture, natively unless a form is named."""

    def check(self, arch: Arch) -> None:
        """Raise ArchError, saying what is wrong, unless `arch` belongs to the space."""

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw one architecture uniformly."""

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """A uniformly drawn neighbour: one edit away and never `arch` itself."""

    def neighbours(self, arch: Arch) -> list[Arch]:
        """All architectures one edit away, without repeats, in a fixed order."""

    def canonical(self, arch: Arch) -> Arch:
        """One representative for all architectures that compute the same function."""

    def graph(self, arch: Arch) -> Graph: ...

    def decode(self, graph: Graph) -> Arch:
        """The architecture of a graph; `decode(graph(arch)) == arch`. Raises ArchError."""


@runtime_checkable
class Numbered(Protocol):
    """A space whose architectures are also written as bare numbers, which projects read otherwise.

    A table of a user's own is then read only once it is said whose numbers it holds. Spaces that
    no project writes as numbers of another meaning lack this.
    """

    @property
    def encodings(self) -> Mapping[str, str]:
        """What the numbers mean, by the name of whose they are; `parse` reads `name:numbers`."""


@dataclass(frozen=True, eq=False)
class Table:
    """What is recorded of `n` architectures of one space, trained on one dataset.

    In `scores`, NaN means *not recorded* and -inf means *recorded as failed*, whatever the
    source wrote for it; other arrays hold NaN where nothing is known. Metrics keep the
    source's direction: `maximise` says whether larger validation and test values are better.
    """

    name: str
    space: str
    dataset: str
    archs: Sequence[str]
    """`n` native texts of the space, all different."""
    accuracy: Mapping[str, Floats]
    """`n` values under any of `train`, `validation`, `test`."""
    scores: Mapping[str, Floats] = field(default_factory=dict)
    """`n` values by proxy."""
    score_seconds: Mapping[str, Floats] = field(default_factory=dict)
    """`n` seconds by proxy: what computing the score took."""
    targets: Mapping[str, Floats] = field(default_factory=dict)
    """`n` values by name: latency, energy, robustness, ..."""
    repeats: Mapping[str, Floats] = field(default_factory=dict)
    """`n` accuracies by split and training seed, as `validation/3`; NaN where not trained by it."""
    training_seconds: Floats | None = None
    metric: str = "accuracy_percent"
    maximise: bool = True
    groups: Ints | None = None
    """`n` numbers, equal in rows that share their scores; None where each row has its own."""
    canonical: bool = False
    """Whether rows stand for isomorphism classes, so that look-ups go by canonical form."""
    sources: tuple[str, ...] = ()
    """Names of the files it was read from, as in sources.json."""
    notes: str = ""
    directions: Mapping[str, bool] = field(default_factory=dict)
    """By proxy, whether larger is better, where the table says so itself; else the proxy of that
    name says it."""
    failures: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    """By proxy and row, what the source wrote in place of a score that is -inf, where known."""
    searched_on: str = "validation"
    """The accuracy that stands under `validation` and is told to searchers: another one than
    validation only where the user asked for it."""


@dataclass(frozen=True)
class Budget:
    """What a search may spend: architectures queried, or simulated seconds; exactly one is set."""

    queries: int | None = None
    seconds: float | None = None


class Scores(Protocol):
    """The oracle's second answer: proxy values of architectures, larger is better."""

    def __call__(self, archs: Sequence[Arch], proxies: Sequence[str]) -> Floats:
        """Return `a x p` values, NaN where a score failed or is not recorded.

        Their seconds are charged, and every different architecture is counted.
        """


class Features(Protocol):
    """Architectures as numbers, worked out from their graphs alone; they cost nothing."""

    def __call__(self, archs: Sequence[Arch], kind: str) -> Floats:
        """Return `a x f` features of a kind.

        Kinds: `one-hot` (operations and adjacency), `paths` (which sequences of operations lead
        from an input to the output), `graph` (operation counts, path lengths and degrees).
        Raises OptionError for another kind.
        """


@dataclass(frozen=True, eq=False)
class Problem:
    """All that a searcher sees: where it may search, for how much, and which proxies it may read.

    `pool` lists all that may be asked, or is None where that cannot be listed. Where the pool is
    less than the space (a partial table), `space` already samples and moves within it. Answers
    told to a searcher are oriented: larger is better, whatever the task's metric.
    """

    space: Space
    pool: Sequence[Arch] | None
    budget: Budget
    proxies: tuple[str, ...]
    scores: Scores
    features: Features
    task: str = ""
    """What is searched, by name: whoever brings labels of other tasks must not bring this one's."""
    dataset: str = ""
    """What its accuracies are of, as its table says."""


@runtime_checkable
class Searcher(Protocol):
    """Something that finds a good architecture: asked for one, told its validation accuracy.

    Built as `Class(problem, rng, **options)`. Raise StopIteration from `ask` to give back the
    rest of the budget. Where it has an attribute `weights_found_on`, the task whose labels it
    brings along or None, every row of its searches says so.
    """

    def ask(self) -> Arch: ...

    def tell(self, arch: Arch, validation: float) -> None:
        """Learn the oriented validation accuracy of an architecture that was asked for."""


SearcherFactory: TypeAlias = Callable[..., Searcher]


@dataclass(frozen=True, eq=False)
class Paths:
    """Ways that a predictor took on its map towards what one of its scores likes.

    One path at least, `w` of them, each of `k` places, at least one: its start.
    """

    score: str
    """The score that was climbed, one of `Prediction.scores`."""
    places: Floats
    """`w x k x 2`, finite."""
    met: Sequence[Sequence[Arch]]
    """`w x k` members of the pool: what each place stands for."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What was learned of many architectures from a few: scores of all, and facts to report."""

    scores: Mapping[str, Floats]
    """`n` values by name, larger is better, in the order of `Problem.pool`."""
    facts: Mapping[str, float]
    map: Floats | None = None
    """`n x 2`: where to draw each architecture, such as two principal components of a latent."""
    paths: Paths | None = None
    """On `map`, which is then not None."""
    weights_found_on: str | None = None
    """The task whose labels the predictor brought along; every row says so."""


Predictor: TypeAlias = Callable[..., Prediction]
"""Scores a whole pool from the proxies, and the accuracies, of a few of it.

Called as `function(problem, query, rng, **options)`. `query` answers an architecture's validation
accuracy, oriented; it is charged to the budget, and raises BudgetSpentError where nothing is left.
"""


@runtime_checkable
class Proxy(Protocol):
    """A number for an untrained network, with its facts as data.

    A recorded proxy is read from a table; a computed one is called with an architecture's graph.
    """

    @property
    def name(self) -> str: ...

    @property
    def higher_is_better(self) -> bool: ...

    @property
    def needs(self) -> frozenset[str]:
        """What it reads: any of `graph`, `weights`, `data`, `labels`, `gradients`."""

    @property
    def paper(self) -> str: ...


@runtime_checkable
class GraphProxy(Proxy, Protocol):
    """A proxy that needs nothing but the architecture's graph."""

    def __call__(self, graph: Graph) -> float: ...


@dataclass(frozen=True)
class TableReader:
    """How one table comes about: which files it is read from, and the function that reads them.

    `read` is given the path of each file, found and verified, and the table's space.
    """

    name: str
    space: str
    files: tuple[str, ...]
    """Paths as in sources.json; a plugin names its own files by their absolute paths."""
    read: Callable[[Mapping[str, Path], Space], Table]


Record: TypeAlias = dict[str, Any]
"""One row on its way to JSON."""
