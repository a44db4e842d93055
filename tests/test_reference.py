"""Published and recomputed numbers that a right implementation shows, through the whole bench."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.api import correlate as correlating
from bench.base import Budget, Record
from bench.runs.row import SearchRun
from bench.runs.search import search_all
from bench.runs.tasks import load_task

TASKS = (
    "nasbench201-suite/cifar10",
    "nasbench201-suite/ImageNet16-120",
    "transnasbench101-suite/class_scene",
)
# Spearman's rho and Kendall's tau-b on each of the tasks, failures last.
CORRELATIONS = {
    "params": ((0.747, 0.568), (0.718, 0.547), (0.638, 0.462)),
    "flops": ((0.714, 0.519), (0.690, 0.501), (0.651, 0.474)),
    "l2_norm": ((0.720, 0.527), (0.737, 0.544), (0.411, 0.280)),
    "grad_norm": ((0.550, 0.399), (0.543, 0.404), (0.383, 0.262)),
    "snip": ((0.552, 0.400), (0.542, 0.403), (0.457, 0.318)),
    "grasp": ((0.491, 0.340), (0.521, 0.373), (-0.033, -0.022)),
    "fisher": ((0.501, 0.360), (0.485, 0.358), (0.368, 0.256)),
    "plain": ((-0.367, -0.244), (-0.340, -0.228), (-0.046, -0.031)),
    "synflow": ((0.732, 0.536), (0.725, 0.538), (0.506, 0.355)),
    "jacov": ((0.818, 0.632), (0.781, 0.600), (0.601, 0.427)),
    "nwot": ((0.792, 0.603), (0.795, 0.612), (0.449, 0.309)),
    "epe_nas": ((0.787, 0.589), (0.319, 0.216), (0.320, 0.215)),
    "zen": ((0.101, 0.096), (0.112, 0.092), (0.603, 0.424)),
}
MORE = {
    "best_of_10": {
        "synflow": 91.06,
        "params": 90.74,
        "l2_norm": 90.60,
        "nwot": 90.36,
        "jacov": 90.21,
        "grad_norm": 87.56,
    },
    "spearman_top10": {
        "params": 0.009,
        "jacov": 0.146,
        "synflow": 0.193,
        "nwot": -0.200,
        "grad_norm": -0.345,
        "fisher": -0.395,
        "zen": 0.335,
    },
    "partial_spearman": {
        "jacov": 0.755,
        "epe_nas": 0.704,
        "nwot": 0.527,
        "l2_norm": 0.355,
        "synflow": 0.245,
    },
}
NB201 = ("nasbench201/cifar10-valid", "nasbench201/cifar100", "nasbench201/ImageNet16-120")
# Mean and standard deviation of the pick's test accuracy in percent, by task, at some queries.
SEARCHES = {
    "random": {
        10: ((89.66, 0.71), (69.75, 1.16), (43.34, 1.76)),
        100: ((90.71, 0.33), (71.45, 0.88), (45.38, 0.80)),
        500: ((91.00, 0.24), (72.40, 0.60), (46.00, 0.62)),
    },
    "regularised-evolution": {
        100: ((91.01, 0.27), (72.45, 0.88), (45.97, 0.69)),
        200: ((91.11, 0.14), (73.02, 0.55), (46.32, 0.46)),
    },
    "local-search": {
        100: ((91.05, 0.12), (73.24, 0.59), (46.23, 0.67)),
        300: ((91.09, 0.02), (73.51, 0.07), (46.50, 0.30)),
    },
}
SEEDS = 500
ROUNDING = 0.005


def correlated(task: str, truth: str | None = None) -> dict[str, Record]:
    rows = correlating.rows(load_task(task), list(CORRELATIONS), truth, 100, 0)
    return {row["proxy"]: row for row in rows}


@pytest.mark.parametrize("task", TASKS)
def test_suite_correlations(task: str, data: Path) -> None:
    rows = correlated(task)
    for proxy, values in CORRELATIONS.items():
        rho, tau = values[TASKS.index(task)]
        assert rows[proxy]["spearman"] == pytest.approx(rho, abs=0.001)
        assert rows[proxy]["kendall"] == pytest.approx(tau, abs=0.001)
        assert rows[proxy]["kendall_low"] < rows[proxy]["kendall"] < rows[proxy]["kendall_high"]


def test_more_on_cifar10(data: Path) -> None:
    rows = correlated(TASKS[0])
    for metric, values in MORE.items():
        for proxy, value in values.items():
            assert rows[proxy][metric] == pytest.approx(value, abs=0.001 + ROUNDING / 2), metric


def test_one_training_run_is_noisier_than_the_mean_over_seeds(data: Path) -> None:
    one_run = correlated(TASKS[0])["jacov"]
    seed_mean = correlated(NB201[0])["jacov"]
    assert one_run["n"] == seed_mean["n"] == 9445
    assert one_run["spearman"] == pytest.approx(0.818, abs=0.001)
    assert seed_mean["spearman"] == pytest.approx(0.830, abs=0.001)


@pytest.mark.parametrize("task", NB201)
@pytest.mark.parametrize("searcher", SEARCHES)
def test_searches_meet_the_reference(task: str, searcher: str, data: Path) -> None:
    """500 seeds a searcher; both means are uncertain, so four joint standard errors are allowed.

    The reference's own number of seeds is not stated; 500 is taken for it too.
    """
    loaded = load_task(task)
    longest = max(SEARCHES[searcher])
    run = SearchRun(task, searcher, Budget(queries=longest), 0, SEEDS)
    steps = np.array([done.oracle.steps for done in search_all(loaded, run)])
    validation = loaded.table.accuracy["validation"][steps]
    test = loaded.table.accuracy["test"][steps]
    for queries, values in SEARCHES[searcher].items():
        mean, deviation = values[NB201.index(task)]
        picked = test[np.arange(SEEDS), validation[:, :queries].argmax(axis=1)]
        error = np.sqrt((picked.var() + deviation**2) / SEEDS)
        assert abs(picked.mean() - mean) < 4 * error + ROUNDING, queries
