"""The searcher: what it asks, what it pays for, and what it may know."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm, rankdata
from torch import Tensor
from toy import TOY, toy_table

from bench.base import Arch, Budget, DataError, Floats, OptionError, Problem
from bench.runs.oracle import Oracle
from bench.runs.tasks import Task
from ipl.latents import shared
from ipl.maximise import Landscape, candidates
from ipl.ranks import normal_ranks
from ipl.searcher import IPL, Unified
from ipl.surrogate import Head, told

ROOT = Path(__file__).resolve().parents[2]
QUICK = {
    "weights": "selected",
    "scored": 20,
    "width": 16,
    "members": 1,
    "restarts": 6,
    "steps": 4,
    "polish": 20,
    "batch": 5,
}
"""Of the toy's proxies, `selected` knows jacov, nwot and synflow."""
FOUND = {"weights": "found", "labels": 6}
ZERO = {"regime": "zero-query"}
every_regime = pytest.mark.parametrize("how", [{}, ZERO, FOUND, FOUND | ZERO], ids=str)


@dataclass
class Run:
    """One search of a task, by hand: all that was asked, told and scored."""

    task: Task
    told: Callable[[float], float] = lambda value: value
    steps: list[Arch] = field(default_factory=list)
    scored: list[Arch] = field(default_factory=list)
    scored_at: list[int] = field(default_factory=list)

    def problem(self) -> Problem:
        self.oracle = Oracle(self.task.answers, Budget(queries=1000))
        problem = self.oracle.problem()

        def scores(archs: Sequence[Arch], proxies: Sequence[str]) -> Floats:
            self.scored += archs
            self.scored_at.append(len(self.steps))
            return problem.scores(archs, proxies)

        return replace(problem, scores=scores)

    def go(self, queries: int = 15, seed: int = 0, *, listed: bool = True, **how: object) -> Run:
        problem = self.problem()
        if not listed:
            problem = replace(problem, pool=None)
        searcher = IPL(problem, np.random.default_rng(seed), **(QUICK | how))
        for _ in range(queries):
            try:
                arch = searcher.ask()
            except StopIteration:
                break
            self.steps.append(arch)
            searcher.tell(arch, self.told(self.oracle.query(arch)))
        return self


def cut(task: Task, keep: int) -> Task:
    """The same task with a pool of `keep`, spread over the space."""
    validation = np.full(64, np.nan)
    rows = np.linspace(0, 63, keep).round().astype(int)
    validation[rows] = task.table.accuracy["validation"][rows]
    return Task(task.space, replace(task.table, accuracy={"validation": validation}))


def rescored(task: Task, **scores: Floats) -> Task:
    return Task(task.space, replace(task.table, scores=task.table.scores | scores))


@every_regime
@pytest.mark.parametrize("keep", [2, 5, 64])
def test_all_of_a_small_pool_is_asked_for_once(
    task: Task, keep: int, how: dict[str, object]
) -> None:
    small = cut(task, keep)
    run = Run(small).go(queries=100, **how)
    assert len(run.steps) == keep
    assert set(run.steps) == set(small.answers.pool)


@pytest.mark.parametrize("how", [{}, ZERO, {"search": "evolution"}], ids=str)
def test_a_pool_of_one_is_asked_for_once(task: Task, how: dict[str, object]) -> None:
    alone = cut(task, 1)
    assert Run(alone).go(queries=5, **how).steps == list(alone.answers.pool)


@pytest.mark.parametrize("search", ["ascent", "evolution", "random", "pool"])
def test_no_architecture_is_asked_for_twice(task: Task, search: str) -> None:
    run = Run(task).go(queries=40, search=search)
    assert len(set(run.steps)) == 40


@every_regime
@pytest.mark.parametrize("focus", [0.0, 0.4, 0.9])
@pytest.mark.parametrize("scored", [7, 20])
def test_proxies_of_exactly_so_many_are_read(
    task: Task, how: dict[str, object], focus: float, scored: int
) -> None:
    run = Run(task).go(queries=9, scored=scored, focus=focus, **how)
    assert len(run.scored) == len(set(run.scored)) == run.oracle.scored == scored


@pytest.mark.parametrize("how", [{}, FOUND], ids=str)
@pytest.mark.parametrize("scored", [6, 64, 500])
def test_a_small_pool_is_read_whole_at_most(
    task: Task, how: dict[str, object], scored: int
) -> None:
    run = Run(cut(task, 12)).go(queries=8, scored=scored, **how)
    assert len(run.scored) == len(set(run.scored)) == min(scored, 12)


def test_a_large_share_of_labels_is_among_the_scored(task: Task) -> None:
    run = Run(task).go(queries=20, scored=10, **FOUND | {"labels": 9})
    assert len(run.scored) == 10
    assert set(run.steps[:9]) <= set(run.scored)


def test_scores_are_read_before_the_first_query_or_after_the_labels(task: Task) -> None:
    assert set(Run(task).go().scored_at) == {0}
    assert set(Run(task).go(**FOUND).scored_at) == {6}


def test_what_is_focused_on_is_better_than_what_is_drawn(task: Task) -> None:
    read = Run(task).go(queries=1, scored=30, focus=0.4, search="pool").scored
    unified = task.table.scores["jacov"] + task.table.scores["nwot"]
    total = [unified[task.answers.row(arch)] for arch in read]
    assert np.mean(total[18:]) > unified.mean() + 0.75 * unified.std()


def test_zero_query_never_looks_at_what_it_is_told(task: Task) -> None:
    plain = Run(task).go(queries=40, **ZERO).steps
    for garbage in (lambda _: -1e9, lambda value: -value, lambda value: np.sin(1e5 * value)):
        assert Run(task, garbage).go(queries=40, **ZERO).steps == plain


def test_few_query_does(task: Task) -> None:
    plain = Run(task).go(queries=20).steps
    upside_down = Run(task, lambda value: -value).go(queries=20).steps
    assert upside_down[:6] == plain[:6]
    assert upside_down != plain


def test_rounds_begin_at_the_best_told_and_the_best_by_proxies(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Sequence[Arch]] = []

    def noted(how: str, where: Landscape, objective: object, starts: Sequence[Arch], rng: object):  # type: ignore[no-untyped-def]
        begun.append(starts)
        return candidates(how, where, objective, starts, rng)  # type: ignore[arg-type]

    monkeypatch.setattr("ipl.searcher.candidates", noted)
    steps = Run(task).go(queries=7, initial=6).steps
    # The first two searches are for what to score and for the ranking; six restarts have two each.
    best = sorted(steps[:6], key=lambda arch: -(10 * arch[0] + 3 * arch[1] + arch[2]))
    assert begun[0] == []
    assert list(begun[2]) == [*best[:2], *steps[:2]]


def test_every_other_round_does_not_believe_the_unified_score(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    beliefs: list[bool] = []

    def noted(*given: Tensor, believing: bool) -> Head:
        beliefs.append(believing)
        return told(*given, believing=believing)

    monkeypatch.setattr("ipl.searcher.told", noted)
    Run(task).go(queries=26, initial=6)
    assert beliefs == [True, False, True, False]


def test_zero_query_goes_down_the_unified_score(task: Task) -> None:
    """All scored, it is the sum of the three that `selected` knows."""
    run = Run(task).go(queries=64, scored=64, focus=0.0, transform="z-score", **ZERO)
    scores = np.array([task.table.scores[name] for name in ("jacov", "nwot", "synflow")])
    standard = (scores - scores.mean(1, keepdims=True)) / scores.std(1, keepdims=True)
    unified = dict(zip(task.answers.pool, standard.sum(0).tolist(), strict=True))
    # The learner adds in float32 what is summed here in float64.
    assert (np.diff([unified[arch] for arch in run.steps]) < 1e-5).all()


def test_some_of_the_first_queries_are_drawn_uniformly(task: Task) -> None:
    ranked = Run(task).go(queries=6, initial=6).steps
    runs = [Run(task).go(queries=6, initial=6, drawn=4, seed=seed).steps for seed in range(10)]
    assert runs[0][:2] == ranked[:2]
    assert all(len(set(each)) == 6 for each in runs)
    # 40 uniform draws: the mean digit is 1.5, and its deviation 1.118 / sqrt(40).
    digits = np.array([arch for each in runs for arch in each[2:]])
    assert np.abs(digits.mean(0) - 1.5).max() < 4 * 1.118 / 40**0.5


def test_found_weights_spend_the_labels_first_drawn_uniformly(task: Task) -> None:
    runs = [Run(task).go(queries=6, seed=seed, **FOUND) for seed in range(12)]
    first = [tuple(run.steps[:6]) for run in runs]
    assert len(set(first)) == 12
    # 72 uniform draws: the mean digit is 1.5, and its deviation 1.118 / sqrt(72).
    digits = np.array([arch for each in first for arch in each])
    assert np.abs(digits.mean(0) - 1.5).max() < 4 * 1.118 / 72**0.5
    run = Run(task).go(queries=7, **FOUND)
    assert set(run.steps[:6]) <= set(run.scored)


def test_labels_do_not_depend_on_what_they_are_told(task: Task) -> None:
    plain = Run(task).go(queries=6, **FOUND).steps
    assert Run(task, lambda value: -value).go(queries=6, **FOUND).steps == plain


def test_found_weights_follow_the_labels(task: Task) -> None:
    """Told upside down, what comes after the labels is the other end of the space."""
    how = {"weights": "found", "labels": 15} | ZERO
    ups = Run(task).go(queries=25, **how).steps[15:]
    downs = Run(task, lambda value: -value).go(queries=25, **how).steps[15:]
    assert np.mean([arch[0] for arch in ups]) > np.mean([arch[0] for arch in downs]) + 1


@pytest.mark.parametrize("how", [{}, FOUND], ids=str)
def test_same_seed_same_asks_whatever_ran_before(task: Task, how: dict[str, object]) -> None:
    before = torch.random.get_rng_state()
    alone = Run(task).go(seed=1, **how).steps
    Run(task).go(seed=0, **how)
    Run(cut(task, 30)).go(seed=5, **how)
    torch.rand(3)
    assert Run(task).go(seed=1, **how).steps == alone
    torch.random.set_rng_state(before)


SCRIPT = """
import sys
sys.path[:0] = ["tests/ipl", "tests"]
from conftest import hasten, named_table
from test_searcher import Run
from toy import TOY
from bench.runs.tasks import Task
hasten(setattr)
print(Run(Task(TOY, named_table())).go(seed=1).steps)
"""


def test_same_seed_same_asks_in_a_fresh_process(task: Task) -> None:
    Run(task).go(seed=0)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == str(Run(task).go(seed=1).steps)


@every_regime
def test_another_seed_another_path(task: Task, how: dict[str, object]) -> None:
    first, second = (Run(task).go(seed=seed, **how).steps for seed in (0, 1))
    assert first != second


@every_regime
def test_a_longer_budget_only_goes_on(task: Task, how: dict[str, object]) -> None:
    assert Run(task).go(queries=25, **how).steps[:12] == Run(task).go(queries=12, **how).steps


def test_more_good_ones_are_found_than_by_chance(task: Task) -> None:
    """Of the best eight of 64, fifteen uniform queries would meet two."""
    for seed in range(3):
        values = [10 * a + 3 * b + c for a, b, c in Run(task).go(seed=seed).steps]
        assert sum(value >= 36 for value in values) >= 4
        assert max(values) >= 41


@every_regime
def test_failed_scores_are_lived_with(task: Task, how: dict[str, object]) -> None:
    jacov, nwot = task.table.scores["jacov"].copy(), task.table.scores["nwot"].copy()
    jacov[::3], nwot[1::3] = np.nan, -np.inf
    run = Run(rescored(task, jacov=jacov, nwot=nwot)).go(queries=30, **how)
    assert len(set(run.steps)) == 30


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_failed_score_is_no_recommendation_whatever_its_weight(task: Task, sign: float) -> None:
    """Scores fail for the best half of the space by the other proxies: none of it comes first."""
    good = task.table.scores["nwot"]
    failing = np.where(good >= 5, np.nan, sign * good)
    small = Task(
        task.space, replace(task.table, scores={"jacov": sign * good, "zen": -sign * failing})
    )
    searcher = IPL(
        Oracle(small.answers, Budget(queries=9)).problem(),
        np.random.default_rng(0),
        **QUICK | {"weights": "equal", "scored": 64, "focus": 0.0},
    )
    where = searcher._where
    unified = Unified.learnt(where, searcher._options, {}, np.random.default_rng(0))
    for weights in ([0.0, 1.0], [0.0, -1.0]):
        weighed = replace(unified, weights=torch.tensor(weights))
        ranking = weighed.ranking(np.random.default_rng(0))
        # They count as the worst of the others, so they come last together with these.
        ends = {sum(arch) for arch in ranking if sum(arch) < 5}
        last = min(ends) if sum(ranking[0]) == max(ends) else max(ends)
        before = [arch for arch in ranking if sum(arch) < 5 and sum(arch) != last]
        assert ranking[: len(before)] == before


@pytest.mark.parametrize("mode", ["transferred", "published", "selected"])
def test_a_task_without_a_proxy_of_the_mode_is_told(quick: None, mode: str) -> None:
    foreign = Task(TOY, toy_table())
    with pytest.raises(OptionError, match=rf"weights={mode} .*, got only good, half$"):
        Run(foreign).go(weights=mode)


def test_a_task_without_any_proxy_is_told(task: Task) -> None:
    with pytest.raises(DataError, match="any, none is recorded"):
        Run(Task(task.space, replace(task.table, scores={}))).go()


@pytest.mark.parametrize(
    ("search", "how"),
    [("ascent", {}), ("ascent", ZERO), ("ascent", FOUND), ("evolution", {}), ("random", ZERO)],
)
def test_a_space_that_cannot_be_listed_is_searched(
    task: Task, monkeypatch: pytest.MonkeyPatch, search: str, how: dict[str, object]
) -> None:
    monkeypatch.setattr("ipl.latents.UNLABELLED", 60)
    run = Run(task).go(queries=70, listed=False, search=search, **how)
    assert len(run.steps) == len(set(run.steps)) == 64
    assert len(run.scored) == 20


def test_a_space_that_cannot_be_listed_is_not_judged_whole(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipl.latents.UNLABELLED", 60)
    with pytest.raises(OptionError, match="cannot be listed"):
        Run(task).go(listed=False, search="pool")


@every_regime
def test_answers_of_one_value_are_searched_too(task: Task, how: dict[str, object]) -> None:
    flat = replace(task.table, accuracy={"validation": np.ones(64)})
    if how.get("labels"):
        with pytest.raises(DataError, match="expected labels that differ"):
            Run(Task(task.space, flat)).go(**how)
    else:
        assert len(set(Run(Task(task.space, flat)).go(queries=30, **how).steps)) == 30


def test_constant_proxies_are_searched_too(task: Task) -> None:
    constant = {name: np.ones(64) for name in task.table.scores}
    assert len(set(Run(rescored(task, **constant)).go(queries=30).steps)) == 30


@pytest.mark.parametrize("scored", [1, 2, 3])
def test_very_few_scored_are_enough_to_go_on(task: Task, scored: int) -> None:
    run = Run(task).go(queries=20, scored=scored)
    assert len(set(run.steps)) == 20
    assert len(run.scored) == scored


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"labels": 5}, "labels=N with weights=found and not else, got labels=5 with weights="),
        ({"weights": "found"}, "labels=N with weights=found and not else, got labels=0"),
        (FOUND | {"scored": 5}, "labels of at most scored=5, .* got 6"),
        ({"weights": "best"}, "expected weights among"),
        ({"found_on": "mnist", "weights": "transferred"}, "expected weights found on one of"),
        ({"search": "climb"}, "expected search among"),
        ({"transform": "log"}, "expected transform among"),
        ({"steps": 0}, "expected steps and keep"),
        ({"rate": 0.0}, "expected a finite rate above 0"),
        ({"objective": "rho"} | FOUND, "expected objective among"),
        ({"regime": "some"}, "expected regime among"),
        (
            {"weights": "found", "labels": 1001, "scored": 1001},
            "labels .* the budget of 1000 .* 1001",
        ),
    ],
)
def test_senseless_options_are_refused(task: Task, how: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        Run(task).go(queries=8, **how)


@pytest.mark.parametrize(
    "how", [{"weights": "best"}, {"found_on": "mnist", "weights": "transferred"}, {"rate": 0.0}]
)
def test_senseless_options_are_refused_before_anything_is_trained(
    task: Task, how: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("ipl.searcher.shared")
    with pytest.raises(OptionError):
        Run(task).go(queries=8, **how)


@pytest.mark.parametrize("values", [[5.0], [1.0, 1.0], [3.0, 1.0, 2.0, 3.0, -9.0], [0.1] * 7])
def test_accuracies_become_normal_quantiles_of_their_ranks(values: list[float]) -> None:
    wanted = norm.ppf((rankdata(values) - 0.5) / len(values))
    np.testing.assert_allclose(normal_ranks(np.array(values)), wanted, atol=1e-12)


def test_the_head_s_inputs_are_standardised_over_the_drawn(task: Task) -> None:
    problem = Oracle(task.answers, Budget(queries=9)).problem()
    searcher = IPL(problem, np.random.default_rng(0), **QUICK | {"scored": 40})
    unified = Unified.learnt(searcher._where, searcher._options, {}, np.random.default_rng(0))
    drawn = unified.knowledge.archs[:24]
    (proxies, place), score = unified._inputs(shared(problem).of(drawn))
    assert proxies.dtype == place.dtype == score.dtype == torch.float64
    # Divided by the root of their number, four proxies have a variance of one in all.
    assert float(proxies.var(0, correction=0).sum()) == pytest.approx(1, abs=1e-4)
    assert float(proxies.mean()) == pytest.approx(0, abs=1e-5)
    assert float(score.mean()) == pytest.approx(0, abs=1e-5)
    assert float(score.std(correction=0)) == pytest.approx(1, abs=1e-4)
    whole = unified._inputs(shared(problem).of(task.answers.pool))[0][1]
    assert float(whole.var(0, correction=0).sum()) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("scored", [100, 150, 10_000])
def test_a_pool_smaller_than_what_may_be_scored_is_what_the_head_standardises_over(
    task: Task, scored: int
) -> None:
    problem = Oracle(task.answers, Budget(queries=9)).problem()
    searcher = IPL(problem, np.random.default_rng(0), **QUICK | {"scored": scored})
    unified = Unified.learnt(searcher._where, searcher._options, {}, np.random.default_rng(0))
    drawn = unified.knowledge.archs[: min(scored - int(0.4 * scored), 64)]
    (proxies, _), score = unified._inputs(shared(problem).of(drawn))
    assert float(proxies.var(0, correction=0).sum()) == pytest.approx(1, abs=1e-4)
    assert float(score.std(correction=0)) == pytest.approx(1, abs=1e-4)
