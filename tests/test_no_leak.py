"""No searcher or predictor can know what it did not pay for: poison all else, nothing changes.

What is not tested, as Python cannot keep it: whoever digs in the closure of `Problem.scores`, or
imports `bench.runs`, finds the table. No attribute that a member is handed leads there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from toy import ARCHS, TOY, toy_table

from bench.base import Budget, Floats, Prediction, Problem, Table
from bench.runs import members
from bench.runs.oracle import Oracle
from bench.runs.predict import Predicted, predict_once
from bench.runs.row import PredictRun, SearchRun
from bench.runs.search import Search, search_once
from bench.runs.tasks import Answers, Task
from bench.training.recipe import parse
from ipl import latents
from ipl.autoencoder import Options, pretrained
from ipl.options import Settings

QUERIES = 12
SMALL_IPL = "scored=20,width=16,members=1,restarts=4,steps=4,polish=10,auxiliary=false"
SEARCHERS = {
    "rank": ["rank,proxy=nwot"],
    "evolution": ["evolution,population=4,tournament=2"],
    "regularised-evolution": ["regularised-evolution,population=4,sample=2"],
    "random": ["random", "random,warm=nwot"],
    "ipl": [
        f"ipl,{SMALL_IPL}",
        f"ipl,{SMALL_IPL},regime=zero-query",
        f"ipl,{SMALL_IPL},weights=found,labels=6",
    ],
    "gaussian-process": ["gaussian-process,initial=4"],
    **{name: [f"{name},initial=4,batch=4"] for name in ("bananas", "npenas")},
    "predictor": ["predictor,initial=4,batch=4"],
    **{name: [f"{name},initial=4"] for name in ("optuna-tpe", "optuna-gp")},
}
"""What makes a searcher work on the toy, and learn from its first answers."""
PREDICTORS = {
    "forest": ["forest,scored=20,trees=5"],
    "ipl": [
        "ipl,scored=20,width=16,members=1,auxiliary=false,labels=10",
        "ipl,learned=false,labels=10",
    ],
}


@pytest.fixture(autouse=True)
def _small_autoencoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is about how well `ipl` searches."""
    small = Options(hidden=16, layers=1, steps=30)
    monkeypatch.setattr(latents, "pretrained", partial(pretrained, options=small))
    monkeypatch.setattr(latents, "_MADE", {})
    monkeypatch.setattr("ipl.options.Settings", partial(Settings, steps=30))


def searchers() -> Iterator[str]:
    for name in members.names("searchers"):
        yield from SEARCHERS.get(name, [name])


def predictors() -> Iterator[str]:
    for name in members.names("predictors"):
        yield from PREDICTORS.get(name, [name])


def table(**changes: object) -> Table:
    """The toy's, with proxies of well-known names and more secrets than validation."""
    a, b, c = np.array(ARCHS, dtype=float).T
    scores = {
        "jacov": 5 * a + b + c,
        "nwot": a + b + c,
        "synflow": (a * b + 2 * c) % 5,
        "flops": 3 * a + c,
        "params": b,
        "snip": -a,
    }
    plain = toy_table(scores=scores, score_seconds={})
    secrets = plain.accuracy | {"train": plain.accuracy["test"] + 5}
    return replace(plain, accuracy=secrets, targets={"latency": a + 1}, **changes)  # type: ignore[arg-type]


def search(text: str, of: Table, seed: int = 1, queries: int = QUERIES) -> Search:
    factory, options = members.searcher(text)
    run = SearchRun("toy/data", text, Budget(queries=queries), seed, 1)
    done = search_once(Task(TOY, of).answers, run, factory, options, seed)
    assert done.error is None
    return done


@cache
def asked(text: str) -> list[int]:
    """The rows asked for where nothing is poisoned."""
    return search(text, table()).oracle.steps


def predict(text: str, of: Table, seed: int = 1) -> Predicted:
    predictor, options = members.predictor(text)
    run = PredictRun("toy/data", text, Budget(queries=QUERIES), seed, 1)
    done = predict_once(Task(TOY, of).answers, run, predictor, options, seed)
    assert done.error is None
    assert done.prediction is not None
    return done


def bits(done: Predicted) -> dict[str, bytes]:
    assert done.prediction is not None
    return {name: values.tobytes() for name, values in done.prediction.scores.items()}


def poisoned(of: Table, **columns: Floats) -> Table:
    return replace(of, accuracy=of.accuracy | columns)


def without_test(how: str) -> Table:
    """All that is not validation is reversed, or NaN."""
    plain = table()
    broken = {
        "garbage": lambda values: -1e3 * values,
        "nan": lambda values: np.full_like(values, np.nan),
    }[how]
    secrets: Mapping[str, Floats] = {
        name: broken(plain.accuracy[name]) for name in ("test", "train")
    }
    targets = {name: broken(values) for name, values in plain.targets.items()}
    return replace(poisoned(plain, **secrets), targets=targets)


def beyond(rows: list[int], seed: int = 0) -> Table:
    """The validation of all but some rows is garbage, better and worse than any real one."""
    plain = table()
    garbage = np.random.default_rng(seed).normal(scale=1e3, size=64)
    known = np.isin(np.arange(64), rows)
    return poisoned(plain, validation=np.where(known, plain.accuracy["validation"], garbage))


@pytest.mark.parametrize("how", ["garbage", "nan"])
@pytest.mark.parametrize("text", list(searchers()))
def test_no_searcher_sees_test_accuracy(text: str, how: str) -> None:
    assert search(text, without_test(how)).oracle.steps == asked(text)


@pytest.mark.parametrize("text", list(searchers()))
def test_no_searcher_sees_validation_before_it_asks(text: str) -> None:
    """What it never asked for may be anything: it asks the same."""
    assert search(text, beyond(asked(text))).oracle.steps == asked(text)


@pytest.mark.parametrize("text", list(searchers()))
def test_no_searcher_sees_the_validation_of_what_it_asks_for_next(text: str) -> None:
    """Up to the first ask of a poisoned row, that row included, nothing may change."""
    half = asked(text)[: QUERIES // 2]
    first = next(
        (at for at, row in enumerate(asked(text)) if row not in half), len(asked(text)) - 1
    )
    again = search(text, beyond(half, seed=1)).oracle.steps
    assert again[: first + 1] == asked(text)[: first + 1]


@pytest.mark.parametrize("text", [text for text in searchers() if "regime" not in text])
def test_the_poison_would_be_noticed(text: str) -> None:
    """Told garbage from the start, whoever learns from answers goes elsewhere."""
    learns = not text.startswith(("random", "rank"))
    moved = search(text, beyond([]), queries=20).oracle.steps
    assert (moved != search(text, table(), queries=20).oracle.steps) is learns


@pytest.mark.parametrize("how", ["garbage", "nan"])
@pytest.mark.parametrize("text", list(predictors()))
def test_no_predictor_sees_test_accuracy(text: str, how: str) -> None:
    plain, other = predict(text, table()), predict(text, without_test(how))
    assert other.oracle.steps == plain.oracle.steps
    assert bits(other) == bits(plain)


@pytest.mark.parametrize("text", list(predictors()))
def test_no_predictor_sees_validation_it_did_not_ask_for(text: str) -> None:
    plain = predict(text, table())
    other = predict(text, beyond(plain.oracle.steps))
    assert other.oracle.steps == plain.oracle.steps
    assert bits(other) == bits(plain)
    assert plain.prediction is not None
    assert other.prediction is not None
    assert other.prediction.facts == plain.prediction.facts


def test_labels_for_weights_stand_in_the_trace() -> None:
    done = search(f"ipl,{SMALL_IPL},weights=found,labels=6", table(), queries=6).oracle
    assert len(done.steps) == len(set(done.steps)) == len(done.clock) == 6
    # Nothing was scored yet when the labels were paid for, each with its training's seconds.
    assert done.scored_at == [0] * 6
    assert (np.diff([0.0, *done.clock]) >= 10).all()
    on = search(f"ipl,{SMALL_IPL},weights=found,labels=6", table(), queries=9).oracle
    assert on.steps[:6] == done.steps
    assert on.scored_at == [0] * 6 + [20] * 3


@pytest.mark.parametrize("text", PREDICTORS["ipl"])
def test_labels_of_a_predictor_stand_in_the_trace(text: str) -> None:
    oracle = predict(text, table()).oracle
    assert len(oracle.steps) == len(set(oracle.steps)) == len(oracle.clock) == 10


@pytest.mark.parametrize("text", [text for text in searchers() if text.startswith("ipl")])
def test_answers_for_the_head_stand_in_the_trace(text: str) -> None:
    """Every answer told is a query: none is had by another door."""
    factory, options = members.searcher(text)
    oracle = Oracle(Task(TOY, table()).answers, Budget(queries=QUERIES))
    searcher = factory(oracle.problem(), np.random.default_rng(1), **options)
    for told in range(QUERIES):
        arch = searcher.ask()
        assert len(oracle.steps) == told
        searcher.tell(arch, oracle.query(arch))
    assert oracle.steps == asked(text)


def reachable(start: object, depth: int = 8) -> Iterator[tuple[str, object]]:
    """All that attributes, items and bound methods' owners lead to, but not closures."""
    waiting: list[tuple[str, object, int]] = [("problem", start, 0)]
    met: set[int] = set()
    keep: list[object] = []
    while waiting:
        path, thing, level = waiting.pop()
        if id(thing) in met or isinstance(thing, (str, int, float, type(None))):
            continue
        met.add(id(thing))
        keep.append(thing)  # So that no number is used twice.
        yield path, thing
        if level < depth:
            waiting += [(f"{path}{at}", each, level + 1) for at, each in _inside(thing)]


def _inside(thing: object) -> Iterator[tuple[str, object]]:
    if isinstance(thing, Mapping):
        yield from ((f"[{key!r}]", value) for key, value in thing.items())
    elif isinstance(thing, (list, tuple, set, frozenset)):
        yield from ((f"[{at}]", value) for at, value in enumerate(thing))
    elif not isinstance(thing, type):
        yield from ((f".{name}", value) for name, value in getattr(thing, "__dict__", {}).items())
        for name in (*getattr(type(thing), "__slots__", ()), "__self__", "__wrapped__"):
            if hasattr(thing, name):
                yield f".{name}", getattr(thing, name)


@pytest.mark.parametrize("pool", ["whole", "part"])
def test_no_attribute_of_a_problem_leads_to_a_table(pool: str) -> None:
    of = table()
    if pool == "part":
        validation = of.accuracy["validation"].copy()
        validation[::3] = np.nan
        of = poisoned(of, validation=validation)
    oracle = Oracle(Task(TOY, of).answers, Budget(queries=5))
    problem = oracle.problem()
    # What a member may well do first, so that what is kept on the way is there.
    problem.scores(problem.pool or (), problem.proxies)
    problem.features(problem.pool or (), "graph")
    problem.space.mutate((problem.pool or ())[0], np.random.default_rng(0))
    found = list(reachable(problem))
    assert len(found) > 20
    for path, thing in found:
        assert not isinstance(thing, (Table, Task, Answers, Oracle)), path
        assert not _numbers_of_rows(thing), path


def test_no_attribute_of_a_problem_leads_to_what_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for needed in ("torch", "sklearn"):
        pytest.importorskip(needed)
    from bench.runs.trained import TrainedAnswers, TrainedTask
    from bench.training.trainer import Trained

    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    space = members.space("nasbench201")
    recipe = parse("digits,epochs=1,training=20,batch=10,skeleton=cells:1/channels:1")
    oracle = Oracle(TrainedTask(space, recipe).answers, Budget(queries=1))
    problem = oracle.problem()
    arch = space.sample(np.random.default_rng(0))
    oracle.query(arch)
    problem.scores([arch], ["params"])
    for path, thing in reachable(problem):
        kinds = (Table, TrainedTask, TrainedAnswers, Trained, Oracle)
        assert not isinstance(thing, kinds), path


def _numbers_of_rows(thing: object) -> bool:
    """Whether this is a list or column of as many numbers as a pool has rows."""
    if isinstance(thing, np.ndarray):
        return thing.dtype.kind == "f" and thing.shape == (64,)
    return isinstance(thing, (list, tuple)) and len(thing) > 40 and isinstance(thing[0], float)


def test_no_attribute_of_a_query_leads_to_a_table() -> None:
    handed: list[object] = []

    def nosy(problem: Problem, query: object, rng: object) -> Prediction:
        handed.extend([problem, query])
        return Prediction({"zero": np.zeros(64)}, {})

    run = PredictRun("toy/data", "nosy", Budget(queries=1), 0, 1)
    assert predict_once(Task(TOY, table()).answers, run, nosy, {}, 0).error is None
    for path, thing in reachable(handed):
        assert not isinstance(thing, (Table, Task, Answers, Oracle)), path
        assert not _numbers_of_rows(thing), path


def test_the_walk_would_find_a_table() -> None:
    oracle = Oracle(Task(TOY, table()).answers, Budget(queries=5))
    leaky = replace(oracle.problem(), scores=oracle.scores)
    found = [thing for _, thing in reachable(leaky)]
    assert {Oracle, Answers, Task, Table} <= set(map(type, found))
    assert sum(map(_numbers_of_rows, found)) > 2
