"""Published figures, met on the published files: NAS-Bench-Suite-Zero's scores on NB201."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest

from bench.metrics.bootstrap import resample
from bench.metrics.compare import noise_ceiling, paired
from bench.metrics.rank import (
    failed,
    failures_last,
    kendall,
    kendall_top,
    partial_spearman,
    spearman,
    spearman_top,
)
from bench.metrics.top import best_of_top_k, tied_at_k

# Spearman's rho and Kendall's tau against the suite's validation accuracy, failures last:
# CIFAR-10, then ImageNet16-120.
CORRELATIONS = {
    "params": (0.747, 0.568, 0.718, 0.547),
    "flops": (0.714, 0.519, 0.690, 0.501),
    "l2_norm": (0.720, 0.527, 0.737, 0.544),
    "grad_norm": (0.550, 0.399, 0.543, 0.404),
    "snip": (0.552, 0.400, 0.542, 0.403),
    "grasp": (0.491, 0.340, 0.521, 0.373),
    "fisher": (0.501, 0.360, 0.485, 0.358),
    "plain": (-0.367, -0.244, -0.340, -0.228),
    "synflow": (0.732, 0.536, 0.725, 0.538),
    "jacov": (0.818, 0.632, 0.781, 0.600),
    "nwot": (0.792, 0.603, 0.795, 0.612),
    "epe_nas": (0.787, 0.589, 0.319, 0.216),
    "zen": (0.101, 0.096, 0.112, 0.092),
}
AMONG_BEST = {
    "params": 0.009,
    "jacov": 0.146,
    "synflow": 0.193,
    "nwot": -0.200,
    "grad_norm": -0.345,
    "fisher": -0.395,
    "zen": 0.335,
}
GIVEN_PARAMS = {"jacov": 0.755, "epe_nas": 0.704, "nwot": 0.527, "l2_norm": 0.355, "synflow": 0.245}
BEST_OF_TEN = {
    "synflow": 91.06,
    "params": 90.74,
    "l2_norm": 90.60,
    "nwot": 90.36,
    "jacov": 90.21,
    "grad_norm": 87.56,
}


def columns(path: Path) -> dict[str, np.ndarray]:
    table = pyarrow.csv.read_csv(path)
    return {name: table[name].to_numpy() for name in table.column_names}


def suite(data: Path, prefix: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The proxies, failures last, and the validation accuracy, row by row."""
    scores = columns(data / "nasbench201" / f"{prefix}_zc_proxies.csv")
    truth = columns(data / "nasbench201" / f"{prefix}_valid_nets.csv")
    assert (scores["net"] == truth["net"]).all()
    return {name: failures_last(scores[name]) for name in CORRELATIONS}, truth["val_accs"]


@pytest.fixture(scope="module")
def cifar(data: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    return suite(data, "nb201")


def test_correlations_on_cifar(cifar) -> None:
    scores, truth = cifar
    assert len(truth) == 9445
    found = {name: (spearman(x, truth), kendall(x, truth)) for name, x in scores.items()}
    for name, expected in CORRELATIONS.items():
        assert found[name] == pytest.approx(expected[:2], abs=0.001), name


def test_correlations_on_imagenet(data: Path) -> None:
    scores, truth = suite(data, "nb201_ImageNet16-120")
    assert len(truth) == 9445
    for name, expected in CORRELATIONS.items():
        found = spearman(scores[name], truth), kendall(scores[name], truth)
        assert found == pytest.approx(expected[2:], abs=0.001), name


def test_correlations_among_the_truly_best(cifar) -> None:
    scores, truth = cifar
    assert (truth >= np.percentile(truth, 90)).sum() == 961
    for name, expected in AMONG_BEST.items():
        assert spearman_top(scores[name], truth) == pytest.approx(expected, abs=0.001), name
    best = truth >= np.percentile(truth, 90)
    assert kendall_top(scores["zen"], truth) == kendall(scores["zen"][best], truth[best])


def test_correlations_given_params(cifar) -> None:
    scores, truth = cifar
    for name, expected in GIVEN_PARAMS.items():
        found = partial_spearman(scores[name], truth, scores["params"])
        assert found == pytest.approx(expected, abs=0.001), name


def test_best_of_ten(cifar) -> None:
    scores, truth = cifar
    assert truth.max() == pytest.approx(91.57, abs=0.005)
    for name, expected in BEST_OF_TEN.items():
        found = best_of_top_k(scores[name], truth, 10, ties="order")
        assert found == pytest.approx(expected, abs=0.005), name
    # Params ties at the border, so the table's row order chose one of several answers.
    assert tied_at_k(scores["params"], 10) > 1
    assert best_of_top_k(scores["params"], truth, 10) == pytest.approx(90.776, abs=0.001)


def test_jacov_beats_params_beyond_chance(cifar) -> None:
    scores, truth = cifar
    counts = resample(len(truth), 100, np.random.default_rng(0))
    found = paired(kendall, scores["jacov"], scores["params"], truth, counts)
    assert found.low > 0.05
    assert 0 < found.p_value < 2 / 101


def test_noise_ceilings(data: Path) -> None:
    """Tau of validation with test accuracy over all 15,625 cells."""
    for dataset, expected in (("cifar10", 0.951), ("cifar100", 0.932), ("ImageNet16-120", 0.938)):
        table = columns(data / "nasbench201" / f"nasbench201_{dataset}.csv")
        assert len(table["validation accuracy"]) == 15_625
        counts = resample(15_625, 20, np.random.default_rng(0))
        found = noise_ceiling(table["validation accuracy"], table["test accuracy"], counts)
        assert found.value == pytest.approx(expected, abs=0.001)
        assert found.low < found.value < found.high
        assert found.high - found.low < 0.01


def test_failures_in_the_files(data: Path) -> None:
    scores = columns(data / "nasbench201" / "nb201_zc_proxies.csv")
    for name in CORRELATIONS:
        assert failed(scores[name]).any() == (name in ("jacov", "nwot", "epe_nas", "zen"))
