"""What is known of the proxies: which are read, how they are scaled, and what is predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from bench.base import Arch, Budget, DataError, Floats, Problem
from bench.runs.oracle import Oracle
from bench.runs.tasks import Task
from ipl.latents import shared
from ipl.options import Settings
from ipl.proxies import Knowledge, Study
from ipl.transforms import fitted

SMALL = Settings(widths=(32,), members=1, steps=150, rate=1e-2)


@dataclass
class Scores:
    """The oracle's answers, noted."""

    oracle: Oracle
    asked: list[tuple[tuple[Arch, ...], tuple[str, ...]]] = field(default_factory=list)

    def __call__(self, archs: Sequence[Arch], proxies: Sequence[str]) -> Floats:
        self.asked.append((tuple(archs), tuple(proxies)))
        return self.oracle.scores(archs, proxies)


def study_of(task: Task, transform: str = "rank") -> tuple[Study, Scores]:
    scores = Scores(Oracle(task.answers, Budget(queries=9)))
    problem: Problem = replace(scores.oracle.problem(), scores=scores)
    return Study(problem, shared(problem), transform, SMALL), scores


def learnt(
    task: Task, archs: Sequence[Arch], before: Knowledge | None = None, seed: int = 0
) -> Knowledge:
    return study_of(task)[0].of(archs, np.random.default_rng(seed), before)


def drawn(task: Task, count: int) -> list[Arch]:
    pool = task.answers.pool
    return [pool[place] for place in np.random.default_rng(5).permutation(64)[:count]]


def test_all_proxies_are_read_once_of_those_asked_for(task: Task) -> None:
    study, scores = study_of(task)
    archs = drawn(task, 20)
    knowledge = study.of(archs, np.random.default_rng(0))
    assert scores.asked == [(tuple(archs), ("jacov", "nwot", "synflow", "snip"))]
    assert knowledge.archs == tuple(archs)
    assert knowledge.names == ("jacov", "nwot", "synflow", "snip")
    raw = scores.oracle.scores(archs, knowledge.names)
    np.testing.assert_array_equal(knowledge.scores, fitted("rank", raw)(raw))


def test_more_are_transformed_as_the_first_and_all_are_learnt_from(task: Task) -> None:
    study, scores = study_of(task, "min-max")
    archs = drawn(task, 30)
    first = study.of(archs[:20], np.random.default_rng(0))
    both = study.of(archs[20:], np.random.default_rng(0), first)
    assert [asked[0] for asked in scores.asked] == [tuple(archs[:20]), tuple(archs[20:])]
    assert both.archs == tuple(archs)
    assert both.transform is first.transform
    raw = scores.oracle.scores(archs, first.names)
    np.testing.assert_array_equal(both.scores, fitted("min-max", raw[:20])(raw))
    z = study.latents.of(archs[20:])
    wanted = torch.from_numpy(both.scores[20:]).float()
    errors = [float((each.predicted(z) - wanted).square().mean()) for each in (first, both)]
    assert errors[1] < errors[0]


def test_scores_of_the_unread_are_predicted(task: Task) -> None:
    archs = drawn(task, 40)
    knowledge = learnt(task, archs)
    unread = [arch for arch in task.answers.pool if arch not in archs]
    predicted = knowledge.predicted(knowledge.latents.of(unread)).numpy()
    raw = Oracle(task.answers, Budget(queries=1)).scores(unread, knowledge.names)
    for place in (0, 1, 3):
        assert np.corrcoef(predicted[:, place], raw[:, place])[0, 1] > 0.7


def test_a_proxy_that_is_never_defined_is_left_out_and_failures_are_unknown(task: Task) -> None:
    scores = {name: values.copy() for name, values in task.table.scores.items()}
    scores["nwot"][:] = np.nan
    scores["jacov"][::2] = -np.inf
    holed = Task(task.space, replace(task.table, scores=scores))
    archs = list(task.answers.pool)
    knowledge = learnt(holed, archs)
    assert knowledge.names == ("jacov", "synflow", "snip")
    assert np.isnan(knowledge.scores).any(axis=0).tolist() == [True, False, False]
    assert np.isnan(knowledge.scores[::2, 0]).all()
    assert np.isfinite(knowledge.scores[1::2]).all()
    # Of what follows, only those are read.
    study, noted = study_of(holed)
    study.of(archs[:3], np.random.default_rng(0), knowledge)
    assert noted.asked[0][1] == knowledge.names


def test_a_later_read_proxy_that_fails_everywhere_is_unknown(task: Task) -> None:
    scores = {name: values.copy() for name, values in task.table.scores.items()}
    scores["snip"][32:] = np.nan
    holed = Task(task.space, replace(task.table, scores=scores))
    pool = task.answers.pool
    first = learnt(holed, pool[:10])
    both = learnt(holed, pool[40:50], first)
    assert both.names == first.names
    assert np.isnan(both.scores[10:, 3]).all()


def test_one_architecture_is_enough(task: Task) -> None:
    knowledge = learnt(task, drawn(task, 1))
    assert knowledge.scores.tolist() == [[0, 0, 0, 0]]
    assert knowledge.predicted(knowledge.latents.of(task.answers.pool)).isfinite().all()


def test_same_seed_same_bits_and_another_seed_others(task: Task) -> None:
    z = shared(study_of(task)[0].problem).of(task.answers.pool)
    first, again, other = (
        learnt(task, drawn(task, 20), seed=seed).predicted(z).numpy().tobytes()
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        ({}, "of 2 architectures .* any, none is recorded"),
        ({"jacov": np.full(64, np.nan), "snip": np.full(64, -np.inf)}, "score of jacov, snip$"),
    ],
)
def test_nothing_to_learn_from_is_told(task: Task, scores: dict[str, Floats], says: str) -> None:
    empty = Task(task.space, replace(task.table, scores=scores))
    with pytest.raises(
        DataError, match=f"expected proxies {'.*' if 'of 2' not in says else ''}{says}"
    ):
        learnt(empty, drawn(task, 2))
