from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.base import Record
from bench.reports.tables import (
    Cell,
    Table,
    correlation_tables,
    csv_text,
    failure_records,
    failure_table,
    latex_escape,
    latex_text,
    markdown_text,
    number,
    search_tables,
    with_interval,
)

TABLE = Table(
    "t/x",
    "A caption_ of 95 %.",
    ("proxy", "τ"),
    ((Cell("epe_nas"), Cell("−0.500 [−0.6, −0.4]", bold=True)), (Cell("a|b"), Cell("—"))),
    1,
)


def test_latex_is_written_in_booktabs() -> None:
    assert latex_text(TABLE) == (
        "\\begin{table*}\n\\centering\\footnotesize\\setlength{\\tabcolsep}{4pt}\n"
        "\\caption{A caption\\_ of 95 \\%.}\n\\label{tab:t/x}\n"
        "\\begin{tabular}{lr}\n\\toprule\nproxy & $\\tau$ \\\\\n\\midrule\n"
        "epe\\_nas & \\textbf{$-$0.500 [$-$0.6, $-$0.4]} \\\\\n"
        "a\\textbar{}b & --- \\\\\n"
        "\\bottomrule\n\\end{tabular}\n\\end{table*}\n"
    )


def test_a_latex_row_never_opens_with_a_bracket() -> None:
    table = Table("t", "c", ("a",), ((Cell("[1, 2]"),),), 0)
    assert "\n{}[1, 2] \\\\\n" in latex_text(table)


def test_latex_keeps_to_what_it_prints_without_a_package() -> None:
    assert latex_escape('é "a" – λ\x07…') == r"é ''a'' -- [U+03BB][U+0007]\ldots{}"
    label = latex_text(Table("my task_{%", "c", ("a",), (), 1))
    assert r"\label{tab:my-task---}" in label


def test_markdown_escapes_what_would_break_a_row() -> None:
    assert markdown_text(TABLE).splitlines() == [
        r"A caption\_ of 95 %.",
        "",
        "| proxy | τ |",
        "| --- | --: |",
        "| epe_nas | **−0.500 [−0.6, −0.4]** |",
        r"| a\|b | — |",
    ]


@given(st.text())
def test_no_text_leaves_latex_with_an_open_command(text: str) -> None:
    plain = latex_escape(text)
    left = re.sub(r"\\(text[a-z]+\{\}|ldots\{\}|[&%$#_{}])|\$(-|\\(pm|times|tau|rho))\$", "", plain)
    assert all(character.isprintable() and ord(character) < 0x100 for character in plain)
    assert not set(left) & set('\\&%$#_{}~^<>|"\n')


@given(st.text())
def test_no_text_adds_a_cell_or_a_line_to_a_markdown_row(text: str) -> None:
    lines = markdown_text(Table("t", "c", ("a",), ((Cell(text),),), 1)).split("\n")
    assert len(lines) == 6
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", lines[4])) == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "—"), (-0.0004, "0.000"), (-0.0006, "−0.001"), (12345.6789, "12345.679")],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value, 3) == text


def test_an_interval_is_left_out_where_it_is_undefined() -> None:
    record = {"tau": 0.5, "tau_low": 0.25, "tau_high": 0.75}
    assert with_interval(record, "tau", 2) == "0.50 [0.25, 0.75]"
    assert with_interval(record | {"tau_low": None, "tau_high": None}, "tau", 2) == "0.50"


def test_csv_is_read_back() -> None:
    rows: list[Record] = [{"a": 'x,"y"', "b": 0.1}, {"a": "ü\nz", "b": None}]
    read = list(csv.DictReader(io.StringIO(csv_text(rows))))
    assert read == [{"a": 'x,"y"', "b": "0.1"}, {"a": "ü\nz", "b": ""}]
    assert csv_text([]) == ""


def correlation(proxy: str, tau: float | None) -> Record:
    record: Record = {"task": "a/x", "proxy": proxy, "n": 1000, "n_failed": 2}
    record |= {"kendall_common": tau, "best_of_10": 91.5}
    for name in ("kendall", "spearman"):
        record |= {name: tau, f"{name}_low": tau, f"{name}_high": tau}
    return record


@pytest.mark.parametrize(("low", "bold"), [(0.01, True), (-0.01, False), (None, False)])
def test_only_a_clear_best_is_bold(low: float | None, bold: bool) -> None:
    records = [correlation("b", 0.3), correlation("none", None), correlation("a", 0.5)]
    leads: list[Record] = [{"task": "a/x", "best": "a", "low": low}]
    (table,) = correlation_tables(records, leads)
    assert [row[0].text for row in table.rows] == ["a", "b", "none"]
    assert [row[1].bold for row in table.rows] == [bold, False, False]
    assert table.rows[0][1].text == "0.500 [0.500, 0.500]"
    assert [cell.text for cell in table.rows[2][1:]] == ["—", "—", "—", "91.50", "2", "1,000"]


def test_search_table_shows_mean_deviation_interval_and_seeds() -> None:
    row: Record = {"task": "a/x", "budget": "queries=10", "searcher": "random", "seeds": 1000}
    row |= {"test_regret": 1.0, "test_regret_sd": 0.5, "test_regret_low": 0.9}
    row |= {"test_regret_high": 1.1, "test_regret_best": True}
    row |= {"regret": 2.0, "regret_sd": None, "regret_low": None, "regret_high": None}
    (table,) = search_tables([row | {"regret_best": False}])
    (cells,) = table.rows
    assert [cell.text for cell in cells] == [
        "queries=10", "random", "1.00 ± 0.50", "[0.90, 1.10]", "2.00", "—", "1,000",
    ]  # fmt: skip
    assert [cell.bold for cell in cells] == [False, False, True, False, False, False, False]


def test_a_head_that_failures_fill_is_a_dash_that_the_caption_explains() -> None:
    unknown = {"best_of_10": None, "undefined": "best_of_10: why"}
    (table,) = correlation_tables([correlation("nwot", 0.1) | unknown], [])
    assert table.rows[0][4].text == "—"
    assert table.caption.endswith(
        "is —: fewer than ten have a score, so failures would be among them."
    )
    for text in (markdown_text(table), latex_text(table)):
        assert "fewer than ten have a score" in text
    (table,) = correlation_tables([correlation("nwot", 0.1)], [])
    assert "fewer than ten" not in table.caption


def test_failures_are_counted_by_what_and_why() -> None:
    row = {"kind": "search", "task": "a/x", "searcher": "s", "budget": "queries=5"}
    failed = [row | {"error": "E: 1"}, row | {"error": "E: 1"}, row | {"error": "F: 2"}]
    score = {"kind": "score", "task": "a/y", "error": "E: 3"}
    found = [correlation("nwot", 0.1), correlation("mine", 0.1)]
    reasons = {"a/x": {"mine": {"non-finite": 1, "ValueError: no norm": 3}}}
    records = failure_records(found, [*failed, score], reasons)
    assert [tuple(record.values()) for record in records] == [
        ("score", "a/y", "", 1, None, "E: 3"),
        ("search", "a/x", "s queries=5", 2, None, "E: 1"),
        ("search", "a/x", "s queries=5", 1, None, "F: 2"),
        ("architecture", "a/x", "nwot", 2, 1000, "no finite score"),
        ("architecture", "a/x", "mine", 2, 1000, "3 with ValueError: no norm, 1 with non-finite"),
    ]
    table = failure_table(records)
    assert [cell.text for cell in table.rows[0]] == ["score", "a/y", "—", "E: 3", "1", "—"]
