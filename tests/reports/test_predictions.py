from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.base import DataError, Record
from bench.metrics.intervals import mean_interval
from bench.reports.figures.ascents import ascents
from bench.reports.figures.embedding import embedding
from bench.reports.figures.predictions import prediction_figures
from bench.reports.load import Study, load_studies
from bench.reports.maps import measure_maps
from bench.reports.predictions import (
    PredictionNumbers,
    measure_predictions,
    over_seeds,
    prediction_tables,
)
from bench.reports.style import paper_style
from bench.reports.write import write_reports
from tests.reports.conftest import Results

N = 40
ARCHS = [f"arch-{i}" for i in range(N)]
TASK = "nasbench201/cifar10-valid"


def only(results: Results) -> Study:
    (study,) = load_studies(results.root)
    return study


def measured(results: Results, workers: int = 1) -> PredictionNumbers:
    return measure_predictions(only(results), workers=workers)


def record_of(numbers: PredictionNumbers, score: str, archs: str = "unread") -> Record:
    (record,) = [r for r in numbers.scores if (r["score"], r["archs"]) == (score, archs)]
    return record


@pytest.fixture
def truth() -> dict[str, Any]:
    """Accuracies and scores with ties, a failure and a gap."""
    rng = np.random.default_rng(3)
    validation = np.round(rng.normal(60, 10, N), 0)
    nwot = validation + rng.normal(0, 8, N)
    nwot[20], nwot[21] = -np.inf, np.nan
    return {
        "accuracy": {"validation": validation, "test": validation + rng.normal(0, 3, N)},
        "scores": {"nwot": nwot, "flops": np.round(rng.normal(size=N), 1)},
        "predicted": rng.normal(0, 6, (3, N)) + validation,
    }


@pytest.fixture
def predicted(results: Results, truth: dict[str, Any]) -> Results:
    """Three seeds of `nwot`, and `unified`, that no task records, predicted after reading 10."""
    results.add_scores(TASK, truth["accuracy"], truth["scores"], archs=ARCHS)
    results.add_predictions(
        TASK,
        "forest,scored=10",
        {"nwot": truth["predicted"], "unified": truth["predicted"] ** 3},
        archs=ARCHS,
        scored=10,
        queried=4,
        facts=[{"weight:nwot": 0.25 * seed} for seed in range(3)],
    )
    return results


@pytest.mark.parametrize("archs", ["unread", "all"])
def test_correlations_are_those_of_scipy_seed_by_seed(
    predicted: Results, truth: dict[str, Any], archs: str
) -> None:
    record = record_of(measured(predicted), "nwot", archs)
    assert (record["seeds"], record["n"]) == (3, 30.0 if archs == "unread" else 40.0)
    assert (record["queries"], record["scored"], record["seconds"]) == (4.0, 10.0, 100.0)
    keep = np.arange(N) >= (10 if archs == "unread" else 0)
    recorded = truth["scores"]["nwot"]
    for target, values in {"recorded": recorded, **truth["accuracy"]}.items():
        fine = keep & ~np.isnan(values)
        for name, function in (("kendall", stats.kendalltau), ("spearman", stats.spearmanr)):
            # A failure ranks last, and -inf is that to scipy too once it is a rank.
            ranks = stats.rankdata(values[fine])
            each = [function(seed[fine], ranks).statistic for seed in truth["predicted"]]
            assert record[f"{name}_{target}"] == pytest.approx(np.mean(each))
            assert record[f"{name}_{target}_sd"] == pytest.approx(np.std(each, ddof=1))
            low, high = record[f"{name}_{target}_low"], record[f"{name}_{target}_high"]
            assert low is high is None  # three seeds are too few
            if target != "recorded":
                both = keep & ~np.isnan(recorded)
                own = function(stats.rankdata(recorded[both]), values[both]).statistic
                assert record[f"recorded_{name}_{target}"] == pytest.approx(own)


def test_a_score_that_nobody_records_is_compared_with_accuracy_alone(predicted: Results) -> None:
    numbers = measured(predicted)
    record = record_of(numbers, "unified")
    assert record["kendall_recorded"] is None
    assert record["recorded_kendall_validation"] is None
    # A power keeps the order.
    same = record_of(numbers, "nwot")["kendall_validation"]
    assert record["kendall_validation"] == pytest.approx(same)


def test_read_means_a_proxy_or_the_accuracy(results: Results, truth: dict[str, Any]) -> None:
    results.add_predictions(
        TASK, "p", {"nwot": truth["predicted"]}, archs=ARCHS, scored=2, queried=15
    )
    assert record_of(measured(results), "nwot")["n"] == 25.0


def test_where_all_was_read_nothing_is_left_to_judge_by(
    results: Results, truth: dict[str, Any]
) -> None:
    results.add_scores(TASK, truth["accuracy"], truth["scores"], archs=ARCHS)
    results.add_predictions(TASK, "p", {"nwot": truth["predicted"]}, archs=ARCHS, scored=N)
    numbers = measured(results)
    unread, every = record_of(numbers, "nwot"), record_of(numbers, "nwot", "all")
    assert unread["n"] == 0.0
    assert all(value is None for name, value in unread.items() if "kendall" in name)
    assert every["kendall_recorded"] > 0
    assert prediction_tables(numbers)


def test_a_task_that_the_study_does_not_score_has_no_correlations(
    results: Results, truth: dict[str, Any]
) -> None:
    results.add_predictions(TASK, "p", {"nwot": truth["predicted"]}, archs=ARCHS, scored=5)
    record = record_of(measured(results), "nwot")
    assert record["n"] == 35.0
    assert record["kendall_recorded"] is record["kendall_validation"] is None


def test_a_score_set_in_another_order_and_of_other_architectures_is_matched_by_text(
    predicted: Results, truth: dict[str, Any]
) -> None:
    expected = record_of(measured(predicted), "nwot")
    order = np.random.default_rng(0).permutation(N)
    other = Results(predicted.root, study="other")
    more = {name: np.append(v[order], 99.0) for name, v in truth["accuracy"].items()}
    scores = {name: np.append(v[order], 99.0) for name, v in truth["scores"].items()}
    other.add_scores(TASK, more, scores, archs=[*(ARCHS[i] for i in order), "unknown"])
    other.add_predictions(
        TASK, "forest,scored=10", {"nwot": truth["predicted"]}, archs=ARCHS, scored=10, queried=4
    )
    found = [study for study in load_studies(predicted.root) if study.name == "other"]
    numbers = measure_predictions(found[0])
    assert record_of(numbers, "nwot") == pytest.approx(expected)


def test_less_is_better_turns_the_accuracy_round(results: Results, truth: dict[str, Any]) -> None:
    up = {name: -values for name, values in truth["accuracy"].items()}
    results.add_scores(TASK, up, truth["scores"], archs=ARCHS, maximise=False, metric="loss")
    results.add_predictions(TASK, "p", {"nwot": truth["predicted"]}, archs=ARCHS)
    record = record_of(measured(results), "nwot")
    assert record["kendall_validation"] > 0.3
    assert record["recorded_kendall_test"] > 0.3


def test_a_score_that_some_seeds_lack_is_told_of_the_others(
    results: Results, truth: dict[str, Any]
) -> None:
    results.add_scores(TASK, truth["accuracy"], truth["scores"], archs=ARCHS)
    first, *rest = truth["predicted"]
    results.add_predictions(TASK, "p", {"nwot": first[None]}, archs=ARCHS)
    results.add_predictions(TASK, "p", {"own": np.array(rest)}, archs=ARCHS, first_seed=1)
    numbers = measured(results)
    assert [record_of(numbers, name)["seeds"] for name in ("nwot", "own")] == [1, 2]
    alone = record_of(numbers, "nwot")
    assert alone["kendall_recorded"] is not None
    assert alone["kendall_recorded_sd"] is alone["kendall_recorded_low"] is None


def test_constant_predictions_are_undefined_and_not_zero(
    results: Results, truth: dict[str, Any]
) -> None:
    results.add_scores(TASK, truth["accuracy"], truth["scores"], archs=ARCHS)
    results.add_predictions(TASK, "p", {"nwot": np.ones((2, N))}, archs=ARCHS)
    assert record_of(measured(results), "nwot")["kendall_validation"] is None


def test_facts_are_means_over_seeds_that_tell_them(results: Results) -> None:
    facts = [{"a": 1.0, "rare": 5.0}, {"a": 3.0}]
    results.add_predictions(TASK, "p", {"s": np.ones((2, N))}, archs=ARCHS, facts=facts)
    first, rare = measured(results).facts
    assert (first["fact"], first["seeds"], first["mean"]) == ("a", 2, 2.0)
    assert first["mean_sd"] == pytest.approx(2**0.5)
    assert (rare["fact"], rare["seeds"], rare["mean"], rare["mean_sd"]) == ("rare", 1, 5.0, None)


def test_over_seeds_is_of_those_that_are_defined() -> None:
    values = np.append(np.random.default_rng(5).normal(size=11), np.nan)
    found = over_seeds("x", values)
    low, high = mean_interval(values[:11, None])
    assert found["x"] == pytest.approx(values[:11].mean())
    assert (found["x_low"], found["x_high"]) == (low[0], high[0])
    few = over_seeds("x", np.array([1.0, 2.0, np.nan, 4.0]))
    assert (few["x"], few["x_sd"]) == (pytest.approx(7 / 3), pytest.approx(np.sqrt(7 / 3)))
    assert np.isnan([few["x_low"], few["x_high"]]).all()
    empty = over_seeds("x", np.array([np.nan]))
    assert all(np.isnan(value) for value in empty.values())


def test_two_processes_find_what_one_does(predicted: Results, truth: dict[str, Any]) -> None:
    predicted.add_predictions(TASK, "other", {"nwot": truth["predicted"]}, archs=ARCHS, scored=5)
    one, two = measured(predicted), measured(predicted, workers=2)
    assert (one.scores, one.facts) == (two.scores, two.facts)


def test_seeds_of_several_blocks_are_one_group(results: Results, truth: dict[str, Any]) -> None:
    results.add_scores(TASK, truth["accuracy"], truth["scores"], archs=ARCHS)
    whole = Results(results.root, study="whole")
    whole.add_scores(TASK, truth["accuracy"], truth["scores"], archs=ARCHS)
    whole.add_predictions(TASK, "p", {"nwot": truth["predicted"]}, archs=ARCHS)
    for first, last in ((2, 3), (0, 2)):
        results.add_predictions(
            TASK, "p", {"nwot": truth["predicted"][first:last]}, archs=ARCHS, first_seed=first
        )
    blocks, one = load_studies(results.root)
    assert [row["seed"] for _, row in blocks.predictions[0].rows] == [0, 1, 2]
    found = [measure_predictions(each) for each in (blocks, one)]
    assert found[0].scores == found[1].scores


def test_a_seed_that_stands_twice_is_refused(results: Results) -> None:
    for run in ("one", "two"):
        results.add_predictions(TASK, "p", {"s": np.ones((1, N))}, archs=ARCHS, run=run)
    with pytest.raises(DataError, match="one row a seed of p with queries=0 .* several of seed 0"):
        only(results)


def test_seeds_of_different_pools_are_refused(results: Results) -> None:
    results.add_predictions(TASK, "p", {"s": np.ones((1, N))}, archs=ARCHS)
    results.add_predictions(TASK, "p", {"s": np.ones((1, N))}, archs=ARCHS[::-1], first_seed=1)
    with pytest.raises(DataError, match="expected all seeds of p on .* to predict one pool"):
        measured(results)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"predicted": ["nwot", "zen"]}, "got none called score:zen"),
        ({"n": 41}, "expected 41 architectures of seed 0 .* got 40"),
        ({"sha256": "0" * 64}, "with SHA-256 0+; got"),
        ({"file": "../secret.parquet"}, "expected a file inside"),
        ({"facts": None, "n": None}, "got one without n, facts"),
    ],
)
def test_foreign_files_and_rows_are_refused(
    predicted: Results, tmp_path: Path, change: Record, says: str
) -> None:
    score, *rows = [json.loads(line) for line in predicted.rows.read_text().splitlines()]
    absent = {name for name, value in change.items() if value is None}
    rows[0] = {name: it for name, it in (rows[0] | change).items() if name not in absent}
    lines = [json.dumps(row) for row in (score, *rows)]
    predicted.rows.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=says):
        write_reports(predicted.root, tmp_path / "reports", resamples=5)
    assert not (tmp_path / "reports").exists()


def test_tables_show_means_with_their_spread_and_interval(predicted: Results) -> None:
    numbers = measured(predicted)
    scores, facts = prediction_tables(numbers)
    assert "forest,scored=10 (proxies of 10 architectures read, 4 accuracies, 100 simulated " in (
        scores.caption
    )
    assert [row[0].text for row in scores.rows] == ["nwot", "nwot", "unified", "unified"]
    assert [row[1].text for row in scores.rows] == ["unread", "all"] * 2
    number = r"−?\d\.\d{3}"
    shown = scores.rows[0][3].text
    assert re.fullmatch(rf"{number} ± {number}", shown)  # three seeds have no interval
    told = numbers.scores[0] | {"kendall_recorded_low": 0.4, "kendall_recorded_high": 0.6}
    (table, *_) = prediction_tables(PredictionNumbers([told], []))
    assert table.rows[0][3].text == f"{shown} [0.400, 0.600]"
    assert scores.rows[2][3].text == "—"
    assert [cell.text for cell in facts.rows[0][:3]] == [
        "forest,scored=10", "queries=0", "weight:nwot",
    ]  # fmt: skip
    assert facts.rows[0][3].text == "0.25 ± 0.25"


def test_the_page_shows_and_links_all_of_it_and_comes_back_byte_for_byte(
    predicted: Results, tmp_path: Path
) -> None:
    predicted.append(
        kind="predict", task=TASK, run="broken", predictor="mine:bad", budget="queries=3",
        status="failed", error="ValueError: no",
    )  # fmt: skip
    reports = tmp_path / "reports"

    def contents() -> dict[str, bytes]:
        write_reports(predicted.root, reports, resamples=20)
        folder = reports / "made-up" / "abc123"
        found = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        shutil.rmtree(reports)
        return found

    first = contents()
    assert contents() == first
    page = first["README.md"].decode()
    assert "1 task with scores, 3 predictions, 1 failed run." in page
    assert "## Predictions" in page
    wanted = {"predictions.csv", "predictions.md", "predictions.tex", "prediction-facts.csv"}
    wanted |= {"figures/predictions-1.png", "figures/predictions-1.pdf"}
    assert wanted <= set(first)
    links = set(re.findall(r"\]\(([^)]+)\)", page))
    assert links == set(first) - {"README.md"}
    assert "mine:bad queries=3" in page
    header, *lines = first["predictions.csv"].decode().splitlines()
    assert len(lines) == 4
    assert header.startswith("task,predictor,budget,score,archs,seeds,n,queries,scored,seconds,")


def test_predictions_without_facts_link_to_no_file_of_facts(
    results: Results, tmp_path: Path
) -> None:
    results.add_predictions(TASK, "p", {"s": np.ones((1, N))}, archs=ARCHS)
    write_reports(results.root, tmp_path / "reports", resamples=5)
    folder = tmp_path / "reports" / "made-up" / "abc123"
    page = (folder / "README.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)", page)
    tables = ["predictions.csv", "predictions.md", "predictions.tex"]
    assert sorted(links) == ["index.html", *tables, "sources.csv"]
    assert all((folder / link).exists() for link in links)


def figure_record(**changes: Any) -> Record:
    record: Record = {"task": "a/x", "predictor": "p", "budget": "queries=0", "score": "nwot"}
    record |= {"archs": "unread"}
    for split in ("validation", "test"):
        record |= {f"kendall_{split}": 0.5, f"recorded_kendall_{split}": 0.6}
        record |= {f"kendall_{split}_low": 0.4, f"kendall_{split}_high": 0.55}
    return record | changes


def test_the_figure_has_a_dot_and_an_interval_for_every_score() -> None:
    records = [
        figure_record(),
        figure_record(archs="all", kendall_validation=0.9),
        figure_record(score="zen", recorded_kendall_validation=0.7),
        figure_record(score="unified", recorded_kendall_validation=None),
        figure_record(score="flat", kendall_validation=None, kendall_test=None),
        figure_record(score="once", kendall_validation_low=None, kendall_validation_high=None),
    ]
    with paper_style():
        (figure,) = prediction_figures(records)
        figure.draw_without_rendering()
    (axes,) = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["zen", "nwot", "once", "unified"]
    dots = [line for line in axes.lines if line.get_marker() not in ("", "None")]
    assert len(dots) == 4 + 3
    assert len(axes.collections) == 3
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["p", "recorded score"]


def test_many_tasks_and_predictors_fill_several_figures() -> None:
    records = [
        figure_record(task=f"a/{task}", predictor=f"p{predictor}", budget=f"queries={predictor}")
        for task in range(4)
        for predictor in range(7)
    ]
    with paper_style():
        figures = prediction_figures(records)
    assert [len(figure.axes) for figure in figures] == [3, 3, 1, 1]
    labels = [text.get_text() for text in figures[0].legends[0].get_texts()]
    assert labels == ["p0", *(f"p{i}, queries={i}" for i in range(1, 6)), "recorded score"]


def test_test_accuracy_stands_in_where_validation_is_not_known() -> None:
    record = figure_record(kendall_validation=None, recorded_kendall_validation=None)
    with paper_style():
        (figure,) = prediction_figures([record])
    assert "test" in figure.axes[0].get_title(loc="left")
    assert prediction_figures([figure_record(kendall_validation=None, kendall_test=None)]) == []


def mapped(results: Results, truth: dict[str, Any], places: Any, **fields: Any) -> None:
    results.add_predictions(
        TASK,
        "ipl",
        {"worse": -truth["predicted"], "better": truth["predicted"]},
        archs=ARCHS,
        places=places,
        **fields,
    )


def test_a_map_is_the_first_seed_s_coloured_by_its_best_score(
    results: Results, truth: dict[str, Any]
) -> None:
    results.add_scores(TASK, truth["accuracy"], truth["scores"], archs=ARCHS)
    places = np.random.default_rng(5).normal(size=(3, N, 2))
    mapped(results, truth, places)
    (shown,) = measure_maps(only(results))
    assert (shown.task, shown.predictor, shown.split) == (TASK, "ipl", "validation")
    np.testing.assert_array_equal(shown.places, places[0])
    np.testing.assert_array_equal(shown.accuracy, truth["accuracy"]["validation"])
    assert shown.score == "better"
    np.testing.assert_array_equal(shown.values, truth["predicted"][0])
    with paper_style():
        panels = embedding(shown).axes[:2]
    for axes, values in zip(panels, (shown.accuracy, shown.values), strict=True):
        (dots,) = axes.collections
        order = np.argsort(values, kind="stable")
        np.testing.assert_array_equal(dots.get_offsets(), places[0][order])
        below = [float((values < value).sum()) / (N - 1) for value in values[order]]
        np.testing.assert_allclose(dots.get_array(), below)


def test_a_map_is_shown_with_the_scores_of_its_own_seed(
    results: Results, truth: dict[str, Any]
) -> None:
    results.add_scores(TASK, truth["accuracy"], truth["scores"], archs=ARCHS)
    places = np.random.default_rng(5).normal(size=(3, N, 2))
    places[0] = np.nan
    mapped(results, truth, places, paths=WAY)
    (shown,) = measure_maps(only(results))
    assert shown.seed == 1
    np.testing.assert_array_equal(shown.places, places[1])
    np.testing.assert_array_equal(shown.values, truth["predicted"][1])
    np.testing.assert_array_equal(shown.climbed, -truth["predicted"][1])


def test_there_is_no_map_without_places_or_accuracy(
    results: Results, predicted: Results, truth: dict[str, Any]
) -> None:
    assert list(measure_maps(only(predicted))) == []


def test_there_is_no_map_of_a_task_whose_accuracy_the_study_does_not_tell(
    results: Results, truth: dict[str, Any]
) -> None:
    mapped(results, truth, np.zeros((3, N, 2)))
    assert list(measure_maps(only(results))) == []


def test_an_architecture_of_unknown_accuracy_is_grey(
    results: Results, truth: dict[str, Any]
) -> None:
    truth["accuracy"]["validation"][4] = np.nan
    results.add_scores(TASK, truth["accuracy"], truth["scores"], archs=ARCHS)
    mapped(results, truth, np.random.default_rng(5).normal(size=(3, N, 2)))
    (shown,) = measure_maps(only(results))
    with paper_style():
        unknown, known = embedding(shown).axes[0].collections
    assert (len(unknown.get_offsets()), len(known.get_offsets())) == (1, N - 1)


WAY = {"score": "worse", "places": [[[0.0, 1.0], [2.0, 3.0], [1.0, 1.0]]] * 2}
WAY |= {"archs": [[0, 3, 3], [39, 4, 5]]}


def test_paths_are_drawn_over_the_map_with_what_was_met(
    results: Results, truth: dict[str, Any]
) -> None:
    truth["accuracy"]["validation"][4] = np.nan
    results.add_scores(TASK, truth["accuracy"], truth["scores"], archs=ARCHS)
    mapped(results, truth, np.random.default_rng(5).normal(size=(3, N, 2)), paths=WAY)
    (shown,) = measure_maps(only(results))
    assert shown.paths is not None
    assert shown.climbed is not None
    np.testing.assert_array_equal(shown.climbed, -truth["predicted"][0])
    with paper_style():
        left, middle, right = ascents(shown, shown.paths, shown.climbed).axes
    (dots,) = left.collections
    assert len(dots.get_offsets()) == N
    order = np.argsort(np.nan_to_num(shown.accuracy, nan=-1), kind="stable")
    np.testing.assert_array_equal(dots.get_offsets(), shown.places[order])
    assert (np.diff(dots.get_array()) >= 0).all()
    np.testing.assert_array_equal(left.lines[0].get_xydata(), WAY["places"][0])
    for axes, values in ((middle, shown.climbed), (right, shown.accuracy)):
        known = values[np.isfinite(values)]
        for line, met in zip(axes.lines, WAY["archs"], strict=False):
            below = [
                np.nan if np.isnan(value) else (known < value).sum() / (len(known) - 1)
                for value in values[met]
            ]
            np.testing.assert_allclose(line.get_ydata(), below)
        median = np.nanmedian([line.get_ydata() for line in axes.lines[:2]], axis=0)
        np.testing.assert_allclose(axes.lines[2].get_ydata(), median)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"archs": [[0, 3, 40], [1, 2, 3]]}, "through 40 architectures.* and 1 outside"),
        ({"archs": [[0, 3, -1], [1, 2, 3]]}, "through 40 architectures.* and 1 outside"),
        ({"archs": [[0, 3], [1, 2]]}, r"got shapes \(2, 3, 2\) and \(2, 2\)"),
        ({"archs": [[0, 3, 1.7], [1, 2, 3]]}, "expected paths of as many places"),
        ({"archs": [[0, 3, 2**70], [1, 2, 3]]}, "expected paths of as many places"),
        ({"archs": [[0, 3, 1], [1, 2]]}, "expected paths in the row of ipl on"),
        ({"score": "none"}, "got none, 0 that are not finite, and 0 outside"),
        ({"places": "here"}, "expected paths in the row of ipl on"),
        ({"places": [[[None, 1.0]] * 3] * 2}, "got worse, 6 that are not finite"),
    ],
)
def test_foreign_paths_are_told(
    results: Results, truth: dict[str, Any], wrong: Record, says: str
) -> None:
    results.add_scores(TASK, truth["accuracy"], truth["scores"], archs=ARCHS)
    mapped(results, truth, np.zeros((3, N, 2)), paths=WAY | wrong)
    with pytest.raises(DataError, match=says):
        list(measure_maps(only(results)))


def test_paths_are_in_the_report(results: Results, truth: dict[str, Any], tmp_path: Path) -> None:
    results.add_scores(TASK, truth["accuracy"], truth["scores"], archs=ARCHS)
    mapped(results, truth, np.random.default_rng(5).normal(size=(3, N, 2)), paths=WAY)
    write_reports(results.root, tmp_path / "reports", resamples=20)
    (drawn,) = (tmp_path / "reports").glob("*/*/figures/ascent-1.png")
    page = (drawn.parent.parent / "README.md").read_text()
    assert "up the predicted score worse" in page
