"""The regression check on a toy table: what it tells, how it ends, and the faults it catches."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import numpy as np
import pytest
from toy import TOY, toy_table

from bench import cli
from bench.base import BenchError, Budget, DataError, Table, TableReader
from bench.commands import comparing, measuring, regressing
from bench.commands.measuring import Plan
from bench.reports import baseline
from bench.reports.baseline import Value
from bench.runs import members, provenance, search, tasks
from bench.runs.live import LiveRun, digest
from bench.runs.oracle import Oracle
from bench.runs.row import Run, ScoreRun, SearchRun
from bench.studies import regression
from bench.studies.regression import LivePlan
from bench.studies.study import Study
from bench.tables import columns, files

TASK = "toy/data"
FEW, LONG = Budget(queries=6), Budget(seconds=70.0)


def runs() -> Iterator[Run]:
    yield ScoreRun(TASK, ("random",))
    for searcher in ("random", "local-search", "regularised-evolution", "rank,proxy=synflow"):
        yield SearchRun(TASK, searcher, FEW, 0, 4)
    yield SearchRun(TASK, "random", LONG, 0, 4)


def noisy() -> Table:
    """The toy, with proxies that have facts, and accuracies that differ by more than a number."""
    table = toy_table()
    rng = np.random.default_rng(0)
    test = table.accuracy["validation"] + rng.normal(size=64)
    good = table.scores["good"]
    scores = {"synflow": good + rng.normal(size=64), "ntk": -good + rng.normal(size=64)}
    return toy_table(accuracy={**table.accuracy, "test": test}, scores=scores, score_seconds={})


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plan]:
    """A study of the toy alone, whose table is read anew after `load_task.cache_clear()`."""
    reader = TableReader(TASK, "toy", (), lambda paths, space: noisy())
    known = {kind: dict(found) for kind, found in members._BUILT_IN.items()}
    known["spaces"]["toy"], known["tables"][TASK] = TOY, reader
    monkeypatch.setattr(members, "_BUILT_IN", known)
    tasks.load_task.cache_clear()
    yield Plan(Study("regression", "the toy's", runs), live_runs=lambda: ())
    tasks.load_task.cache_clear()


@pytest.fixture
def frozen(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(measuring, "timed", lambda operations: iter(()))
    comparing.freeze(tmp_path, ["baseline"], plan=plan)
    return tmp_path / "baseline"


def sentences(folder: Path, plan: Plan, **said: Any) -> list[str]:
    tasks.load_task.cache_clear()
    found = comparing.compare(folder, ["compare"], plan=plan, **said)
    assert found.failing == found.changes
    return [change.sentence for change in found.failing]


def test_nothing_moves_by_itself_and_the_bytes_are_the_same(plan: Plan, frozen: Path) -> None:
    assert sentences(frozen, plan) == []
    before = {path.name: path.read_bytes() for path in frozen.iterdir()}
    tasks.load_task.cache_clear()
    found, written = comparing.freeze(frozen.parent, ["baseline"], plan=plan)
    assert {path.name: path.read_bytes() for path in frozen.iterdir()} == before
    assert {path.name for path in written} == {"values.csv", "provenance.json"}
    assert {row["kind"] for row in comparing.counts(found)} == {"task", "correlation", "search"}


# Planted faults.


@pytest.mark.parametrize("proxy", ["synflow", "ntk"])
def test_a_flipped_sign_of_a_proxy_is_caught(
    proxy: str, plan: Plan, frozen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts: Any = members.proxy(proxy)
    flipped = replace(facts, higher_is_better=not facts.higher_is_better)
    monkeypatch.setitem(members._BUILT_IN["proxies"], proxy, flipped)
    found = sentences(frozen, plan)
    kendall = [it for it in found if it.startswith(f"kendall of {proxy} on {TASK} moved from 0.")]
    assert len(kendall) == 1
    assert " to -0." in kendall[0]
    assert "interval widths" in kendall[0]
    # Whoever ranks by it searches another way; no other proxy is named.
    assert any(f"rank,proxy={proxy}" in it for it in found) == (proxy == "synflow")
    assert all(proxy in it for it in found)


def test_validation_and_test_swapped_in_a_table_are_caught(
    plan: Plan, frozen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swapped(paths: object, space: object) -> Table:
        table = noisy()
        accuracy = {"validation": table.accuracy["test"], "test": table.accuracy["validation"]}
        return replace(table, accuracy=accuracy)

    reader = TableReader(TASK, "toy", (), swapped)
    monkeypatch.setitem(members._BUILT_IN["tables"], TASK, reader)
    found = sentences(frozen, plan)
    for what in (
        "mean of validation",
        "best of test",
        "kendall of synflow",
        "mean regret of random",
    ):
        assert any(it.startswith(what) and f"on {TASK} moved" in it for it in found), what


def test_an_oracle_that_answers_with_test_is_caught(
    plan: Plan, frozen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = columns.column

    def leaking(table: Table, name: str) -> Any:
        return honest(table, "test" if name == "validation" else name)

    monkeypatch.setattr(tasks, "column", leaking)
    found = sentences(frozen, plan, kinds=["search"])
    assert any(it.startswith("mean regret of local-search at queries=6") for it in found)


def test_a_budget_overspent_by_one_is_caught(
    plan: Plan, frozen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Oracle.__init__

    def generous(self: Oracle, *arguments: Any) -> None:
        honest(self, *arguments)
        self._limit += 1

    monkeypatch.setattr(Oracle, "__init__", generous)
    found = sentences(frozen, plan)
    for searcher in ("random", "local-search", "regularised-evolution", "rank,proxy=synflow"):
        told = f"most queries of {searcher} at queries=6 on {TASK} moved from 6 to 7, out of "
        assert any(it.startswith(told) for it in found), searcher
    assert not any("at seconds=70" in it for it in found)


def test_seconds_overspent_by_one_query_are_caught(
    plan: Plan, frozen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Oracle._charge

    def generous(self: Oracle, seconds: float) -> None:
        try:
            honest(self, seconds)
        except BenchError:
            if self._seconds > 70:
                raise
            self._seconds = seconds

    monkeypatch.setattr(Oracle, "_charge", generous)
    found = sentences(frozen, plan)
    for what in ("mean seconds", "most seconds"):
        assert any(it.startswith(f"{what} of random at seconds=70") for it in found)
    assert all("at seconds=70" in it for it in found)


def test_validation_accuracy_taken_for_test_is_caught(
    plan: Plan, frozen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def validation(table: Table, pick: int) -> float:
        return float(table.accuracy["validation"][pick])

    monkeypatch.setattr(search, "_test", validation)
    found = sentences(frozen, plan)
    assert all(it.startswith("mean test_regret of ") for it in found)
    for searcher in ("random", "local-search", "regularised-evolution"):
        (told,) = (it for it in found if f" of {searcher} at queries=6 on {TASK} moved from " in it)
        assert "interval widths" in told


def test_a_seed_that_is_off_by_one_is_caught(
    plan: Plan, frozen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = search.search_once

    def shifted(*arguments: Any) -> Any:
        *others, seed = arguments
        return honest(*others, seed + 1)

    monkeypatch.setattr(search, "search_once", shifted)
    found = sentences(frozen, plan)
    for searcher in ("random", "local-search", "regularised-evolution"):
        told = f"regret of {searcher} at queries=6 on {TASK} moved from "
        assert any(told in it for it in found), searcher
    # Whatever draws nothing is the same.
    assert not any("rank,proxy=synflow" in it for it in found)


def test_a_searcher_that_ignores_its_budget_is_stopped_by_the_oracle(
    plan: Plan, frozen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Oracle, "spent", property(lambda self: False))
    assert sentences(frozen, plan) == []


def test_a_proxy_that_is_gone_has_vanished(
    plan: Plan, frozen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(paths: object, space: object) -> Table:
        table = noisy()
        return replace(table, scores={"synflow": table.scores["synflow"]})

    reader = TableReader(TASK, "toy", (), without)
    monkeypatch.setitem(members._BUILT_IN["tables"], TASK, reader)
    found = sentences(frozen, plan)
    assert len(found) == 8
    assert all(f"of ntk on {TASK} vanished: it was " in it for it in found)


# Live scores and speed.


def tiny(proxies: tuple[str, ...] = ("synflow", "ntk", "params")) -> LivePlan:
    space = members.space("nasbench201")
    archs = tuple(space.parse(regression.cell_text(it)) for it in regression.CELLS[-2:])
    run = LiveRun(
        "nasbench201", 2, digest(space, archs), proxies, "noise", batch=8, shape=regression.SMALL
    )
    return LivePlan("tiny/noise", run, archs)


def frozen_by(kind: str, folder: Path, live: LivePlan | None = None) -> Plan:
    """A baseline of live scores or of speed alone, and its plan."""
    live = live or tiny()
    plan = Plan(Study("regression", "nothing", lambda: iter(())), lambda: (live,))
    found = measuring.measure(plan, [kind], ["baseline"], freeze=True, advance=lambda: None)
    baseline.write(folder, found)
    return plan


def test_live_scores_come_back_and_a_flipped_one_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = frozen_by("live", tmp_path)
    before = baseline.read(tmp_path)
    assert before.provenance.environment.keys() >= {"numpy", "torch", "instructions"}
    assert before.provenance.environment["machine"] == provenance.machine()
    values = {value.key[2:]: value for value in before.values}
    dead, living = (
        {
            value.value
            for (of, measure), value in values.items()
            if of == "synflow" and it in measure
        }
        for it in ("|none~2|", "|nor_conv_1x1~2|")
    )
    # Nothing flows through a cell of nothing, and float64 knows nothing else.
    assert dead == {"undefined"}
    assert all(isinstance(value, float) for value in living)
    assert sentences(tmp_path, plan, kinds=["live"]) == []
    facts: Any = members.proxy("synflow")
    known = {kind: dict(found) for kind, found in members._BUILT_IN.items()}
    known["proxies"]["synflow"] = replace(facts, function=lambda it: -facts.function(it))
    monkeypatch.setattr(members, "_BUILT_IN", known)
    found = sentences(tmp_path, plan, kinds=["live"])
    assert len(found) == 2
    assert all("of synflow on tiny/noise moved from" in it for it in found)
    assert {it.partition(" ")[0] for it in found} == {"float32", "float64"}


def planted(folder: Path, plan: Plan) -> set[tuple[str, str]]:
    """Type and proxy of the live scores that fail now; float32 may be told, and no more."""
    found = comparing.compare(folder, ["compare"], plan=plan, kinds=["live"])
    assert all("float32 of" in it.sentence for it in found.changes if it not in found.failing)
    assert all(it.status == "moved" for it in found.failing)
    assert all(" moved from " in it.sentence for it in found.failing)
    return {(it.value.measure.partition(" ")[0], it.value.of) for it in found.failing}


def test_snip_without_absolute_values_is_caught_and_nothing_else_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = frozen_by("live", tmp_path, tiny(("snip", "grad_norm", "params")))
    facts: Any = members.proxy("snip")
    known = {kind: dict(found) for kind, found in members._BUILT_IN.items()}

    def signed(gradients: Any) -> float:
        return float(sum((it.weight * it.gradient).sum() for it in gradients.layers))

    known["proxies"]["snip"] = replace(facts, function=signed)
    monkeypatch.setattr(members, "_BUILT_IN", known)
    assert planted(tmp_path, plan) == {("float32", "snip"), ("float64", "snip")}


def test_a_wrong_stride_in_a_network_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.networks import _blocks

    plan = frozen_by("live", tmp_path, tiny(("flops", "params", "naswot", "snip")))
    honest = _blocks.conv_norm

    def strided(*arguments: Any, **options: Any) -> Any:
        return honest(*arguments, **{"stride": 2, **options})

    monkeypatch.setattr(_blocks, "conv_norm", strided)
    found = planted(tmp_path, plan)
    # As many weights as before, at a quarter of the positions.
    assert {of for dtype, of in found if dtype == "float64"} == {"flops", "naswot", "snip"}


def test_a_seed_of_weights_that_is_off_by_one_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench import networks

    plan = frozen_by("live", tmp_path, tiny(("l2_norm", "params", "naswot", "snip")))
    honest = networks.Weights
    monkeypatch.setattr(networks, "Weights", lambda seed: honest(seed + 1))
    found = planted(tmp_path, plan)
    assert {of for dtype, of in found if dtype == "float64"} == {"l2_norm", "naswot", "snip"}


def test_a_ratio_that_fell_is_told_and_decides_with_speed_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "ROUNDS", 1)
    plan = frozen_by("speed", tmp_path)
    honest = baseline.read(tmp_path)
    speeds = [value for value in honest.values if value.kind == "speed"]
    assert len(speeds) == 2
    assert all(isinstance(it.value, float) and it.value > 0 for it in speeds)

    def slow(operations: str) -> Iterator[Value]:
        return (replace(it, value=1e-3) for it in speeds)

    monkeypatch.setattr(measuring, "timed", slow)
    told = comparing.compare(tmp_path, ["compare"], kinds=["speed"], plan=plan)
    assert (len(told.changes), len(told.failing)) == (2, 0)
    strict = comparing.compare(tmp_path, ["compare"], kinds=["speed"], speed=True, plan=plan)
    assert len(strict.failing) == 2


def test_what_rounding_may_have_moved_is_one_note_a_proxy_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = frozen_by("live", tmp_path, tiny(("snip", "params")))
    whole = baseline.read(tmp_path)
    # As if it had been frozen on a processor whose last digits are others.
    values = (it if isinstance(it.value, str) else nudged(it) for it in whole.values)
    baseline.write(tmp_path, replace(whole, values=tuple(values)))
    found = comparing.compare(tmp_path, ["compare"], plan=plan, kinds=["live"])
    assert found.failing == ()
    assert {it.status for it in found.changes} == {"rounded"}
    assert len(found.changes) == 2  # a dead cell's 0 cannot be nudged
    (note,) = found.lines(github=False)
    assert note.startswith(
        "note  2 values of snip on tiny/noise moved no further than rounding alone may move them; "
        "the first: float32 of |"
    )
    assert comparing.summary(found) == "8 values compared: 0 reasons to fail, 2 told only"
    assert all(it.startswith("::notice title=live rounded::") for it in found.lines(github=True))
    assert [row["fails"] for row in found.rows()] == [False] * 2


def nudged(value: Value) -> Value:
    """A score by snip three parts in a billion larger, with intervals around that."""
    assert isinstance(value.value, float)
    if value.of != "snip":
        return value
    moved = value.value * (1 + 3e-9)
    return replace(value, value=moved, tight=baseline.near(moved, least=1e-3))


# Files that are not here, and other versions.


def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = TableReader(TASK, "toy", ("nasbench101/none.csv",), lambda paths, space: noisy())
    monkeypatch.setitem(members._BUILT_IN["tables"], TASK, reader)
    monkeypatch.setattr(files, "available", lambda path: False)


def benchmarks(path: Path, ours: float) -> Path:
    """A file of pytest-benchmark: a group of two."""
    pairs = {"naive": 8.0, "ours": ours}
    found = [{"group": "g", "name": n, "stats": {"min": s}} for n, s in pairs.items()]
    path.write_text(json.dumps({"benchmarks": found}))
    return path


def test_missing_files_are_told_and_fail_only_where_all_are_asked_for(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "timed", lambda operations: iter(()))
    file = benchmarks(tmp_path / "b.json", 2.0)
    comparing.freeze(tmp_path, ["baseline"], plan=plan, benchmark=file)
    frozen = tmp_path / "baseline"
    absent(monkeypatch)
    found = comparing.compare(frozen, ["compare"], plan=plan, benchmark=file)
    assert found.changes == ()
    assert comparing.summary(found) == "1 values compared: nothing moved"
    assert "not compared: " in found.notes[0]
    assert TASK in found.notes[0]
    with pytest.raises(DataError, match=f"--all, got 1 of them .* {TASK}: nasbench101/none.csv"):
        comparing.compare(frozen, ["compare"], plan=plan, everything=True)


def test_a_baseline_says_what_it_leaves_out(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent(monkeypatch)
    monkeypatch.setattr(measuring, "timed", lambda operations: iter(()))
    with pytest.raises(DataError, match="something to freeze, got no value"):
        comparing.freeze(tmp_path, ["baseline"], plan=plan)
    assert not (tmp_path / "baseline").exists()
    file = benchmarks(tmp_path / "b.json", 2.0)
    found, _ = comparing.freeze(tmp_path, ["baseline"], plan=plan, benchmark=file)
    assert [value.kind for value in found.values] == ["benchmark"]
    assert list(baseline.read(tmp_path / "baseline").provenance.left_out) == [TASK]


def test_a_comparison_of_nothing_is_refused(
    plan: Plan, frozen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"values in .* of live on tasks .*, got none of its \d+"):
        comparing.compare(frozen, ["compare"], plan=plan, kinds=["live"])
    with monkeypatch.context() as patch:
        absent(patch)
        with pytest.raises(DataError, match="of correlation, live, search, speed, task on tasks"):
            comparing.compare(frozen, ["compare"], plan=plan)
    about = baseline.read(frozen).provenance
    baseline.write(frozen, baseline.Baseline((), about))
    with pytest.raises(DataError, match="got none of its 0"):
        comparing.compare(frozen, ["compare"], plan=plan)


def test_what_is_new_is_not_counted_as_compared(plan: Plan, frozen: Path) -> None:
    whole = baseline.read(frozen)
    baseline.write(frozen, replace(whole, values=whole.values[:7]))
    found = comparing.compare(frozen, ["compare"], plan=plan)
    assert comparing.summary(found).startswith("7 values compared: 0 reasons to fail, ")


def test_a_failed_run_is_not_frozen(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(paths: object, space: object) -> Table:
        raise DataError("damaged")

    reader = TableReader(TASK, "toy", (), broken)
    monkeypatch.setitem(members._BUILT_IN["tables"], TASK, reader)
    with pytest.raises(BenchError, match="that do not fail, got score/toy/data/random: .*damaged"):
        comparing.freeze(tmp_path, ["baseline"], plan=plan)
    assert not (tmp_path / "baseline").exists()


def test_a_table_that_cannot_be_read_any_more_is_caught(
    plan: Plan, frozen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(paths: object, space: object) -> Table:
        raise DataError("damaged")

    reader = TableReader(TASK, "toy", (), broken)
    monkeypatch.setitem(members._BUILT_IN["tables"], TASK, reader)
    found = sentences(frozen, plan)
    assert f"outcome of the task on {TASK} appeared: failed: DataError: damaged" in found
    assert any("mean regret of random at queries=6" in it and "vanished" in it for it in found)


def test_other_versions_are_said(plan: Plan, frozen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = frozen / "provenance.json"
    about = json.loads(path.read_text())
    about["environment"]["numpy"] = "1.0"
    path.write_text(json.dumps(about))
    found = comparing.compare(frozen, ["compare"], plan=plan)
    assert found.changes == ()
    assert f"numpy {np.__version__}, and was 1.0" in found.notes[0]


# The command line.


@pytest.fixture
def command(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setattr(comparing, "Plan", lambda: plan)

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ipl-bench", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        code = end.value.code
        assert isinstance(code, int)
        return (code, *capsys.readouterr())

    return run


def test_the_command_ends_with_0_and_then_with_1_and_says_why(
    command: Callable[..., tuple[int, str, str]],
    frozen: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, out, err = command("compare", frozen, "--junit", tmp_path / "junit.xml")
    assert (code, out) == (0, "")
    assert err.endswith("values compared: nothing moved\n")
    assert ElementTree.parse(tmp_path / "junit.xml").getroot().get("failures") == "0"

    monkeypatch.setattr(Oracle, "spent", property(lambda self: len(self.steps) >= 5))
    code, out, err = command("compare", frozen, "--junit", tmp_path / "junit.xml")
    assert code == 1
    first = out.splitlines()[0]
    assert first.startswith("FAIL  ")
    assert "most queries of random at queries=6 on toy/data moved from 6 to 5" in out
    assert "reasons to fail" in err
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert int(root.get("failures", "0")) >= 4

    code, out, _ = command("compare", frozen, "--junit", tmp_path)  # a folder
    assert (code, out.startswith("FAIL  ")) == (2, True)

    code, out, _ = command("compare", frozen, "--kind", "search", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert all(row["fails"] and row["kind"] == "search" for row in rows)
    assert {"before", "after", "low", "high", "widths", "sentence"} <= rows[0].keys()

    code, out, _ = command("compare", frozen, "--github")
    assert code == 1
    assert all(line.startswith("::error title=search moved::") for line in out.splitlines())
    assert command("compare", frozen, "--kind", "correlation")[0] == 0


def test_the_command_freezes(
    command: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "timed", lambda operations: iter(()))
    code, out, err = command("baseline", "--results", tmp_path, "--json")
    assert code == 0
    rows = [json.loads(line) for line in out.splitlines()]
    assert {(row["kind"], row["task"]) for row in rows} == {
        (kind, TASK) for kind in ("task", "correlation", "search")
    }
    assert "provenance.json" in err
    about = json.loads((tmp_path / "baseline" / "provenance.json").read_text())
    assert about["command"] == ["baseline", "--results", str(tmp_path), "--json"]


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "nowhere"),
        ("compare", "--colour"),
        ("compare", "--kind", "taste"),
        ("compare", "{frozen}", "--benchmark", "nowhere.json"),
        ("compare", "{frozen}", "--workers", "0"),
    ],
)
def test_misuse_ends_with_2(
    words: tuple[str, ...], command: Callable[..., tuple[int, str, str]], frozen: Path
) -> None:
    code, out, err = command(*(word.format(frozen=frozen) for word in words))
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1


def test_benchmarks_are_compared_as_ratios(
    command: Callable[..., tuple[int, str, str]],
    plan: Plan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measuring, "timed", lambda operations: iter(()))
    fast, slow = (benchmarks(tmp_path / f"{ours}.json", ours) for ours in (2.0, 5.0))
    assert command("baseline", "--results", tmp_path, "--benchmark", fast)[0] == 0
    kind = ("compare", tmp_path / "baseline", "--kind", "task")
    assert command(*kind, "--benchmark", fast)[:2] == (0, "")
    code, out, _ = command(*kind, "--benchmark", slow)
    assert code == 0
    assert out.startswith("note  times as fast of ours over naive on g moved from 4 to 1.6")
    assert command(*kind, "--benchmark", slow, "--speed")[0] == 1


def test_the_command_takes_every_kind_that_is_measured() -> None:
    (kind,) = (it for it in regressing.compare.params if it.name == "kinds")
    assert isinstance(kind.type, click.Choice)
    assert tuple(kind.type.choices) == comparing.MEASURED


def test_the_whole_plan_is_the_frozen_study() -> None:
    assert Plan() == Plan(regression.REGRESSION, regression.live_runs, regression.TIMED)
