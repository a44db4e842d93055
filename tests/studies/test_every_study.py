"""A contract over all studies."""

from __future__ import annotations

import pytest

from bench.runs import members
from bench.runs.row import PredictRun, SearchRun, file_name
from bench.runs.tasks import task_reader
from bench.studies import STUDIES
from bench.studies.study import Study

STUDY = pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)


@STUDY
def test_a_plan_is_listed_the_same_twice(study: Study) -> None:
    assert list(study.runs()) == list(study.runs())


@STUDY
def test_keys_and_file_names_are_unique(study: Study) -> None:
    keys = [run.key for run in study.runs()]
    assert len(set(keys)) == len(keys)
    assert len({file_name(key).lower() for key in keys}) == len(keys)
    assert max(len(file_name(key)) for key in keys) < 200


@STUDY
def test_every_member_it_names_exists(study: Study) -> None:
    for task in study.tasks():
        task_reader(task)
    for run in study.runs():
        if isinstance(run, SearchRun):
            members.searcher(run.searcher)
        elif isinstance(run, PredictRun):
            members.predictor(run.predictor)
        else:
            for proxy in run.proxies:
                members.proxy(proxy)


@STUDY
def test_no_seed_is_searched_twice(study: Study) -> None:
    seen = set()
    for run in study.runs():
        if isinstance(run, SearchRun):
            for seed in range(run.first_seed, run.first_seed + run.seeds):
                key = (run.task, run.searcher, run.budget, seed)
                assert key not in seen
                seen.add(key)
    assert seen
