"""Live scores beside a task's accuracies: which rows are meant, and what reports read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from toy import ARCHS, TOY, toy_table

from bench.base import Arch, DataError, OptionError, Table
from bench.proxies.computed import PopulationRanking
from bench.reports.load import load_studies
from bench.runs import live, live_rows, live_store, live_tasks, streamed
from bench.runs.live import LiveRun
from bench.runs.live_tasks import against
from bench.runs.tasks import Task


class Down:
    """A proxy of graphs that is best when low, and fails for the first digit 3."""

    name = "down"
    higher_is_better = False
    needs = frozenset({"graph"})
    paper = "none"

    def __call__(self, graph: object) -> float:
        first, *rest = (int(name) for name in graph.operations[1:-1])  # type: ignore[attr-defined]
        if first == 3:
            raise ArithmeticError
        return float(10 * first + sum(rest))


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """The one task there is; exchange it to have another."""
    held = [Task(TOY, toy_table())]
    monkeypatch.setattr(live_tasks, "load_task", lambda name: held[0])
    for module in (live_tasks, live):
        monkeypatch.setattr(module.members, "proxy", lambda name: Down())
        monkeypatch.setattr(module.members, "space", lambda name: TOY)
    return held


def run_of(archs: list[Arch], **how: object) -> LiveRun:
    facts = {"proxies": ("down",), "dataset": "noise", **how}
    return LiveRun("toy", len(archs), live.digest(TOY, archs), **facts)  # type: ignore[arg-type]


def part_of(rows: list[int], **changes: object) -> Table:
    whole = toy_table()
    return toy_table(
        archs=[whole.archs[row] for row in rows],
        accuracy={name: values[rows] for name, values in whole.accuracy.items()},
        scores={},
        score_seconds={},
        training_seconds=None,
        **changes,
    )


def test_architectures_are_looked_up_as_written(task: list[Task]) -> None:
    archs = [ARCHS[40], ARCHS[7], ARCHS[20]]
    found = against("toy/data", run_of(archs), archs)
    assert found.rows.tolist() == [7, 20, 40]
    assert found.scored.tolist() == [1, 2, 0]
    assert found.known == 3


def test_rows_whose_truth_is_unknown_are_left_out(task: list[Task]) -> None:
    table = toy_table()
    accuracy = {name: values.copy() for name, values in table.accuracy.items()}
    accuracy["validation"][:] = np.nan
    accuracy["test"][7] = np.nan
    task[0] = Task(TOY, toy_table(accuracy=accuracy))
    archs = [ARCHS[7], ARCHS[8]]
    assert against("toy/data", run_of(archs), archs).rows.tolist() == [8]


def test_one_that_stands_for_its_class_is_the_score_of_every_row_of_it(task: list[Task]) -> None:
    archs = [(2, 1, 0), (3, 3, 3)]
    found = against("toy/data", run_of(archs, distinct=True, whole="toy"), archs)
    members = [row for row, arch in enumerate(ARCHS) if sorted(arch) == [0, 1, 2]]
    assert found.rows.tolist() == [*members, 63]
    assert found.scored.tolist() == [0] * 6 + [1]
    plain = against("toy/data", run_of(archs), archs)
    assert plain.rows.tolist() == [ARCHS.index((2, 1, 0)), 63]


@pytest.mark.parametrize("whole", [None, "other/data", "toy/data"])
def test_one_of_a_sample_is_one_row(whole: str | None, task: list[Task]) -> None:
    """All of this very task lend their scores within it; a sample, or another task's, do not."""
    archs = [(2, 1, 0), (3, 3, 3)]
    found = against("toy/data", run_of(archs, distinct=True, whole=whole), archs)
    if whole == "toy/data":
        assert (len(found.rows), found.by_class) == (7, 5)
    else:
        assert found.rows.tolist() == [ARCHS.index((2, 1, 0)), 63]
        assert (found.scored.tolist(), found.by_class) == ([0, 1], 0)


def test_of_a_class_that_is_not_there_as_written_the_first_row_is_taken(task: list[Task]) -> None:
    rows = [ARCHS.index(arch) for arch in ((0, 2, 1), (1, 0, 2), (3, 3, 3))]
    task[0] = Task(TOY, part_of(rows))
    archs = [(2, 1, 0), (3, 3, 3)]
    found = against("toy/data", run_of(archs, distinct=True), archs)
    assert (found.rows.tolist(), found.scored.tolist(), found.by_class) == ([0, 2], [0, 1], 1)
    assert against("toy/data", run_of(archs), archs).rows.tolist() == [2]


def test_canonical_forms_are_scored_for_the_rows_that_were_meant(task: list[Task]) -> None:
    meant = [(2, 1, 0), (0, 1, 2), (3, 1, 1)]
    scored = [(0, 1, 2), (1, 1, 3)]
    found = against("toy/data", run_of(scored, canonical=True), meant, scored)
    assert found.rows.tolist() == sorted(map(ARCHS.index, meant))
    assert found.scored.tolist() == [0, 0, 1]
    assert (found.known, found.by_class) == (2, 2)


def test_a_table_of_classes_is_asked_by_class(task: list[Task]) -> None:
    rows = [ARCHS.index(arch) for arch in ((0, 1, 2), (1, 1, 3), (3, 2, 2))]
    task[0] = Task(TOY, part_of(rows, canonical=True))
    archs = [(2, 1, 0), (3, 3, 3), (1, 1, 3), (0, 2, 1), (2, 3, 2)]
    found = against("toy/data", run_of(archs), archs)
    assert found.rows.tolist() == [0, 1, 2]
    assert found.scored.tolist() == [0, 2, 4]
    assert found.known == 3


def test_no_architecture_that_it_knows_is_told(task: list[Task]) -> None:
    task[0] = Task(TOY, part_of([5, 6]))
    with pytest.raises(DataError, match="knows none of the 1 architectures"):
        against("toy/data", run_of([ARCHS[7]]), [ARCHS[7]])


def test_a_task_of_another_space_is_told(data: Path) -> None:
    run = LiveRun("nasbench201", 1, "", ("params",), "noise")
    with pytest.raises(OptionError, match="of the space nasbench201, got darts/oncenas545, which"):
        against("darts/oncenas545", run, [(0,) * 6])


def test_reports_read_live_scores_like_recorded_ones(task: list[Task], tmp_path: Path) -> None:
    archs = ARCHS[::-3]
    run = run_of(archs)
    folder = tmp_path / "mine" / "c0ffee-machine"
    with streamed.opened(folder) as store:
        with live_store.Stream.opened(folder / live_store.STREAM) as stream:
            for row in live_rows.rows(run, archs):
                stream.append(row)
            live_store.finish(store, run, stream)
        found = against("toy/data", run, archs)
        outcome = live_tasks.outcome(folder / live_store.SCORES, run, found, 0)
        store.append(live_tasks.key("toy/data", 0), outcome)
    (study,) = load_studies(tmp_path)
    (scores,) = study.score_sets
    assert (scores.task, scores.space, scores.truth) == ("toy/data", "toy", "validation")
    wanted = sorted(archs)
    assert scores.archs == tuple(map(TOY.text, wanted))
    expected = [-np.inf if a == 3 else -(10.0 * a + b + c) for a, b, c in wanted]
    np.testing.assert_array_equal(scores.scores["down"], expected)
    np.testing.assert_array_equal(scores.target, [10 * a + 3 * b + c for a, b, c in wanted])
    assert (scores.seconds["down"] > 0).all()
    last = json.loads((folder / "rows.jsonl").read_text().splitlines()[-1])
    assert last["errors"] == {"down": {"ArithmeticError": sum(arch[0] == 3 for arch in archs)}}
    assert last["n"] == len(archs)


def test_every_seed_has_its_own_scores(task: list[Task], tmp_path: Path) -> None:
    run = run_of(ARCHS, seeds=(0, 1))
    rows = [
        {**row, "values": {"down": float(i)}, "errors": {}}
        for i, row in enumerate(live_rows.rows(run, ARCHS))
    ]
    path = tmp_path / "live.parquet"
    live_store.write_parquet(path, run, rows, live_store.Gist(rows))
    found = against("toy/data", run, ARCHS)
    for seed in (0, 1):
        outcome = live_tasks.outcome(path, run, found, seed)
        assert outcome.rows[0]["seed"] == seed
        assert outcome.rows[0]["errors"] == {}
        assert outcome.attachment is not None
        (tmp_path / "scores.parquet").write_bytes(outcome.attachment.content)
        values = live_tasks.pq.read_table(tmp_path / "scores.parquet")["score:down"].to_numpy()
        np.testing.assert_array_equal(values, -np.arange(64.0) - 64 * seed)


def test_a_ranking_is_of_all_that_were_scored(
    task: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranking = PopulationRanking(
        name="places",
        components=("down",),
        function=lambda columns: np.argsort(np.argsort(columns["down"])).astype(float),
        needs=frozenset(),
        paper="none",
        follows="nothing",
        definition="the place among the others",
    )
    found = {"down": Down(), "places": ranking}
    monkeypatch.setattr(live.members, "proxy", found.__getitem__)
    proxies, rankings = live.with_components(["places", "down", "places"])
    assert (proxies, rankings) == (("down",), ("places",))
    with pytest.raises(OptionError, match="places, which ranks a population by down"):
        live.scorable("places")
    archs = [(0, 0, 3), (0, 1, 1), (2, 0, 0), (0, 0, 0)]
    task[0] = Task(TOY, part_of([ARCHS.index(archs[2]), ARCHS.index(archs[0])]))
    run = run_of(archs, rankings=rankings)
    path = tmp_path / "live.parquet"
    rows = list(live_rows.rows(run, archs))
    live_store.write_parquet(path, run, rows, live_store.Gist(rows))
    outcome = live_tasks.outcome(path, run, against("toy/data", run, archs), 0)
    assert outcome.rows[0]["proxies"] == ["down", "places"]
    assert outcome.attachment is not None
    (tmp_path / "scores.parquet").write_bytes(outcome.attachment.content)
    table = live_tasks.pq.read_table(tmp_path / "scores.parquet")
    assert table["score:down"].to_pylist() == [-20.0, -3.0]
    assert table["score:places"].to_pylist() == [0.0, 1.0]
