"""Scores borrowed from another table, against joins done by hand and by brute force."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from toy import ARCHS, TOY, toy_table

from bench.base import DataError, Floats, OptionError, Space, Table, TableReader
from bench.tables import TABLES, borrowed, cache
from bench.tables.borrowed import borrow, matches, recorded

NAN, INF = np.nan, np.inf


def lender(scores: dict[str, dict[str, float]], **changes: object) -> Table:
    """A table of scores by architecture, then proxy; seconds are the score and a thousand."""
    proxies = list(dict.fromkeys(name for values in scores.values() for name in values))
    columns = {it: np.array([row.get(it, NAN) for row in scores.values()]) for it in proxies}
    facts: dict[str, object] = {
        "name": "toy/other",
        "space": "toy",
        "dataset": "other",
        "archs": list(scores),
        "accuracy": {},
        "scores": columns,
        "score_seconds": {it: 1000 + values for it, values in columns.items()},
    }
    return Table(**(facts | changes))  # type: ignore[arg-type]


def joined(table: Table, lent: Table) -> Table:
    return borrow("toy/data@toy/other", table, lent, TOY)


def test_scores_are_joined_as_written_in_the_order_of_the_accuracies() -> None:
    lent = lender({"301": {"p": 7.0}, "012": {"p": -INF, "q": 2.0}, "333": {"q": NAN, "p": NAN}})
    found = joined(toy_table(), lent)
    assert (found.name, found.space, found.dataset) == ("toy/data@toy/other", "toy", "data")
    assert list(found.archs) == ["012", "301"]
    np.testing.assert_array_equal(found.scores["p"], [-INF, 7.0])
    np.testing.assert_array_equal(found.scores["q"], [2.0, NAN])
    np.testing.assert_array_equal(found.score_seconds["p"], [-INF, 1007.0])
    np.testing.assert_array_equal(found.accuracy["validation"], [5.0, 31.0])
    np.testing.assert_array_equal(found.accuracy["test"], [4.0, 30.0])
    assert found.training_seconds is not None
    np.testing.assert_array_equal(found.training_seconds, [10.0, 13.0])
    assert set(found.scores) == {"p", "q"}, "the table's own scores are gone"


def test_what_the_table_knows_besides_stays_its_own() -> None:
    table = toy_table(
        targets={"latency": np.arange(64.0)},
        training_seconds=None,
        metric="loss",
        maximise=False,
        sources=("a.csv", "shared.csv"),
        notes="of one run",
    )
    lent = lender({"001": {"p": 1.0}}, sources=("shared.csv", "b.csv"), metric="accuracy_percent")
    found = joined(table, lent)
    assert (found.metric, found.maximise, found.canonical) == ("loss", False, False)
    assert found.training_seconds is None
    assert found.targets["latency"].tolist() == [1.0]
    assert found.sources == ("a.csv", "shared.csv", "b.csv")
    assert "those of toy/other, which has 1 of the 64" in found.notes
    assert found.notes.endswith("; of one run")


def test_notes_of_the_lender_are_told_where_they_are_about_its_scores() -> None:
    scores = {"001": {"p": 1.0}}
    alone = joined(toy_table(), lender(scores, notes="seed 3"))
    assert "toy/other (seed 3), which" in alone.notes
    trained = lender(scores, notes="one run", accuracy={"test": np.array([1.0])})
    assert "one run" not in joined(toy_table(), trained).notes


def test_a_proxy_recorded_for_none_of_the_rows_is_left_out() -> None:
    lent = lender({"000": {"p": 1.0}, "111": {"q": 1.0}})
    whole = toy_table()
    few = toy_table(
        archs=["000", "222"],
        accuracy={"test": whole.accuracy["test"][[0, 42]]},
        training_seconds=None,
    )
    found = joined(few, lent)
    assert list(found.archs) == ["000"]
    assert list(found.scores) == list(found.score_seconds) == ["p"]


def test_one_that_stands_for_its_class_lends_to_every_member() -> None:
    lent = lender({"021": {"p": 1.0}, "102": {"p": 2.0}, "333": {"p": 3.0}}, canonical=True)
    found = joined(toy_table(), lent)
    by_arch = dict(zip(found.archs, found.scores["p"].tolist(), strict=True))
    # As written where it is there, else by the first of the class.
    assert by_arch == {
        **dict.fromkeys(("012", "021", "120", "201", "210"), 1.0),
        "102": 2.0,
        "333": 3.0,
    }
    assert "7 of the 64 architectures, 4 of them by another one" in found.notes


def test_without_classes_only_what_is_written_alike_is_one() -> None:
    found = joined(toy_table(), lender({"021": {"p": 1.0}}))
    assert list(found.archs) == ["021"]


def test_a_row_that_lends_nothing_does_not_stand_for_its_class() -> None:
    lent = lender({"021": {"p": NAN}, "102": {"p": 2.0}}, canonical=True)
    assert set(joined(toy_table(), lent).scores["p"].tolist()) == {2.0}


def test_a_table_of_classes_is_found_by_any_member() -> None:
    classes = [i for i, arch in enumerate(ARCHS) if list(arch) == sorted(arch)]
    whole = toy_table()
    table = toy_table(
        archs=[whole.archs[i] for i in classes],
        accuracy={name: values[classes] for name, values in whole.accuracy.items()},
        scores={},
        score_seconds={},
        training_seconds=None,
        canonical=True,
    )
    lent = lender({"210": {"p": 1.0}, "021": {"p": 2.0}, "333": {"p": 3.0}})
    found = joined(table, lent)
    assert dict(zip(found.archs, found.scores["p"].tolist(), strict=True)) == {
        "012": 1.0,
        "333": 3.0,
    }
    assert found.canonical


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("canonical", [(False, False), (False, True), (True, False), (True, True)])
def test_matches_are_those_of_a_search_of_all_pairs(
    canonical: tuple[bool, bool], seed: int
) -> None:
    rng = np.random.default_rng(seed)

    def drawn(classes: bool) -> list[str]:
        archs = [ARCHS[i] for i in rng.permutation(64)[: rng.integers(1, 40)].tolist()]
        first = {TOY.canonical(arch): arch for arch in archs} if classes else None
        return [TOY.text(arch) for arch in (archs if first is None else first.values())]

    one, other = drawn(canonical[0]), drawn(canonical[1])
    lent = rng.random(len(other)) < 0.7
    table = lender({arch: {} for arch in one}, canonical=canonical[0])
    lending = lender({arch: {} for arch in other}, canonical=canonical[1])
    expected = {}
    for row, text in enumerate(one):
        exact = [p for p, each in enumerate(other) if lent[p] and each == text]
        alike = [p for p, each in enumerate(other) if lent[p] and sorted(each) == sorted(text)]
        chosen = exact or (alike if any(canonical) else [])
        if chosen:
            expected[row] = chosen[0]
    rows, places = matches(table, lending, TOY, lent)
    assert rows.tolist() == list(expected)
    assert places.tolist() == list(expected.values())


def test_recorded_means_by_any_proxy_and_failures_count() -> None:
    lent = lender({"000": {"p": NAN, "q": 1.0}, "001": {"p": -INF, "q": NAN}, "002": {}})
    assert recorded(lent).tolist() == [True, True, False]
    assert recorded(lender({"000": {}})).tolist() == [False]


@pytest.mark.parametrize(
    ("scores", "got"), [({"000": {"p": NAN}}, "got p of none"), ({"000": {}}, "got no proxies of")]
)
def test_nothing_in_common_is_told(scores: dict[str, dict[str, float]], got: str) -> None:
    with pytest.raises(DataError, match=f"expected toy/other to record scores of .* {got}"):
        joined(toy_table(), lender(scores))


def reader(name: str, space: str, *files: str) -> TableReader:
    def read(paths: object, space: Space) -> Table:
        raise AssertionError(name)

    return TableReader(name, space, files, read)


def test_a_reader_reads_the_files_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    own, lends = reader("toy/data", "toy", "a", "c"), reader("toy/other", "toy", "b", "c")
    tables = {"toy/data": toy_table(), "toy/other": lender({"001": {"p": 1.0}})}
    monkeypatch.setattr(borrowed, "load", lambda reader, space: tables[reader.name])
    both = borrowed.borrowed("toy/data@toy/other", own, lends)
    assert (both.name, both.space, both.files) == ("toy/data@toy/other", "toy", ("a", "c", "b"))
    table = both.read({}, TOY)
    assert (table.name, list(table.archs)) == ("toy/data@toy/other", ["001"])


def test_scores_of_another_space_are_refused() -> None:
    with pytest.raises(OptionError, match="of the space toy for toy/data@x, got x, which is of y"):
        borrowed.borrowed("toy/data@x", reader("toy/data", "toy"), reader("x", "y"))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_cifar100_with_the_proxies_of_cifar10_is_what_a_join_by_hand_gives(
    data: Path, spaces: dict[str, Space], table: Callable[[str], Table]
) -> None:
    readers = {each.name: each for each in TABLES}
    names = ("nasbench201/cifar100", "nasbench201-suite/cifar10")
    name = "@".join(names)
    found = cache.load(
        borrowed.borrowed(name, *(readers[it] for it in names)), spaces["nasbench201"]
    )
    folder = data / "nasbench201"
    accuracy = {row["arch str"]: row for row in rows(folder / "nasbench201_cifar100.csv")}
    scored = {row["net_str"]: row for row in rows(folder / "nb201_zc_proxies.csv")}
    assert len(found.archs) == len(scored) == 9_445
    assert list(found.archs) == [arch for arch in accuracy if arch in scored]
    for split in ("validation", "test"):
        expected = [float(accuracy[arch][f"{split} accuracy"]) for arch in found.archs]
        assert found.accuracy[split].tolist() == expected
    assert len(found.scores) == 13
    for proxy, values in found.scores.items():
        raw = np.array([float(scored[arch][proxy]) for arch in found.archs])
        np.testing.assert_array_equal(values, np.where(raw == -1e8, -INF, raw), err_msg=proxy)
    assert not found.score_seconds, "the suite's CSV has none, and FreeREA's are not of its scores"
    assert found.targets.keys() == table("nasbench201/cifar100").targets.keys()


def test_greedy_by_borrowed_ranks_has_the_regret_that_is_known_of_it(
    data: Path, spaces: dict[str, Space]
) -> None:
    from scipy.stats import rankdata

    readers = {each.name: each for each in TABLES}
    own, lends = readers["nasbench201/cifar100"], readers["nasbench201-suite/cifar10"]
    found = cache.load(borrowed.borrowed("x@y", own, lends), spaces["nasbench201"])
    ranks: Floats = sum(rankdata(found.scores[it]) for it in ("jacov", "nwot", "synflow", "flops"))
    validation = found.accuracy["validation"][np.argsort(-ranks, kind="stable")]
    regrets = [validation.max() - validation[:queries].max() for queries in (10, 25, 50, 100)]
    # Recomputed from the public tables: CIFAR-100 by the proxies of CIFAR-10.
    np.testing.assert_allclose(regrets, [0.63, 0.37, 0.37, 0.19], atol=0.005)
