"""ipl-race: every searcher on every task, by queries and by how many architectures it may score.

Proxies are not free: in a large space they cannot be had of every architecture. So whoever reads
proxies runs at several numbers of scored architectures, and is compared at equal ones.

IPL's weights of proxies are transferred: found on CIFAR-10 for all other tasks, and on
ImageNet16-120 for CIFAR-10, so that no task's labels are used on itself. They are labels all the
same, 1,000 of them, on NAS-Bench-201 even of the same cells; no rival has any. So IPL also runs
without them (`weights=equal`), and what they are worth by themselves runs too: the unified score's
ranking, which learns from no answer (`regime=zero-query`).
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.base import Budget
from bench.runs.row import Run, ScoreRun
from bench.studies.study import Study, searches

SUITE = "nasbench201-suite/cifar10"
"""Where weights are found for all other tasks."""
CIFAR10 = f"nasbench201/cifar10-valid@{SUITE}"
NASBENCH201 = (
    CIFAR10,
    "nasbench201/cifar100@nasbench201-suite/cifar10",
    "nasbench201/ImageNet16-120@nasbench201-suite/ImageNet16-120",
)
MICRO = tuple(
    f"transnasbench101-micro/{dataset}@transnasbench101-suite/class_scene"
    for dataset in ("class_scene", "class_object", "autoencoder", "normal")
)
MACRO = tuple(
    f"transnasbench101-macro/{dataset}@transnasbench101-macro/{dataset}"
    for dataset in ("class_scene", "class_object", "autoencoder", "normal")
)
TASKS = (*NASBENCH201, *MICRO, *MACRO, "darts/suite")
"""Each with the accuracy of one dataset, and proxies of every architecture that can be asked."""

SCORED = (50, 200, 1000)
ELSEWHERE = "nasbench201-suite/ImageNet16-120"
COMMON = "proxies=jacov+nwot+params+flops"
"""For rank-average: its own four are not recorded everywhere."""
CHEAP = ("random", "local-search", "regularised-evolution", "optuna-tpe")
DEAR = ("bananas", "npenas", "predictor,features=graph", "gaussian-process,features=graph")
"""Rivals that read no proxy, and may ask for any architecture."""
READING = ("gaussian-process", "predictor", "bananas,features=paths+proxies")
"""Rivals that read all proxies that a task records; the first asks among the scored alone."""
VARIANTS = (",weights=equal", ",regime=zero-query")
"""Of IPL: without labels of other tasks, and with nothing but these."""
LONG, SHORT = Budget(queries=200), Budget(queries=100)
"""Everywhere but on NAS-Bench-201, half the queries tell the same for half the time."""
FEW, MANY = 10, 100
"""Seeds of what learns a model, and of what costs next to nothing."""


def ipl(task: str, options: str = "") -> str:
    """IPL on a task, with weights found on another."""
    where = f",found_on={ELSEWHERE}" if task in (CIFAR10, SUITE) else ""
    return f"ipl{options}{where}"


def runs() -> Iterator[Run]:
    """Correlations for reference; IPL first, so that the others are compared with it."""
    for task in TASKS:
        yield ScoreRun(task)
    for task in TASKS:
        yield from _race(task, LONG if task in NASBENCH201 else SHORT)


def _race(task: str, budget: Budget) -> Iterator[Run]:
    """All searchers on one task, those that read proxies at each number of scored ones and all."""
    ranked = f"rank-average,{COMMON}"
    for scored in SCORED:
        option = f",scored={scored}"
        # Fifty scores are too few to tell variants apart.
        variants = VARIANTS if scored > SCORED[0] else ()
        learning = [ipl(task, f"{variant}{option}") for variant in ("", *variants)]
        learning += [f"{name}{option}" for name in READING]
        yield from searches([task], learning, budget, seeds=FEW, block=5)
        yield from searches([task], [f"{ranked}{option}"], budget, seeds=MANY, block=50)
    yield from searches([task], (*READING, *DEAR), budget, seeds=FEW, block=5)
    yield from searches([task], (ranked, *CHEAP), budget, seeds=MANY, block=50)


IPL_RACE = Study("ipl-race", "IPL and its rivals at equal queries and equal scores read", runs)
