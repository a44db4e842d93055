"""The page of a large study: what it weighs, and how long it takes to open."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.reports.load import load_studies
from bench.reports.numbers import measure
from bench.reports.race import measure_race
from bench.reports.site.page import Made, site
from bench.reports.site.pictures import LIMIT
from bench.spaces.nasbench201 import NASBENCH201
from tests.reports.conftest import Results
from tests.reports.test_site_browser import chromium, opened

PROXIES, TASKS, SEARCHERS = 25, 12, 10
MOST = 6_000_000


def write_large(results: Results, n: int = 60, seeds: int = 3, queries: int = 12) -> None:
    """A study of 25 proxies on 12 tasks, and 10 searchers on each."""
    rng = np.random.default_rng(3)
    archs = list(dict.fromkeys(NASBENCH201.text(NASBENCH201.sample(rng)) for _ in range(2 * n)))[:n]
    for task in range(TASKS):
        name = f"nasbench201/dataset-{task:02}"
        truth = 60 + 30 * rng.beta(4, 1.5, n)
        scores = {
            f"proxy_{proxy:02}": truth + rng.normal(size=n) * (1 + proxy)
            for proxy in range(PROXIES)
        }
        accuracy = {"validation": truth, "test": truth + rng.normal(size=n) / 5}
        results.add_scores(name, accuracy, scores, archs=archs, space="nasbench201")
        for searcher in range(SEARCHERS):
            picks = [rng.choice(truth, queries) for _ in range(seeds)]
            results.add_searches(name, f"searcher-{searcher}", picks, float(truth.max()))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The page of a large study without its figures, which have a limit of their own."""
    root = tmp_path_factory.mktemp("large")
    results = Results(root)
    write_large(results)
    (study,) = load_studies(root)
    numbers = measure(study, seed=0, resamples=5)
    race = measure_race(study, root)
    return site(study, numbers, race, {}, [], {}, Made("ipl-bench report", 0, 5))


def test_a_large_study_weighs_less_than_six_megabytes(
    large: bytes, record_property: Callable[[str, object], None]
) -> None:
    record_property("bytes_without_figures", len(large))
    assert len(large) + LIMIT < MOST


def test_a_large_study_opens(
    large: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "index.html"
    path.write_bytes(large)
    with chromium() as browser, opened(browser, path) as tab:
        loaded = "performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"
        with capsys.disabled():
            sys.stdout.write(f" {len(large):,} bytes opened in {tab.evaluate(loaded):.2f} s ")
        assert tab.locator("#proxies-table tbody tr").count() == PROXIES
        assert tab.locator("#searchers-table tbody tr").count() == SEARCHERS
