"""The page's content: what stands in it, and that it stands by itself."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.base import DataError, Record
from bench.reports.load import Study, load_studies
from bench.reports.numbers import Numbers, measure
from bench.reports.page import Picture
from bench.reports.race import measure_race
from bench.reports.site import boards, leaderboards, library, pictures, provenance
from bench.reports.site.page import Made, site
from bench.reports.tables import Cell, Table
from bench.spaces.nasbench201 import NASBENCH201
from tests.reports.conftest import Results

MADE = Made("make report", 0, 20)


def loaded(results: Results) -> tuple[Study, Numbers]:
    (study,) = load_studies(results.root)
    return study, measure(study, seed=0, resamples=20)


def page_of(results: Results) -> str:
    study, numbers = loaded(results)
    race = measure_race(study, results.root)
    return site(study, numbers, race, {}, [], {}, MADE).decode()


def cards_of(page: str) -> dict[str, str]:
    found = re.search(r'<script type="application/json" id="cards">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    cards: dict[str, str] = json.loads(found[1])
    return cards


def rows_of(page: str, board: str) -> list[list[str]]:
    """The texts of a board's cells, row by row."""
    found = re.search(rf'<table id="{board}-table".*?</table>', page, re.DOTALL)
    assert found is not None
    rows = re.findall(r"<tr>(<td.*?)</tr>", found[0], re.DOTALL)
    return [
        [
            re.sub(r"<[^>]+>", "", cell).strip()
            for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)
        ]
        for row in rows
    ]


class _Addresses(HTMLParser):
    """Collects what a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.opened: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append(tag)
        wanted = {"src", "srcset", "poster", "data"} | ({"href"} if tag == "link" else set())
        self.fetched += [str(value) for name, value in attrs if name in wanted]


def test_same_results_give_the_same_bytes(study: Results) -> None:
    assert page_of(study) == page_of(study)


def test_everything_that_is_fetched_stands_in_the_page(study: Results) -> None:
    page = page_of(study)
    found = _Addresses()
    found.feed(page)
    assert all(address.startswith("data:") for address in found.fetched)
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import", page.split("<style>")[1].split("</style>")[0])
    assert re.findall(r'^import .* from "(.{20})', page, re.MULTILINE) == ["data:text/javascript"]


def test_the_boards_hold_the_numbers_of_the_csv(study: Results) -> None:
    _, numbers = loaded(study)
    rows = rows_of(page_of(study), "proxies")
    assert len(rows) == len(numbers.correlations)
    for row, record in zip(rows, numbers.correlations, strict=True):
        told = (
            f"{record['kendall']:.3f} [{record['kendall_low']:.3f}, {record['kendall_high']:.3f}]"
        )
        assert row[:3] == [record["proxy"], record["task"], told.replace("-", "−")]
        assert row[-2:] == [f"{record['n_failed']:,}", f"{record['n']:,}"]


def test_searches_that_failed_are_counted_and_listed(study: Results) -> None:
    study.append(
        kind="search", task="nasbench201-suite/cifar10", run="once", seed=77, searcher="random",
        budget="queries=12", status="failed", error="ValueError: no",
    )  # fmt: skip
    rows = {(row[0], row[1]): row for row in rows_of(page_of(study), "searchers")}
    assert rows["broken", "nasbench201/cifar10-valid"][2:] == ["queries=5", "—", "—", "2", "0"]
    assert rows["random", "nasbench201-suite/cifar10"][-2:] == ["1", "4"]


def test_text_of_results_is_escaped(results: Results) -> None:
    evil = "</script><script>alert(1)</script><!--"
    results.add_scores("a/x", {"validation": np.arange(9.0)}, {evil: np.arange(9.0)})
    page = page_of(results)
    found = _Addresses()
    found.feed(page)
    assert found.opened.count("script") == 2
    assert "alert(1)</script>" not in page
    assert any("&lt;script&gt;alert" in card for card in cards_of(page).values())


def test_architectures_are_the_best_and_the_picks(results: Results) -> None:
    rng = np.random.default_rng(1)
    archs = list(dict.fromkeys(NASBENCH201.text(NASBENCH201.sample(rng)) for _ in range(40)))[:20]
    truth = np.arange(20.0)
    truth[19] = np.nan
    scores = {
        "tied": np.r_[np.zeros(5), np.ones(15)],
        "failed": np.full(20, -np.inf),
        "gaps": np.r_[np.full(18, np.nan), 3.0, -np.inf],
    }
    results.add_scores("t/x", {"validation": truth}, scores, archs=archs, space="nasbench201")
    page = page_of(results)
    rows = rows_of(page, "architectures")
    assert [row[0] for row in rows] == [*(f"best {place}" for place in range(1, 6)), "tied", "gaps"]
    assert [row[5] for row in rows] == [
        "18.00",
        "17.00",
        "16.00",
        "15.00",
        "14.00",
        "5.00",
        "18.00",
    ]
    assert [row[4] for row in rows[:2]] == ["1", "2"]
    card = cards_of(page)["card-0"]
    assert archs[18] in card
    for text in ("1 of 20", "<td>failed</td>", "<td>1</td>", "<td>3</td>"):
        assert text in card
    assert card.count("<rect") == 8


def test_smaller_is_better_where_the_task_says_so(results: Results) -> None:
    truth = np.array([3.0, 1.0, 2.0, np.nan])
    results.add_scores("t/x", {"validation": truth}, {"p": truth}, maximise=False)
    rows = rows_of(page_of(results), "architectures")
    assert [row[5] for row in rows] == ["1.00", "2.00", "3.00", "3.00"]


def test_what_a_searcher_found_is_told_with_its_largest_budget(results: Results) -> None:
    results.add_searches("t/x", "random", [[1.0], [3.0]], 4.0, budget="queries=5", test=None)
    results.add_searches("t/x", "random", [[2.0], [2.5]], 4.0, budget="queries=10", test=None)
    page = page_of(results)
    assert rows_of(page, "architectures") == [["random", "t/x", "searcher", "a", "—", "2.50", "—"]]
    assert "<svg" not in cards_of(page)["card-0"]


def test_an_architecture_of_a_foreign_text_is_not_drawn(results: Results) -> None:
    results.add_scores("t/x", {"validation": np.arange(3.0)}, {}, space="nasbench201")
    cards = cards_of(page_of(results))
    assert len(cards) == 3
    assert not any("<svg" in card for card in cards.values())


def test_a_study_in_which_all_failed_has_a_page(results: Results) -> None:
    results.append(kind="score", task="a/x", run="r", status="failed", error="E: no")
    page = page_of(results)
    assert "1 failed run." in page
    assert "Provenance" in page
    assert cards_of(page) == {}


def test_constants_and_nothing_recorded_sort_as_the_worst(results: Results) -> None:
    nothing = {"constant": np.ones(4), "never": np.full(4, np.nan)}
    results.add_scores("a/x", {"validation": np.arange(4.0)}, nothing)
    assert [row[2] for row in rows_of(page_of(results), "proxies")] == ["—", "—"]


@pytest.mark.parametrize(("sign", "order"), [(1, -1e300), (-1, 1e300)])
def test_a_missing_value_is_the_worst(sign: int, order: float) -> None:
    assert boards.estimate({"x": None}, "x", 2, sign=sign) == boards.Entry("—", order)


def test_an_interval_is_drawn_where_it_lies() -> None:
    record: Record = {"x": 0.5, "x_low": -1.0, "x_high": 1.0}
    entry = boards.estimate(record, "x", 2, scale=(-1.0, 1.0))
    assert (entry.text, entry.interval) == ("0.50", "[−1.00, 1.00]")
    assert entry.bar == boards.Bar(0.0, 75.0, 100.0)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("−1,234.5 [−2.0, 3.0]", boards.Entry("−1,234.5", -1234.5, "[−2.0, 3.0]")),
        ("3 / 2 / 2", boards.Entry("3 / 2 / 2", 3.0)),
        ("random", boards.Entry("random", "random")),
        ("—", boards.Entry("—", "—")),
    ],
)
def test_cells_of_tables_sort_by_the_number_they_open_with(text: str, entry: boards.Entry) -> None:
    table = Table("a:b", "What it is: more. And more.", ("one",), ((Cell(text),),), 0)
    board = boards.plain(table)
    assert board.rows == ((entry,),)
    assert (board.label, board.title) == ("table-a-b", "What it is")


def test_the_summary_takes_the_best_of_each_task(study: Results) -> None:
    loaded_study, numbers = loaded(study)
    board = leaderboards.summary(
        numbers, {each.task: each.metric for each in loaded_study.score_sets}
    )
    assert board is not None
    taus = {
        r["proxy"]: r["kendall"] for r in numbers.correlations if r["task"].endswith("/cifar10")
    }
    row = next(row for row in board.rows if row[0].text == "nasbench201-suite/cifar10")
    assert row[1].text == max(taus, key=taus.__getitem__)
    assert row[2].order == max(taus.values())
    assert row[-1].text == "accuracy_percent"


def picture(name: str, width: int, height: int) -> tuple[Picture, bytes]:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "png")
    return Picture(name, "race", "What <it> shows."), buffer.getvalue()


def test_figures_are_made_smaller_until_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, png = picture("a", 300, 200)
    (full,) = pictures.embed([drawn], {drawn.png: png})
    assert (full.width, full.height) == (100, 67)
    monkeypatch.setattr(pictures, "LIMIT", len(full.url) - 1)
    (smaller,) = pictures.embed([drawn], {drawn.png: png})
    assert len(smaller.url) < len(full.url)
    assert (smaller.width, smaller.height) == (100, 67)
    monkeypatch.setattr(pictures, "LIMIT", 0)
    (least,) = pictures.embed([drawn], {drawn.png: png})
    assert len(least.url) < len(smaller.url)


def test_figures_and_tables_stand_in_their_section(study: Results) -> None:
    loaded_study, numbers = loaded(study)
    drawn, png = picture("race-1", 30, 20)
    table = Table("race", "Ranks: all.", ("who",), ((Cell("me"),),), 1)
    shown = {"race": [table], "correlations": [table]}
    images = {drawn.png: png}
    page = site(loaded_study, numbers, None, shown, [drawn], images, MADE).decode()
    assert "Race: figures and tables" in page
    assert 'id="section-correlations"' not in page
    for text in ("What &lt;it&gt; shows.", 'href="figures/race-1.pdf"', 'href="race.csv"'):
        assert text in page


def test_provenance_says_what_made_the_results(study: Results) -> None:
    (study.folder / "provenance.json").write_text(
        json.dumps(
            {
                "machine": "linux",
                "versions": {"numpy": "2.0", "torch": None},
                "data_sha256": {"a.csv": "00ff"},
                "left_out": {"t/y": "no file"},
            }
        )
    )
    page = page_of(study)
    for text in ("make report", "ipl-bench run made-up --resume", "00ff", "t/y (no file)", "0–3"):
        assert text in page
    assert "torch" not in page.split('id="provenance"')[1].split("</section>")[0]
    assert str(study.root) not in page


def test_a_live_study_names_the_command_that_scores_anew(results: Results) -> None:
    results.add_scores("a/x", {"validation": np.arange(3.0)}, {})
    run: Record = {"space": "nasbench201", "proxies": ["zen", "az nas"], "dataset": "cifar10"}
    run |= {"batch": 32, "seeds": [3, 4], "shape": [["cells", 1]], "distinct": True, "stack": 4}
    facts = {"run": run, "architectures": "sample=40, seed=3"}
    (results.folder / "provenance.json").write_text(json.dumps(facts))
    study, _ = loaded(results)
    assert provenance.command_of(study) == (
        "ipl-bench score nasbench201 --sample 40 --distinct --proxies 'zen,az nas' "
        "--dataset cifar10 --shape cells=1 --batch 32 --seed 3 --seeds 2 --stack 4 --name made-up"
    )


def test_a_recipe_stands_for_images_and_networks_in_that_command(results: Results) -> None:
    results.add_scores("a/x", {"validation": np.arange(3.0)}, {})
    run: Record = {"space": "nasbench201", "proxies": ["zen"], "dataset": "digits", "batch": 8}
    run |= {"seeds": [5], "shape": [["cells", 1]], "recipe": "digits,epochs=4"}
    facts = {"run": run, "architectures": "all"}
    (results.folder / "provenance.json").write_text(json.dumps(facts))
    study, _ = loaded(results)
    assert provenance.command_of(study) == (
        "ipl-bench score nasbench201 --all --proxies zen --recipe digits,epochs=4 --batch 8 "
        "--seed 5 --name made-up"
    )


@pytest.mark.parametrize(
    ("numbers", "text"), [({3}, "3"), ({0, 1, 2, 5}, "0–2, 5"), ({1, 3}, "1, 3")]
)
def test_seeds_are_told_as_ranges(numbers: set[int], text: str) -> None:
    assert provenance.ranges(numbers) == text


def test_a_missing_library_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(library, "_BUNDLE", "itables/html/none.js")
    with pytest.raises(DataError, match=r"expected itables/html/none.js in itables .*; got none"):
        library.module_url()
    monkeypatch.setattr(library, "_PACKAGE", "no-such-package")
    with pytest.raises(DataError, match="expected the package no-such-package for the page"):
        library.module_url()
