"""Score sets: whose architectures are drawn together, and when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.base import DataError
from bench.reports.load import load_studies
from bench.reports.score_sets import ScoreSet
from tests.reports.conftest import Results

CELLS = [
    "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",
    "|nor_conv_1x1~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",
    "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
]
"""The first two compute the same function: what node 1 is given leads nowhere."""


def read(results: Results, task: str, archs: list[str] = CELLS, **fields: Any) -> ScoreSet:
    facts = {"space": "nasbench201"} | fields
    truth = {"validation": np.arange(3.0)}
    results.add_scores(task, truth, {"nwot": np.ones(3)}, archs=archs, **facts)
    ((found,),) = (study.score_sets for study in load_studies(results.root))
    return found


def test_cells_have_scores_of_their_own(results: Results) -> None:
    assert read(results, "nasbench201/cifar10-valid").groups is None


def test_scores_that_are_shared_stand_in_a_column(results: Results) -> None:
    found = read(results, "nasbench201/cifar10-valid@x", groups=np.array([4, 1, 4]))
    assert found.groups is not None
    assert found.groups.tolist() == [4, 1, 4]


@pytest.mark.parametrize("distinct", [True, False])
def test_a_live_run_of_distinct_cells_from_before_that_column_shares_too(
    results: Results, distinct: bool
) -> None:
    results.append(kind="live", task="nasbench201/cifar10", run="live", distinct=distinct)
    groups = read(results, "nasbench201/cifar10-valid", run="live/t/seed=0").groups
    assert (None if groups is None else groups.tolist()) == ([0, 0, 1] if distinct else None)


def test_recorded_scores_beside_a_live_run_are_their_own(results: Results) -> None:
    results.append(kind="live", task="nasbench201/cifar10", run="live", distinct=True)
    assert read(results, "nasbench201/cifar10-valid").groups is None


def test_a_live_run_on_two_machines_shares_on_both(results: Results) -> None:
    for machine, task in (("m1", "a/x"), ("m2", "b/x")):
        here = replace(results, machine=machine)
        here.append(kind="live", task="nasbench201/cifar10", run="live", distinct=True)
        truth, facts = {"validation": np.arange(3.0)}, {"space": "nasbench201"}
        here.add_scores(task, truth, {"nwot": np.ones(3)}, archs=CELLS, run=f"live/{task}", **facts)
    ((first, second),) = (study.score_sets for study in load_studies(results.root))
    assert first.groups is not None
    assert second.groups is not None


@pytest.mark.parametrize(
    ("given", "says"),
    [({"archs": ["a", "b", "c"]}, "got 'a'"), ({"space": "mine"}, "there is no space 'mine'")],
)
def test_what_is_no_architecture_here_is_told(
    results: Results, given: dict[str, Any], says: str
) -> None:
    results.append(kind="live", task="nasbench201/cifar10", run="live", distinct=True)
    with pytest.raises(DataError, match=f"expected architectures of t to be known; .*{says}"):
        read(results, "t", run="live/t/seed=0", **given)
