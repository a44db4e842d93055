"""The page as a reader meets it: in headless Chromium, without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.reports.load import load_studies
from bench.reports.numbers import measure
from bench.reports.race import measure_race
from bench.reports.race_tables import short_tables
from bench.reports.site.page import Made, site
from bench.spaces.nasbench201 import NASBENCH201
from tests.reports.conftest import Results

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium; the test that asks for it is skipped where there is none."""
    driver = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no Chromium here: none of {', '.join(NAMES)} on the path")
    with driver.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Any, path: Path, width: int = 1280, scheme: str = "light") -> Iterator[Any]:
    """A tab that shows a file; a message in its console or a request elsewhere is an error."""
    tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    told: list[str] = []
    tab.on("console", lambda message: told.append(message.text))
    tab.on("pageerror", lambda error: told.append(str(error)))
    tab.on("request", lambda request: told.append(f"asks for {request.url[:80]}"))
    tab.set_default_timeout(60_000)
    tab.goto(path.as_uri())
    tab.wait_for_selector("#architectures .dt-container")
    yield tab
    tab.close()
    elsewhere = [each for each in told if not each.startswith(("asks for data:", "asks for file:"))]
    assert elsewhere == []
    assert told.count(f"asks for {path.as_uri()[:80]}") == sum("file:" in each for each in told)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


TAUS = {"good": 1.0, "middle": 3.0, "bad": 40.0}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two tasks: three proxies, one of which fails, and two searchers."""
    root = tmp_path_factory.mktemp("site")
    results = Results(root)
    rng = np.random.default_rng(5)
    archs = list(dict.fromkeys(NASBENCH201.text(NASBENCH201.sample(rng)) for _ in range(99)))[:60]
    for task in ("nasbench201/one", "nasbench201/two"):
        truth = rng.permutation(np.linspace(50, 90, 60))
        scores = {name: truth + rng.normal(size=60) * noise for name, noise in TAUS.items()}
        if task.endswith("two"):
            scores["extra"] = -truth
            scores["bad"][:7] = -np.inf
        results.add_scores(task, {"validation": truth}, scores, archs=archs, space="nasbench201")
        for name, low in (("random", 50.0), ("clever", 80.0)):
            picks = [rng.uniform(low, 90, 15) for _ in range(3)]
            results.add_searches(task, name, picks, 90.0, test=None)
    results.append(
        kind="search", task="nasbench201/two", run="x", seed=9, searcher="broken",
        budget="queries=15", status="failed", error="ValueError: <script>alert(1)</script>",
    )  # fmt: skip
    (study,) = load_studies(root)
    numbers = measure(study, seed=0, resamples=20)
    race = measure_race(study, root)
    assert race is not None
    shown = {"race": short_tables(race)}
    path = root / "index.html"
    path.write_bytes(site(study, numbers, race, shown, [], {}, Made("x", 0, 20)))
    return path


@pytest.fixture
def tab(browser: Any, file: Path) -> Iterator[Any]:
    with opened(browser, file) as page:
        yield page


def first_column(tab: Any, board: str, wanted: list[str]) -> None:
    """Wait until the first column of a board reads like this: sorting takes a moment."""
    from playwright.sync_api import expect

    cells = tab.locator(f"#{board}-table tbody td:first-child")
    expect(cells).to_have_text(wanted, timeout=20_000)


def choose(tab: Any, board: str, what: str, value: str) -> None:
    tab.locator(f"#{board} label", has_text=what).locator("select").select_option(label=value)


def headings(tab: Any, board: str) -> list[str]:
    return tab.locator(f"#{board}-table th").all_inner_texts()


def test_proxies_are_sorted_by_tau_and_by_what_is_clicked(tab: Any) -> None:
    first_column(tab, "proxies", ["good", "middle", "bad", "extra"])
    tau = tab.locator("#proxies-table th", has_text="τ").first
    assert tau.get_attribute("aria-sort") == "descending"
    tau.click()
    first_column(tab, "proxies", ["extra", "bad", "middle", "good"])
    assert tau.get_attribute("aria-sort") == "ascending"
    tab.locator("#proxies-table th", has_text="failed").click()
    first_column(tab, "proxies", ["good", "middle", "extra", "bad"])


def test_columns_are_sorted_by_keyboard(tab: Any) -> None:
    tab.locator("#proxies-table th", has_text="proxy").get_by_role("button").focus()
    tab.keyboard.press("Enter")
    first_column(tab, "proxies", ["bad", "extra", "good", "middle"])


def test_numbers_are_sorted_as_numbers_and_missing_ones_are_last(tab: Any) -> None:
    choose(tab, "searchers", "task", "all")
    values = tab.locator("#searchers-table tbody tr").all_inner_texts()
    assert "broken" in values[-1]
    regrets = [float(row.split("\t")[4].split(" ")[0]) for row in values[:-1]]
    assert regrets == sorted(regrets)


def test_a_filter_by_task_leaves_that_task(tab: Any) -> None:
    assert "task" not in headings(tab, "proxies")
    choose(tab, "proxies", "task", "nasbench201/one")
    first_column(tab, "proxies", ["good", "middle", "bad"])
    choose(tab, "proxies", "task", "all")
    assert tab.locator("#proxies-table tbody tr").count() == 7
    assert "task" in headings(tab, "proxies")
    tab.locator("#proxies input[type=search]").fill("midd")
    first_column(tab, "proxies", ["middle", "middle"])


def test_a_metric_is_shown_by_itself_and_sorted_by(tab: Any) -> None:
    choose(tab, "proxies", "metric", "Regret of the best of 10")
    assert headings(tab, "proxies") == ["proxy", "regret at 10", "failed", "n"]
    first_column(tab, "proxies", ["good", "middle", "bad", "extra"])
    choose(tab, "proxies", "metric", "All metrics")
    assert len(headings(tab, "proxies")) == 19


def test_an_architecture_is_drawn_by_pointing_at_it(tab: Any) -> None:
    card = tab.locator("#card")
    assert not card.is_visible()
    tab.locator("#architectures .arch").first.hover()
    assert card.is_visible()
    assert card.locator("svg.cell rect").count() == 8
    said = card.inner_text()
    for text in ("nasbench201/two", "90.00", "1 of 60", "good", "extra"):
        assert text in said
    tab.keyboard.press("Escape")
    assert not card.is_visible()


def test_an_architecture_is_drawn_by_keyboard(tab: Any) -> None:
    buttons = tab.locator("#architectures .arch")
    buttons.first.focus()
    assert tab.locator("#card").is_visible()
    before = tab.locator("#card code").inner_text()
    tab.keyboard.press("Tab")
    assert tab.locator("#card code").inner_text() != before
    tab.locator("#architectures input[type=search]").focus()
    assert not tab.locator("#card").is_visible()


def test_text_of_results_is_never_run(tab: Any) -> None:
    assert tab.locator("script").count() == 2
    tab.locator("#section-race summary").first.click()
    tab.wait_for_selector("#section-race .dt-container")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system_and_the_button(browser: Any, file: Path, scheme: str) -> None:
    with opened(browser, file, scheme=scheme) as tab:
        ground = "getComputedStyle(document.body).backgroundColor"
        colours = {"light": "rgb(253, 253, 251)", "dark": "rgb(21, 23, 26)"}
        assert tab.evaluate(ground) == colours.pop(scheme)
        button = tab.get_by_role("button", name="Dark")
        button.focus()
        tab.keyboard.press("Space")
        assert tab.evaluate(ground) in colours.values()
        assert button.get_attribute("aria-pressed") == str(scheme == "light").lower()


@pytest.mark.parametrize("width", [390, 1280, 1600])
def test_links_that_do_not_fit_are_not_seen_beside_the_button(
    browser: Any, file: Path, width: int
) -> None:
    with opened(browser, file, width=width) as tab:
        tab.evaluate(
            "[...document.querySelectorAll('nav a')].forEach("
            "e => { for (let i = 0; i < 4; i++) e.after(e.cloneNode(true)); })"
        )
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        box = tab.locator("#theme").bounding_box()
        assert box is not None
        places = [*range(int(box["x"] + box["width"]) + 2, width, 4)]
        assert places
        seen = "([xs, y]) => xs.map(x => document.elementFromPoint(x, y).tagName)"
        assert "A" not in tab.evaluate(seen, [places, box["y"] + box["height"] / 2])


def test_a_phone_scrolls_tables_and_not_the_page(browser: Any, file: Path) -> None:
    with opened(browser, file, width=390) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth") == 390
        inside = tab.locator("#proxies .dt-layout-table")
        wide = "e => [e.scrollWidth > e.clientWidth, e.scrollLeft = 200]"
        assert inside.evaluate(wide) == [True, 200]
        first = tab.locator("#proxies-table tbody td:first-child").first
        left = first.evaluate("e => e.getBoundingClientRect().left")
        assert left == inside.evaluate("e => e.getBoundingClientRect().left")
        tab.locator("#architectures .arch").first.click()
        card = tab.locator("#card").bounding_box()
        assert card is not None
        assert (card["x"], card["width"]) == (0, 390)
