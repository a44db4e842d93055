"""Each proxy of each network of the zoo equals the reference, or says why it has no score."""

from __future__ import annotations

import pytest
from fuzz.libraries import LIBRARIES, library
from fuzz.verdicts import NAMES, OWN, PAGE, TRACEBACK, WRONG, judged
from fuzz.zoo import Entry

from bench.proxies import COMPUTED

ENTRIES = [entry for family in (*OWN, *LIBRARIES.values()) for entry in family]


@pytest.mark.parametrize("entry", ENTRIES, ids=[f"{e.family}-{e.name}" for e in ENTRIES])
def test_a_proxy_equals_the_reference_or_says_why_not(entry: Entry) -> None:
    if entry.family in LIBRARIES:
        try:
            library(entry.family)
        except ImportError as error:
            pytest.skip(f"{entry.family} is not installed: {error}")
    bad = [str(verdict) for verdict in judged(entry) if verdict.kind in (WRONG, TRACEBACK)]
    assert not bad, "\n".join(bad)


def test_all_live_proxies_are_judged() -> None:
    from fuzz.features import PROXIES

    assert set(NAMES) == {proxy.name for proxy in COMPUTED} == set(PROXIES)


def test_the_page_counts_every_family() -> None:
    """`PYTHONPATH=tests python -m fuzz.verdicts --write` makes the tables anew."""
    rows = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[1:] and all(cell.isdigit() for cell in cells[1:]):
            rows[cells[0]] = [int(cell) for cell in cells[1:]]
    families = [*OWN, *LIBRARIES.values()]
    for family in families:
        networks, *kinds = rows[family[0].family]
        assert networks == len(family), family[0].family
        assert sum(kinds) == networks * len(NAMES)
