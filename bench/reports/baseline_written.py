"""Changes since a baseline in the forms that other programs read: JUnit, and GitHub's annotations.

JUnit's XML is written as the reporters of continuous integration read it: a suite a kind, a case
for each proxy, searcher or pair on each task. GitHub's are workflow commands
(https://docs.github.com/actions/reference/workflow-commands-for-github-actions).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from xml.etree import ElementTree

from bench.reports.baseline import Value
from bench.reports.baseline_diff import Change

_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write."""


def junit(values: Collection[Value], changed: Sequence[Change], failing: Sequence[Change]) -> bytes:
    """A JUnit report.

    Args:
        values: All that were measured.
        changed: All changes, of which those that do not fail go to a case's output.
        failing: The changes that are a reason to fail.
    """
    names = {value.key[:3] for value in values} | {change.value.key[:3] for change in changed}
    root = ElementTree.Element("testsuites", name="ipl-bench compare")
    for kind, cases in groupby(sorted(names), key=lambda name: name[0]):
        suite = ElementTree.SubElement(root, "testsuite", name=kind)
        for name in cases:
            told = [change for change in changed if change.value.key[:3] == name]
            _case(suite, name, told, failing)
        _count(suite)
    _count(root)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _case(
    suite: ElementTree.Element,
    name: Sequence[str],
    told: Sequence[Change],
    failing: Sequence[Change],
) -> None:
    kind, task, of = map(_written, name)
    case = ElementTree.SubElement(suite, "testcase", classname=f"{kind}.{task}", name=of)
    wrong = [change for change in told if change in failing]
    if wrong:
        message = _written(wrong[0].sentence)
        failure = ElementTree.SubElement(case, "failure", type=wrong[0].status, message=message)
        failure.text = "\n".join(_written(change.sentence) for change in wrong)
    rest = [change for change in told if change not in failing]
    if rest:
        output = ElementTree.SubElement(case, "system-out")
        output.text = "\n".join(_written(change.sentence) for change in rest)


def _count(element: ElementTree.Element) -> None:
    element.set("tests", str(len(list(element.iter("testcase")))))
    element.set("failures", str(len(list(element.iter("failure")))))


def _written(text: str) -> str:
    return _UNWRITABLE.sub("?", text)


def github_lines(changed: Sequence[Change], failing: Sequence[Change]) -> Iterator[str]:
    """A line a change, as GitHub shows it at a commit: an error where it fails, else a notice."""
    for change in changed:
        level = "error" if change in failing else "notice"
        title = _escaped(f"{change.value.kind} {change.status}")
        # Of a property, a colon and a comma would be its end.
        title = title.replace(":", "%3A").replace(",", "%2C")
        yield f"::{level} title={title}::{_escaped(change.sentence)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
