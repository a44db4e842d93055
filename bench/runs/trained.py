"""Answers that train: what any architecture of a space comes to by a recipe, found when asked.

A query trains the architecture's network alone, with the initial weights and the order of images
of seed 0, on one thread of the CPU. Its answer is the validation accuracy at the last checkpoint,
and it costs the seconds that training took. What was trained is kept (`TrainedStore`): asked
again, by whichever search, it costs the seconds recorded then. Every architecture is a network of
its own; isomorphic ones are not merged.

The best there is, nobody knows: regrets are not. A network that diverged has no accuracy; see
`bench.runs.oracle.Oracle.query`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from math import inf, nan

import numpy as np

from bench.base import Arch, Floats, OptionError, Proxy, Space, Table
from bench.proxies.computed import Computed
from bench.runs import choose, members
from bench.runs.live import LiveRun, by_recipe
from bench.runs.live_rows import Scorer, threaded
from bench.runs.recipes import network_of, split_of
from bench.runs.trained_store import TrainedStore
from bench.spaces.features import features
from bench.tables.columns import ACCURACIES
from bench.training.recipe import Recipe
from bench.training.trainer import Trained, train

SEED = 0
"""Of initial weights, of the order of images, and of the minibatches of live proxies."""


class TrainedTask:
    """A space and a recipe: what is searched where there is no table.

    Raises OptionError or DataError where the recipe's images or networks cannot be had.
    """

    def __init__(self, space: Space, recipe: Recipe) -> None:
        self.space = space
        self.recipe = recipe
        # Told now, not by the first query.
        split_of(recipe)
        network_of(recipe, space.name, space.sample(np.random.default_rng(SEED)), SEED)
        self.answers = TrainedAnswers(self)

    @property
    def name(self) -> str:
        """The space and the recipe, such as `nasbench201/train:digits`."""
        return f"{self.space.name}/train:{self.recipe}"

    @property
    def table(self) -> Table:
        """What was trained until now, by row; NaN where a network diverged."""
        done = self.answers.trained
        return Table(
            name=self.name,
            space=self.space.name,
            dataset=self.recipe.dataset,
            archs=[self.space.text(arch) for arch in self.answers.asked],
            accuracy={
                part: np.array([nan if it is None else it.accuracy[part][-1] for it in done])
                for part in ACCURACIES
            },
            training_seconds=np.array([nan if it is None else it.seconds for it in done]),
        )

    def proxy(self, name: str) -> Proxy:
        """The facts of a proxy. Raises UnknownNameError."""
        return members.proxy(name)


class TrainedAnswers:
    """What can be asked of a space: everything, with the proxies that can be computed live.

    A proxy is one of the untrained network that a query would train, on minibatches of the
    recipe's training images, 64 or as many as there are; its seconds are those it took, and a
    proxy of the graph costs none.
    """

    pool = None
    best = nan
    has_seconds = True
    least_seconds = inf

    def __init__(self, task: TrainedTask) -> None:
        self.task = task
        self.space = task.space
        self.asked: list[Arch] = []
        """By row."""
        self.trained: list[Trained | None] = []
        """By row; None where nothing was but a proxy read."""
        self.validation: list[float] = []
        self._rows: dict[Arch, int] = {}
        self._store = TrainedStore(task.recipe, task.space.name, SEED)
        self._scorers: dict[tuple[str, ...], Scorer] = {}
        self._scored: dict[tuple[int, str], tuple[float, float]] = {}
        """By row and proxy: the value, -inf where it failed, and seconds."""
        self._failed: dict[tuple[int, str], str] = {}
        """Why, by row and proxy."""
        self._features: dict[str, Floats] = {}

    def row(self, arch: Arch) -> int:
        """The row of an architecture, a new one where it is. Raises ArchError."""
        if arch not in self._rows:
            self.space.check(arch)
            self._rows[arch] = len(self.asked)
            self.asked.append(arch)
            self.trained.append(None)
            self.validation.append(nan)
        return self._rows[arch]

    def answer(self, row: int) -> tuple[float, float]:
        """The validation accuracy in percent, NaN where the network diverged, and its seconds."""
        found = self.trained[row]
        if found is None:
            found = self.trained[row] = self._found(self.asked[row])
            self.validation[row] = found.accuracy["validation"][-1]
        return self.validation[row], found.seconds

    def _found(self, arch: Arch) -> Trained:
        """What training came to: as it is kept, or else of a network trained now."""
        text = self.space.text(arch)
        kept = self._store.get(text)
        if kept is not None:
            return kept
        recipe = self.task.recipe
        with threaded(1):
            module = network_of(recipe, self.space.name, arch, SEED)
            trained = train(module, split_of(recipe), recipe, SEED)
        # Another process may have been faster; then all go by its seconds.
        kept = self._store.get(text)
        if kept is None:
            self._store.put(text, trained)
        return kept or trained

    def columns(
        self, names: Sequence[str], archs: Sequence[Arch], rows: Sequence[int]
    ) -> list[tuple[Floats, float]]:
        """The `a` values of each proxy, -inf where it failed, and their seconds.

        Raises OptionError for one that cannot be computed live.
        """
        for arch, row in zip(archs, rows, strict=True):
            self._score([name for name in names if (row, name) not in self._scored], arch, row)
        found = []
        for name in names:
            known = [self._scored[row, name] for row in rows]
            values = np.array([value for value, _ in known], dtype=np.float64)
            found.append((values, sum(seconds for _, seconds in known)))
        return found

    def _score(self, names: Sequence[str], arch: Arch, row: int) -> None:
        """Score an architecture by some proxies, each of their passes run once."""
        if not names:
            return
        scorer = self._scorer(tuple(dict.fromkeys(names)))
        with threaded(1):
            found = scorer(SEED, arch)
        networks = {each.name for each in scorer.computed}
        for name in names:
            value = found["values"][name]
            seconds = found["seconds"][name] if name in networks else 0.0
            self._scored[row, name] = (-inf if value is None else value, seconds)
            if value is None:
                self._failed[row, name] = found["errors"][name]

    def reasons(self, name: str, rows: Sequence[int]) -> dict[str, int]:
        """How many of some rows, whose proxy was read, failed for each reason."""
        keys = [(row, name) for row in rows]
        return Counter(self._failed[key] for key in keys if key in self._failed)

    def _scorer(self, names: tuple[str, ...]) -> Scorer:
        if names not in self._scorers:
            recipe = self.task.recipe
            run = LiveRun(
                space=self.space.name,
                archs=1,
                archs_sha256="",
                proxies=names,
                batch=min(LiveRun.batch, len(split_of(recipe).train.labels)),
                seeds=(SEED,),
                **by_recipe(recipe),
            )
            self._scorers[names] = Scorer(run)
        return self._scorers[names]

    def features(self, archs: Sequence[Arch], kind: str) -> Floats:
        """The `a x f` features of a kind, whose columns depend on the whole space.

        Raises OptionError for another kind, and for a space too large to be listed.
        """
        if kind not in self._features:
            self._features[kind] = features(self.space, list(self._places), kind)
        return self._features[kind][[self._places[arch] for arch in archs]]

    @cached_property
    def _places(self) -> dict[Arch, int]:
        if self.space.size > choose.LISTED:
            raise OptionError(
                f"expected a space of at most {choose.LISTED:,} architectures to work out features "
                f"of, got {self.space.name} with {self.space.size:,}"
            )
        return {arch: place for place, arch in enumerate(choose.whole(self.space))}

    def proxies(self) -> tuple[str, ...]:
        """All proxies of an untrained network."""
        names = members.names("proxies")
        return tuple(name for name in names if isinstance(members.proxy(name), Computed))
