"""A race: made-up traces whose regrets, ranks and differences are worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.figure import Figure

from bench.base import Record
from bench.metrics.intervals import mean_interval, stratified_interval
from bench.reports.figures.race import profile_figure, rank_figure, scored_figures
from bench.reports.load import load_studies
from bench.reports.race import Race, measure_race
from bench.reports.race_groups import group_searchers
from bench.reports.race_tables import short_tables, task_tables
from bench.reports.race_traces import Entry, read_entries
from bench.reports.style import paper_style
from bench.reports.tables import latex_text, markdown_text
from bench.reports.write import write_reports
from tests.reports.conftest import Results

MARKS = (1, 2, 4)


def add(
    results: Results,
    task: str,
    searcher: str,
    seen: dict[int, Sequence[float]],
    optimum: float = 10.0,
    scored: int = 0,
    budget: int = 4,
    unit: str = "queries",
    **fields: object,
) -> None:
    """Searches that saw these values, by seed; an empty one failed. Architectures are `v=VALUE`."""
    run = f"search/{task}/{searcher}/{unit}={budget}/seeds={min(seen)}-{max(seen)}"
    lengths = [len(values) for values in seen.values()]
    steps = np.concatenate([np.arange(length) for length in lengths])
    flat = [value for values in seen.values() for value in values]
    columns = {
        "run": pa.array([run] * len(flat)).dictionary_encode(),
        "seed": np.repeat(list(seen), lengths),
        "step": steps,
        "arch": pa.array([f"v={value}" for value in flat], pa.string()).dictionary_encode(),
        "validation": np.array(flat, dtype=np.float64),
        "queries": steps + 1,
        "seconds": (steps + 1) * 10.0,
        "scored": np.full(len(flat), scored),
    }
    attached = results.attach(f"traces/{run.replace('/', '_')}.parquet", columns)
    for part, (seed, values) in enumerate(seen.items()):
        row: Record = {"kind": "search", "task": task, "run": run, "searcher": searcher}
        row |= {"budget": f"{unit}={budget}", "seed": seed, "part": part, "parts": len(seen)}
        row |= {"queries": len(values), "seconds": 10.0 * len(values), "scored": scored}
        if values:
            pick = min(values, key=lambda value: abs(optimum - value))
            row |= {"validation": pick, "regret": abs(optimum - pick), "arch": f"v={pick}"}
            # An architecture's test value is a tenth of its validation value; 2 is the best.
            row |= {"test": pick / 10, "test_regret": abs(2.0 - pick / 10)}
        else:
            row |= {"status": "failed", "error": "ValueError: no"}
        results.append(**(row | attached | fields))


def entries_of(results: Results) -> dict[tuple[str, str], Entry]:
    (study,) = load_studies(results.root)
    found = read_entries(results.root, study, MARKS)
    return {(entry.task, entry.searcher): entry for entry in found}


def race_of(results: Results, **options: object) -> Race:
    (study,) = load_studies(results.root)
    facts: Record = {"marks": MARKS} | options
    found = measure_race(study, results.root, **facts)
    assert found is not None
    return found


def one(records: Sequence[Record], **wanted: object) -> Record:
    (found,) = [r for r in records if all(r[name] == value for name, value in wanted.items())]
    return found


def test_a_trace_gives_the_regret_of_the_best_so_far(results: Results) -> None:
    add(results, "a/x", "one", {0: [3, 7, 5, 9], 1: [6]}, scored=50)
    entry = entries_of(results)["a/x", "one"]
    assert entry.regret.tolist() == [[7, 3, 3, 1], [4, 4, 4, 4]]  # the second gave the rest back
    assert entry.seconds.tolist() == [[10, 20, 40], [10, 10, 10]]
    assert entry.scored.tolist() == [[50] * 3] * 2
    assert entry.queries.tolist() == [4, 1]
    assert (entry.marks.tolist(), entry.budget, entry.failed) == ([1, 2, 4], 4, frozenset())


def test_smaller_can_be_better(results: Results) -> None:
    add(results, "a/x", "one", {0: [5, 3, 4, 2]}, optimum=1.0)
    assert entries_of(results)["a/x", "one"].regret.tolist() == [[4, 2, 2, 1]]


def test_the_last_row_and_the_largest_budget_count(results: Results) -> None:
    add(results, "a/x", "one", {0: [9, 9]}, budget=2)
    add(results, "a/x", "one", {0: [1, 1, 1, 1], 1: [2, 2, 2, 2]})
    results.append(
        kind="search", task="a/x", searcher="one", budget="queries=4", seed=1,
        run="search/a/x/one/queries=4/seeds=1-1", status="failed", error="E: no", queries=0,
    )  # fmt: skip
    entry = entries_of(results)["a/x", "one"]
    assert (entry.seeds.tolist(), entry.failed) == ([0], frozenset({1}))
    assert entry.regret.tolist() == [[9] * 4]


def test_test_regret_is_looked_up_in_the_studys_own_scores(results: Results) -> None:
    add(results, "a/x", "one", {0: [3, 7, 5, 9], 1: [6]})
    unknown = entries_of(results)["a/x", "one"].test_regret
    np.testing.assert_allclose(unknown[:, 2], [1.1, 1.4])  # what the rows say of their picks
    assert np.isnan(unknown[:, :2]).all()  # of seed 1 alone it is known, and that is no sample
    values = np.array([3.0, 7.0, 5.0, 9.0, 6.0])
    accuracy = {"validation": values, "test": values / 10}
    names = [f"v={int(value)}" for value in values]
    results.add_scores("a/x", accuracy, {}, archs=names)
    found = entries_of(results)["a/x", "one"].test_regret
    np.testing.assert_allclose(found, [[1.7, 1.3, 1.1], [1.4, 1.4, 1.4]])


def test_equal_finds_tie_whatever_their_rows_rounding(results: Results) -> None:
    # 0.3 + 0.6 and 0.1 + 0.8 are not the same number; 0.1 is found by both.
    optimum = 0.9
    add(results, "a/x", "one", {0: [0.1, 0.1, 0.1, 0.3]}, optimum)
    add(results, "a/x", "two", {0: [0.1, 0.1, 0.1, 0.1]}, optimum)
    found = entries_of(results)
    assert found["a/x", "one"].regret[0, 0] == found["a/x", "two"].regret[0, 0]
    record = one(race_of(results).pairs, queries=2)
    assert (record["tied"], record["difference"], record["p"]) == (1, 0.0, None)


def test_statistics_of_seeds(results: Results) -> None:
    regrets = (0, 1, 2, 9)
    add(results, "a/x", "one", {s: [10.0 - regret] * 4 for s, regret in enumerate(regrets)})
    add(results, "a/x", "two", {0: [9] * 4, 1: [], 3: [9, 9]})
    found = one(race_of(results).regrets, searcher="one", queries=4)
    assert (found["regret_mean"], found["regret_median"], found["regret_iqm"]) == (3.0, 1.5, 1.5)
    assert found["regret_mean_low"] is found["regret_mean_high"] is None  # of four seeds
    assert (found["seeds"], found["failed"], found["missing"], found["seconds"]) == (4, 0, 0, 40.0)
    other = one(race_of(results).regrets, searcher="two", queries=4)
    assert (other["seeds"], other["failed"], other["missing"], other["stopped"]) == (2, 1, 1, 1)


def test_ten_seeds_have_an_interval_of_the_mean_alone(results: Results) -> None:
    regrets = np.array([0.0, 1, 1, 2, 2, 3, 3, 4, 6, 9])
    add(results, "a/x", "one", {s: [10.0 - r] * 4 for s, r in enumerate(regrets)})
    add(results, "a/x", "two", {s: [9] * 4 for s in range(10)})
    race = race_of(results)
    found = one(race.regrets, searcher="one", queries=4)
    low, high = mean_interval(regrets[:, None])
    assert (found["regret_mean_low"], found["regret_mean_high"]) == (low[0], high[0])
    assert not {"regret_median_low", "regret_iqm_low"} & found.keys()
    solved = one(race.regrets, searcher="two", queries=4)
    assert (solved["regret_mean"], solved["regret_mean_low"]) == (1.0, None)
    (pair,) = [r for r in race.pairs if r["queries"] == 4]
    low, high = mean_interval(1.0 - regrets[:, None])
    assert (pair["low"], pair["high"]) == (pytest.approx(low[0]), pytest.approx(high[0]))


def test_ranks_by_hand_with_a_failure_a_tie_and_a_missing_seed(results: Results) -> None:
    add(results, "a/x", "one", {0: [9] * 4, 1: [8] * 4, 2: [9] * 4})
    add(results, "a/x", "two", {0: [9] * 4, 1: [], 2: [9] * 4})
    add(results, "a/x", "three", {0: [7] * 4, 1: [9] * 4})  # no seed 2, so it is no block
    race = race_of(results)
    ranks = {r["searcher"]: r for r in race.ranks if r["queries"] == 4}
    assert {name: r["rank"] for name, r in ranks.items()} == {
        "one": (1.5 + 2) / 2, "two": (1.5 + 3) / 2, "three": (3 + 1) / 2,
    }  # fmt: skip
    assert list(ranks) == ["one", "three", "two"]
    assert {(r["blocks"], r["incomplete"]) for r in ranks.values()} == {(2, 1)}
    assert (ranks["two"]["rank_low"], ranks["two"]["rank_high"]) == (None, None)  # two blocks
    assert {r["p"] for r in race.tests} == {None}  # one task tells nothing of other tasks


def test_tasks_are_the_sample_of_the_test(results: Results) -> None:
    for task in ("x", "y", "z"):
        for name, value in (("one", 9), ("two", 8), ("three", 7)):
            add(results, f"a/{task}", name, {0: [value] * 4, 1: [value] * 4})
    add(results, "a/x", "partial", {0: [10] * 4, 1: [10] * 4})
    race = race_of(results)
    test = one(race.tests, queries=4)
    # Always in the same order: chi-square = 12 n / (k (k + 1)) sum (mean rank - 2)^2 = 6.
    assert test["friedman"] == pytest.approx(6.0)
    assert test["p"] == pytest.approx(np.exp(-3.0))
    assert test["critical_difference"] == pytest.approx(2.343 * np.sqrt(12 / 18), abs=1e-3)
    partial = one(race.ranks, searcher="partial", queries=4)
    assert (partial["rank"], partial["tasks"]) == (None, 1)
    assert "not run on every task: 1." in markdown_text(short_tables(race)[0])


def test_pairs_by_hand(results: Results) -> None:
    add(results, "a/x", "mine", {s: [9] * 4 for s in range(6)})
    add(results, "a/x", "far", {s: [9 - s] * 4 for s in range(1, 7)})
    add(results, "a/x", "near", {s: [9, 9, 9, 9 + s % 2] for s in range(6)})
    race = race_of(results)
    assert race.reference == "mine"
    far = one(race.pairs, searcher="far", queries=4)
    assert (far["seeds"], far["difference"], far["better"], far["worse"]) == (5, 3.0, 5, 0)
    assert far["p"] == 2 / 2**5
    assert far["p_holm"] == 2 * far["p"]
    assert far["low"] is far["high"] is None  # of five seeds
    near = one(race.pairs, searcher="near", queries=4)
    assert (near["difference"], near["tied"], near["worse"]) == (-0.5, 3, 3)
    chosen = race_of(results, reference="far")
    assert one(chosen.pairs, searcher="mine", queries=4)["difference"] == -3.0


def test_groups_hold_equal_numbers_of_scored_architectures(results: Results) -> None:
    for number in (50, 1000, 200):
        for name in ("ipl", "gp"):
            add(results, "a/x", f"{name},scored={number}", {0: [5] * 4}, scored=number)
    add(results, "a/x", "gp", {0: [5] * 4}, scored=15625)
    add(results, "a/x", "small", {0: [5] * 4}, scored=120)
    add(results, "a/x", "random", {0: [5] * 4})
    (study,) = load_studies(results.root)
    entries = read_entries(results.root, study, MARKS)
    groups = group_searchers(entries, "ipl,scored=50")
    assert [(g.label, set(g.searchers), g.reference) for g in groups] == [
        ("50", {"ipl,scored=50", "gp,scored=50", "random"}, "ipl,scored=50"),
        ("200", {"ipl,scored=200", "gp,scored=200", "small", "random"}, "ipl,scored=200"),
        ("1000", {"ipl,scored=1000", "gp,scored=1000", "small", "random"}, "ipl,scored=1000"),
        # It always has a number, so it meets those that may score all with its largest.
        ("all", {"ipl,scored=1000", "gp", "small", "random"}, "ipl,scored=1000"),
    ]


def test_who_catches_up_and_where(results: Results) -> None:
    add(results, "a/x", "ipl,scored=50", {s: [8, 9, 9, 9] for s in range(12)}, scored=50)
    for number, value in ((50, 6), (200, 7), (1000, 9.2)):
        seen = {s: [value - s % 3 / 10] * 4 for s in range(12)}
        add(results, "a/x", f"gp,scored={number}", seen, scored=number)
    add(results, "a/x", "random", {s: [9] * 4 for s in range(12)})
    race = race_of(results)
    found = one(race.catch_up, queries=4)
    assert (found["reference"], found["reference_scored"], found["family"]) == (
        "ipl,scored=50", 50.0, "gp",
    )  # fmt: skip
    assert (found["caught_up_at"], found["behind_at"], found["most_scored"]) == (1000, 200, 1000)
    assert one(race.catch_up, queries=1)["caught_up_at"] == 1000
    # A reference that scores nothing has nothing to be caught up with.
    assert race_of(results, reference="random").catch_up == []


def test_aggregates_are_in_units_of_the_task(results: Results) -> None:
    for task, scale in (("x", 1.0), ("y", 100.0)):
        for name, regret in (("one", 2.0), ("two", 4.0)):
            values = [-regret * scale, -regret * scale, -scale, -scale]
            add(results, f"a/{task}", name, {0: values, 1: values}, optimum=0.0)
    add(results, "a/z", "one", {0: [0.0] * 4}, optimum=0.0)  # solved at once: it has no unit
    add(results, "a/z", "two", {0: [0.0] * 4}, optimum=0.0)
    race = race_of(results)
    found = {(r["searcher"], r["queries"]): r for r in race.aggregates}
    assert found["one", 1]["iqm"] == pytest.approx(2 / 3)
    assert found["two", 1]["iqm"] == pytest.approx(4 / 3)
    assert found["two", 4]["iqm"] == pytest.approx(1 / 3)
    assert (found["one", 1]["runs"], found["one", 1]["tasks"]) == (4, 2)
    at, share = race.profiles[1]["one"]
    np.testing.assert_array_equal(share, at >= 2 / 3)


def test_the_interval_of_an_average_rank_is_stratified_by_task(results: Results) -> None:
    rng = np.random.default_rng(5)
    blocks = []
    for task in ("x", "y"):
        best = rng.uniform(0, 9, (12, 3)).round(3)
        for column, name in enumerate(("one", "two", "three")):
            add(
                results,
                f"a/{task}",
                name,
                {s: [value] * 4 for s, value in enumerate(best[:, column])},
            )
        blocks.append(np.argsort(np.argsort(-best, axis=1), axis=1) + 1.0)
    first, again = race_of(results), race_of(results)
    for name, records in first.records().items():
        assert again.records()[name] == records
    low, high = stratified_interval(blocks)
    for column, name in enumerate(("one", "two", "three")):
        found = one(first.ranks, searcher=name, queries=4)
        assert found["rank"] == pytest.approx(np.mean(blocks, axis=(0, 1))[column])
        assert (found["rank_low"], found["rank_high"]) == pytest.approx((low[column], high[column]))


def test_one_seed_has_no_interval(results: Results) -> None:
    add(results, "a/x", "one", {0: [5] * 4})
    add(results, "a/x", "two", {0: [6] * 4})
    race = race_of(results)
    found = one(race.regrets, searcher="one", queries=4)
    assert (found["regret_mean"], found["regret_mean_low"]) == (5.0, None)
    assert one(race.pairs, queries=4)["low"] is None


def test_what_is_no_race(results: Results) -> None:
    add(results, "a/x", "one", {0: [5] * 4})
    add(results, "a/y", "two", {0: [5] * 4})
    add(results, "a/x", "two", {0: [5] * 4}, unit="seconds")
    (study,) = load_studies(results.root)
    assert measure_race(study, results.root) is None


def test_marks_end_at_the_largest_budget(results: Results) -> None:
    add(results, "a/x", "one", {0: [5] * 4})
    add(results, "a/x", "two", {0: [5] * 2}, budget=2)
    race = race_of(results)
    assert {r["searcher"] for r in race.regrets if r["queries"] == 4} == {"one"}
    assert {r["queries"] for r in race.pairs} == {1, 2}  # two was not given four
    add(results, "a/x", "two", {0: [5] * 4})
    assert race_of(results, marks=(10, 25)).marks == [4]


def raced(results: Results, tasks: int = 2) -> Race:
    rng = np.random.default_rng(3)
    for task in range(tasks):
        for name, scored in (("ipl", 50), ("ipl", 200), ("gp", 50), ("gp", 200), ("random", 0)):
            option = f",scored={scored}" if scored else ""
            seen = {seed: rng.uniform(0, 9, 50).tolist() for seed in range(6)}
            add(results, f"a_1/{task}", f"{name}{option}", seen, scored=scored, budget=50)
    return race_of(results, marks=(10, 25, 50))


def words(figure: Figure) -> str:
    figure.draw_without_rendering()
    texts = [text.get_text() for text in figure.findobj(match=lambda it: hasattr(it, "get_text"))]
    return "\n".join(texts)


def test_figures_show_every_searcher_and_mark(results: Results) -> None:
    race = raced(results)
    with paper_style():
        ranks = rank_figure(race.ranks, race.tests, "50")
        assert ranks is not None
        assert len(ranks.axes) == 3
        for text in ("ipl,scored=50", "gp,scored=50", "random", "25 queries, 2 tasks, CD 2.34"):
            assert text in words(ranks)
        assert "scored=200" not in words(ranks)
        (scored,) = scored_figures(race.regrets, 25, "accuracy_percent")
        assert len(scored.axes) == 2
        for line in scored.axes[0].lines:
            assert len(line.get_xdata()) == (9 if line.get_linestyle() == ":" else 2)
        shares = profile_figure(race.profiles, race.groups[0].searchers)
        assert shares is not None
        assert [axes.get_title(loc="left") for axes in shares.axes] == [
            "10 queries", "25 queries", "50 queries",
        ]  # fmt: skip
    assert rank_figure([], [], "50") is None
    assert scored_figures(race.regrets, 7, None) == []
    assert profile_figure(race.profiles, ["random"]) is None


def test_tables_have_a_row_for_everyone(results: Results) -> None:
    race = raced(results)
    long = task_tables(race)
    assert [table.label for table in long] == ["race-a_1/0", "race-a_1/1"]
    assert {len(table.rows) for table in long} == {15}
    for table in (*long, *short_tables(race)):
        assert markdown_text(table).count("\n") == len(table.rows) + 4
        assert r"\bottomrule" in latex_text(table)
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_the_report_links_all_that_it_writes(results: Results, tmp_path: Path) -> None:
    add(results, "a/x", "ipl,scored=50", {0: [5] * 10, 1: [6] * 10}, scored=50, budget=10)
    add(results, "a/x", "gp,scored=50", {0: [4] * 10, 1: [7] * 10}, scored=50, budget=10)
    add(results, "a/x", "broken", {0: [], 1: []}, budget=10)
    written = write_reports(results.root, tmp_path, resamples=20)
    names = {path.name for path in written}
    assert {"race.csv", "race-ranks.csv", "race-pairs.csv", "race-tasks.tex", "race.md"} <= names
    page = (tmp_path / "made-up" / "abc123" / "README.md").read_text()
    for name in names - {"README.md", "written.sha256"}:
        assert name in page
    assert "2 failed (they rank last" in page
    assert "compared with `ipl,scored=50`" in page


def test_a_race_in_which_all_failed_is_reported(results: Results, tmp_path: Path) -> None:
    add(results, "a/x", "one", {0: [], 1: []})
    add(results, "a/x", "two", {0: [], 1: []})
    assert {r["regret_mean"] for r in race_of(results).regrets} == {None}
    write_reports(results.root, tmp_path, resamples=20)


def test_weights_from_elsewhere_are_one_searcher_unless_a_task_has_several(
    results: Results,
) -> None:
    add(results, "a", "ipl,found_on=x,scored=5", {0: [1, 2, 3, 4]})
    add(results, "b", "ipl,scored=5", {0: [1, 2, 3, 4]})
    add(results, "b", "random", {0: [1, 2, 3, 4]})
    assert set(entries_of(results)) == {
        ("a", "ipl,scored=5"),
        ("b", "ipl,scored=5"),
        ("b", "random"),
    }
    add(results, "b", "ipl,found_on=x,scored=5", {0: [5, 6, 7, 8]})
    found = entries_of(results)
    assert set(found) == {
        ("a", "ipl,found_on=x,scored=5"),
        ("b", "ipl,scored=5"),
        ("b", "ipl,found_on=x,scored=5"),
        ("b", "random"),
    }
    assert found["b", "ipl,scored=5"].regret[0].tolist() == [9, 8, 7, 6]
