"""What a run of trainings is: its plan of stacks, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.base import OptionError
from bench.runs.train import Group, TrainRun, kind_of_machine, plan

RUN = TrainRun("nasbench201", 5, "0" * 64, "digits", "1" * 16, stack=2)
ARCHS = [(at,) * 6 for at in range(5)]


def groups(**fields: object) -> list[Group]:
    return list(plan(replace(RUN, **fields), ARCHS))


def test_stacks_are_consecutive_and_the_last_of_a_seed_may_be_smaller() -> None:
    a, b, c, d, e = ARCHS
    assert groups() == [Group(0, 0, (a, b)), Group(1, 0, (c, d)), Group(2, 0, (e,))]
    assert groups(seeds=(4, 2), stack=3) == [
        Group(0, 4, (a, b, c)),
        Group(1, 4, (d, e)),
        Group(2, 2, (a, b, c)),
        Group(3, 2, (d, e)),
    ]


def test_the_first_few_are_repeated_after_all_others() -> None:
    a, b, c, *_ = ARCHS
    found = groups(stack=2, repeated=3, more_seeds=(1, 2))
    assert [group.stack for group in found] == list(range(7))
    assert found[3:] == [
        Group(3, 1, (a, b)),
        Group(4, 1, (c,)),
        Group(5, 2, (a, b)),
        Group(6, 2, (c,)),
    ]


@pytest.mark.parametrize("stack", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("repeated", [0, 1, 5])
def test_rows_count_what_is_planned(stack: int, repeated: int) -> None:
    run = replace(RUN, stack=stack, seeds=(0, 1), repeated=repeated, more_seeds=(2, 7))
    found = list(plan(run, ARCHS))
    assert run.rows == sum(len(group.archs) for group in found) == 10 + 2 * repeated
    trained = [(group.seed, arch) for group in found for arch in group.archs]
    assert len(set(trained)) == len(trained)
    assert all(1 <= len(group.archs) <= stack for group in found)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"space": "darts"}, "networks of nasbench201 to train several at once, got darts"),
        ({"seeds": (1, 1)}, "every seed once, got 1, 1"),
        ({"seeds": (0, 1), "more_seeds": (1,)}, "every seed once, got 0, 1, 1"),
        ({"repeated": 6}, "at most 5 architectures to repeat, which are all, got 6"),
    ],
)
def test_a_run_that_makes_no_sense_is_refused(fields: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        replace(RUN, **fields)


def test_a_kind_of_machine_is_processor_and_versions() -> None:
    found = kind_of_machine("cpu")
    assert (found["torch"], found["numpy"]) == (str(torch.__version__), np.__version__)
    assert torch.backends.cpu.get_cpu_capability() in found["processor"]
    assert set(found) == {"system", "processor", "torch", "numpy"}
