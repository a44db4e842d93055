"""Latents: one for each architecture, features from architectures alone, and what is shared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.base import Arch, Budget, Floats, Problem, Table
from bench.runs.oracle import Oracle
from bench.runs.tasks import Task
from ipl import latents
from ipl.latents import Latents, shared


def problem_of(task: Task) -> Problem:
    return Oracle(task.answers, Budget(queries=9)).problem()


def cut(table: Table, keep: int) -> Table:
    validation = np.full(64, np.nan)
    validation[:: 64 // keep] = 1.0
    return replace(table, accuracy={"validation": validation})


def test_an_architecture_has_one_latent_however_it_is_asked_for(task: Task) -> None:
    made = shared(problem_of(task))
    pool = task.answers.pool
    whole = made.of(pool)
    assert whole.shape == (64, made.autoencoder.latent)
    for places in ([3], [9, 1, 9], list(range(63, -1, -7))):
        assert torch.equal(made.of([pool[place] for place in places]), whole[places])
    assert made.of([]).shape == (0, made.autoencoder.latent)
    torch.testing.assert_close(whole, made.autoencoder.encode(pool))


def test_what_is_not_in_the_pool_has_a_latent_too(task: Task) -> None:
    few = Task(task.space, cut(task.table, 16))
    made = shared(problem_of(few))
    inside, outside = few.answers.pool[0], (0, 0, 1)
    assert outside not in few.answers.pool
    found = made.of([inside, outside])
    torch.testing.assert_close(found[:1], made.of([inside]))
    assert not torch.equal(found[0], found[1])


def test_features_are_told_from_the_latent(task: Task) -> None:
    """What stands beside the latent is near the standardised graph features, and differentiable."""
    problem = problem_of(task)
    made = shared(problem)
    pool = task.answers.pool
    z = made.of(pool)
    inputs = made.inputs(z)
    assert torch.equal(inputs[:, : z.shape[1]], z)
    told = inputs[:, z.shape[1] :].numpy()
    features = problem.features(pool, "graph")
    varied = features[:, features.std(0) > 0]
    standard = (varied - varied.mean(0)) / varied.std(0)
    assert told.shape == standard.shape
    assert np.mean((told - standard) ** 2) < 0.3
    point = z[:2].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(made.inputs(point)[:, z.shape[1] :].sum(), point)
    assert gradient.abs().sum(1).gt(0).all()


def test_without_features_inputs_are_the_latent(task: Task) -> None:
    made = shared(problem_of(task), auxiliary=False)
    z = made.of(task.answers.pool)
    assert made.inputs(z) is z


def test_what_is_made_is_shared_and_depends_on_no_accuracy_or_score(task: Task) -> None:
    poisoned = replace(
        task.table,
        accuracy={"validation": -task.table.accuracy["validation"]},
        scores={"jacov": np.zeros(64)},
    )
    first = shared(problem_of(task))
    assert shared(problem_of(Task(task.space, poisoned))) is first
    assert shared(problem_of(task), auxiliary=False) is not first
    assert shared(problem_of(Task(task.space, cut(task.table, 32)))) is not first


def test_nothing_is_scored_or_queried(task: Task) -> None:
    oracle = Oracle(task.answers, Budget(queries=9))
    Latents(oracle.problem(), shared(oracle.problem()).autoencoder, auxiliary=True)
    assert (oracle.scored, oracle.steps) == (0, [])


def test_made_again_it_is_the_same_bits(task: Task) -> None:
    problem = problem_of(task)
    autoencoder = shared(problem).autoencoder
    first, again = (Latents(problem, autoencoder, auxiliary=True) for _ in range(2))
    z = first.of(task.answers.pool)
    assert torch.equal(first.inputs(z), again.inputs(z))


def test_few_are_kept(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latents, "MOST", 2)
    monkeypatch.setattr(latents, "_MADE", {})
    tables = [cut(task.table, keep) for keep in (2, 4, 8)]
    problems = [problem_of(Task(task.space, table)) for table in tables]
    made = [shared(problem, auxiliary=False) for problem in problems]
    assert len(latents._MADE) == 2
    assert shared(problems[2], auxiliary=False) is made[2]
    assert shared(problems[0], auxiliary=False) is not made[0]


def test_a_space_that_cannot_be_listed_is_drawn_from(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latents, "UNLABELLED", 50)
    asked: list[int] = []
    problem = problem_of(task)

    def features(archs: Sequence[Arch], kind: str) -> Floats:
        asked.append(len(archs))
        return problem.features(archs, kind)

    made = shared(replace(problem, pool=None, features=features))
    assert asked == [50]
    z = made.of([(1, 2, 3), (3, 2, 1)])
    assert made.inputs(z).isfinite().all()
    assert made.of([]).shape == (0, made.autoencoder.latent)


def test_features_are_learnt_from_so_many_at_most(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latents, "UNLABELLED", 10)
    problem = problem_of(task)
    asked: list[Sequence[Arch]] = []

    def features(archs: Sequence[Arch], kind: str) -> Floats:
        asked.append(archs)
        return problem.features(archs, kind)

    autoencoder = shared(problem).autoencoder
    Latents(replace(problem, features=features), autoencoder, auxiliary=True)
    assert len(set(asked[0])) == 10


def test_a_pool_of_one_has_no_features_that_differ(task: Task) -> None:
    alone = Task(task.space, cut(task.table, 1))
    made = shared(problem_of(alone))
    z = made.of(alone.answers.pool)
    assert z.shape[0] == 1
    assert made.inputs(z).isfinite().all()
