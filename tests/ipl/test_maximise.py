"""Ways of search: what each spends, what comes back, and that all may be asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.base import Arch, Budget, OptionError
from bench.runs.oracle import Oracle
from bench.runs.tasks import Task
from ipl.ascent import Ascent
from ipl.latents import shared
from ipl.maximise import WAYS, Landscape, candidates, judged

every_way = pytest.mark.parametrize("how", list(WAYS))
sampling = pytest.mark.parametrize("how", ["ascent", "evolution", "random"])


def landscape(
    task: Task, *, listed: bool = True, steps: int = 8, restarts: int = 6, polish: int = 10
) -> Landscape:
    problem = Oracle(task.answers, Budget(queries=9)).problem()
    if not listed:
        problem = replace(problem, pool=None)
    latents = shared(problem, auxiliary=False)
    return Landscape(problem, latents, Ascent(steps), restarts, polish)


@pytest.fixture
def where(task: Task) -> Landscape:
    return landscape(task)


@dataclass
class Counting:
    """An objective, minus the squared distance from an architecture, that notes all it is shown."""

    where: Landscape
    top: Arch = (3, 2, 1)
    shown: list[Tensor] = field(default_factory=list)

    def __call__(self, latents: Tensor) -> Tensor:
        self.shown.append(latents.detach().clone())
        return -(latents - self.where.latents.of([self.top])).square().mean(1)

    @property
    def calls(self) -> int:
        return sum(map(len, self.shown))

    @property
    def different(self) -> int:
        return len(torch.cat(self.shown).unique(dim=0))


def search(
    how: str, where: Landscape, starts: tuple[Arch, ...] = (), seed: int = 0
) -> tuple[list[tuple[Arch, float]], Counting]:
    objective = Counting(where)
    return candidates(how, where, objective, starts, np.random.default_rng(seed)), objective


@pytest.mark.parametrize(
    ("restarts", "steps", "polish"), [(1, 1, 0), (1, 9, 3), (6, 8, 0), (5, 3, 7), (2, 1, 50)]
)
@sampling
def test_no_way_shows_the_learner_more_latents_than_stated(
    task: Task, how: str, restarts: int, steps: int, polish: int
) -> None:
    """Ascent spends what it climbs, meets and polishes; what is judged again is nothing new."""
    where = landscape(task, restarts=restarts, steps=steps, polish=polish)
    found, objective = search(how, where)
    assert where.calls == restarts * (steps + 1 + -(-steps // 4)) + polish
    assert 0 < objective.different <= where.calls
    if how == "ascent":
        assert restarts * steps + 2 * len(found) == objective.calls
        assert objective.calls - len(found) <= where.calls
    if how == "random":
        assert objective.calls == len(found) == min(where.calls, 64)
    if how == "evolution":
        assert objective.calls == where.calls + len(found)


def test_a_space_of_any_size_is_drawn_from_as_often_as_stated(task: Task) -> None:
    where = landscape(task, listed=False, restarts=3, steps=5)
    found, objective = search("random", where)
    assert objective.calls == len(found) == where.calls == 3 * (5 + 3) + 10


def test_evolution_keeps_to_few_calls_whatever_it_starts_from(task: Task) -> None:
    where = landscape(task, restarts=1, steps=3, polish=0)
    starts = tuple(where.draw(np.random.default_rng(1), 60))
    found, _ = search("evolution", where, starts)
    assert [arch for arch, _ in found] != []
    assert {arch for arch, _ in found} == set(starts[: where.calls])


def test_polishing_opens_the_best_first_until_it_has_judged_enough(task: Task) -> None:
    """Of one start at 000, the nine neighbours are judged; then those of the best of them."""
    for polish, met in [(0, 1), (4, 5), (9, 10), (10, 11)]:
        where = landscape(task, restarts=1, steps=1, polish=polish)
        where = replace(where, ascent=Ascent(1, rate=1e-9))
        found, _ = search("ascent", where, ((0, 0, 0),))
        assert len(found) == met
        near = {arch for arch, _ in found} & {(0, 0, 0), *task.space.neighbours((0, 0, 0))}
        assert len(near) == min(met, 10)
    values = dict(found)
    (further,) = values.keys() - near
    best = max(near - {(0, 0, 0)}, key=values.__getitem__)
    assert further in task.space.neighbours(best)


@pytest.mark.parametrize("polish", [63, 1000])
def test_polishing_ends_where_all_is_judged(task: Task, polish: int) -> None:
    found, _ = search("ascent", landscape(task, polish=polish))
    assert len(found) == 64


def test_pool_judges_all_once(where: Landscape) -> None:
    found, objective = search("pool", where)
    assert objective.calls == 64
    assert {arch for arch, _ in found} == set(where.problem.pool or ())
    assert found[0][0] == (3, 2, 1)
    assert found[0][1] == pytest.approx(0, abs=1e-6)


@every_way
def test_each_is_judged_by_its_own_latent_best_first_without_repeats(
    where: Landscape, how: str
) -> None:
    found, objective = search(how, where)
    archs = [arch for arch, _ in found]
    values = [value for _, value in found]
    assert len(set(archs)) == len(archs) > 1
    assert values == sorted(values, reverse=True)
    own = objective(where.latents.of(archs)).double().tolist()
    assert values == own


@sampling
@pytest.mark.parametrize("seed", range(3))
def test_a_search_finds_better_than_what_it_starts_from(
    where: Landscape, how: str, seed: int
) -> None:
    start = (0, 0, 3)
    found, objective = search(how, where, (start,), seed)
    (begun,) = judged(where, objective, [start]).tolist()
    assert found[0][1] > begun + 0.1 * abs(begun)


@every_way
def test_same_seed_same_finds(where: Landscape, how: str) -> None:
    first, again = (search(how, where, seed=1)[0] for _ in range(2))
    assert first == again


@sampling
def test_another_seed_other_finds(task: Task, how: str) -> None:
    where = landscape(task, restarts=2, steps=4)
    assert len({tuple(search(how, where, seed=seed)[0]) for seed in range(4)}) > 1


@every_way
def test_nothing_outside_the_pool(task: Task, how: str) -> None:
    validation = task.table.accuracy["validation"].copy()
    validation[::3] = np.nan
    table = replace(task.table, accuracy={"validation": validation})
    where = landscape(Task(task.space, table))
    found, _ = search(how, where)
    assert where.problem.pool is not None
    assert {arch for arch, _ in found} <= set(where.problem.pool)
    assert len(where.problem.pool) == 42


def test_starts_are_climbed_from(task: Task) -> None:
    where = landscape(task, restarts=2, steps=1, polish=0)
    found, _ = search("ascent", where, ((3, 3, 3), (0, 1, 2), (0, 1, 2), (2, 2, 2)))
    archs = {arch for arch, _ in found}
    # Those beyond the restarts are not, and repeats are none.
    assert {(3, 3, 3), (0, 1, 2)} <= archs
    assert (2, 2, 2) not in archs


@pytest.mark.parametrize("size", [1, 2, 5])
@every_way
def test_small_pools_are_searched(task: Task, how: str, size: int) -> None:
    validation = np.full(64, np.nan)
    validation[:size] = 1.0
    table = replace(task.table, accuracy={"validation": validation})
    where = landscape(Task(task.space, table))
    found, _ = search(how, where)
    assert where.problem.pool is not None
    assert {arch for arch, _ in found} <= set(where.problem.pool)
    assert how == "ascent" or len(found) == size


@pytest.mark.parametrize("broken", [np.nan, -np.inf, np.inf])
@every_way
def test_what_has_no_value_comes_last(where: Landscape, how: str, broken: float) -> None:
    def objective(latents: Tensor) -> Tensor:
        values = latents.square().sum(1)
        return torch.where(
            latents[:, 0] > where.latents.autoencoder.mean[0], values, values * 0 + broken
        )

    found = candidates(how, where, objective, [], np.random.default_rng(0))
    values = np.array([value for _, value in found])
    assert not np.isnan(values).any()
    assert (values != np.inf).all()
    assert (np.diff(np.isneginf(values).astype(int)) >= 0).all()


def test_a_pool_that_cannot_be_listed_is_told(task: Task) -> None:
    where = landscape(task, listed=False)
    with pytest.raises(OptionError, match="search=ascent, .* toy cannot be listed, got pool$"):
        search("pool", where)


def test_another_way_is_refused(where: Landscape) -> None:
    with pytest.raises(OptionError, match="among ascent, evolution, random, pool, got 'climb'"):
        search("climb", where)


def test_nothing_to_judge(where: Landscape) -> None:
    assert judged(where, Counting(where), []).shape == (0,)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("count", [-3, 0, 1, 20, 64, 500])
def test_draws_are_different_and_all_where_there_are_fewer(
    task: Task, listed: bool, count: int
) -> None:
    where = landscape(task, listed=listed)
    drawn = where.draw(np.random.default_rng(0), count)
    assert len(drawn) == len(set(drawn)) == max(0, min(count, 64))
    assert set(drawn) <= set(task.answers.pool)
    again, other = (where.draw(np.random.default_rng(seed), count) for seed in (0, 1))
    assert drawn == again
    assert count < 2 or drawn != other


@pytest.mark.parametrize("listed", [True, False])
def test_draws_are_uniform(task: Task, listed: bool) -> None:
    where = landscape(task, listed=listed)
    rng = np.random.default_rng(0)
    draws = [where.draw(rng, 8) for _ in range(400)]
    counts = np.array([sum(arch in each for each in draws) for arch in task.answers.pool])
    # Each of 64 is in a draw of 8 with chance 1/8: 50 of 400 expected, deviation 6.6.
    assert np.abs(counts - 50).max() < 4.5 * 6.6
