"""smoke: the embedded task, every recorded table's correlations, and the basic searchers."""

from __future__ import annotations

from collections.abc import Iterator

from bench.base import Budget
from bench.runs.row import Run, ScoreRun
from bench.studies.study import Study, searches

EMBEDDED = "nasbench201/digits"
"""It comes with the package, so that there is something to run on any machine."""

SCORED = (
    "nasbench201-suite/cifar10",
    "nasbench201-suite/ImageNet16-120",
    "nasbench201/cifar10-valid",
    "nasbench201/cifar100",
    "nasbench201/ImageNet16-120",
    "transnasbench101-suite/class_scene",
    "transnasbench101-micro/class_scene",
    "transnasbench101-micro/class_object",
    "transnasbench101-micro/autoencoder",
    "transnasbench101-micro/normal",
    "transnasbench101-macro/class_scene",
    "transnasbench101-macro/class_object",
    "transnasbench101-macro/autoencoder",
    "transnasbench101-macro/normal",
    "nasbench101/cifar10",
    "darts/suite",
    "darts/swap1000",
    "darts/oncenas545",
)
"""Tasks whose proxies are correlated with accuracy."""

COMPUTED = ("parametric", "random")
"""Proxies computed for every task beside those it records: a yardstick, and chance."""

WARM = {
    "nasbench201/cifar10-valid": "naswot",
    "nasbench201/cifar100": "naswot",
    "nasbench201/ImageNet16-120": "naswot",
    "nasbench101/cifar10": "parametric",
    "transnasbench101-micro/class_scene": "parametric",
    "transnasbench101-macro/class_scene": "parametric",
    "darts/suite": "nwot",
}
"""Tasks that are searched, and a proxy to start from that the task has for all it can be asked."""

BASIC = ("random", "local-search", "evolution", "regularised-evolution")


def warmed(proxy: str) -> tuple[str, ...]:
    """The basic searchers, each also started from a proxy, and the proxy's own ranking."""
    return (*BASIC, *(f"{name},warm={proxy}" for name in BASIC), f"rank,proxy={proxy}")


def embedded() -> Iterator[Run]:
    """The embedded task: correlations, three searchers, and two seeds of IPL, which learns."""
    yield ScoreRun(EMBEDDED, COMPUTED)
    plain = ("random", "regularised-evolution", "local-search")
    yield from searches([EMBEDDED], plain, Budget(queries=100), seeds=20, block=20)
    yield from searches([EMBEDDED], ("ipl",), Budget(queries=50), seeds=2, block=2)


def runs() -> Iterator[Run]:
    """The embedded task; then correlations of all others, and 20 seeds of 100 queries."""
    yield from embedded()
    for task in SCORED:
        yield ScoreRun(task, COMPUTED)
    for task, proxy in WARM.items():
        yield from searches([task], warmed(proxy), Budget(queries=100), seeds=20, block=20)


SMOKE = Study("smoke", "all correlations; embedded task; 9 searchers x 7 tasks x 20 seeds", runs)
