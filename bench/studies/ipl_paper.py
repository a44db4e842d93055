"""ipl-paper: the tables of the thesis behind IPL, on this bench, and what it leaves open.

How well proxies, and their unified score in each mode of weights, are predicted; what the search
finds without a query; and what each choice is worth: transform, depth, training size, auxiliary
features, objective of the weights, and gradient ascent against evolution and random search with
the same learner and as many calls of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.base import Budget
from bench.runs.row import Run, ScoreRun
from bench.studies.ipl_race import MICRO, NASBENCH201, SUITE, ipl
from bench.studies.study import Study, predictions, searches

PREDICTED = (SUITE, "nasbench201-suite/ImageNet16-120", "darts/suite")
SIZES = tuple(f",scored={scored}" for scored in (50, 200, 1000, 4722))
"""The last is half of NAS-Bench-201's different cells, what the published learner was given."""
ABLATED = (
    *(f",transform={kind}" for kind in ("raw", "min-max", "z-score", "signed-log")),
    *(f",depth={depth}" for depth in (1, 3)),
    ",auxiliary=false",
)
WEIGHTS = ("equal", "equal-without-grasp", "published", "selected", "transferred")
SEARCHES = ("evolution", "random")
"""In place of gradient ascent."""
FOUND_HERE = "ipl,weights=found,labels=20"
"""No weights transferred: found on this task, and paid for."""
SEARCHED = (*NASBENCH201, MICRO[0], "darts/suite")


def runs() -> Iterator[Run]:
    """Predictions first, then searches without and with queries."""
    for task in PREDICTED:
        yield ScoreRun(task)
    for task in PREDICTED:
        predictors = [ipl(task), "forest", ipl(task, ",learned=false")]
        yield from predictions([task], predictors, seeds=5, block=5)
    varied = [ipl(SUITE, options) for options in (*SIZES, *ABLATED)]
    yield from predictions([SUITE], varied, seeds=5, block=5)
    for labelled in PREDICTED:
        for found in ("ranks", "tau"):
            predictor = ipl(labelled, f",learned=false,labels=300,objective={found}")
            yield from predictions([labelled], [predictor], 5, 5, Budget(queries=300))
    for task in SEARCHED:
        without = [
            ipl(task, f",regime=zero-query,weights={mode}")
            if mode == "transferred"
            else f"ipl,regime=zero-query,weights={mode}"
            for mode in WEIGHTS
        ]
        yield from searches([task], without, Budget(queries=25), seeds=20, block=5)
        ways = [ipl(task), *(ipl(task, f",search={way}") for way in SEARCHES), FOUND_HERE]
        yield from searches([task], ways, Budget(queries=50), seeds=20, block=5)


IPL_PAPER = Study("ipl-paper", "the tables and ablations of the thesis behind IPL", runs)
