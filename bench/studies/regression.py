"""regression: what must not move from one commit to the next. The study is frozen.

`ipl-bench baseline` does it and writes its values down; `ipl-bench compare` does it again and tells
what moved. It is a plan of three parts, listed here and nowhere else: tasks of recorded tables
(`runs`), networks scored live, which need no file (`live_runs`), and the ratio of two times
(`TIMED`). Take a member away, and its values are told as vanished; add one, and write the baseline
anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.base import Arch, Budget
from bench.runs import members
from bench.runs.live import LiveRun, digest, every_proxy, with_components
from bench.runs.row import Run, ScoreRun, SearchRun
from bench.studies.ipl_race import CIFAR10, ipl
from bench.studies.smoke import BASIC, COMPUTED, EMBEDDED, SCORED, WARM
from bench.studies.study import Study, searches

SEARCHED = {EMBEDDED: "nwot"} | {
    task: WARM[task]
    for task in (
        "nasbench201/cifar10-valid",
        "nasbench201/ImageNet16-120",
        "transnasbench101-macro/class_scene",
        "darts/suite",
    )
}
"""Tasks that are searched, and the proxy that `rank` goes by."""
SEEDS, FEW = 20, 10
"""Seeds of what costs next to nothing, and of what learns a model."""
LEARNING = frozenset(
    (
        *("ipl", "predictor", "gaussian-process", "bananas", "npenas"),
        *("optuna-tpe", "optuna-gp"),
    )
)
"""Searchers that train a model, which turns rounding into other picks; all others are exact."""
LEARNERS = ("predictor,scored=50", "gaussian-process,scored=50", "npenas")
"""Those that are searched with, besides IPL."""
QUERIES, SECONDS = Budget(queries=50), Budget(seconds=500_000)
CHARGED = "transnasbench101-macro/class_scene"
"""A task that records seconds, so that a budget of them can be overspent."""

SPACE = "nasbench201"
CELLS = (
    "nor_conv_3x3 nor_conv_3x3 nor_conv_3x3 nor_conv_3x3 nor_conv_3x3 nor_conv_3x3",
    "nor_conv_3x3 nor_conv_3x3 avg_pool_3x3 skip_connect nor_conv_3x3 nor_conv_3x3",
    "nor_conv_1x1 skip_connect nor_conv_3x3 avg_pool_3x3 none nor_conv_1x1",
    "nor_conv_1x1 nor_conv_1x1 nor_conv_1x1 nor_conv_1x1 nor_conv_1x1 nor_conv_1x1",
    "avg_pool_3x3 nor_conv_3x3 none skip_connect avg_pool_3x3 nor_conv_1x1",
    "skip_connect none nor_conv_3x3 nor_conv_1x1 skip_connect none",
    "avg_pool_3x3 avg_pool_3x3 avg_pool_3x3 avg_pool_3x3 avg_pool_3x3 avg_pool_3x3",
    "skip_connect skip_connect skip_connect skip_connect skip_connect skip_connect",
    "none nor_conv_3x3 none none none nor_conv_1x1",
    "none none none none none none",
)
"""The operations of ten cells, edge by edge: heavy ones, and ones that leave proxies undefined."""
SMALL = (("cells", 1), ("channels", 4))
WHOLE = 2
"""How many of the cells are scored at the networks' full size, too."""
TIMED = CELLS[1]
BATCH = 16


def runs() -> Iterator[Run]:
    """Correlations of all recorded proxies, then searches; one task of them is here everywhere."""
    for task in (EMBEDDED, *SCORED):
        yield ScoreRun(task, COMPUTED)
    for task, proxy in SEARCHED.items():
        yield from searches([task], (*BASIC, f"rank,proxy={proxy}"), QUERIES, SEEDS, SEEDS)
    yield from searches([CHARGED], BASIC, SECONDS, SEEDS, SEEDS)
    for task in (EMBEDDED, CIFAR10):
        yield from searches([task], [ipl(task, ",scored=50")], Budget(queries=10), FEW, FEW)
        yield from searches([task], LEARNERS, Budget(queries=20), FEW, FEW)


def learns(run: SearchRun) -> bool:
    """Whether the searcher of a run trains a model."""
    return run.searcher.partition(",")[0] in LEARNING


@dataclass(frozen=True)
class LivePlan:
    """Networks to be scored by every built-in proxy that can be computed.

    In float64, which processors agree on, and in float32, which users are given.
    """

    name: str
    run: LiveRun
    archs: tuple[Arch, ...]


def live_runs() -> Iterator[LivePlan]:
    """The cells as small networks, and a few of them whole, on a minibatch of noise."""
    space = members.space(SPACE)
    archs = tuple(space.parse(cell_text(each)) for each in CELLS)
    own = [name for name in every_proxy() if members.origin("proxies", name) == "built-in"]
    proxies, _ = with_components(own)
    for name, shape, count in (("small", SMALL, len(archs)), ("whole", (), WHOLE)):
        chosen = archs[:count]
        run = LiveRun(
            space=SPACE,
            archs=count,
            archs_sha256=digest(space, chosen),
            proxies=proxies,
            dataset="noise",
            batch=BATCH,
            shape=shape,
        )
        yield LivePlan(f"{SPACE}-{name}/noise", run, chosen)


def cell_text(operations: str) -> str:
    """The native text of a cell of NAS-Bench-201 by its six operations."""
    return "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*operations.split())


REGRESSION = Study("regression", "what must not move: compared with results/baseline", runs)
