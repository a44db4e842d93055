from __future__ import annotations

from xml.etree import ElementTree

from bench.reports.baseline import Value, exact
from bench.reports.baseline_diff import APPEARED, MOVED, VANISHED, Change
from bench.reports.baseline_written import github_lines, junit

TAU = exact("correlation", "t", "zen", "kendall", 0.5)
RHO = exact("correlation", "t", "zen", "spearman", 0.6)
SEARCH = exact("search", "t", "rank,proxy=zen", "most queries", 5)
ODD = exact("live", "t", "zen", 'float32 of <&"\x00', "50 %\nundefined")
CHANGED = (
    Change(MOVED, TAU, Value(*TAU.key, -0.5), TAU.tight),
    Change(VANISHED, RHO, None),
    Change(APPEARED, None, ODD),
)
FAILING = CHANGED[:2]


def test_a_junit_report_has_a_case_for_each_proxy_and_searcher() -> None:
    root = ElementTree.fromstring(junit([TAU, ODD, SEARCH], CHANGED, FAILING))
    assert (root.get("tests"), root.get("failures")) == ("3", "1")
    suites = {suite.get("name", ""): suite for suite in root}
    assert set(suites) == {"correlation", "live", "search"}
    assert [suites[kind].get("failures") for kind in sorted(suites)] == ["1", "0", "0"]
    (case,) = suites["correlation"]
    assert (case.get("classname"), case.get("name")) == ("correlation.t", "zen")
    (failure,) = case
    assert failure.get("message", "").startswith("kendall of zen on t moved from 0.5 to -0.5")
    assert (failure.text or "").splitlines()[1] == "spearman of zen on t vanished: it was 0.6"
    (case,) = suites["live"]
    (output,) = case
    assert output.tag == "system-out"
    # What XML cannot hold is a question mark; the rest comes back as it was.
    assert 'float32 of <&"? of zen' in (output.text or "")
    assert list(suites["search"].iter("failure")) == []


def test_github_s_lines_are_one_each_and_escaped() -> None:
    moved, vanished, appeared = github_lines(CHANGED, FAILING)
    assert moved.startswith("::error title=correlation moved::kendall of zen on t moved from 0.5")
    assert vanished.startswith("::error title=correlation vanished::")
    assert appeared.startswith("::notice title=live appeared::")
    assert appeared.endswith("appeared: 50 %25%0Aundefined")


def test_a_title_cannot_end_its_property() -> None:
    odd = exact("a:b,c", "t", "o", "m", 1)
    (line,) = github_lines([Change(VANISHED, odd, None)], [])
    assert line.startswith("::notice title=a%3Ab%2Cc vanished::")
