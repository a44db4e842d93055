from __future__ import annotations

from pathlib import Path

import pytest

from bench.reports.baseline import read
from bench.runs import members
from bench.runs.live import digest
from bench.runs.row import ScoreRun, SearchRun
from bench.studies.regression import (
    CELLS,
    CHARGED,
    LEARNING,
    SPACE,
    TIMED,
    cell_text,
    learns,
    live_runs,
    runs,
)
from bench.studies.smoke import EMBEDDED


def test_the_landed_baseline_is_whole_and_of_this_plan() -> None:
    folder = Path(__file__).resolve().parents[2] / "results" / "baseline"
    if not folder.is_dir():
        pytest.skip("results/baseline is not here, as in a source distribution")
    values = read(folder).values
    assert {value.kind for value in values} >= {"task", "correlation", "search", "live", "speed"}
    known = {run.task for run in runs()} | {plan.name for plan in live_runs()}
    assert {value.task for value in values if value.kind != "benchmark"} <= known


def test_the_cells_are_different_and_of_the_space() -> None:
    space = members.space(SPACE)
    archs = [space.parse(cell_text(cell)) for cell in CELLS]
    assert len({space.canonical(arch) for arch in archs}) == 10
    assert [space.text(arch) for arch in archs] == [cell_text(cell) for cell in CELLS]
    assert TIMED in CELLS


def test_networks_are_listed_the_same_twice_and_need_no_file() -> None:
    small, whole = live_runs()
    assert (small, whole) == tuple(live_runs())
    assert len(small.archs) == 10
    assert whole.archs == small.archs[: len(whole.archs)]
    for plan in (small, whole):
        assert plan.run.archs_sha256 == digest(members.space(SPACE), plan.archs)
        assert plan.run.archs == len(plan.archs)
        assert plan.run.dataset == "noise"
        assert plan.run.threads == 1


def test_every_built_in_proxy_is_scored_live_and_no_plugin() -> None:
    small, _ = live_runs()
    assert {"synflow", "jacov", "grasp", "zen", "ntk"} <= set(small.run.proxies)
    assert {members.origin("proxies", name) for name in small.run.proxies} == {"built-in"}


def test_searches_cover_both_budgets_and_ipl_and_are_scored_too() -> None:
    plan = list(runs())
    searched = [run for run in plan if isinstance(run, SearchRun)]
    assert {run.task for run in searched if run.budget.seconds} == {CHARGED}
    assert {run.searcher.partition(",")[0] for run in searched} == {
        *("random", "local-search", "evolution", "regularised-evolution", "rank"),
        *("ipl", "predictor", "gaussian-process", "npenas"),
    }
    scored = {run.task for run in plan if isinstance(run, ScoreRun)}
    # Where no file can be had there is one task all the same, with every kind of value.
    of_embedded = {run.searcher.partition(",")[0] for run in searched if run.task == EMBEDDED}
    assert of_embedded >= {"random", "local-search", "rank", "ipl", "gaussian-process"}
    assert EMBEDDED in scored
    assert {run.task.partition("@")[0] for run in searched} <= scored


def test_a_searcher_that_learns_has_seeds_enough_to_be_told_from_another() -> None:
    searched = [run for run in runs() if isinstance(run, SearchRun)]
    seeds = {learns(run): set[int]() for run in searched}
    for run in searched:
        seeds[learns(run)].add(run.seeds)
    # Twice ten seeds can be dealt out in 184,756 ways, so that even p = 1e-5 can come out.
    assert seeds == {True: {10}, False: {20}}
    assert set(members.names("searchers")) >= LEARNING
