"""How fast a tau-b interval is, against a loop over scipy, timed in the same run.

    pytest tests/metrics/test_speed.py --benchmark-enable --benchmark-group-by=group

Both members of a group do a known number of resamples; divide by `resamples` in `extra_info`, or
read the ratio that the last test prints with -s. Matrix products share out their work over all
cores and wait for the slowest, so on a busy machine set OPENBLAS_NUM_THREADS=1. No time decides a
test: with benchmarks disabled, as by default, a small table is used once and only the values are
compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import stats

from bench.metrics.bootstrap import resample
from bench.metrics.rank import kendall

PROXIES = 13


@dataclass(frozen=True)
class Work:
    scores: np.ndarray
    """`p x n`."""
    truth: np.ndarray
    counts: np.ndarray
    scipy_resamples: int


@pytest.fixture(scope="module", params=["untied", "28 values"])
def work(request: pytest.FixtureRequest) -> Work:
    quick = not request.config.getoption("benchmark_enable")
    rows, resamples, proxies = (400, 20, 2) if quick else (15_625, 1000, PROXIES)
    rng = np.random.default_rng(0)
    truth = rng.normal(size=rows)
    scores = truth + rng.normal(size=(proxies, rows))
    if request.param == "28 values":
        scores = np.digitize(scores, np.linspace(-3, 3, 27)).astype(float)
    return Work(scores, truth, resample(rows, resamples, rng), min(20, resamples))


def ours(work: Work) -> np.ndarray:
    return np.stack([kendall(score, work.truth, counts=work.counts) for score in work.scores])


def loop(work: Work) -> np.ndarray:
    """The same of the first proxy only, for the first few resamples."""
    rows = np.arange(len(work.truth))
    drawn = [np.repeat(rows, one) for one in work.counts[: work.scipy_resamples]]
    return np.array([stats.kendalltau(work.scores[0][i], work.truth[i])[0] for i in drawn])


@pytest.mark.parametrize("method", [ours, loop])
@pytest.mark.benchmark(group="kendall-bootstrap")
def test_kendall_bootstrap(
    method: Callable[[Work], np.ndarray], work: Work, benchmark: BenchmarkFixture
) -> None:
    proxies, resamples = len(work.scores), len(work.counts)
    done = proxies * resamples if method is ours else work.scipy_resamples
    benchmark.extra_info["resamples"] = done
    values = benchmark.pedantic(method, args=(work,), rounds=3, warmup_rounds=1)
    assert values.size == done


def test_the_ratio_is_told_and_the_values_agree(work: Work) -> None:
    seconds = []
    for method in (ours, loop):
        start = time.perf_counter()
        values = method(work)
        seconds.append((time.perf_counter() - start) / values.size)
    found = ours(work)[0, : work.scipy_resamples]
    np.testing.assert_allclose(found, loop(work), atol=1e-12)
    print(  # noqa: T201 - the purpose of this test, shown with -s
        f"\n{len(work.truth)} rows, seconds a resample: ours {seconds[0]:.2e}, "
        f"scipy {seconds[1]:.2e}, ratio {seconds[1] / seconds[0]:.1f}"
    )
