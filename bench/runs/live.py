"""Score untrained networks: what a live run is, and its rows, one an architecture and seed.

A seed gives one set of initial weights and one draw of minibatches, both the same for every
architecture, so that architectures are compared like with like. Rows come in the order of the
plan (every architecture of the first seed, then of the next) and, their seconds apart, are the
same bit for bit for any number of processes. They are not for another number of threads in each,
which adds up float32 in another order (epe_nas moves by as much as 3e-3), so that is the run's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from bench.base import Arch, DataError, GraphProxy, OptionError, Space
from bench.draws import keyed
from bench.proxies.computed import Computed, PopulationRanking
from bench.runs import members
from bench.tables import images
from bench.training.recipe import Recipe, parse

if TYPE_CHECKING:
    from bench.proxies.live import Batch

STACKED = "nasbench201"
"""The space whose networks can be run several at once."""
MINIBATCHES = 2
"""How many are drawn for a seed, where there are images enough; most proxies read the first."""


@dataclass(frozen=True)
class LiveRun:
    """What is scored and how; two runs of equal fields have equal rows, seconds apart."""

    space: str
    archs: int
    """How many architectures."""
    archs_sha256: str
    """Which ones: the hash of their native texts, one a line, in order."""
    proxies: tuple[str, ...]
    dataset: str
    batch: int = 64
    seeds: tuple[int, ...] = (0,)
    shape: tuple[tuple[str, int], ...] = ()
    """What sizes the networks, other than by default: `(("channels", 4),)`."""
    distinct: bool = False
    """Whether an architecture stands for all that compute the same function."""
    threads: int = 1
    """Of torch, in each process."""
    device: str = "cpu"
    """Where networks are run, as torch names it."""
    stack: int = 1
    """How many networks are run at once, as one."""
    rankings: tuple[str, ...] = ()
    """Rankings of all its architectures by some of its proxies: no rows', but a task's."""
    recipe: str | None = None
    """Of which training these are the networks and the images, as `bench.training.recipe.parse`
    reads it; None for images of `dataset` as they are. `shape` is its skeleton."""
    whole: str | None = None
    """The space or task of which these are all; None for a sample or selection. Only there does a
    distinct one lend its score to the others of its class: a class of a sample was drawn as often
    as it has members, and would weigh by their number once more."""
    canonical: bool = False
    """Whether each is the canonical form of its class, in place of the architectures as written."""

    def __post_init__(self) -> None:
        if self.stack > 1 and self.space != STACKED:
            raise OptionError(
                f"expected networks of {STACKED} to run several at once, got {self.space}"
            )

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.archs * len(self.seeds)


def digest(space: Space, archs: Iterable[Arch]) -> str:
    """The SHA-256 of architectures, as `LiveRun.archs_sha256` has it."""
    hasher = sha256()
    for arch in archs:
        hasher.update(f"{space.text(arch)}\n".encode())
    return hasher.hexdigest()


def scorable(name: str) -> Computed | GraphProxy:
    """The proxy of a name, or of `module:function`, if it can be scored.

    Raises UnknownNameError, and OptionError for one that is no score of a network by itself, or
    whose values stand in tables only.
    """
    proxy = members.proxy(name)
    if isinstance(proxy, PopulationRanking):
        raise OptionError(
            f"expected a proxy that scores a network by itself, got {name}, which ranks a "
            f"population by {', '.join(proxy.components)}"
        )
    if isinstance(proxy, Computed):
        return replace(proxy, name=name)
    if isinstance(proxy, GraphProxy):
        return proxy
    raise OptionError(
        f"expected a proxy that can be computed, got {name}, whose values stand in tables only"
    )


def of_networks(names: Iterable[str]) -> list[Computed]:
    """The proxies of networks of those names. Raises as `scorable`, and OptionError for others."""
    known = {name: scorable(name) for name in names}
    graphs = [name for name, each in known.items() if not isinstance(each, Computed)]
    if graphs:
        raise OptionError(
            f"expected proxies of a network, got {', '.join(graphs)}, of a space's graph"
        )
    return [each for each in known.values() if isinstance(each, Computed)]


def in_space(proxy: Computed | GraphProxy, space: str) -> Computed | GraphProxy:
    """The proxy with the constants of a space, where it has any."""
    if isinstance(proxy, Computed) and proxy.of_space is not None:
        return replace(proxy.of_space(space), name=proxy.name)
    return proxy


def every_proxy() -> list[str]:
    """The names of all proxies that can be scored, plugins and rankings included."""
    kinds = Computed | GraphProxy | PopulationRanking
    return [name for name in members.names("proxies") if isinstance(members.proxy(name), kinds)]


def with_components(names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The proxies that some names stand for, those that rankings go by too; and the rankings."""
    proxies: dict[str, None] = {}
    rankings: dict[str, None] = {}
    for name in names:
        proxy = members.proxy(name)
        if isinstance(proxy, PopulationRanking):
            rankings[name] = None
            proxies |= dict.fromkeys(proxy.components)
        else:
            proxies[name] = None
    return tuple(proxies), tuple(rankings)


def require_torch() -> None:
    """Raise OptionError, saying what to install, where torch is not here."""
    try:
        import torch as _  # noqa: F401 - whether it is here is all that is asked
    except ModuleNotFoundError as error:
        raise OptionError(
            f"scoring networks needs {error.name}, which is not here; pip install 'ipl-bench[live]'"
        ) from error
    except (ImportError, OSError) as error:
        raise OptionError(f"scoring networks needs torch, and it does not load: {error}") from error


def device(name: str) -> str:
    """The name of a device that torch has here. Raises OptionError."""
    if name not in {"cpu", "cuda"}:
        raise OptionError(f"expected the device cpu or cuda, got {name!r}")
    if name == "cuda":
        require_torch()
        import torch

        if not torch.cuda.is_available():
            raise OptionError("expected a GPU for --device cuda, got none that torch can use here")
    return name


def by_recipe(recipe: Recipe) -> dict[str, Any]:
    """The fields of a `LiveRun` that a recipe decides."""
    return {"dataset": recipe.dataset, "shape": recipe.skeleton, "recipe": str(recipe)}


def classes(run: LiveRun) -> int:
    """How many classes its images have. Raises as `parse` or `images.dataset` does."""
    if run.recipe is not None:
        return parse(run.recipe).classes
    return images.dataset(run.dataset).classes


def minibatches_of(run: LiveRun, seed: int) -> list[Batch]:
    """The minibatches of a seed of a run; with a recipe, of its training images, normalised by it.

    Raises as `minibatches` and `bench.runs.recipes.split_of` do.
    """
    if run.recipe is None:
        return minibatches(run.dataset, run.batch, seed)
    import torch

    from bench.proxies.live import Batch
    from bench.runs.recipes import by_content, split_of

    recipe = parse(run.recipe)
    part = split_of(recipe).train
    most = len(part.labels)
    if run.batch > most:
        raise DataError(
            f"expected {run.batch} different training images of the recipe {run.recipe}, got "
            f"{most}; take a smaller batch"
        )
    count = MINIBATCHES if most >= MINIBATCHES * run.batch else 1
    drawn = keyed(seed, "minibatch", "training", by_content(recipe).dataset)
    order = drawn.permutation(most)
    chosen = torch.from_numpy(order[: count * run.batch])
    return [Batch(part.images[rows], part.labels[rows]) for rows in torch.split(chosen, run.batch)]


def minibatches(dataset: str, size: int, seed: int) -> list[Batch]:
    """The minibatches of a seed: two where there are images enough, else one.

    Raises DataError where there are not enough for one.
    """
    import torch

    from bench.proxies.live import Batch

    found = images.dataset(dataset)
    most = images.available(found)
    count = MINIBATCHES if most is None or most >= MINIBATCHES * size else 1
    drawn = images.minibatches(found, size, count, keyed(seed, "minibatch", found.key))
    return [Batch(torch.from_numpy(each), torch.from_numpy(labels)) for each, labels in drawn]
