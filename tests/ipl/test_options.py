"""Options: what makes no sense is refused, and members tell all of them in their signatures."""

from __future__ import annotations

import inspect
from dataclasses import fields

import pytest

from bench.base import OptionError
from bench.runs import members
from ipl.maximise import WAYS
from ipl.options import SEARCHES, Options, Settings, takes_options


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"regime": "no-query"}, "regime among few-query, zero-query, got 'no-query'"),
        ({"weights": "best"}, "weights among equal, .*, got 'best'"),
        ({"objective": "rho"}, "objective among ranks, tau, got 'rho'"),
        ({"transform": "log"}, "transform among raw, .*, got 'log'"),
        ({"search": "climb"}, "search among ascent, evolution, random, pool, got 'climb'"),
        ({"scored": 0}, "scored to be a whole number above 0, got 0"),
        ({"scored": 2.5}, "scored to be a whole number above 0, got 2.5"),
        ({"width": -1}, "width to be"),
        ({"depth": 0}, "depth to be"),
        ({"members": 0}, "members to be"),
        ({"restarts": 0}, "restarts to be"),
        ({"initial": 0}, "initial to be"),
        ({"batch": 0}, "batch to be"),
        ({"polish": -1}, "polish to be at least 0, got -1"),
        ({"drawn": -1}, "drawn to be from 0 to initial=6, got -1"),
        ({"drawn": 4, "initial": 3}, "drawn to be from 0 to initial=3, got 4"),
        ({"focus": 1.0}, "focus to be at least 0 and below 1, got 1.0"),
        ({"focus": -0.1}, "focus to be"),
        ({"focus": float("nan")}, "focus to be"),
        ({"labels": -1}, "labels to be 0, or at least 2, got -1"),
        ({"labels": 1}, "labels to be 0, or at least 2, got 1"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=f"^expected {says}"):
        Options(**wrong)  # type: ignore[arg-type]


def test_every_way_to_search_is_an_option() -> None:
    assert tuple(WAYS) == SEARCHES


def test_edges_are_taken() -> None:
    Options(focus=0.0, labels=2, polish=0, scored=1, initial=1)
    Options(focus=0.99, labels=0)


@pytest.mark.parametrize(
    ("width", "depth", "widths"),
    [(256, 2, (256, 128)), (512, 3, (512, 256, 128)), (16, 4, (16, 8, 8, 8)), (3, 1, (8,))],
)
def test_each_further_layer_is_half_as_wide(
    width: int, depth: int, widths: tuple[int, ...]
) -> None:
    assert Options(width=width, depth=depth, members=3).learner == Settings(
        widths=widths, members=3
    )


def test_a_signature_tells_every_option_with_its_default() -> None:
    @takes_options
    def member(problem: object, *, own: bool = True, **options: object) -> None: ...

    parameters = inspect.signature(member).parameters
    assert list(parameters) == ["problem", "own", *(each.name for each in fields(Options))]
    keywords = [each for each in parameters.values() if each.kind is each.KEYWORD_ONLY]
    assert {each.name: each.default for each in keywords} == {
        "own": True,
        **{each.name: each.default for each in fields(Options)},
    }


def test_the_bench_shows_them_and_reads_them_by_their_types() -> None:
    shown = {each.name: each.default for each in fields(Options)}
    factory, given = members.searcher(
        "ipl,scored=200,focus=0,auxiliary=false,found_on=nasbench201-suite/cifar10,weights=equal"
    )
    assert members.options(factory) == shown
    assert given == {
        "scored": 200,
        "focus": 0.0,
        "auxiliary": False,
        "found_on": "nasbench201-suite/cifar10",
        "weights": "equal",
    }
    assert isinstance(given["focus"], float)
    function, given = members.predictor("ipl,learned=false,rate=1")
    assert members.options(function) == {"learned": True, **shown}
    assert given == {"learned": False, "rate": 1.0}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ipl,auxiliary=0", "expected auxiliary as true or false, got '0'"),
        ("ipl,scored=many", "expected scored as int, got 'many'"),
        ("ipl,focus=half", "expected focus as float, got 'half'"),
        ("ipl,learned=true", "searcher ipl has no option 'learned'"),
        ("ipl,options=1", "has no option 'options'"),
    ],
)
def test_what_is_no_option_is_refused(text: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        members.searcher(text)
